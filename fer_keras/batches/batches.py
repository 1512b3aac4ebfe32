"""Batches of (faces, targets, sample weights) by number, in NumPy alone: what the pipelines of all backends read.

The order of faces is a function of seed and epoch: a resumed run starts at any step of any epoch and sees what an unbroken
one sees, and the faces of a step can be named afterwards.
"""

from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass

import numpy as np

from fer_keras.batches.augment import augment_each, calmed
from fer_keras.batches.loader import FaceLoader, empty_faces
from fer_keras.batches.mixup import mix
from fer_keras.batches.targets import Targets
from fer_keras.config.run_config import AugmentConfig

#: Images (b, height, width, 3) uint8 RGB, targets by output, sample weights by output. The model makes the images floats:
#: a quarter of the bytes is copied on the way to it.
Batch = tuple[np.ndarray, dict[str, np.ndarray], dict[str, np.ndarray]]


def epoch_steps(faces: int, batch_size: int) -> int:
    """Return the number of full batches in an epoch; faces of an incomplete last batch are left out, other ones each epoch."""
    return max(faces // batch_size, 1)


def epoch_rows(
    faces: int, batch_size: int, *, seed: int, epoch: int, probabilities: np.ndarray | None = None
) -> np.ndarray:
    """Return the rows of every batch of one epoch.

    Args:
        faces: number of training faces.
        batch_size: faces per step.
        seed: the run's seed.
        epoch: counted from 0.
        probabilities: (faces,) of drawing each face, with replacement; default: each face once, in random order.

    Returns:
        (steps, batch_size) int64.
    """
    rng = np.random.default_rng([seed, epoch])
    steps = epoch_steps(faces, batch_size)
    if probabilities is None:
        order = rng.permutation(faces)
        order = np.resize(order, steps * batch_size)  # repeats faces only if there are fewer than one batch of them
    else:
        order = rng.choice(faces, steps * batch_size, p=probabilities)
    return order.reshape(steps, batch_size)


@dataclass(frozen=True)
class TrainingBatches:
    """The batches of a training run.

    Attributes:
        loader: the faces.
        targets: their labels.
        batch_size: faces per step.
        seed: of order and augmentation.
        augmentation: how faces are changed; None: not at all.
        probabilities: see `epoch_rows`.
        calm_from: epoch from which on the augmentation is `calmed`; None: never.
        share: (place, places): this process gives the place-th of `places` equal parts of every batch. Each part is changed
            and mixed separately, with a seed of its own.
    """

    loader: FaceLoader
    targets: Targets
    batch_size: int
    _: KW_ONLY
    seed: int = 0
    augmentation: AugmentConfig | None = None
    probabilities: np.ndarray | None = None
    calm_from: int | None = None
    share: tuple[int, int] = (0, 1)

    @property
    def steps(self) -> int:
        """Batches per epoch."""
        return epoch_steps(len(self.loader), self.batch_size)

    def rows(self, epoch: int) -> np.ndarray:
        """Return the rows of every whole batch of one epoch, (steps, batch_size) int64."""
        chances = self.probabilities
        return epoch_rows(len(self.loader), self.batch_size, seed=self.seed, epoch=epoch, probabilities=chances)

    def schedule(self, first: int, end: int) -> Iterator[tuple[np.ndarray, int, bool]]:
        """Yield the arguments of `load` for every batch of the epochs from `first` to `end`, the end not included."""
        place, places = self.share
        part = self.batch_size // places
        for epoch in range(first, end):
            calm = self.calm_from is not None and epoch >= self.calm_from
            for step, rows in enumerate(self.rows(epoch)):
                number = (epoch * self.steps + step) * places + place
                yield rows[place * part : (place + 1) * part], self.seed * 1_000_003 + number, calm

    def load(self, rows: np.ndarray, seed: int, calm: bool) -> Batch:
        """Return the faces of some rows, changed, with their labels."""
        if self.augmentation is None:
            images, readable = self.loader.load(rows)
            return images, *_labels(self.targets, rows, readable)
        how, shape = calmed(self.augmentation) if calm else self.augmentation, (len(rows), *self.loader.image_size, 3)
        faces = augment_each(self.loader.each(rows), int(seed), how, out=empty_faces(shape))
        values, weights = _labels(self.targets, rows, self.loader.readable(rows))
        if how.mixup or how.cutmix:
            return mix(faces, values, weights, seed=int(seed), mixup=how.mixup, cutmix=how.cutmix)
        return faces, values, weights


@dataclass(frozen=True)
class EvaluationBatches:
    """Every face once, in order, unchanged; the last batch can be smaller.

    An unreadable face is black and has sample weight 0 in every output.

    Attributes:
        loader, targets, batch_size, share: as in `TrainingBatches`.
        filled: whether the last batch is as large as the others, filled up with the first face at weight 0; parts of a batch
            always are.
    """

    loader: FaceLoader
    targets: Targets
    batch_size: int
    _: KW_ONLY
    share: tuple[int, int] = (0, 1)
    filled: bool = False

    @property
    def steps(self) -> int:
        """Number of batches."""
        return -(-len(self.loader) // self.batch_size)

    def load(self, step: int) -> Batch:
        """Return one batch."""
        place, places = self.share
        part = self.batch_size // places
        rows = step * self.batch_size + place * part + np.arange(part)
        if places == 1 and not self.filled:
            rows = rows[rows < len(self.loader)]
        there = rows < len(self.loader)
        rows = np.where(there, rows, 0)
        images, readable = self.loader.load(rows)
        values, weights = _labels(self.targets, rows, readable)
        return images, values, {name: weight * there for name, weight in weights.items()}


def _labels(targets: Targets, rows: np.ndarray, readable: np.ndarray) -> tuple[dict, dict]:
    """Return targets and weights of some rows; a face that cannot be read weighs nothing."""
    values = {name: array[rows] for name, array in targets.values.items()}
    return values, {name: array[rows] * readable.astype(array.dtype) for name, array in targets.weights.items()}
