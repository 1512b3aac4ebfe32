"""What training says of data it could not use: foreign classes before it starts, unread faces at its end."""

import pytest
from faces_on_disk import NAMES, write_classes, write_face

from fer_keras.train import main

pytestmark = pytest.mark.usefixtures("tiny_backbone")


def arguments(root, run):
    return [
        *("--data-spec", "image_folder", "--data-dir", str(root), "--backbone", "tiny", "--epochs", "1"),
        *("--batch-size", "16", "--output-dir", str(run)),
    ]


def test_training_ends_with_the_faces_that_could_not_be_read(tmp_path, capsys):
    root = tmp_path / "set"
    for split, first, count in (("train", 0, 32), ("validation", 100, 16)):
        for number in range(first, first + count):
            path = write_face(root / split / NAMES[number % 4] / f"{number}.png", number, side=48)
            if number % 8 == 0:  # whole by its chunks, and no decoder can read it
                data = bytearray(path.read_bytes())
                at = data.find(b"IDAT") + 6
                data[at : at + 60] = bytes(60)
                path.write_bytes(data)
    (root / "train" / "happy" / "notes.txt").write_text("x")
    assert main(arguments(root, tmp_path / "run")) == 0
    said = capsys.readouterr().out.splitlines()
    end = said[said.index("passed over: 7") :]
    assert len(end) == 3 and end[1].startswith("  6 x unreadable face (bad data): train/train/neutral/0.png, ")
    assert end[2] == "  1 x file that is no image: train/happy/notes.txt"


def test_one_known_class_is_refused_before_anything_is_made(tmp_path, capsys):
    write_classes(tmp_path / "set", ("colère", "peur", "surprise"))
    assert main(arguments(tmp_path / "set", tmp_path / "run")) == 2
    said = capsys.readouterr().err
    assert "Received: surprise. Not recognised: colère, peur." in said and '"peur" = "fear"' in said
    assert not (tmp_path / "run").exists()
