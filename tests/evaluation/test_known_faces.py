"""Scores that can be believed: faces that the model was trained on are left out of other data, and told of its own."""

import json
import shutil

import cv2
import pytest
from faces_on_disk import NAMES, write_face

from fer_keras.bundled import bundled_model
from fer_keras.config.config_file import load_config
from fer_keras.config.run_config import RunConfig
from fer_keras.data.loading import load_faces
from fer_keras.evaluate import main
from fer_keras.evaluation.evaluation_run import evaluate_run
from fer_keras.runs.bundle import load_bundle
from fer_keras.runs.run_directory import TRAINING_FACES_FILE
from fer_keras.training.training_run import train_run


def write_split(root, split, numbers, suffix=".png"):
    for number in numbers:
        write_face(root / split / NAMES[number % 4] / f"{number}{suffix}", number, suffix, side=32)


def train(data, run, **settings):
    return train_run(
        RunConfig.of(data_spec="image_folder", data_dir=str(data), output_dir=str(run), backbone="tiny", epochs=1,
                     batch_size=16, **settings)
    )  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("data") / "set"
    write_split(root, "train", range(40))
    write_split(root, "validation", range(40, 56))
    return root


@pytest.fixture(scope="module")
def run(data, tmp_path_factory):
    return train(data, tmp_path_factory.mktemp("known") / "run")


@pytest.fixture(scope="module")
def child(data, run, tmp_path_factory):
    """A run on other faces that starts from `run`; some of its validation faces are training faces of that."""
    root = tmp_path_factory.mktemp("child")
    write_split(root / "set", "train", range(100, 132))
    write_split(root / "set", "validation", [*range(8), *range(140, 148)], ".bmp")
    return train(root / "set", root / "run", weights=str(run))


def evaluate(run, place, out, **settings):
    said = []
    scores, directory = evaluate_run(
        load_bundle(run),
        data_spec="image_folder",
        data_dir=str(place),
        output_dir=str(out),
        say=said.append,
        **settings,
    )
    return scores, json.loads((directory / "metrics.json").read_text())["context"], said


def test_faces_of_training_are_left_out_of_other_data_and_named(run, tmp_path):
    write_split(tmp_path / "other", "test", range(30, 60), ".bmp")  # 10 of training, by their pixels
    scores, context, said = evaluate(run, tmp_path / "other", tmp_path / "a")
    assert scores["n"] == 20 and len(said) == 1
    assert said[0].startswith(
        "note: 10 of 30 faces are faces that the model was trained on: left out of the scores; 20 are scored "
        "(--keep-known scores all): test/test/"
    )
    assert context["data_report"]["dropped"]["face that the model was trained on"] == 10
    assert any(note.startswith("10 of 30 faces are") for note in context["notes"])
    scores, context, said = evaluate(run, tmp_path / "other", tmp_path / "b", keep_known=True)
    assert scores["n"] == 30 and "10 of 30 faces" in said[0] and "the scores are too good" in said[0]


def test_data_that_the_model_does_not_know_is_scored_whole(run, tmp_path):
    write_split(tmp_path / "other", "test", range(200, 216))
    scores, context, said = evaluate(run, tmp_path / "other", tmp_path / "out")
    assert scores["n"] == 16 and said == ["note: none of these 16 faces is one that the model was trained on"]


