"""The report: every number is there, absent outputs are left out, nothing is fetched and nothing escapes its cell."""

import base64
import json
import re
from html.parser import HTMLParser

import numpy as np
import pyarrow as pa
import pytest

from fer_keras.labels import AXES, EMOTIONS
from fer_keras.metrics.metric_table import METRICS
from fer_keras.metrics.scores import score_predictions
from fer_keras.report.page import build_sections, summary_lines, worst_mistakes, write_report
from fer_keras.report.sections import Picture

_VOID = {"meta", "link", "img", "br"}

# The smallest PNG there is, in place of pictures (0.4 s each) where a test is not about them.
_PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr("fer_keras.report.page._png", lambda figure: _PIXEL)


def _table(n=120, outputs=("emotion", *AXES), labels=EMOTIONS, truth=None, never=None, seed=0) -> pa.Table:
    """Predictions that agree with random labels more often than not; some rows unlabelled."""
    rng = np.random.default_rng(seed)
    columns = {"split": ["test"] * n, "id": [f"face{row}" for row in range(n)], "path": [""] * n}
    if "emotion" in outputs:
        true = rng.integers(0, len(labels), n) if truth is None else np.full(n, labels.index(truth))
        scores = rng.gumbel(size=(n, len(labels))) + 2.0 * np.eye(len(labels))[true]
        if never is not None:
            scores[:, labels.index(never)] = -20
        probabilities = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
        columns["emotion_true"] = pa.array([labels[k] for k in true], mask=np.arange(n) % 20 == 7)
        columns["emotion_pred"] = [labels[k] for k in probabilities.argmax(axis=1)]
        for k, label in enumerate(labels):
            columns[f"probability_{label}"] = probabilities[:, k].astype(np.float32)
    for axis in (axis for axis in AXES if axis in outputs):
        true = rng.uniform(-0.9, 0.9, n).astype(np.float32)
        columns[f"{axis}_true"] = pa.array(true, mask=np.arange(n) % 20 == 3)
        columns[f"{axis}_pred"] = np.clip(0.8 * true + rng.normal(0, 0.1, n), -1, 1).astype(np.float32)
    metadata = {b"fer_keras.labels": json.dumps(list(labels)).encode()}
    return pa.table(columns).replace_schema_metadata(metadata)


def _context(**changes) -> dict:
    return {
        "title": "A model", "model": "runs/a/model.keras", "dataset": "synthetic", "split": "test",
        "fingerprint": "f1f2", "command": "python -m fer_keras.evaluate a", "seconds": 1.5, "date": "2026-01-02",
        "versions": {"keras": "3.15.0"},
        "data_report": {"rows": 1234, "dropped": {"no face": 7}, "unreadable": ["bad1", "bad2"]},
        "selected_on": "validation", "notes": [],
    } | changes  # fmt: skip


class _Page(HTMLParser):
    """Collects text and attributes of a page, and fails on tags that do not nest."""

    def __init__(self, source: str):
        super().__init__()
        self.open, self.text, self.tags, self.addresses, self.headings = [], [], [], [], []
        self.feed(source)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.addresses += [value for name, value in attrs if name in ("src", "href", "srcset", "action", "data")]
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-1:]}"
        self.open.pop()

    def handle_data(self, data):
        self.text.append(data)
        if self.open and self.open[-1] in ("h1", "h2"):
            self.headings.append(data)


def _report(directory, table, context=None, baseline=None, **more):
    scores = score_predictions(table, baseline, bootstrap=50)
    written = write_report(directory, scores, table, context or _context(), **more)
    page = _Page(written["report.html"].read_text("utf-8"))
    return scores, written, page, written["report.md"].read_text("utf-8")


def _numbers(scores) -> set[str]:
    """Every score, interval end and baseline, as it is printed."""
    found = set()
    for output in ("emotion", *AXES):
        part = scores.get(output, {})
        names = [name for name, metric in METRICS.items() if name in part]
        found |= {part[name].get(key) for name in names for key in ("value", "low", "high")}
        found |= {part["baseline"][name] for name in names}
        for values in part.get("per_class", {}).values():
            found |= {value for name, value in values.items() if name != "support"}
    found |= {scores["p_va"]["value"]} if "p_va" in scores else set()
    return {f"{value:.3f}" for value in found if value is not None}


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    directory = tmp_path_factory.mktemp("full")
    history = {"loss": [2.0, 1.0], "val_loss": [2.5, 1.5]}
    asked = []

    def load_faces(rows):
        asked.extend(rows)
        return [np.full((8, 8, 3), 90, np.uint8)] * (len(rows) - 1) + [None]

    return directory, asked, *_report(directory, _table(), history=history, load_faces=load_faces)


