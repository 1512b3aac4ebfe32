"""The metrics of emotion over a whole data set: the values of the report, against which the streaming ones are tested.

scikit-learn computes what it has, the package `krippendorff` alpha; both are imported on the first call. What is here
besides is checking of input, the conventions below, log loss and ECE. Valence and arousal are in `axis_reference.py`.

Conventions shared by all functions:

- Emotion: `y_true` is class indices `(N,)` or `(N, 1)`, or one-hot/soft distributions `(N, C)`, of which the argmax
  counts. `y_pred` is probabilities `(N, C)`, or class indices where only the label matters. The order is the model's.
- Axis (valence, arousal): `y_true` and `y_pred` are `(N,)` or `(N, 1)`, nominally in [-1, 1].
- `sample_weight` is `(N,)` or `(N, 1)`, not negative. A row of weight 0 is ignored completely, NaN or not.
- Empty input, or weights that are all 0, raises ValueError, and so does NaN in a row that counts.
- A value that does not exist (AUC of a class without positives, kappa of two identical constants, R2 of a constant
  truth) is NaN. `scores.py` turns it into None.
- "Macro" is the unweighted mean over the classes that occur in the truth or in the predictions, with 0/0 counted as 0.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from fer_keras.metrics.axis_reference import class_rows, probability_rows

#: Probabilities below this count as this in `log_loss` (about float32's resolution at 1).
LOG_LOSS_FLOOR = 1e-7


def _sklearn():
    from sklearn import metrics  # at the first call: a third of a second that reading faces need not wait for

    return metrics


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
    truth, predicted, weights = class_rows(y_true, y_pred, sample_weight)
    shapes = [np.shape(values) for values in (y_true, y_pred)]
    widths = [shape[1] for shape in shapes if len(shape) == 2 and shape[1] > 1]
    largest = int(max(truth.max(), predicted.max()))
    size = num_classes or max([*widths, largest + 1])
    if largest >= size:
        raise ValueError(f"Class indices must be below num_classes={size}. Received: {largest}.")
    return np.bincount(truth * size + predicted, weights, size * size).reshape(size, size)


class ClassScores(NamedTuple):
    """Scores of each class, each of shape `(C,)`; `support` is how often the class is the truth."""

    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray
    support: np.ndarray


def class_scores(y_true: ArrayLike, y_pred: ArrayLike, num_classes: int) -> ClassScores:
    """Compute precision, recall, F1 = 2 TP / (true + predicted) and support of each class; 0/0 counts as 0.

    Example:
        >>> class_scores([0, 0, 1], [0, 1, 1], 2).f1.round(4).tolist()
        [0.6667, 0.6667]
    """
    truth, predicted, _ = class_rows(y_true, y_pred)
    scores = _sklearn().precision_recall_fscore_support
    return ClassScores(*scores(truth, predicted, labels=np.arange(num_classes), zero_division=0))


def accuracy(y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
    """Compute the (weighted) share of rows whose predicted class is the true one.

    Example:
        >>> accuracy([0, 1, 2, 2], [0, 1, 2, 0])
        0.75
    """
    truth, predicted, weights = class_rows(y_true, y_pred, sample_weight)
    return float(np.average(truth == predicted, weights=weights))


def balanced_accuracy(y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
    """Compute the unweighted mean of recall over the classes that occur in the truth.

    Example:
        >>> balanced_accuracy([0, 0, 0, 1], [0, 0, 0, 0])
        0.5
    """
    truth, predicted, weights = class_rows(y_true, y_pred, sample_weight)
    # `balanced_accuracy_score` warns of classes that are predicted and never true; this is its value without the warning.
    recall = _sklearn().recall_score
    return float(recall(truth, predicted, labels=np.unique(truth), average="macro", sample_weight=weights))


def f1_macro(y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
    """Compute the unweighted mean of F1 over the classes that occur in the truth or in the predictions; ABAW's P_expr.

    Example:
        >>> round(f1_macro([0, 0, 1], [0, 1, 1]), 4)
        0.6667
    """
    truth, predicted, weights = class_rows(y_true, y_pred, sample_weight)
    return float(_sklearn().f1_score(truth, predicted, average="macro", sample_weight=weights, zero_division=0))


def f1_weighted(y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
    """Compute the mean of F1 over classes, weighted by how often each is the truth."""
    truth, predicted, weights = class_rows(y_true, y_pred, sample_weight)
    return float(_sklearn().f1_score(truth, predicted, average="weighted", sample_weight=weights, zero_division=0))


def precision_macro(y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
    """Compute the unweighted mean of precision over the classes in the truth or the predictions (0/0 is 0)."""
    truth, predicted, weights = class_rows(y_true, y_pred, sample_weight)
    return float(_sklearn().precision_score(truth, predicted, average="macro", sample_weight=weights, zero_division=0))


def recall_macro(y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
    """Compute the unweighted mean of recall over the classes in the truth or the predictions (0/0 is 0)."""
    truth, predicted, weights = class_rows(y_true, y_pred, sample_weight)
    return float(_sklearn().recall_score(truth, predicted, average="macro", sample_weight=weights, zero_division=0))


def _one_class(truth: np.ndarray, predicted: np.ndarray) -> bool:
    """Return whether only one class occurs in both together, so that no agreement can be told from chance."""
    return min(truth.min(), predicted.min()) == max(truth.max(), predicted.max())


def cohen_kappa(y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
    """Compute Cohen's kappa, unweighted: (p_o - p_e) / (1 - p_e), NaN where p_e is 1.

    Source: Cohen, A coefficient of agreement for nominal scales, 1960.

    Example:
        >>> cohen_kappa([0, 0, 1, 1], [0, 1, 1, 1])
        0.5
    """
    truth, predicted, weights = class_rows(y_true, y_pred, sample_weight)
    if _one_class(truth, predicted):
        return float("nan")
    return float(_sklearn().cohen_kappa_score(truth, predicted, sample_weight=weights))


def krippendorff_alpha(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Compute Krippendorff's alpha for nominal data, truth and prediction being the two coders.

    NaN if only one class occurs in both together. Source: Krippendorff, Content Analysis, 2004, by the package
    `krippendorff`.

    Example:
        >>> round(krippendorff_alpha([0, 0, 1, 1], [0, 1, 1, 1]), 4)
        0.5333
    """
    import krippendorff

    truth, predicted, _ = class_rows(y_true, y_pred)
    if _one_class(truth, predicted):
        return float("nan")
    return float(krippendorff.alpha(reliability_data=np.stack([truth, predicted]), level_of_measurement="nominal"))


