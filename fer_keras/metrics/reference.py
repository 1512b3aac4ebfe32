"""NumPy definitions of every metric: the truth that the streaming Keras metrics are tested against.

Those of emotion stand here, those of valence and arousal in `axis_reference.py`.

Conventions shared by all functions:

- Emotion: `y_true` is class indices `(N,)` or `(N, 1)`, or one-hot/soft distributions `(N, C)`, of which the argmax
  counts. `y_pred` is probabilities `(N, C)`, or class indices where only the label matters. The order is the model's.
- Axis (valence, arousal): `y_true` and `y_pred` are `(N,)` or `(N, 1)`, nominally in [-1, 1].
- `sample_weight` is `(N,)` or `(N, 1)`, not negative. A row of weight 0 is ignored completely, NaN or not.
- Empty input, or weights that are all 0, raises ValueError, and so does NaN in a row that counts.
- A value that does not exist (AUC of a class without positives, kappa of two identical constants, R2 of a constant
  truth) is NaN. `scores.py` turns it into None.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

#: Probabilities below this count as this in `log_loss` (about float32's resolution at 1).
LOG_LOSS_FLOOR = 1e-7


def kept_rows(y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None) -> tuple[np.ndarray, ...]:
    """Return truth, prediction and float64 weights `(n,)` of the rows that count, or raise ValueError."""
    truth, predicted = np.asarray(y_true), np.asarray(y_pred)
    weights = np.ones(len(truth)) if sample_weight is None else np.asarray(sample_weight, np.float64).reshape(-1)
    if not len(truth) == len(predicted) == len(weights):
        raise ValueError(
            "y_true, y_pred and sample_weight must have the same number of rows. "
            f"Received: {len(truth)}, {len(predicted)} and {len(weights)}."
        )
    if not (np.isfinite(weights).all() and (weights >= 0).all()):
        raise ValueError(
            "sample_weight must be finite and not negative. Received: other values; use 0 to ignore a row."
        )
    kept = weights > 0
    if not kept.any():
        raise ValueError(f"A metric needs at least one row with a weight above 0. Received: {len(truth)} rows, 0 left.")
    truth, predicted, weights = truth[kept], predicted[kept], weights[kept]
    for name, values in (("y_true", truth), ("y_pred", predicted)):
        if not np.isfinite(values).all():
            raise ValueError(f"{name} must be finite. Received: NaN or infinity; give unlabelled rows a weight of 0.")
    return truth, predicted, weights


def _class_indices(values: np.ndarray, name: str) -> np.ndarray:
    """Return int64 class indices `(n,)` of indices `(n,)`/`(n, 1)` or distributions `(n, C)`."""
    if values.ndim == 2 and values.shape[1] > 1:
        return values.argmax(axis=1)
    if values.ndim > 2 or values.size != len(values) or (values < 0).any() or (values != np.floor(values)).any():
        raise ValueError(
            f"{name} must be class indices of shape (N,), from 0 up, or distributions of shape (N, C). "
            f"Received: shape {values.shape}, dtype {values.dtype}."
        )
    return values.reshape(-1).astype(np.int64)


def _probabilities(y_true: ArrayLike, y_prob: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Return class indices `(N,)` and float64 probabilities `(N, C)`."""
    truth, probabilities, _ = kept_rows(y_true, y_prob, None)
    indices = _class_indices(truth, "y_true")
    if probabilities.ndim != 2 or indices.max() >= probabilities.shape[1]:
        raise ValueError(
            "y_prob must have shape (N, C), with C above every class index of y_true. "
            f"Received: shape {probabilities.shape}, largest index {indices.max()}."
        )
    return indices, probabilities.astype(np.float64)


# --- emotion: labels -------------------------------------------------------------------------------------------------


def confusion_matrix(
    y_true: ArrayLike, y_pred: ArrayLike, num_classes: int | None = None, sample_weight: ArrayLike | None = None
) -> np.ndarray:
    """Count the rows of each pair of true class (row) and predicted class (column).

    Args:
        y_true: `(N,)` class indices or `(N, C)` distributions.
        y_pred: `(N,)` class indices or `(N, C)` probabilities.
        num_classes: size of the matrix; by default C, or else the largest index plus 1.
        sample_weight: `(N,)` or None.

    Returns:
        `(C, C)`, int64 without weights and float64 with them.

    Raises:
        ValueError: empty input, unequal lengths, or an index outside 0 to num_classes - 1.

    Example:
        >>> confusion_matrix([0, 0, 1], [0, 1, 1]).tolist()
        [[1, 1], [0, 1]]
    """
    truth, predicted, weights = kept_rows(y_true, y_pred, sample_weight)
    widths = [values.shape[1] for values in (truth, predicted) if values.ndim == 2 and values.shape[1] > 1]
    truth, predicted = _class_indices(truth, "y_true"), _class_indices(predicted, "y_pred")
    largest = int(max(truth.max(), predicted.max()))
    size = num_classes or max([*widths, largest + 1])
    if largest >= size:
        raise ValueError(f"Class indices must be below num_classes={size}. Received: {largest}.")
    counts = np.bincount(truth * size + predicted, None if sample_weight is None else weights, size * size)
    return counts.reshape(size, size)


