"""Runtimes: the same answers from each, and one clear line for a file that is not what it claims to be."""

import pickle
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from fer_keras import formats
from fer_keras.formats import ENGINES, engine_of
from fer_keras.runtimes.runtime import Runtime, Tensor, load_runtime

FILES = ["model.keras", "model.h5", "saved_model", "model.tflite", "model.onnx"]
needs_openvino = pytest.mark.skipif(not ENGINES["openvino"].installed, reason="needs openvino")
FACES = np.random.default_rng(5).integers(0, 256, (5, 32, 32, 3), np.uint8)


@pytest.fixture(scope="module")
def expected(model_files):
    return load_runtime(model_files / "model.onnx", threads=1).run(FACES)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("file", FILES)
def test_every_runtime_gives_the_same_answers_for_any_batch(model_files, expected, file, threads):
    runtime = load_runtime(model_files / file, threads=threads)
    assert runtime.name == engine_of(model_files / file)
    assert runtime.outputs == ("emotion", "valence", "arousal") and runtime.image_size == (32, 32)
    found = runtime.run(FACES)
    assert {name: (values.shape, values.dtype) for name, values in found.items()} == {
        "emotion": ((5, 4), np.float32),
        "valence": ((5, 1), np.float32),
        "arousal": ((5, 1), np.float32),
    }
    for name, values in found.items():
        assert values == pytest.approx(expected[name], abs=1e-4)
        assert np.ptp(values, axis=0).max() > 0.01, "the model of these tests must tell faces apart"
    for count in (1, 3, 2):
        assert runtime.run(FACES[:count])["emotion"] == pytest.approx(expected["emotion"][:count], abs=1e-4)
    assert runtime.run(FACES[:0])["emotion"].shape == (0, 4)


@needs_openvino
@pytest.mark.parametrize("threads", [1, 2])
def test_openvino_answers_as_onnx_runtime_does_for_any_batch(model_files, expected, threads):
    runtime = load_runtime(model_files / "model.onnx", "openvino", threads)
    assert runtime.name == "openvino" and runtime.outputs == ("emotion", "valence", "arousal")
    for count in (5, 1, 3, 2, 0):
        found = runtime.run(FACES[:count])
        for name, values in found.items():
            # bfloat16, OpenVINO's own default on some CPUs, differs by 1e-3.
            assert values == pytest.approx(expected[name][:count], abs=2e-5) and values.dtype == np.float32


@needs_openvino
def test_several_threads_share_openvino(model_files, expected):
    runtime = load_runtime(model_files / "model.onnx", "openvino")
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda number: runtime.run(FACES[: 1 + number % 5]), range(40)))
    for number, outputs in enumerate(found):
        assert outputs["valence"] == pytest.approx(expected["valence"][: 1 + number % 5], abs=2e-5)


@needs_openvino
@pytest.mark.parametrize("content", [b"", b"garbage" * 500])
def test_openvino_refuses_a_damaged_file_in_one_line(tmp_path, content):
    (tmp_path / "model.onnx").write_bytes(content)
    with pytest.raises(ValueError, match="not a whole ONNX file") as error:
        load_runtime(tmp_path / "model.onnx", "openvino")
    assert "\n" not in str(error.value)


def test_quantised_input_and_output_are_stored_and_read_by_scale(model_files, expected):
    found = load_runtime(model_files / "model-int8.tflite").run(FACES)
    for name, values in found.items():
        assert values.dtype == np.float32 and values == pytest.approx(expected[name], abs=0.1)


def test_tensors_store_and_read():
    signed = Tensor((1,), np.dtype("int8"), 1.0, -128)
    assert signed.store(np.array([0, 128, 255], np.uint8)).tolist() == [-128, 0, 127]
    assert signed.read(np.array([-128, 127], np.int8)).tolist() == [0.0, 255.0]
    raw = np.array([7], np.uint8)
    assert Tensor((1,), np.dtype("uint8"), 1.0, 0).store(raw) is raw
    assert Tensor((1,), np.dtype("float32")).store(raw).dtype == np.float32


