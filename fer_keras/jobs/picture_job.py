"""What `predict`'s flags ask of pictures: who reads them, what decides the answers, what is drawn of them.

It is loaded from the flags alone, so that a worker on another machine loads what the command itself loads.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fer_keras.faces.arguments import WHOLE, load_finder
from fer_keras.faces.face_reader import FaceReader
from fer_keras.faces.finder import FaceFinder
from fer_keras.jobs.file_run import annotated_copy, run_settings
from fer_keras.jobs.photos import annotated_photo, grad_cam_faces
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


def load_job(args) -> PictureJob:
    """Load what `predict`'s flags ask for.

    Raises:
        FileNotFoundError, ValueError: as of `load_finder` and `Predictor.load`, or Grad-CAM without a Keras model.
    """
    finder = None if args.faces == WHOLE else load_finder(args)  # first: it fails sooner
    predictor = _load_predictor(args)
    reader = FaceReader(predictor, finder) if finder else predictor
    settings = {**run_settings(predictor), "faces": finder.settings() if finder else WHOLE}
    return PictureJob(predictor, finder, reader, settings, _copies(args, predictor, finder))


def _load_predictor(args) -> Predictor:
    engine = "keras" if args.grad_cam and args.engine == "auto" else args.engine
    predictor = Predictor.load(
        args.model,
        engine,
        args.threads,
        tta=args.tta,
        calibrated=not args.no_calibration,
        min_confidence=args.min_confidence,
        batch_size=args.batch_size,
    )
    if args.grad_cam and predictor.file.engine != "keras":
        raise ValueError(f"--grad-cam goes with --engine keras. Received: {args.engine}.")
    return predictor


def _copies(args, predictor: Predictor, finder: FaceFinder | None) -> dict[Path, Callable]:
    copies = {}
    if args.annotate:
        copies[Path(args.annotate)] = (
            annotated_photo if finder else lambda path, readings: annotated_copy(path, readings, args.top_k or 3)
        )
    if args.grad_cam:
        output = "emotion" if "emotion" in predictor.outputs else predictor.outputs[0]
        copies[Path(args.grad_cam)] = lambda path, readings: grad_cam_faces(predictor, path, readings, output)
    return copies
