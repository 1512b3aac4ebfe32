"""An annotator's labels on the disk: gone on with, in order, never over what is something else."""

import pytest

from fer_keras.labelling.label_table import Label, LabelTable

IMAGES = ["faces/00001.png", "faces/00002.png", "faces/00003.png"]


def test_labels_are_gone_on_with_in_their_order(tmp_path):
    table = LabelTable(tmp_path / "labels.csv", IMAGES)
    table.put(Label(IMAGES[1], "happy", 0.5, None))
    table.put(Label(IMAGES[0], skipped="not a face"))
    table.put(Label(IMAGES[1], "fear"))
    again = LabelTable(tmp_path / "labels.csv", IMAGES)
    assert list(again.labels.values()) == [Label(IMAGES[0], skipped="not a face"), Label(IMAGES[1], "fear")]
    again.remove(IMAGES[1])
    assert list(LabelTable(tmp_path / "labels.csv", IMAGES).labels) == [IMAGES[0]]
    with pytest.raises(ValueError, match="Expected a face of the selection"):
        again.put(Label("other.png", "fear"))


@pytest.mark.parametrize(
    "text, reason",
    [
        ("image,emotion\na,b\n", "does not hold labels"),
        ("", "does not hold labels"),
        ("image,emotion,valence,arousal,skipped\nfaces/00001.png,bored,,,\n", "emotion expects one of"),
        ("image,emotion,valence,arousal,skipped\nfaces/00001.png,sad\n", "does not hold labels"),
        ("image,emotion,valence,arousal,skipped\nother.png,sad,,,\n", "labels of other faces, such as other.png"),
    ],
)
def test_a_file_that_is_something_else_stays(tmp_path, text, reason):
    (tmp_path / "labels.csv").write_text(text)
    with pytest.raises(ValueError, match=reason):
        LabelTable(tmp_path / "labels.csv", IMAGES)
    assert (tmp_path / "labels.csv").read_text() == text
