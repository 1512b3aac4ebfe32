"""What `predict`'s settings ask of pictures: who reads them, what decides the answers, what is drawn of them.

It is loaded from the settings alone, so that a worker on another machine loads what the command itself loads.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fer_keras.config.flags import flat_values
from fer_keras.faces.face_reader import FaceReader
from fer_keras.faces.finder import FaceFinder
from fer_keras.faces.finder_options import WHOLE
from fer_keras.jobs.file_run import annotated_copy, run_settings
from fer_keras.jobs.photos import annotated_photo, grad_cam_faces
from fer_keras.jobs.predict_options import Outputs, PredictConfig
from fer_keras.prediction.predictor import Predictor


@dataclass(frozen=True)
class PictureJob:
    """What reads pictures.

    Attributes:
        predictor: reads the faces.
        finder: finds them, or None: each picture is one face.
        reader: both, for `read_pictures`.
        settings: what decides the rows, to be kept beside them.
        copies: see `read_pictures`.
    """

    predictor: Predictor
    finder: FaceFinder | None
    reader: FaceReader | Predictor
    settings: dict
    copies: dict[Path, Callable]


def load_job(config: PredictConfig) -> PictureJob:
    """Load what `predict`'s settings ask for.

    Raises:
        FileNotFoundError, ValueError: as of `FaceFinder` and `Predictor.load`, or Grad-CAM without a Keras model.
    """
    finder = None if config.faces.whole else FaceFinder(config.faces)  # first: it fails sooner
    predictor = _load_predictor(config)
    reader = FaceReader(predictor, finder) if finder else predictor
    settings = {**run_settings(predictor), "faces": finder.settings() if finder else WHOLE}
    return PictureJob(predictor, finder, reader, settings, _copies(config.outputs, predictor, finder))


def _load_predictor(config: PredictConfig) -> Predictor:
    model, grad_cam = config.model, config.outputs.grad_cam
    engine = "keras" if grad_cam and model.engine == "auto" else model.engine
    predictor = Predictor.load(model.model, engine, model.threads, **flat_values(config.reading))
    if grad_cam and predictor.file.engine != "keras":
        raise ValueError(f"--grad-cam goes with --engine keras. Received: {model.engine}.")
    return predictor


def _copies(outputs: Outputs, predictor: Predictor, finder: FaceFinder | None) -> dict[Path, Callable]:
    copies = {}
    if outputs.annotate:
        copies[Path(outputs.annotate)] = (
            annotated_photo if finder else lambda path, readings: annotated_copy(path, readings, outputs.top_k or 3)
        )
    if outputs.grad_cam:
        output = "emotion" if "emotion" in predictor.outputs else predictor.outputs[0]
        copies[Path(outputs.grad_cam)] = lambda path, readings: grad_cam_faces(predictor, path, readings, output)
    return copies
