"""The embedding of dlib's check image, through every float format of `face_resnet`."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from fer_keras.exporters.keras_writer import export_h5, export_keras
from fer_keras.exporters.onnx_graph import export_onnx
from fer_keras.exporters.parity import export_outputs
from fer_keras.exporters.tflite import export_tflite
from fer_keras.models import face_resnet
from fer_keras.models.face_weights import load_face_weights

ARRAYS = Path(__file__).parents[3] / "shared" / "weights" / "face_resnet.npz"
IMAGE = np.random.default_rng(0).integers(0, 256, (1, 150, 150, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """What the writers take, of the whole net with dlib's own embedding as its output."""
    if not ARRAYS.is_file():
        pytest.skip(f"needs the net's arrays at {ARRAYS}")
    image = keras.Input((150, 150, 3), name="image", dtype="float32")
    scaled = keras.layers.Rescaling(face_resnet.SCALE, list(face_resnet.OFFSET), name="scaling")(image)
    whole = keras.Model(image, face_resnet.build_face_resnet_whole(scaled))
    pooled = keras.layers.GlobalAveragePooling2D(name="pool")(whole.layers[-1].input)  # before the features' norm
    embedding = keras.layers.Dense(128, use_bias=False, name="emotion")(pooled)
    model = keras.Model(image, {"emotion": embedding})
    load_face_weights(whole, "face_resnet_whole", ARRAYS)
    with np.load(ARRAYS) as arrays:
        model.get_layer("emotion").set_weights([arrays["embedding/kernel"]])
    described = SimpleNamespace(backbone="face_resnet_whole")
    bundle = SimpleNamespace(image_size=(150, 150), outputs=("emotion",), model=described)
    return SimpleNamespace(
        model=model,
        bundle=bundle,
        scratch=tmp_path_factory.mktemp("scratch"),
        labels=tuple(f"{number}" for number in range(128)),
        metadata={"producer": "fer_keras"},
        licence="CC0",
    )


def expected() -> np.ndarray:
    with np.load(ARRAYS) as arrays:
        return arrays["check/embedding"]


@pytest.mark.parametrize(
    "write, name, engine",
    [
        (export_onnx, "model.onnx", "onnx"),
        (export_tflite, "model.tflite", "litert"),
        (export_h5, "model.h5", "keras"),
        (export_keras, "model.keras", "keras"),
    ],
)
def test_the_check_images_embedding_is_dlibs(source, tmp_path, write, name, engine):
    write(source, tmp_path / name)
    found = export_outputs(tmp_path / name, engine, IMAGE)[0]["emotion"]
    assert np.abs(found[0] - expected()).max() < 1e-4


_KERAS_2 = """
import sys, numpy as np, keras
assert keras.__version__.startswith("2.15"), keras.__version__
model = keras.models.load_model(sys.argv[1])
image = np.random.default_rng(0).integers(0, 256, (1, 150, 150, 3), dtype=np.uint8)
np.save(sys.argv[2], np.asarray(model(image.astype("float32"))["emotion"]))
"""


@pytest.mark.slow
def test_keras_2_reads_the_h5_file(source, tmp_path):
    export_h5(source, tmp_path / "model.h5")
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "keras2")], check=True)
    python = str(tmp_path / "keras2" / "bin" / "python")
    subprocess.run([python, "-m", "pip", "install", "-q", "tensorflow-cpu==2.15.1"], check=True)
    files = [str(tmp_path / "model.h5"), str(tmp_path / "found.npy")]
    subprocess.run([python, "-c", _KERAS_2, *files], check=True, capture_output=True)
    assert np.abs(np.load(tmp_path / "found.npy")[0] - expected()).max() < 1e-4