def test_all_files_are_written_and_nothing_else(full):
    directory, _, _, written, _, _ = full
    on_disk = {str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file()}
    assert on_disk == set(written)
    plots = {name.removeprefix("plots/") for name in written if name.startswith("plots/")}
    assert plots == {
        "confusion_normalised.png", "confusion_counts.png", "roc.png", "precision_recall.png", "reliability.png",
        "circumplex_true.png", "circumplex_pred.png", "valence_error.png", "arousal_error.png", "training.png",
        "worst_mistakes.png",
    }  # fmt: skip


def test_every_number_stands_in_the_page_and_in_the_markdown(full):
    _, _, scores, _, page, markdown = full
    expected = _numbers(scores)
    assert len(expected) > 60
    for text in (" ".join(page.text), markdown):
        assert expected <= set(re.findall(r"-?\d+\.\d{3}", text))


def test_metrics_json_is_the_scores_and_the_context(full):
    _, _, scores, written, _, _ = full
    saved = json.loads(written["metrics.json"].read_text("utf-8"))
    assert saved["scores"] == json.loads(json.dumps(scores))
    assert saved["context"] == _context()


def test_the_page_carries_all_it_shows(full):
    _, _, _, written, page, markdown = full
    source = written["report.html"].read_text("utf-8")
    assert "://" not in source and "@import" not in source and "url(" not in source
    assert all(address.startswith(("data:", "#s")) for address in page.addresses)
    shown = [
        base64.b64decode(address.split(",")[1]) for address in page.addresses if address.startswith("data:image/png")
    ]
    assert shown == [written[name].read_bytes() for name in re.findall(r"\]\((plots/\w+\.png)\)", markdown)]
    assert len(shown) == 11 and "script" not in page.tags


def test_sections_stand_in_reading_order_and_alike_in_both(full):
    *_, page, markdown = full
    assert page.headings == [
        "A model", "Emotion", "Each class", "Confusion", "ROC and PR curves", "Reliability", "Valence and arousal",
        "Training", "Worst mistakes", "Data", "Provenance",
    ]  # fmt: skip
    assert re.findall(r"^#+ (.*)$", markdown, re.MULTILINE) == page.headings


def test_the_summary_says_accuracy_with_n_interval_and_baseline(full):
    _, _, scores, _, page, _ = full
    accuracy, text = scores["emotion"]["accuracy"], " ".join(page.text).replace("\xa0", " ")
    right = sum(scores["emotion"]["confusion"][k][k] for k in range(8))
    share, constant = 100 * accuracy["value"], 100 * scores["emotion"]["baseline"]["accuracy"]
    assert f"right on {right} of {accuracy['n']} labelled faces ({share:.1f} %)" in text
    assert f"the baseline is right on {constant:.1f} %" in text
    assert f"{accuracy['low']:.3f} to {accuracy['high']:.3f}" in text
    assert scores["emotion"]["baseline"]["rule"] in text and "evaluated split" in text


def test_the_data_section_counts_what_was_left_out(full):
    *_, page, markdown = full
    text = " ".join(page.text)
    for words in ("1,234", "Dropped: no face", "Unreadable files", "bad1", "bad2", "f1f2", "3.15.0"):
        assert words in text and words in markdown
    assert re.search(r"Dropped: no face\s+\|\s+7 ", markdown)


def test_the_sheet_asks_for_confident_mistakes_worst_first(full):
    _, asked, scores, *_ = full
    table = _table()
    columns = {name: table.column(name).to_pylist() for name in table.column_names}
    wrong = [
        (columns[f"probability_{predicted}"][row], row)
        for row, (true, predicted) in enumerate(zip(columns["emotion_true"], columns["emotion_pred"], strict=True))
        if true is not None and true != predicted
    ]
    assert asked == [row for _, row in sorted(wrong, key=lambda pair: -pair[0])][:24]
    rows, told = worst_mistakes(scores, table, count=1)
    confidence, row = max(wrong)
    assert rows == [row]
    assert told == [{
        "Label": columns["emotion_true"][row], "Predicted": columns["emotion_pred"][row],
        "Confidence": f"{confidence:.2f}", "Id": f"face{row}",
    }]  # fmt: skip


def test_the_reliability_plot_shows_the_error_of_the_scores():
    table = _table()
    scores = score_predictions(table, bootstrap=0)
    blocks = [block for section in build_sections(scores, table, _context()) for block in section.blocks]
    figure = next(block.figure for block in blocks if isinstance(block, Picture) and block.name == "reliability")
    assert f"ECE {scores['emotion']['ece']['value']:.3f}, n = {scores['emotion']['n']}" in figure.axes[0].get_title(
        "left"
    )


