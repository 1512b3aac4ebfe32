"""Facial expression recognition for Keras: eight emotions, valence and arousal from one model.

Importing the package loads neither TensorFlow nor OpenCV; each name below is loaded when it is first used. It sets two
environment variables, see `fer_keras.quiet`.
"""

from importlib import import_module

from fer_keras import quiet

__version__ = "0.1.0"

_LAZY = {
    "EMOTIONS": "fer_keras.labels",
    "Predictor": "fer_keras.prediction.predictor",
    "Reading": "fer_keras.prediction.reading",
    "build_model": "fer_keras.models.build",
    "load_bundle": "fer_keras.runs.bundle",
    "load_index": "fer_keras.data.loading",
    "load_spec": "fer_keras.readers.spec",
}

__all__ = ["__version__", *_LAZY]

quiet.set_up()


def __getattr__(name):
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'fer_keras' has no attribute {name!r}")


def __dir__():
    return sorted(__all__)
