"""How faces are found: what a `FaceFinder` takes, and what commands that find faces offer as flags."""

import dataclasses
from dataclasses import dataclass

from fer_keras.config.settings import Settings, setting

#: In place of a detector: each picture is one face, and nothing is searched for.
WHOLE = "whole"
#: What results files and the server call settings whose names differ.
_TOLD_AS = {"detector_model": "model", "detector_confidence": "confidence"}


def detector_names() -> tuple[str, ...]:
    """Return what `--faces` takes where faces are searched for; OpenCV is loaded with the table of detectors."""
    from fer_keras.faces.detectors import DETECTORS

    return ("auto", *DETECTORS)


@dataclass(frozen=True)
class FinderOptions(Settings):
    """How faces are found.

    Attributes are described by `--help`, which is made from this class. The box of a face is in pixels of the whole image,
    and faces are cut from it, whatever was shrunk or changed to find them.
    """

    detector: str = setting(
        "auto",
        "detector: auto (yunet where its file is, else haar), yunet, haar, mtcnn, mediapipe or dlib",
        choices=detector_names,
        flag="--faces",
        metavar="NAME",
    )
    detector_model: str | None = setting(None, "model file of yunet or mediapipe", metavar="FILE")
    detector_confidence: float | None = setting(None, "least score of a face; default: the detector's own")
    min_face: int = setting(20, "pass over faces whose shorter side has fewer pixels", low=1)
    padding: float = setting(
        0.0,
        "widen boxes on each side by this share; models see faces as they were trained, so leave 0 unless measured",
        low=0,
    )
    max_side: int | None = setting(
        None,
        "shrink larger pictures to this for finding faces only; default: 1280, and for frames of videos 640, with yunet 320",
        low=32,
    )
    clahe: bool = setting(False, "raise local contrast for finding faces in dark photos", switch=True)
    align: bool | None = setting(
        None, "turn faces until their eyes are level, or do not; default: as the model was trained"
    )

    def facts(self) -> dict:
        """Return the options as plain values, under the names that results files have had from the start."""
        return {_TOLD_AS.get(name, name): value for name, value in dataclasses.asdict(self).items()}
