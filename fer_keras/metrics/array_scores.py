"""The scores of one output from its arrays: every metric of `METRICS`, each class, and the constant guess beside them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fer_keras.metrics.metric_table import METRICS
from fer_keras.metrics.reference import class_auc_pr, class_auc_roc, class_scores

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
