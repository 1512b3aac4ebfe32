"""Shared fixtures: a small drawn data set in AffectNet's layout, and a cache folder that is not the user's."""

import os
from pathlib import Path

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

FERPLUS = Path(__file__).parents[2] / "shared" / "datasets" / "ferplus" / "ferplus.npz"


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    """Keep indexes and drawn faces of the tests out of the user's cache."""
    monkeypatch.setenv("FER_KERAS_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture(scope="session")
def faces_dir(tmp_path_factory) -> Path:
    """160 training and 48 test faces of 48 px in AffectNet's official layout. Not to be changed: `copy_of` it."""
    from fer_keras.data.synthetic import write_synthetic

    return write_synthetic(tmp_path_factory.mktemp("faces") / "set", train=160, val=48, size=48, seed=3)


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
def answering_model():
    """A Keras model of 32 px with random but large weights, so that answers differ from face to face. Not to be changed."""
    import keras

    from fer_keras.models.heads import build_heads

    keras.utils.set_random_seed(1)
    image = keras.Input((32, 32, 3), name="image")
    features = keras.layers.Rescaling(1 / 127.5, -1.0)(image)
    features = keras.layers.Conv2D(8, 8, 8, activation="relu", kernel_initializer="he_normal")(features)
    model = keras.Model(image, build_heads(features, ("emotion", "valence", "arousal"), 4, 0.0))
    model.set_weights([weights * 2 for weights in model.get_weights()])
    return model


@pytest.fixture(scope="session")
def model_files(tmp_path_factory, answering_model) -> Path:
    """A bundle of 32 px in every runtime's format, by the plain converters. Not to be changed: copy it.

    Its weights are random but large, so that answers differ from face to face. Labels stand in an order of their own.
    """
    import json

    import numpy as np
    import tensorflow as tf
    import tf2onnx

    from fer_keras.engine.bundle import model_facts

    folder, model = tmp_path_factory.mktemp("model"), answering_model
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
    facts = model_facts(model, "none", ("sad", "happy", "anger", "bored"), ("emotion", "valence", "arousal"))
    names = {
        "h5": "model.h5",
        "saved_model": "saved_model",
        "tflite": "model.tflite",
        "tflite-int8": "model-int8.tflite",
        "onnx": "model.onnx",
    }
    facts["exports"] = {name: {"file": file} for name, file in names.items()}
    (folder / "bundle.json").write_text(json.dumps(facts))
    return folder
