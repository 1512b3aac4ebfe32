"""Every score of a predictions table, as the dict that is saved in metrics.json.

The table (see `prediction_columns`) is the only input, so each score can be recomputed from the saved file.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fer_keras.labels import AXES
from fer_keras.metrics.array_scores import (
    axis_baseline,
    axis_scalars,
    emotion_baseline,
    emotion_scalars,
    json_number,
    per_class_scores,
)
from fer_keras.metrics.intervals import bootstrap_axis_intervals, bootstrap_f1_macro_interval, wilson_interval
from fer_keras.metrics.prediction_columns import SET_COLUMN, axis_arrays, derived_axes, emotion_arrays, table_labels
from fer_keras.metrics.reference import confusion_matrix


def _with_interval(value: float | None, interval: tuple[float, float] | None) -> dict[str, float | None]:
    """Return {"value", "low", "high"}; low and high are None without a bootstrap."""
    low, high = (None, None) if interval is None else map(json_number, interval)
    return {"value": value, "low": low, "high": high}


def score_emotion(
    table: pa.Table, baseline: Mapping[str, Any] | None = None, bootstrap: int = 1000, seed: int = 0
) -> dict[str, Any] | None:
    """Score the emotion output of a predictions table; see `score_predictions`. None without labelled rows."""
    arrays = emotion_arrays(table)
    if arrays is None:
        return None
    (truth, predicted, probabilities), labels = arrays, table_labels(table)
    matrix = confusion_matrix(truth, predicted, len(labels))
    scores: dict[str, Any] = {"n": len(truth), "labels": list(labels)}
    scores |= {name: {"value": value} for name, value in emotion_scalars(truth, predicted, probabilities).items()}
    low, high = wilson_interval(int(np.trace(matrix)), len(truth))
    scores["accuracy"] |= {"low": low, "high": high, "n": len(truth)}
    interval = bootstrap_f1_macro_interval(matrix, bootstrap, seed) if bootstrap else None
    scores["f1_macro"] = _with_interval(scores["f1_macro"]["value"], interval)
    scores["per_class"] = per_class_scores(truth, predicted, probabilities, labels)
    scores["confusion"] = matrix.tolist()
    scores["baseline"] = emotion_baseline(baseline, truth, labels)
    return scores


def score_axis(
    table: pa.Table, axis: str, baseline: Mapping[str, Any] | None = None, *, bootstrap: int = 1000, seed: int = 0
) -> dict[str, Any] | None:
    """Score "valence" or "arousal" of a predictions table; see `score_predictions`. None without labelled rows."""
    arrays = axis_arrays(table, axis)
    if arrays is None:
        return None
    intervals = bootstrap_axis_intervals(*arrays, resamples=bootstrap, seed=seed) if bootstrap else {}
    scores: dict[str, Any] = {"n": len(arrays[0])}
    if axis in derived_axes(table):
        scores["derived"] = True
    scores |= {name: _with_interval(value, intervals.get(name)) for name, value in axis_scalars(*arrays).items()}
    scores["baseline"] = axis_baseline(baseline, axis, arrays[0])
    return scores


def score_predictions(
    table: pa.Table, baseline: Mapping[str, Any] | None = None, bootstrap: int = 1000, seed: int = 0
) -> dict[str, Any]:
    """Compute every score of a predictions table: values, 95 % intervals, per class, confusion and the baseline.

    An output is scored over its labelled rows, and is absent if the model lacks it or no row is labelled.

    Args:
        table: predictions, see `prediction_columns`; all its rows are scored, whatever their split.
        baseline: what a constant guess is: {"emotion": prior of each label in order or None, "valence": mean or None,
            "arousal": mean or None, "source": "training split"}. What is None is computed from the evaluated labels,
            and its source then reads "evaluated split".
        bootstrap: resamples for the intervals of macro F1 and the axis metrics; 0 leaves them None.
        seed: seeds the resampling.

    Returns:
        {"n", "emotion", "valence", "arousal", "p_va"}, and for a table of several data sets "sets": the same of each set's
        rows by its name; serialisable with `json.dumps(..., allow_nan=False)`. A score
        is {"value"}, and {"value", "low", "high"} where there is an interval (Wilson for accuracy, which has "n" too;
        percentile bootstrap for macro F1 and each axis metric). Values that do not exist are None. "p_va" is the mean
        CCC of the two axes (ABAW), present if both are. An axis whose labels are derived has "derived": True, and then
        "p_va" too.

    Raises:
        ValueError: a column is missing, holds an unknown label or a number that is not finite; no label metadata; a
            baseline that does not fit.

    Example:
        >>> table = pa.table({"valence_true": [0.5, None, -0.5], "valence_pred": [0.5, 0.1, -0.5]})
        >>> scores = score_predictions(table, bootstrap=0)
        >>> scores["n"], scores["valence"]["n"], scores["valence"]["ccc"]["value"]
        (3, 2, 1.0)
    """
    if bootstrap < 0:
        raise ValueError(f"bootstrap must be 0 (no intervals) or a number of resamples. Received: {bootstrap}.")
    scores: dict[str, Any] = {"n": table.num_rows}
    found = {"emotion": score_emotion(table, baseline, bootstrap, seed)}
    found |= {axis: score_axis(table, axis, baseline, bootstrap=bootstrap, seed=seed) for axis in AXES}
    scores |= {output: value for output, value in found.items() if value is not None}
    if all(axis in scores for axis in AXES):
        scores["p_va"] = {"value": sum(scores[axis]["ccc"]["value"] for axis in AXES) / len(AXES)}
        if any(scores[axis].get("derived") for axis in AXES):
            scores["p_va"]["derived"] = True
    if SET_COLUMN in table.column_names:
        scores["sets"] = {
            name: score_predictions(rows.drop_columns(SET_COLUMN), baseline, bootstrap, seed)
            for name in table.column(SET_COLUMN).unique().to_pylist()
            for rows in [table.filter(pc.equal(table.column(SET_COLUMN), name))]
        }
    return scores
