"""The whole way: unlabelled pictures, faces chosen by a model, labels of an annotator, a data set that training reads."""

import csv
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from faces_on_disk import face, write_face

from fer_keras import select
from fer_keras.data.loading import load_faces
from fer_keras.labelling.label_table import Label, LabelTable
from fer_keras.labelling.selection_files import read_selection


@pytest.fixture(scope="module")
def models(tmp_path_factory, answering_model) -> tuple[Path, Path]:
    """Two runs of 32 px with different heads."""
    import keras

    from fer_keras.runs.bundle import Bundle, describe_model
    from fer_keras.runs.file_hashes import hash_file

    places = []
    for number in range(2):
        folder = tmp_path_factory.mktemp(f"run{number}")
        model = keras.models.clone_model(answering_model)
        model.set_weights([(1 - 0.3 * number) * weights for weights in answering_model.get_weights()])
        model.save(folder / "model.keras")
        described = describe_model(model, "none", ("sad", "happy", "anger", "bored"), ("emotion", "valence", "arousal"))
        Bundle(folder, replace(described, sha256=hash_file(folder / "model.keras"))).save()
        places.append(folder)
    return tuple(places)


@pytest.fixture
def pictures(tmp_path) -> Path:
    """Twenty pictures of noise, one of them twice, a broken one, a text."""
    folder = tmp_path / "unlabelled"
    for number in range(20):
        write_face(folder / f"day{number % 3}" / f"{number}.png", number, side=40)
    write_face(folder / "again.png", 3, side=40)
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff no picture")
    (folder / "notes.txt").write_text("mine")
    return folder


def chosen(pictures: Path, model, out: Path, *more: str) -> list[dict]:
    command = ["--model", str(model), "--data-dir", str(pictures), "--output-dir", str(out), "--faces", "whole"]
    assert select.main([*command, "--most", "6", *more]) == 0
    return read_selection(out)


def test_from_pictures_to_a_data_set_for_training(pictures, models, tmp_path, capsys):
    out = tmp_path / "to_label"
    rows = chosen(pictures, models[0], out)
    told = capsys.readouterr()
    assert "chose 6 of 20 faces by margin" in told.err and "1 faces are left out" in told.err
    assert (
        "unreadable picture" in told.err
        and "notes.txt" in told.err
        and told.out == f"python -m fer_keras.label {out}\n"
    )
    assert len({row["content"] for row in rows}) == 6 and rows[1]["distance"] and not rows[0]["distance"]
    for row in rows:
        original, copy = (cv2.imread(str(path)) for path in (row["path"], out / row["image"]))
        assert (original == copy).all()
    assert (out / "contact_sheet.png").read_bytes()[:4] == b"\x89PNG"
    table = LabelTable(out / "labels.csv", [row["image"] for row in rows])
    for number, row in enumerate(rows[:5]):
        table.put(Label(row["image"], ("happy", "sad")[number % 2], 0.1 * number, -0.2))
    table.put(Label(rows[5]["image"], skipped="not a face"))
    write_ferplus(tmp_path / "ferplus.npz")
    both = load_faces("ferplus,face_table", f"{tmp_path / 'ferplus.npz'},{out / 'labels.csv'}", validation_fraction=0.2)
    mine = both.member == 1
    assert mine.sum() == 5 and both.members[1].report.dropped == {"no usable label": 1}
    assert sorted(np.round(both.valence[mine], 3).tolist()) == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])
    assert {both.labels[code] for code in both.emotion[mine]} == {"happy", "sad"} and "train" in both.split[mine]
    assert np.isnan(both.valence[~mine]).all()


def write_ferplus(path: Path) -> None:
    votes = np.zeros((12, 10), np.uint8)
    votes[np.arange(12), np.arange(12) % 4] = 9
    names = np.array([f"fer{number:07}.png" for number in range(12)])
    images = np.stack([cv2.resize(face(50 + number), (48, 48)) for number in range(12)])
    np.savez(path, images=images, votes=votes, usage=np.arange(12, dtype=np.uint8) % 3, image_name=names)