def test_nothing_is_scored_where_the_model_was_trained_on_all(run, data, tmp_path, capsys):
    shutil.copytree(data / "train", tmp_path / "other" / "test")
    arguments = ["--model", str(run), "--data-spec", "image_folder", "--data-dir", str(tmp_path / "other")]
    assert main([*arguments, "--output-dir", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert "The model was trained on all 40 faces of image_folder, split test, so no face is left" in said
    assert "--keep-known" in said and not (tmp_path / "out").exists()
    assert main([*arguments, "--output-dir", str(tmp_path / "out"), "--keep-known"]) == 0
    assert "note: 40 of 40 faces" in capsys.readouterr().err


def test_the_run_s_own_splits_are_scored_as_ever(run, data, tmp_path):
    own = (run / "predictions.parquet").read_bytes()
    said = []
    scores, directory = evaluate_run(
        load_bundle(run), split="validation", output_dir=str(tmp_path / "a"), say=said.append
    )
    assert scores["n"] == 16 and said == [] and (directory / "predictions.parquet").read_bytes() == own
    evaluate_run(load_bundle(run), split="train", output_dir=str(tmp_path / "b"), say=said.append)
    assert said == [
        "note: these are the faces that the model was trained on: the scores do not tell how it reads others"
    ]
    moved = shutil.copytree(data, tmp_path / "moved")
    scores, _, said = evaluate(run, moved, tmp_path / "c", split="train")
    assert scores["n"] == 40 and said[0].startswith("note: these are the faces that the model was trained on")


def test_a_run_without_the_index_says_that_it_cannot_be_checked(run, data, tmp_path):
    old = shutil.copytree(run, tmp_path / "old")
    (old / TRAINING_FACES_FILE).unlink()
    write_split(tmp_path / "other", "test", range(30, 60))
    scores, _, said = evaluate(old, tmp_path / "other", tmp_path / "a")
    assert scores["n"] == 30 and len(said) == 1
    assert "cannot be checked" in said[0] and f"{old} keeps no index of its training faces" in said[0]
    said.clear()
    evaluate_run(load_bundle(old), split="validation", output_dir=str(tmp_path / "b"), say=said.append)
    assert said == []


def test_a_model_knows_the_faces_of_the_one_it_started_from(child, run, data, tmp_path):
    shutil.copytree(data / "train", tmp_path / "other" / "test")
    write_split(tmp_path / "other", "test", range(300, 310))
    scores, _, said = evaluate(child, tmp_path / "other", tmp_path / "a")
    assert scores["n"] == 10
    assert (
        f"40 of 50 faces are faces that the model was trained on, itself or as {run} (40 faces of image_folder)"
        in said[0]
    )


def test_validation_faces_that_the_first_model_knew_are_told_and_scored(child, capsys, tmp_path):
    context = json.loads((child / "metrics.json").read_text())
    assert context["scores"]["n"] == 16
    assert any(note.startswith("8 of 16 faces are faces that") for note in context["context"]["notes"])
    said = []
    evaluate_run(load_bundle(child), split="validation", output_dir=str(tmp_path / "out"), say=said.append)
    assert len(said) == 1 and "8 of 16 faces" in said[0] and "scored all the same" in said[0]


def test_a_run_from_weights_without_an_index_says_so(run, data, tmp_path):
    old = shutil.copytree(run, tmp_path / "old")
    (old / TRAINING_FACES_FILE).unlink()
    write_split(tmp_path / "set", "train", range(100, 132))
    write_split(tmp_path / "set", "validation", range(140, 148))
    child = train(tmp_path / "set", tmp_path / "run", weights=str(old))
    write_split(tmp_path / "other", "test", range(200, 208))
    _, _, said = evaluate(child, tmp_path / "other", tmp_path / "out")
    assert len(said) == 2 and f"cannot be checked: {old} keeps no index" in said[1]


def test_going_on_keeps_the_index_though_that_of_the_first_model_is_gone(run, tmp_path):
    first = shutil.copytree(run, tmp_path / "first")
    write_split(tmp_path / "set", "train", range(100, 132))
    write_split(tmp_path / "set", "validation", range(140, 148))
    child = train(tmp_path / "set", tmp_path / "run", weights=str(first))
    before = (child / TRAINING_FACES_FILE).read_bytes()
    (first / TRAINING_FACES_FILE).unlink()
    train_run(load_config(child / "config.toml").replace(epochs=2), resume=True)
    assert (child / TRAINING_FACES_FILE).read_bytes() == before


def test_the_bundled_model_knows_the_faces_of_fer_plus(ferplus_npz, tmp_path):
    index = load_faces("ferplus", str(ferplus_npz)).of_split("train")
    images = index.open_images()
    for row in range(0, 40):
        path = tmp_path / "set" / "test" / index.labels[index.emotion[row]] / f"{row}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), images.load(row)[:, :, 0])
    with pytest.raises(ValueError, match="trained on all 40 faces of image_folder, split test"):
        evaluate_run(
            load_bundle(bundled_model("fast")),
            data_spec="image_folder",
            data_dir=str(tmp_path / "set"),
            output_dir=str(tmp_path / "o"),
        )
