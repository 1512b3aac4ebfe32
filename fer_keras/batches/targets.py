"""Labels as a model learns them: an array and sample weights per output, with missing labels at weight 0."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fer_keras.data.index import FaceIndex
from fer_keras.labels import AXES


@dataclass(frozen=True)
class Targets:
    """Targets and sample weights of an index, by output.

    Attributes:
        values: emotion (n, labels) float32, a distribution; valence and arousal (n, 1) float32 in [-1, 1].
            The value of a missing label is 0 and has no meaning.
        weights: (n,) float32 per output; 0 for a missing label.
    """

    values: dict[str, np.ndarray]
    weights: dict[str, np.ndarray]

    def emotion_shares(self) -> np.ndarray | None:
        """Return how much of the labelled faces is of each emotion, (labels,) in 0..1; None without emotions."""
        if "emotion" not in self.values:
            return None
        labelled = self.values["emotion"][self.weights["emotion"] > 0]
        return labelled.sum(0) / max(len(labelled), 1)


def build_targets(
    index: FaceIndex, outputs: tuple[str, ...], label_mode: str = "majority", class_weights: np.ndarray | None = None
) -> Targets:
    """Return targets and weights for some outputs.

    Args:
        index: the faces.
        outputs: some of the package's outputs.
        label_mode: majority (one label per face) or soft (the votes as a distribution).
        class_weights: (labels,) factor on the emotion weight of each class, or None.

    Raises:
        ValueError: soft labels of a data set without votes.
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


def mix_answers(targets: Targets, answers: dict[str, np.ndarray], share: float) -> Targets:
    """Return targets that are in part the answers of other models: (1 - share) * label + share * answer.

    Cross-entropy, and the focal loss, is linear in its target, and a squared error of the mixture differs from the mixture of
    squared errors by a constant: learning the mixed target is learning from labels and answers with losses of those weights.
    A missing label stays missing.

    Args:
        targets: of the labels.
        answers: output -> emotion (n, labels) probabilities, valence and arousal (n,); outputs that are left out keep their
            labels.
        share: of the answers, in 0..1.

    Source: Hinton, Vinyals, Dean: Distilling the Knowledge in a Neural Network, 2015; here without their temperature, on
    calibrated probabilities.
    """
    mixed = dict(targets.values)
    for name, answer in answers.items():
        answer = answer.reshape(mixed[name].shape)
        mixed[name] = ((1 - share) * mixed[name] + share * answer).astype(np.float32)
    return Targets(mixed, targets.weights)


def _emotion_values(index: FaceIndex, label_mode: str) -> np.ndarray:
    if label_mode == "soft":
        if index.votes is None:
            raise ValueError(
                f"--label-mode soft expects annotators' votes. Received: {index.spec.name}, which has none."
            )
        total = index.votes.sum(1, keepdims=True)
        # A face without votes comes from another data set that was joined.
        return np.where(total > 0, index.votes / np.maximum(total, 1), _one_hot(index)).astype(np.float32)
    return _one_hot(index)


def _one_hot(index: FaceIndex) -> np.ndarray:
    return np.eye(len(index.labels), dtype=np.float32)[np.maximum(index.emotion, 0)] * (index.emotion >= 0)[:, None]


def balanced_class_weights(index: FaceIndex) -> np.ndarray:
    """Return the weight of each class that gives all classes present equal shares: n / (classes * count), 0 if absent.

    Returns:
        (labels,) float64; the mean weight over labelled faces is 1.
    """
    counts = np.bincount(index.emotion[index.emotion >= 0], minlength=len(index.labels)).astype(float)
    present = counts > 0
    return np.divide(counts.sum(), present.sum() * counts, out=np.zeros_like(counts), where=present)


def sampling_probabilities(
    index: FaceIndex, balanced: bool = True, set_weights: Sequence[float] | None = None
) -> np.ndarray:
    """Return (n,) probabilities of drawing each face.

    A set's weight is its share of the draws, not a factor on the loss: a small set that is the only one with valence and
    arousal would be absent from most batches, which no factor changes.

    Args:
        index: the faces.
        balanced: whether all classes are drawn equally often; with weights, within each data set. Faces without an emotion
            count as a class of their own.
        set_weights: share of the draws of each of the index's members, independent of their sizes; default: in proportion
            to their faces. The share of a set without faces in the index goes to the others.
    """
    groups = [np.ones(len(index), bool)]
    if set_weights is not None:
        groups = [index.member == number for number in range(len(set_weights))]
    probabilities = np.zeros(len(index))
    for rows, weight in zip(groups, set_weights or (1.0,), strict=True):
        _, code, counts = np.unique(index.emotion[rows], return_inverse=True, return_counts=True)
        probabilities[rows] = weight / (len(counts) * counts[code]) if balanced else weight / max(rows.sum(), 1)
    return probabilities / probabilities.sum()
