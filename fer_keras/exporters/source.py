"""What an export starts from and is compared on: the model in float32 with its bundle, and faces of its data set."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from fer_keras.batches.loader import FaceLoader
from fer_keras.data.index import FaceIndex
from fer_keras.data.loading import load_faces, training_index
from fer_keras.data.splits import limit_samples
from fer_keras.exporters.export_options import ExportOptions
from fer_keras.preprocessing import crop_face
from fer_keras.runs.bundle import Bundle

DRAWN = "drawn"
_DRAWN_FACES = 64


@dataclass(frozen=True)
class ExportSource:
    """A trained model that is being exported.

    Attributes:
        model: Keras model in float32, as `float32_model` gives it.
        bundle: of the model.
        scratch: folder for intermediate files; its owner removes it.
        training_faces: () -> (n, height, width, 3) uint8 RGB of the training split; raises ValueError if the data cannot
            be read.
        options: of the export.
        labels: names of the emotion output's classes; empty for a model without that output.
    """

    model: object
    bundle: Bundle
    scratch: Path
    training_faces: Callable[[], np.ndarray]
    options: ExportOptions = field(default_factory=ExportOptions)
    labels: tuple[str, ...] = field(init=False)

    def __post_init__(self):
        labels = self.bundle.labels if "emotion" in self.bundle.outputs else ()
        object.__setattr__(self, "labels", labels)

    @property
    def licence(self) -> str:
        """The licence that a file states: that of the training data, whose terms apply to the weights."""
        data = self.bundle.data
        licence = data.licence or "not stated"
        return f"Trained on {data.title}, licence: {licence}" if data.title else licence

    @cached_property
    def metadata(self) -> dict[str, str]:
        """The facts of the bundle that a file can carry, as text by name."""
        height, width = self.bundle.image_size
        return {
            "labels": ",".join(self.labels),
            "outputs": ",".join(self.bundle.outputs),
            "input_range": "0..255",
            "input_colour": "RGB",
            "input_layout": "batch, height, width, 3",
            "image_size": f"{height},{width}",
            "licence": self.licence,
            "producer": f"fer_keras {self.bundle.versions.get('fer_keras', '')}".strip(),
        }


def float32_model(model):
    """Return the model computing in float32: itself, or a copy with its weights if any layer computes otherwise.

    TFLite and ONNX converters refuse mixed precision. The model is called once, which a model that was just loaded needs
    before it can be converted.
    """
    if any(layer.compute_dtype != "float32" for layer in model.layers):
        twin = type(model).from_config(_in_float32(model.get_config()))
        twin.set_weights(model.get_weights())
        model = twin
    model(np.zeros((1, *model.input.shape[1:]), np.float32), training=False)
    return model


def _in_float32(value):
    """Copy a configuration with every dtype policy made float32."""
    if isinstance(value, dict):
        changed = {name: _in_float32(entry) for name, entry in value.items()}
        return {**changed, "dtype": "float32"} if "dtype" in changed else changed
    if isinstance(value, (list, tuple)):
        return type(value)(_in_float32(entry) for entry in value)
    return value


@dataclass(frozen=True)
class JudgingFaces:
    """Faces that both Keras and an export read.

    Attributes:
        faces: (n, height, width, 3) uint8 RGB.
        split: of the data set, or "drawn" for drawn faces.
        data_spec: name of the data set, or None for drawn faces.
        index: rows of the faces in the same order, or None for drawn faces, which have no labels to score against.
    """

    faces: np.ndarray
    split: str
    data_spec: str | None = None
    index: FaceIndex | None = None


class FaceSource:
    """The faces of one data set for one model.

    Args:
        bundle: of the model; its configuration names the training data.
        data_spec, data_dir: another data set; default: the training data, split as in training.
        seed: of the random choice of faces.

    Raises:
        ValueError, FileNotFoundError: the data cannot be read.
    """

    def __init__(self, bundle: Bundle, data_spec: str | None = None, data_dir: str | None = None, seed: int = 0):
        self.bundle, self.seed = bundle, seed
        self.data = bundle.data_config(data_spec, data_dir)
        self.index = load_faces(self.data)

    def judging(self, split: str, count: int) -> JudgingFaces:
        """Return at most `count` faces of a split, stratified by emotion; unreadable ones are left out.

        Raises:
            ValueError: no such split, or no readable face in it.
        """
        index, faces = self._load(limit_samples(self.index.of_split(split), count, self.seed))
        return JudgingFaces(faces, str(index.split[0]), index.spec.name, index)

    def training(self, count: int) -> np.ndarray:
        """Return faces that the model was trained on, all of the training split.

        Args:
            count: at most this many, stratified by emotion.

        Returns:
            (n, height, width, 3) uint8 RGB.

        Raises:
            ValueError: the data has no training split, or no readable face in it.
        """
        index = training_index(self.index, self.data)
        return self._load(limit_samples(index, count, self.seed))[1]

    def _load(self, index: FaceIndex) -> tuple[FaceIndex, np.ndarray]:
        loader = FaceLoader(index.open_images(self.bundle.aligned), self.bundle.image_size)
        faces, readable = loader.load(np.arange(len(index)))
        if not readable.any():
            raise ValueError(
                f"None of {len(index):,} faces of {index.spec.name} could be read, for example: "
                f"{next(iter(loader.unreadable.values()))}."
            )
        return index.take(np.flatnonzero(readable)), faces[readable]


def drawn_faces(image_size: tuple[int, int], count: int = _DRAWN_FACES, seed: int = 0) -> JudgingFaces:
    """Return drawn faces, all emotions in turn, to compare on where a model's own data cannot be read.

    Args:
        image_size: (height, width) of the model's input.
        count: number of faces.
        seed: of the drawing.
    """
    from fer_keras.labels import EMOTIONS
    from fer_keras.synthetic.dataset import draw_face

    rng = np.random.default_rng(seed)
    drawn = (draw_face(rng, number % len(EMOTIONS), max(32, *image_size)).image for number in range(count))
    return JudgingFaces(np.stack([crop_face(image, image_size) for image in drawn]), DRAWN)
