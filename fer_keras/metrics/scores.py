"""Every score of a predictions table, as the dict that is saved in metrics.json.

The table (see `prediction_columns`) is the only input, so each score can be recomputed from the saved file.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fer_keras.labels import AXES
from fer_keras.metrics.intervals import bootstrap_axis_intervals, bootstrap_f1_macro_interval, wilson_interval
from fer_keras.metrics.metric_table import METRICS
from fer_keras.metrics.prediction_columns import (
    AGREED_COLUMN,
    SET_COLUMN,
    axis_arrays,
    derived_axes,
    emotion_arrays,
    table_labels,
)
from fer_keras.metrics.reference import class_auc_pr, class_auc_roc, class_scores, confusion_matrix

#: `source` of a baseline that was computed from the very labels it is compared on.
EVALUATED = "evaluated split"


def json_number(value: float) -> float | None:
    """Return a Python float, or None for NaN and infinity, which JSON does not have."""
    value = float(value)
    return value if math.isfinite(value) else None


def emotion_scalars(truth: np.ndarray, predicted: np.ndarray, probabilities: np.ndarray) -> dict[str, float | None]:
    """Compute every emotion metric in `METRICS`.

    Args:
        truth: `(n,)` indices.
        predicted: `(n,)` indices.
        probabilities: `(n, C)`.

    Returns:
        name -> value, None where it does not exist.
    """
    return {
        name: json_number(metric.function(truth, probabilities if metric.probabilities else predicted))
        for name, metric in METRICS.items()
        if metric.kind == "emotion"
    }


def axis_scalars(truth: np.ndarray, predicted: np.ndarray) -> dict[str, float | None]:
    """Compute every axis metric in `METRICS` of `(n,)` truth and prediction; None where it does not exist."""
    return {
        name: json_number(metric.function(truth, predicted))
        for name, metric in METRICS.items()
        if metric.kind == "axis"
    }


def per_class_scores(
    truth: np.ndarray, predicted: np.ndarray, probabilities: np.ndarray, labels: Sequence[str]
) -> dict[str, dict]:
    """Compute precision, recall, F1, support, AUC-ROC and AUC-PR of each class.

    Args:
        truth: `(n,)` indices.
        predicted: `(n,)` indices.
        probabilities: `(n, C)`.
        labels: C names.

    Returns:
        label -> its scores; an AUC is None for a class without positives (or, for ROC, without negatives).
    """
    scores = class_scores(truth, predicted, len(labels))
    roc, pr = class_auc_roc(truth, probabilities), class_auc_pr(truth, probabilities)
    return {
        label: {
            "precision": float(scores.precision[index]),
            "recall": float(scores.recall[index]),
            "f1": float(scores.f1[index]),
            "support": int(scores.support[index]),
            "auc_roc": json_number(roc[index]),
            "auc_pr": json_number(pr[index]),
        }
        for index, label in enumerate(labels)
    }


def _emotion_prior(baseline: Mapping[str, Any] | None, truth: np.ndarray, classes: int) -> tuple[np.ndarray, str]:
    """Return the prior `(C,)` of the constant guess and where it comes from."""
    given = (baseline or {}).get("emotion")
    if given is None:
        return np.bincount(truth, minlength=classes) / len(truth), EVALUATED
    prior = np.asarray(given, np.float64)
    if prior.shape != (classes,) or not (prior >= 0).all() or abs(prior.sum() - 1) > 1e-3:
        raise ValueError(
            f"baseline['emotion'] must be the prior of each of the {classes} labels in order, summing to 1. "
            f"Received: {given!r}."
        )
    return prior, str(baseline.get("source", "given"))


def emotion_baseline(baseline: Mapping[str, Any] | None, truth: np.ndarray, labels: Sequence[str]) -> dict[str, Any]:
    """Score the constant guess: always the majority label, with the prior as probabilities.

    Args:
        baseline: dict with "emotion" (prior in label order) and "source", or None to use the evaluated labels.
        truth: `(n,)` indices.
        labels: C names.

    Returns:
        "rule", "source" and every emotion metric.

    Raises:
        ValueError: the prior has another length or does not sum to 1.
    """
    prior, source = _emotion_prior(baseline, truth, len(labels))
    majority = int(prior.argmax())
    guess = np.broadcast_to(prior, (len(truth), len(labels)))
    scalars = emotion_scalars(truth, np.full(len(truth), majority), guess)
    return {"rule": f"always {labels[majority]}", "source": source, **scalars}


def axis_baseline(baseline: Mapping[str, Any] | None, axis: str, truth: np.ndarray) -> dict[str, Any]:
    """Score the constant guess of an axis: always the mean.

    Args:
        baseline: dict with the axis's mean and "source", or None to use the evaluated labels.
        axis: "valence" or "arousal".
        truth: `(n,)`.

    Returns:
        "rule", "source" and every axis metric; CCC and PCC are 0.

    Raises:
        ValueError: the mean is not a finite number.
    """
    given = (baseline or {}).get(axis)
    mean, source = (truth.mean(), EVALUATED) if given is None else (given, str(baseline.get("source", "given")))
    if isinstance(mean, str) or not math.isfinite(mean):
        raise ValueError(f"baseline[{axis!r}] must be the mean of the labels, a finite number. Received: {given!r}.")
    scalars = axis_scalars(truth, np.full(len(truth), float(mean)))
    return {"rule": f"always {float(mean):.4f}", "source": source, **scalars}


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
        "p_va" too. A table of faces with votes of which some have no majority above half has "paper": {"n", "emotion"}, the
        scores by the protocol of the FER+ paper, which leaves those faces out.

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
    paper = _score_agreed(table, baseline, bootstrap, seed)
    if paper:
        scores["paper"] = paper
    if SET_COLUMN in table.column_names:
        scores["sets"] = {
            name: score_predictions(rows.drop_columns(SET_COLUMN), baseline, bootstrap, seed)
            for name in table.column(SET_COLUMN).unique().to_pylist()
            for rows in [table.filter(pc.equal(table.column(SET_COLUMN), name))]
        }
    return scores


def _score_agreed(table: pa.Table, baseline: Mapping[str, Any] | None, bootstrap: int, seed: int) -> dict | None:
    """Score the emotions of the rows whose label has more than half of the votes; None where that is every row, or unknown."""
    if AGREED_COLUMN not in table.column_names:
        return None
    agreed = table.filter(pc.fill_null(table.column(AGREED_COLUMN), False))
    emotion = score_emotion(agreed, baseline, bootstrap, seed) if 0 < agreed.num_rows < table.num_rows else None
    return emotion and {"n": agreed.num_rows, "emotion": emotion}
