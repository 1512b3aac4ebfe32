"""Several models read as one: the mean of what each answers alone, whatever its engine, size and order of classes."""

import json
import shutil

import cv2
import numpy as np
import pytest

from fer_keras import Predictor
from fer_keras.prediction.model_choice import model_names

LABELS = ("sad", "happy", "anger", "bored")


def picture(seed: int, height: int = 40, width: int = 56) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(0, 256, (5, 7, 3), np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


def renamed(model_files, folder, labels: tuple[str, ...]):
    """The ONNX file with its classes named otherwise."""
    shutil.copy(model_files / "model.onnx", folder / "model.onnx")
    content = json.loads((model_files / "bundle.json").read_text()) | {"labels": labels}
    (folder / "bundle.json").write_text(json.dumps(content))
    return folder


@pytest.fixture(scope="module")
def turned(model_files, tmp_path_factory):
    """The same file with the classes named in another order, so that it answers otherwise."""
    return renamed(model_files, tmp_path_factory.mktemp("turned"), LABELS[::-1])


def test_an_ensemble_answers_the_mean_of_its_models_by_name(model_files, turned):
    alone = [Predictor.load(model, engine="onnx") for model in (model_files, turned)]
    both = Predictor.load(f"{model_files},{turned}", engine="onnx")
    assert both.labels == LABELS and len(both.members) == 2
    for seed in range(3):
        first, second = (predictor.read(picture(seed)).probabilities for predictor in alone)
        found = both.read(picture(seed)).probabilities
        assert first != pytest.approx(second, abs=1e-3)
        assert found == pytest.approx({name: (first[name] + second[name]) / 2 for name in LABELS}, abs=1e-6)


def test_engines_of_one_model_average_to_it(model_files):
    one = Predictor.load(model_files, engine="onnx")
    both = Predictor.load(f"{model_files}/model.onnx,{model_files}/model.keras")
    assert both.read(picture(5), face_box=(3, 4, 30, 36)).probabilities == pytest.approx(
        one.read(picture(5), face_box=(3, 4, 30, 36)).probabilities, abs=1e-4
    )
    assert [member.file.engine for member in both.members] == ["onnx", "keras"]


def test_images_without_faces_keep_their_place(model_files, turned):
    both = Predictor.load(f"{model_files},{turned}", engine="onnx", tta="flip")
    boxes = [None, [(0, 0, 30, 30), (5, 5, 35, 35)], None]
    assert [len(found) for found in both.read_faces([picture(seed) for seed in range(3)], boxes)] == [0, 2, 0]


def test_faces_cut_already_are_scored_by_every_model(model_files, turned):
    both = Predictor.load(f"{model_files},{turned}", engine="onnx")
    faces = np.stack([picture(seed, 32, 32) for seed in range(2)])
    for row, seed in enumerate(range(2)):
        assert both.scores(faces)["emotion"][row] == pytest.approx(
            [both.read(picture(seed, 32, 32)).probabilities[name] for name in LABELS], abs=1e-5
        )


def test_models_of_other_classes_are_refused(model_files, tmp_path):
    other = renamed(model_files, tmp_path, ("sad", "happy", "anger", "calm"))
    with pytest.raises(ValueError, match="same classes. Expected: sad, happy, anger, bored"):
        Predictor.load(f"{model_files},{other}", engine="onnx")


def test_names_with_commas(tmp_path):
    (tmp_path / "a,b").mkdir()
    assert model_names(str(tmp_path / "a,b")) == [str(tmp_path / "a,b")]
    with pytest.raises(ValueError, match="different models"):
        model_names("runs/a,runs/a")
    with pytest.raises(ValueError, match="different models"):
        model_names("runs/a,")