def test_values_are_escaped_in_the_page_and_in_the_markdown(tmp_path, quick):
    evil = "<script>alert(1)</script>|*x*"
    table = _table(40)
    table = table.set_column(table.column_names.index("id"), "id", pa.array([f"{evil}{row}" for row in range(40)]))
    context = _context(
        title=evil, command=evil, dataset=evil, split='"><img src=x>', notes=[evil], fingerprint="`|`",
        versions={evil: evil}, data_report={"rows": 1, "dropped": {evil: 2}, "unreadable": [evil]},
    )  # fmt: skip
    _, written, page, markdown = _report(tmp_path, table, context)
    source = written["report.html"].read_text("utf-8")
    assert "<script" not in source and "script" not in page.tags and "<img src=x" not in source
    assert page.headings[0] == evil
    outside_code = re.sub(r"``? ?.*?(?<!\\)`+", "", markdown)
    assert "<script" not in outside_code and "<img" not in outside_code
    columns = {len(re.findall(r"(?<!\\)\|", line)) for line in markdown.split("## Provenance")[1].splitlines() if line}
    assert columns == {3}


def test_emotion_only(tmp_path, quick):
    scores, written, page, markdown = _report(tmp_path, _table(outputs=("emotion",), labels=("happy", "sad", "anger")))
    assert set(scores) == {"n", "emotion"}
    assert "Valence" not in " ".join(page.text) + markdown
    assert page.headings[1:] == [
        "Emotion", "Each class", "Confusion", "ROC and PR curves", "Reliability", "Worst mistakes", "Data",
        "Provenance",
    ]  # fmt: skip
    assert "plots/worst_mistakes.png" not in written and "plots/training.png" not in written
    assert _numbers(scores) <= set(re.findall(r"-?\d+\.\d{3}", markdown))


@pytest.mark.parametrize("outputs", [AXES, ("valence",)])
def test_valence_and_arousal_only(tmp_path, outputs, quick):
    table, asked = _table(outputs=outputs), []

    def load_faces(rows):
        asked.extend(rows)
        return [np.zeros((4, 4, 3), np.uint8)] * len(rows)

    scores, written, page, markdown = _report(tmp_path, table, load_faces=load_faces)
    title = "Valence and arousal" if len(outputs) == 2 else "Valence"
    assert page.headings[1:] == [title, "Worst mistakes", "Data", "Provenance"]
    assert ("plots/circumplex_true.png" in written) == (len(outputs) == 2)
    columns = {name: np.array(table.column(name).to_pylist(), float) for name in table.column_names[3:]}
    error = sum((columns[f"{axis}_true"] - columns[f"{axis}_pred"]) ** 2 for axis in outputs)
    assert asked == list(np.argsort(-np.nan_to_num(error, nan=-1), kind="stable")[:24])
    assert _numbers(scores) <= set(re.findall(r"-?\d+\.\d{3}", markdown))
    assert "right on" not in markdown


@pytest.mark.parametrize("case", [{"truth": "sad"}, {"never": "fear"}, {"n": 1}])
def test_undefined_scores_are_dashes(tmp_path, case):
    scores, _, page, markdown = _report(tmp_path, _table(**case))
    assert "nan" not in markdown.lower().split() and "None" not in markdown
    assert "nan" not in " ".join(page.text).lower().split()
    if "truth" in case:
        assert scores["emotion"]["per_class"]["happy"]["auc_roc"] is None and "| – |" in re.sub(" +", " ", markdown)
    if "never" in case:
        assert scores["emotion"]["per_class"]["fear"]["precision"] == 0


def test_unlabelled_table_reports_data_only(tmp_path, quick):
    table = _table(5, outputs=("emotion",))
    nothing = pa.array([None] * 5, pa.string())
    table = table.set_column(table.column_names.index("emotion_true"), "emotion_true", nothing)
    _, written, page, _ = _report(tmp_path, table)
    assert page.headings[1:] == ["Data", "Provenance"]
    assert set(written) == {"report.html", "report.md", "metrics.json"}


def test_no_mistake_is_said(tmp_path, quick):
    table = _table(30, outputs=("emotion",))
    place = table.column_names.index("emotion_true")
    table = table.set_column(place, "emotion_true", table.column("emotion_pred"))
    _, _, page, _ = _report(tmp_path, table, load_faces=lambda rows: pytest.fail("no faces to load"))
    assert "There is none among the labelled faces." in page.text


@pytest.mark.parametrize(("selected_on", "warned"), [("test", True), ("validation", False), (None, False)])
def test_a_model_selected_on_this_split_is_said_near_the_top(tmp_path, selected_on, warned, quick):
    *_, page, markdown = _report(tmp_path, _table(30), _context(selected_on=selected_on))
    top = " ".join(page.text).split("Emotion accuracy")[0]
    assert ("selected on this same split (test)" in top) == warned
    assert ("selected on this same split (test)" in markdown.split("| Emotion accuracy")[0]) == warned


