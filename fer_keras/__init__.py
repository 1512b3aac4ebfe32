"""Facial expression recognition for Keras: eight emotions, valence and arousal from one model.

Importing the package loads neither TensorFlow nor OpenCV; each name below is loaded when it is first used. It sets two
environment variables, see `fer_keras.quiet`.

Example:
    from fer_keras import read
    for face in read("photo.jpg"):
        print(face.emotion, face.valence, face.arousal)
"""

from fer_keras import (
    ctrl_c,  # noqa: F401 - first: it takes over as it is imported
    quiet,
)
from fer_keras.lazy import lazy_names

__version__ = "0.1.0"

_MODULES = {
    "EMOTIONS": "fer_keras.labels",
    "FaceReader": "fer_keras.faces.face_reader",
    "Predictor": "fer_keras.prediction.predictor",
    "Reading": "fer_keras.prediction.reading",
    "build_model": "fer_keras.models.build",
    "load_bundle": "fer_keras.runs.bundle",
    "load_index": "fer_keras.data.loading",
    "load_spec": "fer_keras.readers.spec",
    "read": "fer_keras.faces.face_reader",
}

quiet.set_up()

__all__ = ["__version__", *_MODULES]
__getattr__, __dir__ = lazy_names(__name__, _MODULES)