def test_several_models_and_views_and_what_is_known_already(pictures, models, tmp_path, capsys):
    first = chosen(pictures, f"{models[0]},{models[1]}", tmp_path / "first", "--by", "members")
    facts = json.loads((tmp_path / "first" / "selection.json").read_text())
    assert len(facts["models"]) == 2 and facts["by"] == "members" and facts["faces"] == 20
    known = str(tmp_path / "first")
    second = chosen(pictures, models[1], tmp_path / "second", "--by", "views", "--known", known, "--no-diversity")
    assert not {row["content"] for row in first} & {row["content"] for row in second}
    assert [row["doubt"] for row in second] == sorted((row["doubt"] for row in second), key=float, reverse=True)
    assert "7 faces are left out" in capsys.readouterr().err


def test_faces_of_photos_are_found_first(models, tmp_path, astronaut, astronaut_box, detector_flags):
    cv2.imwrite(str(tmp_path / "photo.png"), astronaut[:, :, ::-1])
    command = [
        "--model",
        str(models[0]),
        "--data-dir",
        str(tmp_path / "photo.png"),
        "--output-dir",
        str(tmp_path / "out"),
    ]
    assert select.main([*command, *detector_flags]) == 0
    (row,) = read_selection(tmp_path / "out")
    box = np.array([float(row[side]) for side in ("x0", "y0", "x1", "y1")])
    assert np.abs(box - astronaut_box).max() < 40 and row["face"] == "1"
    cut = cv2.imread(str(tmp_path / "out" / row["image"]))
    assert cut.shape[0] == cut.shape[1] and 80 < cut.shape[0] < 160


def refused(capsys, *arguments: str) -> str:
    assert select.main([str(argument) for argument in arguments]) == 2
    return capsys.readouterr().err


def test_labels_and_files_of_others_stay(pictures, models, tmp_path, capsys):
    command = ("--model", models[0], "--data-dir", pictures, "--faces", "whole", "--output-dir")
    assert "outside --data-dir" in refused(capsys, *command, pictures / "out")
    assert "--data-dir, a folder of pictures" in refused(capsys, "--model", models[0])
    out = tmp_path / "out"
    out.mkdir()
    (out / "selection.csv").write_text("mine")
    assert "selection.csv is there already" in refused(capsys, *command, out)
    (out / "labels-anna.csv").write_text("labels")
    assert "labels-anna.csv holds labels" in refused(capsys, *command, out, "--overwrite")
    assert (out / "labels-anna.csv").read_text() == "labels"
    assert "No selection.csv there" in refused(capsys, *command, tmp_path / "new", "--known", tmp_path)


def test_a_selection_that_leads_elsewhere_is_refused(tmp_path):
    for image in ("../secret.png", "faces/../../secret.png", "faces/x/y.png", "/etc/passwd", ""):
        with open(tmp_path / "selection.csv", "w", newline="") as file:
            csv.writer(file).writerows([("image", "content"), (image, "0")])
        with pytest.raises(ValueError, match="not a table that select wrote"):
            read_selection(tmp_path)


def test_features_need_keras(models, pictures, tmp_path, capsys):
    pytest.importorskip("onnxruntime")
    command = (
        "--data-dir",
        pictures,
        "--faces",
        "whole",
        "--output-dir",
        tmp_path / "out",
        "--engine",
        "onnx",
        "--most",
        "3",
    )
    assert "expects --engine keras" in refused(capsys, *command)
    assert select.main([str(word) for word in (*command, "--no-diversity")]) == 0
    assert len(read_selection(tmp_path / "out")) == 3


def test_the_command_hides_no_module_of_python():
    """Python has a module `select` of its own, which servers and subprocesses need."""
    code = (
        "import runpy, sys; sys.argv = ['select', '--help']\n"
        "try: runpy.run_module('fer_keras.select', run_name='__main__', alter_sys=True)\n"
        "except SystemExit: pass\n"
        "import select, selectors; print(hasattr(select, 'select'), select.__name__)\n"
        "import os, fer_keras; print(os.path.dirname(fer_keras.__file__) in map(os.path.abspath, sys.path))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-2:] == ["True select", "False"]
