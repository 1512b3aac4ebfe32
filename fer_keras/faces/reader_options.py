"""Which model reads, and how its faces are found: what commands that read images offer, and the reader made of it."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fer_keras.config.flags import flat_values
from fer_keras.faces.finder_options import FinderOptions
from fer_keras.prediction.predictor_options import ModelOptions, PredictorOptions

if TYPE_CHECKING:
    from fer_keras.faces.face_reader import FaceReader


@dataclass(frozen=True)
class ReaderOptions:
    """What a `FaceReader` is made of."""

    model: ModelOptions = field(default_factory=ModelOptions)
    reading: PredictorOptions = field(default_factory=PredictorOptions)
    faces: FinderOptions = field(default_factory=FinderOptions)


#: Settings that a command which answers as faces come does not offer.
NOT_LIVE = ("tta", "calibrated", "batch_size")


def load_reader(options: ReaderOptions) -> "FaceReader":
    """Load what finds and reads faces.

    Raises:
        FileNotFoundError: no model or detector file there.
        ValueError: a detector or a model that cannot be used.
    """
    from fer_keras.faces.face_reader import FaceReader
    from fer_keras.faces.finder import FaceFinder
    from fer_keras.prediction.predictor import Predictor

    finder = FaceFinder(options.faces)  # first: it fails sooner
    return FaceReader(Predictor.load(**flat_values(options.model), **flat_values(options.reading)), finder)
