"""Labels as a model learns them: one array and one sample weight an output, missing labels at weight 0."""

from dataclasses import dataclass

import numpy as np

from fer_keras.data.index import FaceIndex
from fer_keras.labels import AXES


@dataclass(frozen=True)
class Targets:
    """Targets and sample weights of an index, by output.

    Attributes:
        values: emotion (n, labels) float32, a distribution; valence and arousal (n, 1) float32 in [-1, 1].
            Where a label is missing the value is 0 and means nothing.
        weights: (n,) float32 an output; 0 where the label is missing.
    """

    values: dict[str, np.ndarray]
    weights: dict[str, np.ndarray]


def build_targets(
    index: FaceIndex, outputs: tuple[str, ...], label_mode: str = "majority", class_weights: np.ndarray | None = None
) -> Targets:
    """Return targets and weights for some outputs.

    Args:
        index: the faces.
        outputs: which of the package's outputs.
        label_mode: majority (one label a face) or soft (the votes as a distribution).
        class_weights: (labels,) factor on the emotion weight of each class, or None.

    Raises:
        ValueError: soft labels asked of a data set without votes.
    """
    values, weights = {}, {}
    if "emotion" in outputs:
        labelled = index.emotion >= 0
        values["emotion"] = _emotion_values(index, label_mode)
        factors = np.ones(len(index.labels)) if class_weights is None else np.asarray(class_weights)
        weights["emotion"] = np.where(labelled, factors[index.emotion], 0).astype(np.float32)
    for axis in AXES:
        if axis in outputs:
            column = getattr(index, axis)
            values[axis] = np.nan_to_num(column, nan=0.0).astype(np.float32)[:, None]
            weights[axis] = (~np.isnan(column)).astype(np.float32)
    return Targets(values, weights)


def _emotion_values(index: FaceIndex, label_mode: str) -> np.ndarray:
    if label_mode == "soft":
        if index.votes is None:
            raise ValueError(
                f"--label-mode soft expects annotators' votes. Received: {index.spec.name}, which has none."
            )
        return (index.votes / np.maximum(index.votes.sum(1, keepdims=True), 1)).astype(np.float32)
    return np.eye(len(index.labels), dtype=np.float32)[np.maximum(index.emotion, 0)] * (index.emotion >= 0)[:, None]


def balanced_class_weights(index: FaceIndex) -> np.ndarray:
    """Return the weight of each class that gives all classes present equal shares: n / (classes * count), 0 if absent.

    Returns:
        (labels,) float64; the mean weight over labelled faces is 1.
    """
    counts = np.bincount(index.emotion[index.emotion >= 0], minlength=len(index.labels)).astype(float)
    present = counts > 0
    return np.divide(counts.sum(), present.sum() * counts, out=np.zeros_like(counts), where=present)


def sampling_probabilities(index: FaceIndex) -> np.ndarray:
    """Return (n,) probabilities of drawing each face such that all classes come equally often.

    Faces without an emotion count as a class of their own.
    """
    _, code, counts = np.unique(index.emotion, return_inverse=True, return_counts=True)
    return 1.0 / (len(counts) * counts[code])