def test_a_fixed_batch_is_filled_up():
    class Fixed(Runtime):
        def _call(self, images):
            assert len(images) == 2
            return {"valence": images.mean((1, 2, 3))[:, None]}

    runtime = Fixed("fixed", Tensor((2, 32, 32, 3), np.dtype("float32")), {"valence": Tensor((2, 1), np.float32)})
    assert runtime.run(FACES)["valence"][:, 0] == pytest.approx(FACES.mean((1, 2, 3)), rel=1e-5)


def test_other_backends_of_keras_see_few_shapes(model_files, expected):
    from fer_keras.runtimes.keras_runtime import _any_backend

    model, shapes = load_runtime(model_files / "model.keras").model, []
    original = model.predict_on_batch
    model.predict_on_batch = lambda images: (shapes.append(len(images)), original(images))[1]
    for count in (5, 3, 1, 4, 2):
        found = _any_backend(model)(FACES[:count])
        assert found["emotion"] == pytest.approx(expected["emotion"][:count], abs=1e-4)
    assert shapes == [8, 4, 1, 4, 2]


def test_faces_of_another_shape_or_type_are_refused(model_files):
    runtime = load_runtime(model_files / "model.onnx")
    for faces in (FACES[0], FACES[:, :16], FACES.astype(np.float32)):
        with pytest.raises(ValueError, match="Expected uint8 RGB faces"):
            runtime.run(faces)


@pytest.mark.parametrize("file", ["model.keras", "model.h5", "model.tflite", "model.onnx"])
@pytest.mark.parametrize("damage", ["empty", "garbage", "pickle", "half", "last bytes gone"])
def test_a_damaged_file_is_one_clear_line(model_files, tmp_path, file, damage):
    whole = (model_files / file).read_bytes()
    content = {
        "empty": b"",
        "garbage": np.random.default_rng(0).bytes(5000),
        "pickle": pickle.dumps({"weights": [1, 2, 3]}),
        "half": whole[: len(whole) // 2],
        "last bytes gone": whole[:-30],
    }[damage]
    (tmp_path / file).write_bytes(content)
    with pytest.raises(ValueError, match="not a whole|not a|may be truncated") as error:
        load_runtime(tmp_path / file)
    assert "\n" not in str(error.value) and file in str(error.value)


def test_a_damaged_saved_model(model_files, tmp_path):
    for name, size in (("saved_model.pb", 500), ("variables/variables.data-00000-of-00001", 50)):
        folder = tmp_path / name.replace("/", "-")
        shutil.copytree(model_files / "saved_model", folder)
        (folder / name).write_bytes((folder / name).read_bytes()[:size])
        with pytest.raises(ValueError, match="not a whole SavedModel"):
            load_runtime(folder)


def test_what_cannot_be_loaded_says_what_would(model_files, tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="Expected a model file"):
        load_runtime(tmp_path / "model.pkl")
    with pytest.raises(FileNotFoundError, match="No model file"):
        load_runtime(tmp_path / "model.onnx")
    with pytest.raises(ValueError, match="Did you mean 'onnx'"):
        load_runtime(model_files / "model.onnx", engine="onx")
    with pytest.raises(ValueError, match="engine keras cannot run"):
        load_runtime(model_files / "model.onnx", engine="keras")
    monkeypatch.setattr(formats, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r'onnxruntime.*pip install "onnxruntime"'):
        load_runtime(model_files / "model.onnx")
    with pytest.raises(ValueError, match=r'pip install "fer_keras\[litert\]"'):
        load_runtime(model_files / "model.tflite")


@pytest.mark.parametrize("file", ["model.onnx", "model.tflite"])
def test_onnx_and_litert_load_no_tensorflow(model_files, file):
    code = f"""
import sys, numpy as np
from fer_keras.runtimes.runtime import load_runtime
load_runtime({str(model_files / file)!r}).run(np.zeros((1, 32, 32, 3), np.uint8))
print([name for name in ("tensorflow", "keras", "matplotlib", "pyarrow") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
