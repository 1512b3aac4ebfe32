"""Shared fixtures: drawn faces in AffectNet's layout, a real face, model files, and a cache folder of the tests' own."""

import contextlib
import functools
import os
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))  # tiny_run

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

_BESIDE = Path(__file__).parents[2] / "shared" / "weights" / "face_detection_yunet_2026may.onnx"
_YUNET = Path(os.environ.get("FER_KERAS_YUNET") or _BESIDE)  # now, for tests hide the variable
FERPLUS = Path(__file__).parents[2] / "shared" / "datasets" / "ferplus" / "ferplus.npz"


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    """Keep indexes and drawn faces of the tests out of the user's cache."""
    monkeypatch.setenv("FER_KERAS_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """Return a folder that `make` fills; processes of pytest-xdist share what the first of them has made."""
    own, shared = factory.mktemp(name), factory.getbasetemp().parent / name
    distributed = "PYTEST_XDIST_WORKER" in os.environ
    if distributed and shared.exists():
        return shared
    make(own)
    if distributed:
        with contextlib.suppress(OSError):  # another one was faster
            return own.rename(shared)
    return own


@pytest.fixture(scope="session")
def faces_dir(tmp_path_factory) -> Path:
    """160 training and 48 test faces of 48 px in AffectNet's official layout. Not to be changed: `copy_of` it."""
    from fer_keras.synthetic.dataset import write_synthetic

    def draw(folder: Path) -> None:
        write_synthetic(folder / "set", train=160, val=48, size=48, seed=3)

    return made_once(tmp_path_factory, "faces", draw) / "set"


@pytest.fixture
def faces_copy(faces_dir, tmp_path) -> Path:
    """A copy of `faces_dir` that a test may damage."""
    import shutil

    return Path(shutil.copytree(faces_dir, tmp_path / "copy"))


@pytest.fixture(scope="session")
def ferplus_npz() -> Path:
    """The real FER+ archive; skips where it is not there."""
    if not FERPLUS.is_file():
        pytest.skip(f"needs the real FER+ faces at {FERPLUS}")
    return FERPLUS


@pytest.fixture(scope="session")
def tiny_backbone():
    """Put the backbone `tiny` of `tiny_run`, three layers, into the table."""
    import tiny_run

    from fer_keras.models.backbones import BACKBONES

    tiny_run.add_tiny()
    yield
    del BACKBONES["tiny"]


@pytest.fixture(scope="module")
def blank_pictures():
    """Leave the pictures of reports blank; see `tiny_run.pictures`."""
    import tiny_run

    with tiny_run.pictures(drawn=False):
        yield


@pytest.fixture(scope="session")
def answering_model():
    """A Keras model of 32 px with random but large weights, so that answers differ from face to face. Not to be changed."""
    import keras

    from fer_keras.config.run_config import ModelConfig
    from fer_keras.models.heads import build_heads

    keras.utils.set_random_seed(1)
    image = keras.Input((32, 32, 3), name="image")
    features = keras.layers.Rescaling(1 / 127.5, -1.0)(image)
    features = keras.layers.Conv2D(8, 8, 8, activation="relu", kernel_initializer="he_normal")(features)
    model = keras.Model(image, build_heads(features, ("emotion", "valence", "arousal"), 4, ModelConfig(dropout=0.0)))
    model.set_weights([weights * 2 for weights in model.get_weights()])
    return model


@pytest.fixture(scope="session")
def model_files(tmp_path_factory, answering_model) -> Path:
    """A bundle of 32 px in every runtime's format, by the plain converters. Not to be changed: copy it.

    Its weights are random but large, so that answers differ from face to face. Labels stand in an order of their own.
    """
    return made_once(tmp_path_factory, "model", functools.partial(_write_model_files, answering_model))


def _write_model_files(model, folder: Path) -> None:
    from dataclasses import replace

    import tensorflow as tf
    import tf2onnx

    from fer_keras.runs.bundle import Bundle, describe_model
    from fer_keras.runs.bundle_parts import Export
    from fer_keras.runs.file_hashes import hash_file

    model.save(folder / "model.keras")
    model.save(folder / "model.h5")
    model.export(folder / "saved_model", format="tf_saved_model", verbose=False)
    converter = tf.lite.TFLiteConverter.from_saved_model(str(folder / "saved_model"))
    (folder / "model.tflite").write_bytes(converter.convert())
    noise = np.random.default_rng(0).integers(0, 256, (20, 1, 32, 32, 3)).astype(np.float32)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ({"image": face} for face in noise)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type, converter.inference_output_type = tf.uint8, tf.int8
    (folder / "model-int8.tflite").write_bytes(converter.convert())
    signature = [tf.TensorSpec((None, 32, 32, 3), tf.float32, name="image")]
    tf2onnx.convert.from_keras(model, signature, opset=17, output_path=str(folder / "model.onnx"))
    labels, outputs = ("sad", "happy", "anger", "bored"), ("emotion", "valence", "arousal")
    names = {
        "h5": "model.h5",
        "saved_model": "saved_model",
        "tflite": "model.tflite",
        "tflite-int8": "model-int8.tflite",
        "onnx": "model.onnx",
    }
    exports = {name: Export(file, sha256=hash_file(folder / file)) for name, file in names.items()}
    described = replace(describe_model(model, "none", labels, outputs), sha256=hash_file(folder / "model.keras"))
    Bundle(folder, described, exports=exports).save()


@pytest.fixture(scope="session")
def yunet_file() -> Path:
    """YuNet's model file: $FER_KERAS_YUNET, or the one lying beside the repository; skips without."""
    if not _YUNET.is_file():
        pytest.skip("needs YuNet's model: FER_KERAS_YUNET=face_detection_yunet_2026may.onnx")
    return _YUNET


@pytest.fixture(scope="session")
def detector_options() -> dict[str, str]:
    """`FinderOptions` of a detector that is there: YuNet where its file is, otherwise Haar, which needs none."""
    return {"detector": "yunet", "detector_model": str(_YUNET)} if _YUNET.is_file() else {"detector": "haar"}


@pytest.fixture(scope="session")
def detector_flags(detector_options) -> list[str]:
    """The same detector for a command line."""
    model = detector_options.get("detector_model")
    return ["--faces", detector_options["detector"], *(["--detector-model", model] if model else [])]


@pytest.fixture(autouse=True)
def no_yunet_by_chance(monkeypatch):
    """Tests name YuNet's file where they want it, and use no network."""
    monkeypatch.delenv("FER_KERAS_YUNET", raising=False)
    monkeypatch.setenv("FER_KERAS_OFFLINE", "1")


@pytest.fixture(scope="session")
def _astronaut() -> np.ndarray:
    return pytest.importorskip("skimage.data").astronaut()


@pytest.fixture
def astronaut_box() -> tuple[int, int, int, int]:
    """The astronaut's face as (x0, y0, x1, y1), marked by hand: hairline to chin, temple to temple."""
    return 176, 66, 270, 172


@pytest.fixture
def astronaut(_astronaut) -> np.ndarray:
    """(512, 512, 3) uint8 RGB, with one face at `astronaut_box`."""
    return _astronaut.copy()


@pytest.fixture
def group(_astronaut) -> np.ndarray:
    """(480, 640, 3) RGB, the face twelve times, in four columns and three rows of 160 pixels, every second mirrored."""
    face = cv2.resize(_astronaut[20:230, 118:328], (160, 160), interpolation=cv2.INTER_AREA)
    tiles = [[face if (row + column) % 2 else face[:, ::-1] for column in range(4)] for row in range(3)]
    return np.ascontiguousarray(np.vstack([np.hstack(row) for row in tiles]))


@pytest.fixture(scope="session")
def moving(_astronaut, tmp_path_factory) -> Path:
    """A video of 40 frames, 320 x 240 at 20 a second: two faces move towards each other, the left one is gone for
    frames 15 to 19."""
    path = tmp_path_factory.mktemp("video") / "moving.mp4"
    face = cv2.resize(_astronaut[30:210, 130:310], (100, 100), interpolation=cv2.INTER_AREA)[:, :, ::-1]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), 20, (320, 240))
    for number in range(40):
        frame = np.full((240, 320, 3), 90, np.uint8)
        if not 15 <= number < 20:
            frame[70:170, 10 + number : 110 + number] = face
        frame[90:190, 210 - number : 310 - number] = face[:, ::-1]
        writer.write(frame)
    writer.release()
    return path
