"""The metrics of valence and arousal over a whole data set, by the conventions of `reference.py`."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from fer_keras.concordance import concordance_terms
from fer_keras.labels import VA_RANGE
from fer_keras.metrics.metric_rows import kept_rows


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
