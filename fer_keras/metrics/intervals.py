"""Confidence intervals: Wilson for a share, percentile bootstrap for the axis metrics and macro F1.

The bootstrap never copies rows. A resample is the number of times each row was drawn, and every axis metric follows
from sums of per-row terms weighted by those numbers, so one matrix product per chunk gives all six metrics.
Macro F1 needs only the confusion matrix, whose cells are redrawn from a multinomial.
"""

from __future__ import annotations

from collections.abc import Iterator
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike

from fer_keras.concordance import concordance_terms
from fer_keras.labels import VA_RANGE
from fer_keras.metrics.axis_reference import axis_rows

#: The normal quantile of a two-sided 95 % interval, 1.95996...
Z_95 = NormalDist().inv_cdf(0.975)

#: Cells of (resamples x rows) held at a time: 8 MiB of float64 and a few copies of it.
CHUNK_CELLS = 1 << 20

#: Variance over mean square below this is rounding: the resample is constant.
_CONSTANT = 1e-12


def wilson_interval(successes: int, n: int, z: float = Z_95) -> tuple[float, float]:
    """Compute Wilson's score interval of a share.

    Args:
        successes: rows that count, 0 to n.
        n: rows in all, at least 1.
        z: normal quantile; the default gives 95 %.

    Returns:
        (low, high) in [0, 1].

    Raises:
        ValueError: n is below 1, or successes is outside 0 to n.

    Source: Wilson, Probable inference, the law of succession, and statistical inference, JASA 1927.

    Example:
        >>> low, high = wilson_interval(8, 10)
        >>> f"{low:.3f} to {high:.3f}"
        '0.490 to 0.943'
    """
    if n < 1 or not 0 <= successes <= n:
        raise ValueError(f"An interval needs n >= 1 and 0 <= successes <= n. Received: successes={successes}, n={n}.")
    share = successes / n
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * (share * (1 - share) / n + z**2 / (4 * n**2)) ** 0.5
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    return float(low), float(1.0 if successes == n else min(1.0, centre + half))


def _check_resamples(resamples: int, level: float) -> None:
    if resamples < 1 or not 0 < level < 1:
        raise ValueError(
            f"A bootstrap needs resamples >= 1 and 0 < level < 1. Received: resamples={resamples}, level={level}."
        )


def percentiles(values: np.ndarray, level: float) -> tuple[float, float]:
    """Return the central interval of the resampled values that are not NaN; (NaN, NaN) if all are."""
    values = values[~np.isnan(values)]
    if not len(values):
        return float("nan"), float("nan")
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _row_terms(truth: np.ndarray, predicted: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, float]:
    """Return `(N, 12)` weighted terms whose sums give the six metrics, and the shift between truth and clipped.

    Truth, prediction and clipped prediction are shifted by their first values, so that constants sum to exactly 0.
    """
    clipped = np.clip(predicted, *VA_RANGE)
    error, agree = truth - predicted, np.sign(truth) == np.sign(predicted)
    gap = float(truth[0] - clipped[0])
    t, p, q = truth - truth[0], predicted - predicted[0], clipped - clipped[0]
    terms = [np.ones_like(t), t, t * t, p, p * p, t * p, q, q * q, t * q, agree, np.abs(error), error**2]
    return np.stack(terms, axis=1) * weights[:, None], gap


