"""Checked rows for every metric, and the metrics of valence and arousal, by the conventions of `reference.py`."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from fer_keras.concordance import concordance_terms
from fer_keras.labels import VA_RANGE


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


def class_rows(
    y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Return true and predicted class indices `(n,)` and weights `(n,)` (None if none were given) of the rows that count."""
    truth, predicted, weights = kept_rows(y_true, y_pred, sample_weight)
    indices = _class_indices(truth, "y_true"), _class_indices(predicted, "y_pred")
    return *indices, None if sample_weight is None else weights


def probability_rows(y_true: ArrayLike, y_prob: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Return class indices `(N,)` and float64 probabilities `(N, C)`."""
    truth, probabilities, _ = kept_rows(y_true, y_prob, None)
    indices = _class_indices(truth, "y_true")
    if probabilities.ndim != 2 or indices.max() >= probabilities.shape[1]:
        raise ValueError(
            "y_prob must have shape (N, C), with C above every class index of y_true. "
            f"Received: shape {probabilities.shape}, largest index {indices.max()}."
        )
    return indices, probabilities.astype(np.float64)


def axis_rows(y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None) -> tuple[np.ndarray, ...]:
    """Return float64 truth, prediction and weights `(n,)` of the rows that count; the weights sum to 1."""
    truth, predicted, weights = kept_rows(y_true, y_pred, sample_weight)
    for name, values in (("y_true", truth), ("y_pred", predicted)):
        if values.size != len(values):
            raise ValueError(f"{name} must have shape (N,) or (N, 1): one axis. Received: {values.shape}.")
    return truth.reshape(-1).astype(np.float64), predicted.reshape(-1).astype(np.float64), weights / weights.sum()


def _moments(truth: np.ndarray, predicted: np.ndarray, weights: np.ndarray) -> tuple[float, float, float, float, float]:
    """Return mean_t, mean_p, var_t, var_p, cov with ddof 0; variances of constants are exactly 0."""
    mean_t, mean_p = weights @ truth, weights @ predicted
    centred_t = truth - mean_t if np.ptp(truth) else np.zeros_like(truth)
    centred_p = predicted - mean_p if np.ptp(predicted) else np.zeros_like(predicted)
    return mean_t, mean_p, weights @ centred_t**2, weights @ centred_p**2, weights @ (centred_t * centred_p)


def ccc(y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None, clip: bool = True) -> float:
    """Compute Lin's concordance correlation: 2 cov / (var_t + var_p + (mean_t - mean_p)^2).

    Population moments (ddof 0) over all rows at once. Constant truth or prediction gives 0.

    Args:
        y_true: `(N,)` or `(N, 1)`.
        y_pred: `(N,)` or `(N, 1)`.
        sample_weight: `(N,)` or None.
        clip: clip predictions to [-1, 1] first; False for data on another scale.

    Source: Lin, A concordance correlation coefficient to evaluate reproducibility, Biometrics 1989.

    Example:
        >>> round(ccc([3, -0.5, 2, 7], [2.5, 0.0, 2, 8], clip=False), 5)
        0.97679
    """
    truth, predicted, weights = axis_rows(y_true, y_pred, sample_weight)
    if clip:
        predicted = np.clip(predicted, *VA_RANGE)
    mean_t, mean_p, var_t, var_p, covariance = _moments(truth, predicted, weights)
    if not var_t or not var_p:
        return 0.0
    numerator, denominator = concordance_terms(covariance, var_t, var_p, mean_t - mean_p)
    return float(numerator / denominator)


def pcc(y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
    """Compute Pearson's correlation, as np.corrcoef; constant truth or prediction gives 0.

    Example:
        >>> round(pcc([0.1, 0.2, 0.4], [0.0, 0.1, 0.3]), 6)
        1.0
    """
    _, _, var_t, var_p, covariance = _moments(*axis_rows(y_true, y_pred, sample_weight))
    if not var_t or not var_p:
        return 0.0
    return float(np.clip(covariance / np.sqrt(var_t * var_p), -1.0, 1.0))


def sagr(y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
    """Compute sign agreement: the share of rows with sign(y_true) == sign(y_pred), sign(0) being 0.

    Source: Nicolaou et al., Continuous prediction of spontaneous affect, IEEE TAC 2011.

    Example:
        >>> sagr([0.5, -0.5, 0.0, 0.0], [0.1, 0.1, 0.0, 0.1])
        0.5
    """
    truth, predicted, weights = axis_rows(y_true, y_pred, sample_weight)
    return float(weights @ (np.sign(truth) == np.sign(predicted)))


def rmse(y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
    """Compute the root of the mean squared error."""
    truth, predicted, weights = axis_rows(y_true, y_pred, sample_weight)
    return float(np.sqrt(weights @ (truth - predicted) ** 2))


def mae(y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
    """Compute the mean absolute error."""
    truth, predicted, weights = axis_rows(y_true, y_pred, sample_weight)
    return float(weights @ np.abs(truth - predicted))


def r2(y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
    """Compute the coefficient of determination, 1 - SS_residual / SS_total; NaN if the truth is constant.

    Example:
        >>> r2([-1.0, 0.0, 1.0], [0.0, 0.0, 0.0])
        0.0
    """
    truth, predicted, weights = axis_rows(y_true, y_pred, sample_weight)
    variance = _moments(truth, predicted, weights)[2]
    return float(1 - (weights @ (truth - predicted) ** 2) / variance) if variance else float("nan")
