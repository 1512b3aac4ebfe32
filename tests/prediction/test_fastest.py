"""The fastest file of a model: measured once on a machine, remembered, measured again where something changed."""

import json
import shutil

import pytest

from fer_keras import Predictor
from fer_keras.formats import ENGINES
from fer_keras.prediction import fastest


@pytest.fixture
def exports(model_files, tmp_path):
    """A folder with a float and an 8-bit file."""
    for name in ("model.onnx", "model-int8.tflite", "bundle.json"):
        shutil.copy(model_files / name, tmp_path / name)
    return tmp_path


@pytest.fixture
def clock(monkeypatch, tmp_path):
    """Seconds a face by engine, in place of what this machine would show, and a cache folder of the test's own."""
    seconds = {"onnx": 3.0, "litert": 1.0, "openvino": 9.0}
    monkeypatch.setattr(fastest, "_seconds_a_face", lambda runtime: seconds[runtime.name])
    monkeypatch.setenv("FER_KERAS_CACHE", str(tmp_path / "own cache"))
    return seconds


def choice(model) -> str:
    return Predictor.load(model, engine="fastest").file.path.name


def test_the_fastest_file_is_taken_and_remembered(exports, clock, capsys):
    assert choice(exports) == "model-int8.tflite"
    told = capsys.readouterr().err
    assert "takes model-int8.tflite by litert, 1000.00 ms a face; model.onnx by onnx 3000.00" in told
    assert "measured now, remembered in" in told
    clock["litert"] = 5.0  # not measured again
    assert choice(exports) == "model-int8.tflite"
    assert "measured now" not in capsys.readouterr().err
    assert Predictor.load(exports).file.path.name == "model.onnx"
    assert Predictor.load(exports, engine="onnx").file.path.name == "model.onnx"


def test_a_float_file_is_taken_over_one_that_is_hardly_faster(exports, clock):
    clock["litert"] = 2.8
    assert choice(exports) == "model.onnx"


def _other_file(exports, monkeypatch):
    bundle = json.loads((exports / "bundle.json").read_text())
    for export in bundle["exports"].values():
        del export["sha256"]
    (exports / "bundle.json").write_text(json.dumps(bundle))
    with open(exports / "model-int8.tflite", "ab") as file:
        file.write(b"\0" * 16)


CHANGES = {
    "another file": _other_file,
    "another processor": lambda exports, monkeypatch: monkeypatch.setattr(fastest, "_processor", lambda: "another"),
    "another version": lambda exports, monkeypatch: monkeypatch.setattr(fastest, "_versions", lambda package: ["2"]),
    "fewer cores": lambda exports, monkeypatch: monkeypatch.setattr(fastest, "usable_cores", lambda: 77),
    "a damaged memory": lambda exports, monkeypatch: [
        path.write_text('{"seconds": [1') for path in (exports / "own cache").rglob("*.json")
    ],
}


@pytest.mark.parametrize("change", CHANGES)
def test_it_is_measured_again_where_something_changed(exports, clock, monkeypatch, change):
    assert choice(exports) == "model-int8.tflite"
    CHANGES[change](exports, monkeypatch)
    clock["litert"] = 5.0
    assert choice(exports) == "model.onnx"


def test_a_cache_that_cannot_be_written_is_done_without(exports, clock, monkeypatch, capsys):
    (exports / "a file").touch()
    monkeypatch.setenv("FER_KERAS_CACHE", str(exports / "a file" / "cache"))
    assert choice(exports) == "model-int8.tflite"
    assert "remembered" not in capsys.readouterr().err


def test_nothing_is_measured_where_there_is_no_choice(exports, clock, monkeypatch, capsys):
    monkeypatch.setattr(fastest, "_measure", None)
    monkeypatch.setattr(type(ENGINES["litert"]), "installed", property(lambda engine: engine.package == "onnxruntime"))
    assert choice(exports) == "model.onnx"
    assert 'pip install "fer_keras[litert]" adds another' in capsys.readouterr().err


def test_a_file_that_failed_its_check_is_left_out(exports, clock):
    bundle = json.loads((exports / "bundle.json").read_text())
    bundle["exports"]["tflite-int8"]["forced"] = True
    (exports / "bundle.json").write_text(json.dumps(bundle))
    assert choice(exports) == "model.onnx"