def _covariance(terms: np.ndarray, a: int, square: int, cross: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return mean and variance of column a, and its covariance with the truth; variances of rounding size become 0."""
    mean = terms[:, a]
    variance = terms[:, square] - mean**2
    variance = np.where(variance > _CONSTANT * terms[:, square], variance, 0.0)
    return mean, variance, terms[:, cross] - mean * terms[:, 1]


def _divided(numerator: np.ndarray, denominator: np.ndarray, exists: np.ndarray, otherwise: float) -> np.ndarray:
    """Divide where the metric exists; `otherwise` elsewhere."""
    return np.divide(numerator, denominator, out=np.full(len(numerator), otherwise), where=exists)


def _metrics_of_sums(sums: np.ndarray, gap: float) -> dict[str, np.ndarray]:
    """Return the six metrics `(B,)` of sums `(B, 12)` of `_row_terms`."""
    terms = sums / sums[:, :1]
    mean_t, var_t, _ = _covariance(terms, 1, 2, 2)
    _, var_p, cov_p = _covariance(terms, 3, 4, 5)
    mean_q, var_q, cov_q = _covariance(terms, 6, 7, 8)
    agree, absolute, squared = terms[:, 9:].T
    concordance = concordance_terms(cov_q, var_t, var_q, mean_t - mean_q + gap)
    return {
        "ccc": _divided(*concordance, (var_t > 0) & (var_q > 0), 0.0),
        "sagr": agree,
        "pcc": _divided(cov_p, np.sqrt(var_t * var_p), (var_t > 0) & (var_p > 0), 0.0),
        "rmse": np.sqrt(squared),
        "mae": absolute,
        "r2": 1 - _divided(squared, var_t, var_t > 0, float("nan")),
    }


def _draws(n: int, resamples: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Yield float64 `(chunk, n)`: how often each resample drew each row. The chunk size does not change the draws."""
    chunk = max(1, CHUNK_CELLS // n)
    for start in range(0, resamples, chunk):
        size = min(chunk, resamples - start)
        drawn = rng.integers(0, n, (size, n))
        drawn += np.arange(size)[:, None] * n
        yield np.bincount(drawn.reshape(-1), minlength=size * n).reshape(size, n).astype(np.float64)


def bootstrap_axis_metrics(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    sample_weight: ArrayLike | None = None,
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, np.ndarray]:
    """Compute ccc, sagr, pcc, rmse, mae and r2 of resamples of the rows, drawn with replacement.

    Args:
        y_true: `(N,)` or `(N, 1)`.
        y_pred: `(N,)` or `(N, 1)`; clipped to [-1, 1] for CCC only.
        sample_weight: `(N,)` or None; rows of weight 0 are left out before drawing.
        resamples: how many.
        seed: the same seed gives the same values for any chunk size.

    Returns:
        name -> `(resamples,)` float64. R2 is NaN in a resample whose truth is constant.

    Raises:
        ValueError: as the references, or fewer than 1 resample.

    Source: Efron and Tibshirani, An introduction to the bootstrap, 1993.
    """
    _check_resamples(resamples, 0.5)
    truth, predicted, weights = axis_rows(y_true, y_pred, sample_weight)
    terms, gap = _row_terms(truth, predicted, weights)
    rng = np.random.default_rng(seed)
    sums = np.concatenate([drawn @ terms for drawn in _draws(len(truth), resamples, rng)])
    return _metrics_of_sums(sums, gap)


def bootstrap_axis_intervals(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    sample_weight: ArrayLike | None = None,
    *,
    resamples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> dict[str, tuple[float, float]]:
    """Compute percentile bootstrap intervals of ccc, sagr, pcc, rmse, mae and r2.

    Args:
        y_true: `(N,)` or `(N, 1)`.
        y_pred: `(N,)` or `(N, 1)`; clipped to [-1, 1] for CCC only.
        sample_weight: `(N,)` or None.
        resamples: how many.
        seed: seeds the draws.
        level: coverage, 0 to 1.

    Returns:
        name -> (low, high); (NaN, NaN) if the metric exists in no resample.

    Raises:
        ValueError: as the references, fewer than 1 resample, or a level outside 0 to 1.

    Example:
        >>> intervals = bootstrap_axis_intervals([-0.5, 0.0, 0.5], [-0.5, 0.0, 0.5], resamples=50)
        >>> intervals["rmse"], intervals["sagr"]
        ((0.0, 0.0), (1.0, 1.0))
    """
    _check_resamples(resamples, level)
    resampled = bootstrap_axis_metrics(y_true, y_pred, sample_weight, resamples=resamples, seed=seed)
    return {name: percentiles(values, level) for name, values in resampled.items()}


def f1_macro_of(matrices: np.ndarray) -> np.ndarray:
    """Return macro F1 `(B,)` of confusion matrices `(B, C, C)`: `reference.f1_macro` of all resamples in one go."""
    hits, occurring = np.diagonal(matrices, axis1=1, axis2=2), matrices.sum(1) + matrices.sum(2)
    f1 = np.divide(2 * hits, occurring, out=np.zeros(hits.shape), where=occurring > 0)
    return f1.sum(-1) / (occurring > 0).sum(-1)


def bootstrap_f1_macro_interval(
    matrix: ArrayLike, resamples: int = 1000, seed: int = 0, level: float = 0.95
) -> tuple[float, float]:
    """Compute the percentile bootstrap interval of macro F1 from a confusion matrix.

    Drawing n rows with replacement is drawing n times from the cells, so the rows are not needed. In each resample
    the mean is over the classes that occur in it.

    Args:
        matrix: `(C, C)` counts of rows (not weights), rows = truth, columns = prediction.
        resamples: how many.
        seed: seeds the draws.
        level: coverage, 0 to 1.

    Returns:
        (low, high).

    Raises:
        ValueError: the matrix is not square, is empty or holds other than whole counts, or a bad option.

    Example:
        >>> bootstrap_f1_macro_interval([[5, 0], [0, 5]])
        (1.0, 1.0)
    """
    _check_resamples(resamples, level)
    counts = np.asarray(matrix, np.float64)
    square = counts.ndim == 2 and counts.shape[0] == counts.shape[1]
    if not square or counts.sum() < 1 or (counts < 0).any() or (counts != np.floor(counts)).any():
        raise ValueError(
            "matrix must be (C, C) whole counts of at least one row: give the confusion matrix without weights. "
            f"Received: shape {counts.shape}, sum {counts.sum()}."
        )
    total = int(counts.sum())
    drawn = np.random.default_rng(seed).multinomial(total, counts.reshape(-1) / total, size=resamples)
    return percentiles(f1_macro_of(drawn.reshape(resamples, *counts.shape).astype(np.float64)), level)


def agreement_of(matrices: np.ndarray) -> dict[str, np.ndarray]:
    """Return Cohen's kappa and Krippendorff's alpha (nominal, two coders) `(B,)` of confusion matrices `(B, C, C)`.

    NaN where only one class occurs in both together, as in `reference`.
    """
    rows = matrices.sum(axis=(1, 2))
    shares = np.trace(matrices, axis1=1, axis2=2) / rows
    one, other = matrices.sum(2), matrices.sum(1)
    chance = (one * other).sum(-1) / rows**2
    values = 2 * rows  # both coders' answers together
    expected = 1 - ((one + other) * (one + other - 1)).sum(-1) / (values * (values - 1))
    exists = expected > 0
    return {
        "kappa": _divided(shares - chance, 1 - chance, exists, float("nan")),
        "alpha": 1 - _divided(1 - shares, expected, exists, float("nan")),
    }


def bootstrap_agreement_intervals(
    matrix: ArrayLike, *, resamples: int = 1000, seed: int = 0, level: float = 0.95
) -> dict[str, tuple[float, float]]:
    """Compute percentile bootstrap intervals of Cohen's kappa and Krippendorff's alpha from two coders' confusion matrix.

    Args:
        matrix: `(C, C)` counts, rows one coder, columns the other.
        resamples: how many.
        seed: seeds the draws.
        level: coverage, 0 to 1.

    Returns:
        "kappa" and "alpha" -> (low, high); (NaN, NaN) where they exist in no resample.

    Example:
        >>> bootstrap_agreement_intervals([[5, 0], [0, 5]])["kappa"]
        (1.0, 1.0)
    """
    _check_resamples(resamples, level)
    counts = np.asarray(matrix, np.float64)
    total = int(counts.sum())
    drawn = np.random.default_rng(seed).multinomial(total, counts.reshape(-1) / total, size=resamples)
    found = agreement_of(drawn.reshape(resamples, *counts.shape).astype(np.float64))
    return {name: percentiles(values, level) for name, values in found.items()}