# --- emotion: probabilities ------------------------------------------------------------------------------------------


def class_auc_roc(y_true: ArrayLike, y_prob: ArrayLike) -> np.ndarray:
    """Compute each class's AUC-ROC against the rest, `(C,)`; NaN without a positive or without a negative."""
    truth, probabilities = probability_rows(y_true, y_prob)
    area, counts = _sklearn().roc_auc_score, np.bincount(truth, minlength=probabilities.shape[1])
    return np.array(
        [
            area(truth == index, column) if 0 < counts[index] < len(truth) else np.nan
            for index, column in enumerate(probabilities.T)
        ]
    )


def class_auc_pr(y_true: ArrayLike, y_prob: ArrayLike) -> np.ndarray:
    """Compute each class's AUC-PR (average precision) against the rest, `(C,)`; NaN without a positive."""
    truth, probabilities = probability_rows(y_true, y_prob)
    area, counts = _sklearn().average_precision_score, np.bincount(truth, minlength=probabilities.shape[1])
    return np.array(
        [area(truth == index, column) if counts[index] else np.nan for index, column in enumerate(probabilities.T)]
    )


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

    Not scikit-learn's, which clips at 2e-16: a float32 softmax that rounds to 0 would count 36 in place of 16, and one such
    row would decide the mean.

    Example:
        >>> round(log_loss([0, 1], [[0.5, 0.5], [0.75, 0.25]]), 4)
        1.0397
    """
    truth, probabilities = probability_rows(y_true, y_prob)
    return float(-np.log(np.clip(probabilities[np.arange(len(truth)), truth], LOG_LOSS_FLOOR, 1.0)).mean())


def expected_calibration_error(y_true: ArrayLike, y_prob: ArrayLike, bins: int = 15) -> float:
    """Compute the gap between confidence and accuracy: the sum over bins of n_b / N * |accuracy_b - confidence_b|.

    Confidence is the top class's probability; the bins are 15 of equal width over [0, 1], closed on the right.
    Source: Guo et al., On calibration of modern neural networks, ICML 2017.

    Example:
        >>> round(expected_calibration_error([0, 1], [[0.8, 0.2], [0.8, 0.2]]), 4)
        0.3
    """
    truth, probabilities = probability_rows(y_true, y_prob)
    confidence, correct = probabilities.max(axis=1), probabilities.argmax(axis=1) == truth
    index = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    return float(np.abs(np.bincount(index, correct - confidence, bins)).sum() / len(truth))
