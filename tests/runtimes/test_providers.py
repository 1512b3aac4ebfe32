"""ONNX Runtime's providers: chosen by what is there, and refused in one line that lists it."""

import pytest

from fer_keras import predict, serve, webcam
from fer_keras.prediction.predictor import Predictor
from fer_keras.runtimes.providers import PROVIDERS, choose_providers
from fer_keras.runtimes.runtime import load_runtime

ALL = list(PROVIDERS.values())


@pytest.mark.parametrize(
    ("wanted", "there", "chosen"),
    [
        ("auto", ["cpu"], ["cpu"]),
        ("auto", ["tensorrt", "cuda", "cpu"], ["cuda", "cpu"]),
        ("auto", ["coreml", "cpu"], ["cpu"]),
        ("auto", ["directml", "cpu"], ["directml", "cpu"]),
        ("cpu", ["tensorrt", "cuda", "cpu"], ["cpu"]),
        ("tensorrt, CUDA", ["tensorrt", "cuda", "cpu"], ["tensorrt", "cuda", "cpu"]),
        ("coreml,cpu", ["coreml", "cpu"], ["coreml", "cpu"]),
    ],
)
def test_what_is_there_decides(wanted, there, chosen):
    assert choose_providers(wanted, [PROVIDERS[name] for name in there]) == chosen


@pytest.mark.parametrize("wanted", ["cuda", "cpu,tensorrt", "gpu", ""])
def test_what_is_not_there_is_refused_with_a_list_of_what_is(model_files, wanted):
    with pytest.raises(ValueError, match="providers expects auto or some of those that are here: cpu") as error:
        Predictor.load(model_files, engine="onnx", providers=wanted)
    assert "\n" not in str(error.value)


@pytest.mark.filterwarnings("ignore:Specified provider")
def test_a_provider_that_does_not_start_is_refused_unless_it_was_not_asked_for(model_files, monkeypatch, capfd):
    from fer_keras.runtimes import onnx_runtime

    monkeypatch.setattr(onnx_runtime.onnxruntime, "get_available_providers", lambda: ALL)
    real, model = onnx_runtime.onnxruntime.InferenceSession, model_files / "model.onnx"

    def failing(path, options, providers, **others):
        if providers != [PROVIDERS["cpu"]]:
            raise RuntimeError("no device")
        return real(path, options, providers=providers, **others)

    for session in (real, failing):  # it is left out by ONNX Runtime, or its start fails
        monkeypatch.setattr(onnx_runtime.onnxruntime, "InferenceSession", session)
        assert load_runtime(model).providers == ["cpu"]
        with pytest.raises(ValueError, match="providers expects what starts here: cpu. Received: 'cuda"):
            load_runtime(model, providers="cuda")
    assert capfd.readouterr().err == ""


@pytest.mark.filterwarnings("ignore:Specified provider")
def test_a_damaged_file_is_named_whatever_the_provider(tmp_path, monkeypatch):
    from fer_keras.runtimes import onnx_runtime

    monkeypatch.setattr(onnx_runtime, "check_onnx", lambda path: None)
    monkeypatch.setattr(onnx_runtime.onnxruntime, "get_available_providers", lambda: ALL)
    (tmp_path / "model.onnx").write_bytes(b"garbage")
    for providers in ("auto", "cuda", "cpu"):
        with pytest.raises(ValueError, match="not a whole ONNX file"):
            load_runtime(tmp_path / "model.onnx", providers=providers)


def test_only_onnx_runtime_has_providers(model_files):
    with pytest.raises(ValueError, match="providers goes with engine onnx"):
        load_runtime(model_files / "model.tflite", providers="cpu")


@pytest.mark.parametrize("command", [predict, serve, webcam])
def test_commands_that_read_faces_offer_them(command):
    text = " ".join(command.build_parser().format_help().split())
    assert "--providers" in text and all(name in text for name in PROVIDERS)
