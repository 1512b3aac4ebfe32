"""Agreement of two annotators: scores by hand and by the packages, faces matched by name, files, disagreements."""

import csv
import json

import krippendorff
import numpy as np
import pytest
from faces_on_disk import write_face

from fer_keras import agreement
from fer_keras.labelling.annotator_scores import (
    agreement_scores,
    disagreements,
    emotion_matrix,
    pair_labels,
    read_labels,
)
from fer_keras.metrics.intervals import agreement_of, bootstrap_agreement_intervals
from fer_keras.metrics.reference import cohen_kappa, krippendorff_alpha

HEADER = "image,emotion,valence,arousal,skipped\n"
ONE = HEADER + "a.png,happy,0.5,0.2,\nb.png,sad,-0.5,0.0,\nc.png,,,,unsure\nd.png,fear,,,\ne.png,anger,-0.4,0.9,\n"
OTHER = (
    HEADER + "e.png,disgust,-0.4,0.7,\nb.png,Sadness,-0.7,0.0,\na.png,happy,0.6,0.1,\nd.png,fear,,,\nf.png,happy,0,0,\n"
)


@pytest.fixture
def tables(tmp_path):
    for name, text in (("anna", ONE), ("ben", OTHER)):
        (tmp_path / f"{name}.csv").write_text(text)
    return tmp_path / "anna.csv", tmp_path / "ben.csv"


def test_formulas_are_those_of_the_packages():
    rng = np.random.default_rng(0)
    one, other = rng.integers(0, 4, (2, 60))
    other = np.where(rng.random(60) < 0.6, one, other)
    matrix = np.zeros((4, 4))
    np.add.at(matrix, (one, other), 1)
    found = agreement_of(np.stack([matrix, np.diag([5.0, 0, 0, 0])]))
    assert found["kappa"][0] == pytest.approx(cohen_kappa(one, other), abs=1e-12)
    assert found["alpha"][0] == pytest.approx(krippendorff_alpha(one, other), abs=1e-12)
    assert np.isnan(found["alpha"][1]) and np.isnan(found["kappa"][1])
    low, high = bootstrap_agreement_intervals(matrix)["alpha"]
    assert low < found["alpha"][0] < high and high - low < 0.4


def test_faces_are_matched_by_name_and_scored_where_both_answered(tables):
    pairs = pair_labels(*map(read_labels, tables))
    assert pairs.images == ("a.png", "b.png", "d.png", "e.png") and pairs.only == (1, 1)
    scores = agreement_scores(pairs, resamples=50)
    emotion = scores["emotion"]
    assert emotion["equal"]["value"] == 0.75 and emotion["equal"]["n"] == 4
    both = [[0, 1, 2, 3], [0, 1, 2, 4]]
    assert emotion["alpha"]["value"] == pytest.approx(krippendorff.alpha(both, level_of_measurement="nominal"))
    assert scores["valence"]["mae"] == {**scores["valence"]["mae"], "value": pytest.approx(0.1), "n": 3}
    assert emotion_matrix(pairs).sum() == 4
    differing = disagreements(pairs)
    assert [pairs.images[row] for row, _ in differing] == ["e.png", "b.png", "a.png"]
    assert differing[0][1] == pytest.approx(1 + 0.2 / np.sqrt(8))


def test_the_command_writes_table_picture_and_disagreements(tables, tmp_path, capsys):
    for number, name in enumerate("abde"):
        write_face(tmp_path / f"{name}.png", number)
    out = tmp_path / "out"
    assert agreement.main([*map(str, tables), "--output-dir", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "Krippendorff's alpha, nominal" in printed and "4 faces in both, 1 and 1 in one alone" in printed
    assert json.loads((out / "agreement.json").read_text())["faces"] == {"both": 4, "only": [1, 1]}
    rows = list(csv.DictReader((out / "disagreements.csv").read_text().splitlines()))
    assert rows[0]["image"] == "e.png" and rows[0]["emotion_2"] == "disgust" and rows[0]["arousal_1"] == "0.9"
    assert (out / "agreement.png").read_bytes()[:4] == (out / "disagreements.png").read_bytes()[:4] == b"\x89PNG"
    assert agreement.main([*map(str, tables), "--output-dir", str(out)]) == 0, "its own files may be replaced"


@pytest.mark.parametrize(
    "text, reason",
    [
        (HEADER + "z.png,sad,,,\n", "Expected the same faces"),
        (HEADER + "c.png,sad,,,\n", "Expected faces that both labelled"),
        (HEADER + "a.png,sad,,,\na.png,happy,,,\n", "holds the face a.png 2 times"),
        ("picture,feeling\na.png,sad\n", "lacks the column"),
    ],
)
def test_what_cannot_be_compared_is_said_in_one_line(tables, tmp_path, text, reason, capsys):
    tables[1].write_text(text)
    assert agreement.main([*map(str, tables), "--output-dir", str(tmp_path / "out")]) == 2
    assert reason in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_files_of_others_stay(tables, tmp_path, capsys):
    (tmp_path / "agreement.md").write_text("mine")
    assert agreement.main([*map(str, tables), "--output-dir", str(tmp_path)]) == 2
    assert "agreement.md is there already" in capsys.readouterr().err
    assert (tmp_path / "agreement.md").read_text() == "mine"
