"""How good predictions are: reference functions, streaming Keras metrics, intervals and the score sheet.

- `reference` (emotion) and `axis_reference` (valence, arousal): one function per metric over a whole data set.
- `metric_table`: the table `METRICS` and the direction of every score.
- `streaming`: Keras metrics equal to the references over a whole data set (the only part that imports Keras).
- `intervals`: Wilson and bootstrap confidence intervals.
- `scores`: every score of a predictions table as one JSON-serialisable dict.

Adding a metric takes its reference function, its class in `streaming` if training should log it, and its line in
`METRICS`. Importing this package loads nothing; each name below is loaded when it is first used.

Example:
    from fer_keras.metrics import CCC, SAGR
    model.compile(..., weighted_metrics={"valence": [CCC(), SAGR()], "arousal": [CCC(), SAGR()]})
"""

from fer_keras.lazy import lazy_names

_STREAMING = ("CCC", "MAE", "PCC", "RMSE", "SAGR", "Accuracy", "MacroF1", "build_weighted_metrics")
_MODULES = {"METRICS": "fer_keras.metrics.metric_table", **dict.fromkeys(_STREAMING, "fer_keras.metrics.streaming")}

__all__ = list(_MODULES)
__getattr__, __dir__ = lazy_names(__name__, _MODULES)