class ClassScores(NamedTuple):
    """Per-class scores, each of shape `(..., C)`."""

    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray
    support: np.ndarray
    occurs: np.ndarray

    def macro(self, values: np.ndarray) -> np.ndarray:
        """Average `(..., C)` over the classes that occur in the truth or in the predictions."""
        return (values * self.occurs).sum(-1) / self.occurs.sum(-1)

    def weighted(self, values: np.ndarray) -> np.ndarray:
        """Average `(..., C)` weighted by each class's support."""
        return (values * self.support).sum(-1) / self.support.sum(-1)


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Divide, with 0 where the denominator is 0."""
    return np.divide(numerator, denominator, out=np.zeros(np.shape(numerator)), where=denominator > 0)


def class_scores(matrix: np.ndarray) -> ClassScores:
    """Compute precision, recall and F1 of each class from confusion matrices; 0/0 counts as 0.

    Args:
        matrix: `(..., C, C)`, rows = truth, columns = prediction.

    Returns:
        `ClassScores`; F1 = 2 TP / (true + predicted), and `occurs` marks classes in the truth or the predictions.

    Example:
        >>> class_scores(confusion_matrix([0, 0, 1], [0, 1, 1])).f1.round(4).tolist()
        [0.6667, 0.6667]
    """
    matrix = np.asarray(matrix, np.float64)
    hits, support, predicted = np.diagonal(matrix, axis1=-2, axis2=-1), matrix.sum(-1), matrix.sum(-2)
    total = support + predicted
    return ClassScores(_ratio(hits, predicted), _ratio(hits, support), _ratio(2 * hits, total), support, total > 0)


def accuracy(y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
    """Compute the (weighted) share of rows whose predicted class is the true one.

    Example:
        >>> accuracy([0, 1, 2, 2], [0, 1, 2, 0])
        0.75
    """
    matrix = confusion_matrix(y_true, y_pred, sample_weight=sample_weight)
    return float(np.trace(matrix) / matrix.sum())


def balanced_accuracy(y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
    """Compute the unweighted mean of recall over the classes that occur in the truth.

    Example:
        >>> balanced_accuracy([0, 0, 0, 1], [0, 0, 0, 0])
        0.5
    """
    scores = class_scores(confusion_matrix(y_true, y_pred, sample_weight=sample_weight))
    return float(scores.recall[scores.support > 0].mean())


def f1_macro(y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
    """Compute the unweighted mean of F1 over the classes that occur in the truth or in the predictions.

    As scikit-learn's `f1_score(average="macro", zero_division=0)` with its default labels; ABAW's P_expr.

    Example:
        >>> round(f1_macro([0, 0, 1], [0, 1, 1]), 4)
        0.6667
    """
    scores = class_scores(confusion_matrix(y_true, y_pred, sample_weight=sample_weight))
    return float(scores.macro(scores.f1))


def f1_weighted(y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
    """Compute the mean of F1 over classes, weighted by how often each is the truth."""
    scores = class_scores(confusion_matrix(y_true, y_pred, sample_weight=sample_weight))
    return float(scores.weighted(scores.f1))


def precision_macro(y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
    """Compute the unweighted mean of precision over the classes in the truth or the predictions (0/0 is 0)."""
    scores = class_scores(confusion_matrix(y_true, y_pred, sample_weight=sample_weight))
    return float(scores.macro(scores.precision))


def recall_macro(y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
    """Compute the unweighted mean of recall over the classes in the truth or the predictions (0/0 is 0)."""
    scores = class_scores(confusion_matrix(y_true, y_pred, sample_weight=sample_weight))
    return float(scores.macro(scores.recall))


def cohen_kappa(y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
    """Compute Cohen's kappa, unweighted: (p_o - p_e) / (1 - p_e), NaN where p_e is 1.

    Source: Cohen, A coefficient of agreement for nominal scales, 1960.

    Example:
        >>> cohen_kappa([0, 0, 1, 1], [0, 1, 1, 1])
        0.5
    """
    matrix = confusion_matrix(y_true, y_pred, sample_weight=sample_weight).astype(np.float64)
    matrix /= matrix.sum()
    truth, predicted = matrix.sum(1), matrix.sum(0)
    if np.count_nonzero(truth + predicted) == 1:
        return float("nan")
    chance = float(truth @ predicted)
    return float((np.trace(matrix) - chance) / (1 - chance))


def krippendorff_alpha(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Compute Krippendorff's alpha for nominal data, truth and prediction being the two coders.

    NaN if only one class occurs in both together. Source: Krippendorff, Content Analysis, 2004, by the package
    `krippendorff`.

    Example:
        >>> round(krippendorff_alpha([0, 0, 1, 1], [0, 1, 1, 1]), 4)
        0.5333
    """
    import krippendorff

    truth, predicted, _ = kept_rows(y_true, y_pred, None)
    coders = np.stack([_class_indices(truth, "y_true"), _class_indices(predicted, "y_pred")])
    if coders.min() == coders.max():
        return float("nan")
    return float(krippendorff.alpha(reliability_data=coders, level_of_measurement="nominal"))


