"""Differences between two models' scores on the same faces, with intervals: each resample draws the faces for both."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from fer_keras.labels import AXES
from fer_keras.metrics.intervals import bootstrap_axis_metrics, f1_macro_of, percentiles
from fer_keras.metrics.prediction_columns import axis_arrays, emotion_arrays, table_labels


def paired_differences(
    one: pa.Table, other: pa.Table, *, resamples: int = 1000, seed: int = 0, level: float = 0.95
) -> dict[str, dict[str, dict[str, float]]]:
    """Compute how much higher the scores of `one` are than those of `other`, by a paired percentile bootstrap.

    Two models that are often wrong on the same faces differ less by chance than their separate intervals tell.

    Args:
        one: predictions table, see `prediction_columns`.
        other: predictions table of the same faces in the same order.
        resamples: how many.
        seed: seeds the draws.
        level: coverage of the intervals, 0 to 1.

    Returns:
        output -> metric -> {"value", "low", "high"}: accuracy and f1_macro of emotion, ccc of valence and arousal, for the
        outputs that both have.

    Raises:
        ValueError: tables of other faces, labels or classes.

    Source: Efron and Tibshirani, An introduction to the bootstrap, 1993.
    """
    _check_same(one, other)
    found = {"emotion": _emotion(one, other, resamples=resamples, seed=seed, level=level)}
    found |= {axis: _axis(one, other, axis, resamples=resamples, seed=seed, level=level) for axis in AXES}
    return {name: values for name, values in found.items() if values}


def _check_same(one: pa.Table, other: pa.Table) -> None:
    for name in ("split", "id", *(f"{output}_true" for output in ("emotion", *AXES))):
        if name in one.column_names and name in other.column_names and not one[name].equals(other[name]):
            raise ValueError(f"A paired comparison expects the same faces in the same order. Received: other {name}.")


def _emotion(one: pa.Table, other: pa.Table, *, resamples: int, seed: int, level: float) -> dict[str, Any] | None:
    first, second = emotion_arrays(one), emotion_arrays(other)
    if first is None or second is None or not len(first[0]):
        return None
    labels = table_labels(one)
    if labels != table_labels(other):
        raise ValueError(f"A paired comparison expects the same classes. Received: {labels} and {table_labels(other)}.")
    count, truth = len(labels), first[0]
    cells = np.bincount(np.ravel_multi_index((truth, first[1], second[1]), (count,) * 3), minlength=count**3)
    drawn = np.random.default_rng(seed).multinomial(len(truth), cells / len(truth), size=resamples)
    observed, resampled = (_emotion_gains(values.reshape(-1, *(count,) * 3)) for values in (cells[None], drawn))
    return {name: _with_interval(float(observed[name][0]), resampled[name], level) for name in observed}


def _emotion_gains(cells: np.ndarray) -> dict[str, np.ndarray]:
    """Return the differences `(B,)` of accuracy and macro F1 from counts (B, truth, one's answer, the other's)."""
    matrices = [cells.sum(axis=axis).astype(np.float64) for axis in (3, 2)]
    rows = matrices[0].sum(axis=(1, 2))
    shares = [np.trace(matrix, axis1=1, axis2=2) / rows for matrix in matrices]
    f1 = [f1_macro_of(matrix) for matrix in matrices]
    return {"accuracy": shares[0] - shares[1], "f1_macro": f1[0] - f1[1]}


def _axis(one: pa.Table, other: pa.Table, axis: str, *, resamples: int, seed: int, level: float) -> dict | None:
    pairs = [axis_arrays(table, axis) for table in (one, other)]
    if any(pair is None or not len(pair[0]) for pair in pairs):
        return None
    from fer_keras.metrics.axis_reference import ccc

    resampled = [bootstrap_axis_metrics(*pair, resamples=resamples, seed=seed)["ccc"] for pair in pairs]
    return {"ccc": _with_interval(ccc(*pairs[0]) - ccc(*pairs[1]), resampled[0] - resampled[1], level)}


def _with_interval(value: float, resampled: np.ndarray, level: float) -> dict[str, float]:
    low, high = percentiles(resampled, level)
    return {"value": float(value), "low": low, "high": high}
