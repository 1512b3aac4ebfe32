"""The table of metrics: name, reference function, streaming class and direction. A new metric is one line here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from fer_keras.labels import AXES, OUTPUTS
from fer_keras.metrics.axis_reference import ccc, mae, pcc, r2, rmse, sagr
from fer_keras.metrics.reference import (
    accuracy,
    auc_pr,
    auc_roc,
    balanced_accuracy,
    cohen_kappa,
    expected_calibration_error,
    f1_macro,
    f1_weighted,
    krippendorff_alpha,
    log_loss,
    precision_macro,
    recall_macro,
)


@dataclass(frozen=True)
class Metric:
    """One line of `METRICS`.

    Attributes:
        function: the reference, called as `function(y_true, y_pred)`; takes `sample_weight` if there is a class.
        kind: "emotion" or "axis".
        higher_is_better: the direction a checkpoint or a comparison looks.
        streaming: path of the Keras class, or None if training does not log the metric.
        probabilities: whether `y_pred` must be probabilities `(N, C)`.
    """

    function: Callable[..., float]
    kind: str
    higher_is_better: bool = True
    streaming: str | None = None
    probabilities: bool = False

    def load_streaming(self) -> Any:
        """Import and return the Keras metric class, or None; loads Keras."""
        module, _, name = (self.streaming or "").rpartition(".")
        return getattr(import_module(module), name) if module else None


_STREAMING = "fer_keras.metrics.streaming."

#: Every metric by its name in logs and in metrics.json. The order is the order they are logged and reported in.
METRICS = {
    "accuracy": Metric(accuracy, "emotion", streaming=_STREAMING + "Accuracy"),
    "balanced_accuracy": Metric(balanced_accuracy, "emotion"),
    "f1_macro": Metric(f1_macro, "emotion", streaming=_STREAMING + "MacroF1"),
    "f1_weighted": Metric(f1_weighted, "emotion"),
    "precision_macro": Metric(precision_macro, "emotion"),
    "recall_macro": Metric(recall_macro, "emotion"),
    "kappa": Metric(cohen_kappa, "emotion"),
    "krippendorff_alpha": Metric(krippendorff_alpha, "emotion"),
    "auc_roc": Metric(auc_roc, "emotion", probabilities=True),
    "auc_pr": Metric(auc_pr, "emotion", probabilities=True),
    "log_loss": Metric(log_loss, "emotion", higher_is_better=False, probabilities=True),
    "ece": Metric(expected_calibration_error, "emotion", higher_is_better=False, probabilities=True),
    "ccc": Metric(ccc, "axis", streaming=_STREAMING + "CCC"),
    "sagr": Metric(sagr, "axis", streaming=_STREAMING + "SAGR"),
    "pcc": Metric(pcc, "axis", streaming=_STREAMING + "PCC"),
    "rmse": Metric(rmse, "axis", higher_is_better=False, streaming=_STREAMING + "RMSE"),
    "mae": Metric(mae, "axis", higher_is_better=False, streaming=_STREAMING + "MAE"),
    "r2": Metric(r2, "axis"),
}


def _split_log_name(log_name: str) -> tuple[str | None, str]:
    """Return output (None if not named) and metric of a Keras log name."""
    name = log_name.removeprefix("val_")
    output = next((output for output in OUTPUTS if name.startswith(f"{output}_")), None)
    return output, name.removeprefix(f"{output}_").removeprefix("weighted_")


def higher_is_better(log_name: str) -> bool:
    """Say whether a larger value is better for a metric as Keras logs it.

    Args:
        log_name: `[val_][emotion_|valence_|arousal_][weighted_]<metric>`, a metric being a name in `METRICS`, "loss",
            or "p_va" (mean CCC of the two axes). Models of one output log without the output's name.

    Raises:
        ValueError: the metric is unknown, or not one of that output; the message lists the known names.

    Example:
        >>> higher_is_better("val_valence_ccc"), higher_is_better("val_arousal_rmse"), higher_is_better("emotion_loss")
        (True, False, False)
    """
    output, name = _split_log_name(log_name)
    kind = {None: None, "emotion": "emotion", **dict.fromkeys(AXES, "axis")}[output]
    directions = {key: value.higher_is_better for key, value in METRICS.items() if kind in (None, value.kind)}
    directions["loss"] = False
    if output is None:
        directions["p_va"] = True
    if name not in directions:
        raise ValueError(
            f"Unknown metric{f' of the output {output!r}' if output else ''}. Expected one of "
            f"{', '.join(sorted(directions))}, after 'val_' and an output's name if wanted. Received: {log_name!r}."
        )
    return directions[name]