# --- emotion: probabilities ------------------------------------------------------------------------------------------


def _binary_auc_roc(positive: np.ndarray, score: np.ndarray) -> float:
    """Area under the ROC curve `(N,)` bool, `(N,)` float: the Mann-Whitney statistic, ties counting half."""
    positives = int(positive.sum())
    negatives = len(positive) - positives
    if not positives or not negatives:
        return float("nan")
    _, inverse, counts = np.unique(score, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    return float((ranks[positive].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def _binary_auc_pr(positive: np.ndarray, score: np.ndarray) -> float:
    """Average precision `(N,)` bool, `(N,)` float: sum of precision times step in recall, ties in one step."""
    if not positive.any():
        return float("nan")
    _, inverse, counts = np.unique(-score, return_inverse=True, return_counts=True)
    hits = np.bincount(inverse, positive, len(counts))
    precision = np.cumsum(hits) / np.cumsum(counts)
    return float((precision * hits).sum() / hits.sum())


def class_auc_roc(y_true: ArrayLike, y_prob: ArrayLike) -> np.ndarray:
    """Compute each class's AUC-ROC against the rest, `(C,)`; NaN without a positive or without a negative."""
    truth, probabilities = _probabilities(y_true, y_prob)
    return np.array([_binary_auc_roc(truth == index, column) for index, column in enumerate(probabilities.T)])


def class_auc_pr(y_true: ArrayLike, y_prob: ArrayLike) -> np.ndarray:
    """Compute each class's AUC-PR (average precision) against the rest, `(C,)`; NaN without a positive."""
    truth, probabilities = _probabilities(y_true, y_prob)
    return np.array([_binary_auc_pr(truth == index, column) for index, column in enumerate(probabilities.T)])


def _mean_of_present(values: np.ndarray) -> float:
    """Average what is not NaN; NaN if nothing is."""
    present = values[~np.isnan(values)]
    return float(present.mean()) if len(present) else float("nan")


def auc_roc(y_true: ArrayLike, y_prob: ArrayLike) -> float:
    """Compute AUC-ROC one against the rest, unweighted mean over the classes present in the truth.

    Example:
        >>> auc_roc([0, 0, 1], [[0.9, 0.1], [0.4, 0.6], [0.5, 0.5]])
        0.5
    """
    return _mean_of_present(class_auc_roc(y_true, y_prob))


def auc_pr(y_true: ArrayLike, y_prob: ArrayLike) -> float:
    """Compute AUC-PR (average precision, no interpolation) one against the rest, mean over the classes present."""
    return _mean_of_present(class_auc_pr(y_true, y_prob))


def log_loss(y_true: ArrayLike, y_prob: ArrayLike) -> float:
    """Compute the mean of -ln(probability of the true class), probabilities clipped to [`LOG_LOSS_FLOOR`, 1].

    Example:
        >>> round(log_loss([0, 1], [[0.5, 0.5], [0.75, 0.25]]), 4)
        1.0397
    """
    truth, probabilities = _probabilities(y_true, y_prob)
    return float(-np.log(np.clip(probabilities[np.arange(len(truth)), truth], LOG_LOSS_FLOOR, 1.0)).mean())


def expected_calibration_error(y_true: ArrayLike, y_prob: ArrayLike, bins: int = 15) -> float:
    """Compute the gap between confidence and accuracy: the sum over bins of n_b / N * |accuracy_b - confidence_b|.

    Confidence is the top class's probability; the bins are 15 of equal width over [0, 1], closed on the right.
    Source: Guo et al., On calibration of modern neural networks, ICML 2017.

    Example:
        >>> round(expected_calibration_error([0, 1], [[0.8, 0.2], [0.8, 0.2]]), 4)
        0.3
    """
    truth, probabilities = _probabilities(y_true, y_prob)
    confidence, correct = probabilities.max(axis=1), probabilities.argmax(axis=1) == truth
    index = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    return float(np.abs(np.bincount(index, correct - confidence, bins)).sum() / len(truth))
