"""What every metric does first: the rows that count, as class indices, probabilities or numbers, or a clear error."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


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
