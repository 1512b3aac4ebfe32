"""Faces that exports are made and judged with: training faces to scale int8 on, other faces to compare answers on."""

from dataclasses import dataclass

import numpy as np

from fer_keras.batches.inputs import open_split
from fer_keras.data.index import FaceIndex
from fer_keras.data.loading import load_faces, training_index
from fer_keras.data.splits import limit_samples
from fer_keras.preprocessing import crop_face
from fer_keras.runs.bundle import Bundle

DRAWN = "drawn"
_DRAWN_FACES = 64


@dataclass(frozen=True)
class JudgingFaces:
    """Faces that Keras and an export both look at.

    Attributes:
        faces: (n, height, width, 3) uint8 RGB.
        split: of the data set, or "drawn" for faces drawn for the purpose.
        data_spec: name of the data set, or None for drawn faces.
        index: rows of the faces in the same order, or None for drawn faces, which are compared but not scored.
    """

    faces: np.ndarray
    split: str
    data_spec: str | None = None
    index: FaceIndex | None = None


class FaceSource:
    """The faces of one data set for one model.

    Args:
        bundle: of the model; its configuration says what it was trained on.
        data_spec, data_dir: another data set; default: that of training, split exactly as then.
        seed: of the draws.

    Raises:
        ValueError, FileNotFoundError: the data cannot be read.
    """

    def __init__(self, bundle: Bundle, data_spec: str | None = None, data_dir: str | None = None, seed: int = 0):
        self.bundle, self.seed = bundle, seed
        self.data = bundle.data_config(data_spec, data_dir)
        self.index = load_faces(self.data)

    def judging(self, split: str, count: int) -> JudgingFaces:
        """Return faces of a split, at most `count`, stratified by emotion; unreadable ones are left out.

        Raises:
            ValueError: no such split, or no readable face in it.
        """
        index, faces = self._load(limit_samples(self.index.of_split(split), count, self.seed))
        return JudgingFaces(faces, str(index.split[0]), index.spec.name, index)

    def training(self, count: int) -> np.ndarray:
        """Return faces that the model was trained on: of the training split and of no other.

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
        loader = open_split(index, self.bundle.image_size, (), align=self.bundle.aligned).loader
        faces, readable = loader.load(np.arange(len(index)))
        if not readable.any():
            raise ValueError(
                f"None of {len(index):,} faces of {index.spec.name} could be read, for example: "
                f"{next(iter(loader.unreadable.values()))}."
            )
        return index.take(np.flatnonzero(readable)), faces[readable]


def drawn_faces(image_size: tuple[int, int], count: int = _DRAWN_FACES, seed: int = 0) -> JudgingFaces:
    """Return faces drawn for the purpose, all emotions in turn, for where a model's own data is out of reach.

    Args:
        image_size: (height, width) of the model's input.
        count: how many.
        seed: of the drawing.
    """
    from fer_keras.labels import EMOTIONS
    from fer_keras.synthetic.dataset import draw_face

    rng = np.random.default_rng(seed)
    drawn = (draw_face(rng, number % len(EMOTIONS), max(32, *image_size)).image for number in range(count))
    return JudgingFaces(np.stack([crop_face(image, image_size) for image in drawn]), DRAWN)