def test_an_empty_context_is_not_recorded_rather_than_an_error(tmp_path, quick):
    table = _table(30)
    scores = score_predictions(table, bootstrap=0)
    markdown = write_report(tmp_path, scores, table, {})["report.md"].read_text("utf-8")
    assert markdown.startswith("# Evaluation report\n") and markdown.count("not recorded") >= 8


def test_numbers_json_cannot_hold_become_null_and_paths_text(tmp_path, quick):
    table = _table(20)
    context = _context(seconds=np.float32(2), model=tmp_path / "m.keras", extra=[np.int64(3), float("nan")])
    saved = json.loads(_report(tmp_path, table, context)[1]["metrics.json"].read_text("utf-8"))["context"]
    assert (saved["seconds"], saved["model"], saved["extra"]) == (2.0, str(tmp_path / "m.keras"), [3, None])


def test_scores_of_another_table_are_refused_before_anything_is_written(tmp_path, quick):
    with pytest.raises(ValueError, match="Received: scores of 20 rows, a table of 21"):
        write_report(tmp_path / "report", score_predictions(_table(20), bootstrap=0), _table(21), _context())
    assert not (tmp_path / "report").exists()


def test_a_failed_write_leaves_the_earlier_report_and_no_temporary_file(tmp_path, monkeypatch, quick):
    table = _table(20)
    scores = score_predictions(table, bootstrap=0)
    before = write_report(tmp_path, scores, table, _context(title="First"))["report.md"].read_text("utf-8")

    def refuse(source, target):
        raise OSError("disk full")

    monkeypatch.setattr("os.replace", refuse)
    with pytest.raises(OSError, match="disk full"):
        write_report(tmp_path, scores, table, _context(title="Second"))
    assert (tmp_path / "report.md").read_text("utf-8") == before
    assert not [path for path in tmp_path.rglob("*") if path.name.startswith(".")]


def test_a_long_list_of_unreadable_files_is_cut_in_the_page_but_whole_in_the_json(tmp_path, quick):
    report = {"rows": 999, "dropped": {}, "unreadable": [f"bad{k}" for k in range(203)]}
    _, written, page, markdown = _report(tmp_path, _table(20), _context(data_report=report))
    assert "and 3 more" in " ".join(page.text) and "- and 3 more" in markdown and "bad202" not in markdown
    assert len(json.loads(written["metrics.json"].read_text())["context"]["data_report"]["unreadable"]) == 203


def test_summary_lines_are_aligned_and_carry_intervals_baselines_and_n():
    table = _table()
    prior = {"emotion": [0.3] + [0.1] * 7, "valence": 0.1, "arousal": 0.0, "source": "training split"}
    scores = score_predictions(table, prior, bootstrap=50)
    lines = summary_lines(scores)
    accuracy = scores["emotion"]["accuracy"]
    row = next(line for line in lines if line.startswith("emotion accuracy")).split()
    assert row[2:] == [
        f"{accuracy['value']:.3f}", f"{scores['emotion']['baseline']['accuracy']:.3f}", f"{accuracy['low']:.3f}", "to",
        f"{accuracy['high']:.3f}", str(accuracy["n"]),
    ]  # fmt: skip
    assert lines[0] == "120 rows"
    body = [line for line in lines[2:-1] if not line.startswith("p_va")]
    assert len({len(line) for line in body}) == 1
    assert lines[-1].startswith("baseline: emotion always neutral (training split); valence always 0.1")
    assert any(f"{scores['p_va']['value']:.3f}" in line for line in lines if line.startswith("p_va"))
    assert not any("emotion" in line for line in summary_lines(score_predictions(_table(outputs=AXES), bootstrap=0)))


def test_the_papers_faces_come_first_where_both_are_scored():
    table = _table(outputs=("emotion",))
    table = table.append_column("agreed", pa.array([row % 3 > 0 for row in range(table.num_rows)]))
    scores = score_predictions(table, bootstrap=0)
    lines = summary_lines(scores)
    assert lines[2].startswith("emotion accuracy, FER+ paper's faces") and "emotion accuracy " in lines[4]
    summary = build_sections(scores, table, _context())[0]
    tiles = next(block for block in summary.blocks if hasattr(block, "tiles")).tiles
    assert [tile.title for tile in tiles[:3]] == [
        "Emotion accuracy, FER+ paper's faces", "Emotion macro F1, FER+ paper's faces", "Emotion accuracy"]  # fmt: skip
    assert any(
        f"{scores['paper']['emotion']['n']} faces count" in getattr(block, "text", "") for block in summary.blocks
    )
