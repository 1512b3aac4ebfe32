"""Cells of CSV: no formula for a spreadsheet, no broken row, and equal when they are read back."""

import csv
import io

import pytest

from fer_keras.prediction.csv_cells import csv_row, read_cell
from fer_keras.prediction.results_file import ResultsFile, journal_of

NAMES = [
    *("=cmd|' /C calc'!A0.jpg", "+1.jpg", "-1.jpg", "@SUM(A1).jpg", "'=1.jpg", "''+x.jpg", "'quoted'.jpg", "plain.jpg"),
    *("a\rb.jpg", "\rb.jpg", "a\nb.jpg", "\tb.jpg", 'a"b,c.jpg', " leading.jpg", "héllo 😀.jpg", "'", "-"),
]


@pytest.mark.parametrize("name", NAMES)
def test_text_is_no_formula_stays_in_its_row_and_reads_back_equal(name):
    rows = list(csv.reader(io.StringIO(csv_row([name, -0.5, None, "end"]), newline="")))
    assert len(rows) == 1 and rows[0][1:] == ["-0.5", "", "end"]
    assert rows[0][0][0] not in "=+-@\t\r\n" and read_cell(rows[0][0]) == name


def row(path: str) -> dict:
    values = {"face": 0, "face_box": [-1.0, 0.0, 2.5, 3.0], "emotion": "=sad", "confidence": 0.75, "uncertain": False}
    return {"path": path, **values, "valence": -0.25, "arousal": None, "probabilities": {"=sad": 0.75, "happy": 0.25}}


@pytest.mark.parametrize("suffix", ["csv", "json", "parquet"])
def test_results_with_such_names_are_resumed_as_they_were_written(tmp_path, suffix):
    path, labels = tmp_path / f"out.{suffix}", ("happy", "=sad")
    results = ResultsFile(path, labels, {"model": "m"})
    results.add([[row(name)] for name in NAMES])
    results.finish(NAMES)
    again = ResultsFile(path, labels, {"model": "m"}, resume=True)
    again.close()
    assert list(again.done) == NAMES
    for name, rows in again.done.items():
        assert {key: value for key, value in rows[0].items() if value is not None} == {
            key: value for key, value in row(name).items() if value is not None
        }
    assert journal_of(path).is_file()


def test_results_of_an_older_version_are_resumed(tmp_path):
    """It wrote cells as they were; numbers and ordinary names are the same bytes now as then."""
    path, labels = tmp_path / "out.csv", ("happy", "sad")
    results = ResultsFile(path, labels, {})
    record = row("a b,c.jpg") | {"emotion": "sad", "probabilities": {"sad": 0.75, "happy": 0.25}}
    results.add([[record]])
    results.finish(["a b,c.jpg"])
    old = io.StringIO()
    columns = list(results.columns)
    writer = csv.DictWriter(old, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerow(dict(zip(columns, next(csv.reader([path.read_text().splitlines()[1]])), strict=True)))
    assert path.read_text() == old.getvalue()
    path.write_text(old.getvalue().replace('"a b,c.jpg"', "=old.jpg"))
    again = ResultsFile(path, labels, {}, resume=True)
    again.close()
    assert list(again.done) == ["=old.jpg"]


def test_a_row_that_was_cut_short_is_named(tmp_path):
    path = tmp_path / "out.csv"
    results = ResultsFile(path, ("happy",), {})
    results.add([[row("a.jpg") | {"emotion": "happy", "probabilities": {"happy": 1.0}}]])
    results.finish(["a.jpg"])
    path.write_text(path.read_text()[:-30])
    with pytest.raises(ValueError, match="does not hold rows as this run writes them"):
        ResultsFile(path, ("happy",), {}, resume=True)
