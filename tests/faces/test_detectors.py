"""Detectors by name: the same face found by each that is installed, and what is said when one cannot be had."""

import hashlib
import os

import numpy as np
import pytest

from fer_keras.faces import yunet
from fer_keras.faces.detection import overlap
from fer_keras.faces.detectors import DETECTORS, build_detector
from fer_keras.faces.yunet import find_yunet, yunet_path

POINTS = np.array([(203, 101), (246, 101), (222, 124), (203, 142), (242, 141)])


@pytest.fixture(params=list(DETECTORS))
def detector(request):
    """Each detector that is installed and has its file; mediapipe's is $FER_KERAS_MEDIAPIPE, its full-range model."""
    if not DETECTORS[request.param].installed:
        pytest.skip(f"{request.param} is not installed")
    model = request.getfixturevalue("yunet_file") if request.param == "yunet" else None
    if request.param == "mediapipe":
        model = os.environ.get("FER_KERAS_MEDIAPIPE")
        if not model:
            pytest.skip("needs FER_KERAS_MEDIAPIPE=face_detection_full_range_sparse.tflite")
    return build_detector(request.param, model)


def test_finds_the_astronaut_and_twelve_in_a_group(detector, astronaut, group, astronaut_box):
    faces = detector.detect(astronaut)
    assert len(faces) == 1 and overlap(faces[0].face_box, astronaut_box) > 0.5
    assert isinstance(faces[0].score, float) and all(isinstance(value, float) for value in faces[0].face_box)
    if detector.name in ("yunet", "mtcnn"):
        assert faces[0].landmarks.shape == (5, 2) and np.abs(faces[0].landmarks - POINTS).max() < 6
    else:
        assert faces[0].landmarks is None
    crowd = detector.detect(group)
    places = {(int((f.face_box[1] + f.face_box[3]) / 320), int((f.face_box[0] + f.face_box[2]) / 320)) for f in crowd}
    assert len(crowd) == len(places) == 12
    assert [face.score for face in crowd] == sorted((face.score for face in crowd), reverse=True)


def test_finds_nothing_where_nothing_is(detector):
    assert detector.detect(np.full((120, 160, 3), 128, np.uint8)) == []


@pytest.mark.parametrize("name, confidence", [("yunet", 0.999), ("haar", 50.0)])
def test_a_high_confidence_finds_nothing(name, confidence, astronaut, request):
    model = request.getfixturevalue("yunet_file") if name == "yunet" else None
    assert build_detector(name, model, confidence).detect(astronaut) == []


def test_auto_takes_haar_without_yunets_file(monkeypatch, tmp_path):
    monkeypatch.setenv("FER_KERAS_CACHE", str(tmp_path))
    assert find_yunet() is None and build_detector().name == "haar"
    monkeypatch.setenv("FER_KERAS_YUNET", str(tmp_path / "no.onnx"))
    with pytest.raises(FileNotFoundError, match=r"\$FER_KERAS_YUNET .*no.onnx"):
        build_detector()


def test_auto_takes_yunet_where_its_file_is(yunet_file, monkeypatch, tmp_path):
    monkeypatch.setenv("FER_KERAS_CACHE", str(tmp_path))
    assert build_detector("auto", yunet_file).name == "yunet"
    monkeypatch.setenv("FER_KERAS_YUNET", str(yunet_file))
    assert find_yunet() == yunet_file and build_detector().name == "yunet"


@pytest.fixture
def online(monkeypatch):
    """Let a test fetch from an address of its own."""
    monkeypatch.delenv("FER_KERAS_OFFLINE", raising=False)
    fetch = yunet.fetch_once
    fetch.cache_clear()
    yield fetch
    fetch.cache_clear()


def test_auto_fetches_yunet_once_and_says_so(yunet_file, online, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("FER_KERAS_CACHE", str(tmp_path / "cache"))
    if hashlib.sha256(yunet_file.read_bytes()).hexdigest() != yunet.SHA256:
        pytest.skip("another YuNet is installed here")
    monkeypatch.setattr(yunet, "fetch_once", lambda: online(yunet_file.as_uri()))
    assert build_detector().name == build_detector().name == "yunet"
    assert capsys.readouterr().err.count("fetching the face detector YuNet") == 1


def test_auto_takes_haar_where_nothing_can_be_fetched_and_tries_once(online, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("FER_KERAS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(yunet, "fetch_once", lambda: online((tmp_path / "none").as_uri()))
    assert build_detector().name == build_detector().name == "haar"
    told = capsys.readouterr().err
    assert told.count("could not be downloaded") == 1 and "three faces in ten" in told and "FER_KERAS_YUNET" in told


def test_offline_asks_nobody(online, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("FER_KERAS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("FER_KERAS_OFFLINE", "0")
    monkeypatch.setattr(yunet, "_fetch", lambda *_: pytest.fail("the network was asked"))
    assert build_detector(offline=True).name == "haar"
    assert "forbids" in capsys.readouterr().err
    with pytest.raises(ValueError, match="FER_KERAS_OFFLINE forbids.*--detector-model.*haar"):
        build_detector("yunet")


def test_what_is_fetched_is_checked(online, monkeypatch, tmp_path):
    monkeypatch.setenv("FER_KERAS_CACHE", str(tmp_path / "cache"))
    bad = tmp_path / "bad.onnx"
    bad.write_bytes(b"<html>sign in</html>")
    with pytest.raises(ValueError, match=r"is not YuNet's model. Expected SHA-256 ebaf\w+. Received: \w+\. Fetch"):
        yunet_path(address=bad.as_uri())
    with pytest.raises(ValueError, match="could not be downloaded .*FER_KERAS_YUNET.*haar"):
        yunet_path(address=(tmp_path / "none").as_uri())
    assert find_yunet() is None


def test_yunet_is_fetched_once(yunet_file, online, monkeypatch, tmp_path):
    monkeypatch.setenv("FER_KERAS_CACHE", str(tmp_path / "cache"))
    if hashlib.sha256(yunet_file.read_bytes()).hexdigest() != yunet.SHA256:
        pytest.skip("another YuNet is installed here")
    path = yunet_path(address=yunet_file.as_uri())
    assert path == yunet_path(address="nowhere:/") and build_detector().name == "yunet"


def test_errors_say_what_to_do(tmp_path, monkeypatch):
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no network")
    cases = [
        ({"name": "yunnet"}, "Did you mean 'yunet'"),
        ({"name": "yunet", "model": tmp_path / "no.onnx"}, "No YuNet model there"),
        ({"name": "yunet", "model": broken}, "is not a YuNet model"),
        ({"name": "haar", "model": broken}, "haar has no model file. Expected one for yunet, mediapipe only"),
    ]
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    for name in ("mtcnn", "mediapipe", "dlib"):
        cases.append(({"name": name}, rf'not installed: pip install "fer_keras\[{name}\]"'))
    for options, message in cases:
        monkeypatch.undo() if options["name"] in ("yunet", "haar") else None
        with pytest.raises((ValueError, FileNotFoundError), match=message):
            if options["name"] in ("mtcnn", "mediapipe", "dlib"):
                monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
            build_detector(**options)
