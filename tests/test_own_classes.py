"""Twelve classes, four of them a data set's own, the whole way: spec, training, scores, exports, readings, server and page."""

import json

import cv2
import numpy as np
import pytest

from fer_keras.drawing.palette import class_colour
from fer_keras.labels import EMOTIONS

OWN = ("happily surprised", "sadly angry", "awed", "Fearfully Disgusted")
CLASSES = (*EMOTIONS, *OWN)
FOLDERS = (*EMOTIONS, "Happily_Surprised", "10_sadly-angry", "awed", "7")

SPEC = f"""
name = "compound"
title = "Twelve classes"
homepage = ""
licence = "MIT"
reader = "image_folder"
targets = ["emotion"]
class_names = {json.dumps(CLASSES)}

[labels]
{"".join(f'"{name}" = "{name}"' + chr(10) for name in (*EMOTIONS, *OWN[:3]))}
7 = "fearfully disgusted"

[splits]
train = "train"
test = "test"
"""


def face_of(code: int, rng) -> np.ndarray:
    """A plain picture whose hue is its class."""
    plain = np.full((32, 32, 3), (15 * code, 255, 200), np.uint8)
    return cv2.cvtColor(plain, cv2.COLOR_HSV2BGR) // 2 + rng.integers(0, 60, (32, 32, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with the spec, and faces of each class under train and test."""
    folder, rng = tmp_path_factory.mktemp("compound"), np.random.default_rng(0)
    (folder / "compound.toml").write_text(SPEC)
    for split, count in (("train", 10), ("test", 3)):
        for code, name in enumerate(FOLDERS):
            inner = folder / "faces" / split / name
            inner.mkdir(parents=True)
            for number in range(count):
                cv2.imwrite(str(inner / f"{number}.png"), face_of(code, rng))
    return folder


@pytest.fixture(scope="module")
def run(place, tiny_backbone, blank_pictures, tmp_path_factory):
    """A run of the tiny net, trained, evaluated and exported by the commands."""
    from fer_keras import evaluate, export, train
    from fer_keras.exporters.web_runtime import FILES

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FER_KERAS_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
        runtime = place / "runtime"
        runtime.mkdir()
        for name in FILES:
            (runtime / name).write_text(name)
        data = ["--data-spec", str(place / "compound.toml"), "--data-dir", str(place / "faces")]
        options = ["--backbone", "tiny", "--epochs", "8", "--learning-rate", "0.01", "--hue", "0"]
        assert train.main([*data, *options, "--validation-fraction", "0.2", "--output-dir", str(place / "run")]) == 0
        assert evaluate.main(["--model", str(place / "run"), "--split", "test"]) == 0
        flags = ["--formats", "onnx,web", "--web-runtime", str(runtime), "--samples", "16", "--force"]
        assert export.main(["--model", str(place / "run"), *flags, "--output-dir", str(place / "out")]) == 0
    return place / "run"


def test_the_spec_gives_names_order_and_folders(place):
    from fer_keras.data.loading import load_faces

    index = load_faces(str(place / "compound.toml"), str(place / "faces"))
    assert index.labels == CLASSES and len(index) == 12 * 13
    assert set(np.bincount(index.emotion)) == {13}
    chosen = load_faces(
        str(place / "compound.toml"), str(place / "faces"), emotions="awed,joy,fearfully disgusted,anger"
    )
    assert chosen.labels == ("awed", "joy", "Fearfully Disgusted", "anger") and len(chosen) == 4 * 13
    with pytest.raises(ValueError, match="--derive-va has coordinates of neutral.*Received: happily surprised"):
        load_faces(str(place / "compound.toml"), str(place / "faces"), derive_va="circumplex")


def test_the_run_scores_each_class(run):
    from fer_keras.runs.bundle import load_bundle

    bundle = load_bundle(run)
    assert bundle.labels == CLASSES
    scores = json.loads((run / "evaluations" / "compound-test" / "metrics.json").read_text())["scores"]["emotion"]
    assert scores["labels"] == list(CLASSES) and np.shape(scores["confusion"]) == (12, 12)
    assert scores["accuracy"]["value"] > 3 / 12, "hues are easy to tell apart"


def test_predictor_results_and_server_name_all_twelve(run, place, astronaut, detector_options, tmp_path):
    from fer_keras import Predictor, predict
    from fer_keras.faces.face_reader import FaceReader
    from fer_keras.faces.finder import FaceFinder, FinderOptions

    predictor = Predictor.load(place / "out", "onnx")
    face = face_of(11, np.random.default_rng(1))
    reading = predictor.read(face)
    assert set(reading.probabilities) == set(CLASSES) and sum(reading.probabilities.values()) == pytest.approx(1)
    cv2.imwrite(str(tmp_path / "face.png"), face)
    command = [str(tmp_path / "face.png"), "--faces", "whole", "--model", str(place / "out"), "--engine", "onnx"]
    assert predict.main([*command, "--output", str(tmp_path / "out.csv"), "--annotate", str(tmp_path / "seen")]) == 0
    assert "probability_Fearfully Disgusted" in (tmp_path / "out.csv").read_text()
    pytest.importorskip("fastapi")
    from fastapi.testclient import TestClient

    from fer_keras.server.server import build_app

    reader = FaceReader(predictor, FaceFinder(FinderOptions(**detector_options)))
    with TestClient(build_app(reader)) as client:
        answer = client.post("/faces", content=cv2.imencode(".png", astronaut[:, :, ::-1])[1].tobytes())
        assert set(answer.json()["faces"][0]["probabilities"]) == set(CLASSES)


def test_the_page_and_every_drawing_tell_them_apart(run, place):
    facts = json.loads((place / "out" / "web" / "page.json").read_text())
    assert facts["labels"] == list(CLASSES)
    assert facts["colours"] == {name: class_colour(name, CLASSES[::-1]) for name in CLASSES}
    assert len(set(facts["colours"].values())) == 12
    assert class_colour("happy", CLASSES) == class_colour("happy"), "an emotion's colour is the same beside others"
