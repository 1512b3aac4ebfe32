"""Which model reads and how its faces are found: what a `FaceReader` takes, and what commands that read images offer as flags."""

import dataclasses
from dataclasses import dataclass, field

from fer_keras.config.settings import Settings, setting, setting_like
from fer_keras.faces.detectors import AUTO, DETECTORS, WHOLE
from fer_keras.prediction.predictor_options import ModelOptions, PredictorOptions

#: What results files and the server call settings whose names differ.
_TOLD_AS = {"detector_model": "model", "detector_confidence": "confidence"}
_NAMED = (
    f"detector: {AUTO} (yunet, whose file of 230 kB is fetched once; haar where that fails), {', '.join(DETECTORS)}"
)


@dataclass(frozen=True)
class FinderOptions(Settings):
    """How faces are found.

    Attributes are described by `--help`, which is made from this class. The box of a face is in pixels of the whole image,
    and faces are cut from it, whatever was shrunk or changed to find them.
    """

    detector: str = setting(AUTO, _NAMED, choices=(AUTO, *DETECTORS), flag="--faces", metavar="NAME")
    detector_model: str | None = setting(
        None,
        f"model file of {' or '.join(name for name, entry in DETECTORS.items() if entry.takes_model)}",
        metavar="FILE",
    )
    detector_confidence: float | None = setting(None, "least score of a face; default: the detector's own")
    min_face: int = setting(20, "leave out faces whose shorter side has fewer pixels", low=1)
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

    offline: bool = setting(
        False, "do not use the network, not even once for YuNet's file ($FER_KERAS_OFFLINE says the same)", switch=True
    )

    def facts(self) -> dict:
        """Return the options as plain values, under the names that results files have had from the start."""
        return {
            _TOLD_AS.get(name, name): value for name, value in dataclasses.asdict(self).items() if name != "offline"
        }


@dataclass(frozen=True)
class PhotoFaces(FinderOptions):
    """How faces are found, or that each picture is one face already."""

    detector: str = setting_like(
        FinderOptions,
        "detector",
        help=f"{_NAMED}; or {WHOLE}: each picture is one face",
        choices=(AUTO, *DETECTORS, WHOLE),
    )


@dataclass(frozen=True)
class LiveReading(PredictorOptions):
    """How a `Predictor` reads faces that do not wait: one view of each."""

    tta: str = setting_like(PredictorOptions, "tta", default="none")


@dataclass(frozen=True)
class ReaderOptions:
    """What a `FaceReader` is made of."""

    model: ModelOptions = field(default_factory=ModelOptions)
    reading: LiveReading = field(default_factory=LiveReading)
    faces: FinderOptions = field(default_factory=FinderOptions)


@dataclass(frozen=True)
class PhotoOptions(ReaderOptions):
    """What a `FaceReader` for photos is made of, each of which may be one face already."""

    reading: PredictorOptions = field(default_factory=PredictorOptions)
    faces: PhotoFaces = field(default_factory=PhotoFaces)


#: Settings that a command which answers as faces come does not offer.
NOT_LIVE = ("tta", "calibrated", "batch_size")
