"""Keras metrics that equal the references over the whole data set, for any batches.

Each keeps weighted sums, which add up over batches and replicas, and never averages over batches. A float32 running
sum would drift over thousands of batches (a constant prediction always rounds the same way), so beside each sum its
rounding error is kept and added at the end. Compile them as `weighted_metrics`, since `metrics` ignores weights:

    model.compile(loss=..., weighted_metrics=build_weighted_metrics(["emotion", "valence", "arousal"], num_classes=8))

Weights: `(batch,)`, `(batch, 1)` or None. A row of weight 0 contributes nothing, even if it holds NaN. On no data
every result is 0. `dtype="float64"` gives the references' precision on backends that have it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from fer_keras.concordance import concordance_terms
from fer_keras.labels import AXES, OUTPUTS, VA_RANGE
from fer_keras.metrics.metric_table import METRICS
from fer_keras.metrics.running_sums import RunningSums

_EPSILON = {"float64": 2.0**-52}
_FLOAT32_EPSILON = 2.0**-23


class _AxisSums(RunningSums):
    """Sums over rows of one axis; subclasses say which terms of a row are summed."""

    def _flat(self, values: Any, name: str) -> Any:
        values = ops.cast(values, self.dtype)
        if len(values.shape) > 2 or (len(values.shape) == 2 and values.shape[1] not in (1, None)):
            raise ValueError(
                f"Metric {self.name!r}: {name} must have shape (batch,) or (batch, 1), one axis an output. "
                f"Received: {tuple(values.shape)}."
            )
        return ops.reshape(values, (-1,))

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch: `y_true` and `y_pred` are `(batch,)` or `(batch, 1)`."""
        truth, predicted = self._flat(y_true, "y_true"), self._flat(y_pred, "y_pred")
        weights = self._flat_weights(sample_weight, predicted)
        counts = weights > 0
        truth = ops.where(counts, truth, ops.zeros_like(truth))
        predicted = ops.where(counts, predicted, ops.zeros_like(predicted))
        terms = ops.stack([ops.ones_like(truth), *self._terms(truth, predicted)])
        self._add(ops.sum(terms * weights, axis=1))

    def _terms(self, truth: Any, predicted: Any) -> list[Any]:
        """Return the terms `(batch,)` to be summed after the weight itself."""
        raise NotImplementedError

    def result(self) -> Any:
        """Return the weighted mean of the one term."""
        weight, total = self._totals()
        return ops.divide_no_nan(total, weight)


class _MomentSums(_AxisSums):
    """The sums n, t, p, tt, pp, tp behind CCC and PCC."""

    size = 6

    def _terms(self, truth: Any, predicted: Any) -> list[Any]:
        return [truth, predicted, truth * truth, predicted * predicted, truth * predicted]

    def _moments(self) -> tuple[Any, ...]:
        """Return mean_t, mean_p, var_t, var_p, cov and the size below which a variance is only rounding, twice."""
        weight, *sums = self._totals()
        mean_t, mean_p, square_t, square_p, cross = (ops.divide_no_nan(value, weight) for value in sums)
        rounding = 4.0 * _EPSILON.get(self.dtype, _FLOAT32_EPSILON)
        var_t, var_p = square_t - mean_t * mean_t, square_p - mean_p * mean_p
        return mean_t, mean_p, var_t, var_p, cross - mean_t * mean_p, rounding * square_t, rounding * square_p


@keras.saving.register_keras_serializable(package="fer_keras")
class CCC(_MomentSums):
    """Lin's concordance correlation of one axis over the whole data set; see `axis_reference.ccc`.

    2 cov / (var_t + var_p + (mean_t - mean_p)^2) with ddof 0; constant truth or prediction gives 0 (to 1e-6).

    Args:
        name: name in the logs.
        dtype: dtype of the sums, float32 by default.
        clip: clip predictions to [-1, 1] first.

    Example:
        >>> metric = CCC(clip=False)
        >>> round(float(metric([3, -0.5, 2, 7], [2.5, 0.0, 2, 8])), 5)
        0.97679
    """

    def __init__(self, name: str = "ccc", dtype: Any = None, clip: bool = True) -> None:
        super().__init__(name=name, dtype=dtype)
        self.clip = clip

    def _terms(self, truth: Any, predicted: Any) -> list[Any]:
        return super()._terms(truth, ops.clip(predicted, *VA_RANGE) if self.clip else predicted)

    def result(self) -> Any:
        mean_t, mean_p, var_t, var_p, covariance, rounding_t, rounding_p = self._moments()
        numerator, denominator = concordance_terms(covariance, var_t, var_p, mean_t - mean_p)
        exists = denominator > rounding_t + rounding_p
        return ops.where(exists, ops.divide_no_nan(numerator, denominator), ops.zeros_like(denominator))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "clip": self.clip}


@keras.saving.register_keras_serializable(package="fer_keras")
class PCC(_MomentSums):
    """Pearson's correlation of one axis over the whole data set; see `axis_reference.pcc`.

    In float32 the error grows with (root mean square / standard deviation)^2: 1e-7 for usual predictions, 0.02 where
    the deviation is 0.6 % of the root mean square; below 0.07 % a constant cannot be told apart and the result is 0.

    Example:
        >>> round(float(PCC()([0.1, 0.2, 0.4], [0.0, 0.1, 0.3])), 5)
        1.0
    """

    def __init__(self, name: str = "pcc", dtype: Any = None) -> None:
        super().__init__(name=name, dtype=dtype)

    def result(self) -> Any:
        _, _, var_t, var_p, covariance, rounding_t, rounding_p = self._moments()
        exists = ops.logical_and(var_t > rounding_t, var_p > rounding_p)
        spread = ops.sqrt(ops.where(exists, var_t, ops.ones_like(var_t))) * ops.sqrt(
            ops.where(exists, var_p, ops.ones_like(var_p))
        )
        return ops.where(exists, ops.clip(covariance / spread, -1.0, 1.0), ops.zeros_like(spread))


@keras.saving.register_keras_serializable(package="fer_keras")
class SAGR(_AxisSums):
    """Sign agreement of one axis over the whole data set, sign(0) being 0; see `axis_reference.sagr`.

    Example:
        >>> float(SAGR()([0.5, -0.5, 0.0, 0.0], [0.1, 0.1, 0.0, 0.1]))
        0.5
    """

    def __init__(self, name: str = "sagr", dtype: Any = None) -> None:
        super().__init__(name=name, dtype=dtype)

    def _terms(self, truth: Any, predicted: Any) -> list[Any]:
        return [ops.cast(ops.equal(ops.sign(truth), ops.sign(predicted)), self.dtype)]


@keras.saving.register_keras_serializable(package="fer_keras")
class RMSE(_AxisSums):
    """Root of the mean squared error of one axis over the whole data set; see `axis_reference.rmse`."""

    def __init__(self, name: str = "rmse", dtype: Any = None) -> None:
        super().__init__(name=name, dtype=dtype)

    def _terms(self, truth: Any, predicted: Any) -> list[Any]:
        return [ops.square(truth - predicted)]

    def result(self) -> Any:
        return ops.sqrt(super().result())


@keras.saving.register_keras_serializable(package="fer_keras")
class MAE(_AxisSums):
    """Mean absolute error of one axis over the whole data set; see `axis_reference.mae`."""

    def __init__(self, name: str = "mae", dtype: Any = None) -> None:
        super().__init__(name=name, dtype=dtype)

    def _terms(self, truth: Any, predicted: Any) -> list[Any]:
        return [ops.abs(truth - predicted)]


class _ClassSums(RunningSums):
    """Sums over rows of class indices."""

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch: `y_true` is `(batch, C)` one-hot or soft, or indices; `y_pred` is `(batch, C)`."""
        y_true, y_pred = ops.convert_to_tensor(y_true), ops.cast(y_pred, self.dtype)
        if len(y_pred.shape) != 2:
            raise ValueError(
                f"Metric {self.name!r}: y_pred must have shape (batch, C). Received: {tuple(y_pred.shape)}."
            )
        predicted = ops.argmax(y_pred, axis=-1)
        weights = self._flat_weights(sample_weight, ops.sum(ops.zeros_like(y_pred), axis=-1))
        counts = weights > 0
        if len(y_true.shape) == 2 and y_true.shape[-1] != 1:
            truth = ops.argmax(y_true, axis=-1)
        else:
            truth = ops.reshape(y_true, (-1,))
            truth = ops.where(counts, truth, ops.zeros_like(truth))
        self._add(self._batch_sums(ops.cast(truth, "int32"), ops.cast(predicted, "int32"), weights, y_pred.shape[-1]))

    def _batch_sums(self, truth: Any, predicted: Any, weights: Any, num_classes: int) -> Any:
        """Return the batch's `(size,)` sums from int32 indices and weights, each `(batch,)`."""
        raise NotImplementedError


@keras.saving.register_keras_serializable(package="fer_keras")
class Accuracy(_ClassSums):
    """Share of rows whose top class is the true one, over the whole data set; see `reference.accuracy`.

    Example:
        >>> float(Accuracy()([[1, 0], [0, 1]], [[0.6, 0.4], [0.7, 0.3]]))
        0.5
    """

    def __init__(self, name: str = "accuracy", dtype: Any = None) -> None:
        super().__init__(name=name, dtype=dtype)

    def _batch_sums(self, truth: Any, predicted: Any, weights: Any, num_classes: int) -> Any:
        hits = ops.cast(ops.equal(truth, predicted), self.dtype)
        return ops.stack([ops.sum(weights), ops.sum(weights * hits)])

    def result(self) -> Any:
        weight, hits = self._totals()
        return ops.divide_no_nan(hits, weight)


@keras.saving.register_keras_serializable(package="fer_keras")
class MacroF1(_ClassSums):
    """Unweighted mean of F1 over the classes in the truth or the predictions of the data set; see `reference.f1_macro`.

    Args:
        name: name in the logs.
        num_classes: C, the width of `y_pred`.
        dtype: dtype of the sums, float32 by default.

    Example:
        >>> metric = MacroF1(num_classes=2)
        >>> round(float(metric([0, 0, 1], [[0.9, 0.1], [0.2, 0.8], [0.2, 0.8]])), 4)
        0.6667
    """

    def __init__(self, name: str = "f1_macro", num_classes: int = 8, dtype: Any = None) -> None:
        if num_classes < 2:
            raise ValueError(f"MacroF1 needs num_classes of at least 2. Received: num_classes={num_classes}.")
        super().__init__(name=name, dtype=dtype, size=3 * num_classes)
        self.num_classes = num_classes

    def _batch_sums(self, truth: Any, predicted: Any, weights: Any, num_classes: int) -> Any:
        if num_classes != self.num_classes:
            raise ValueError(
                f"Metric {self.name!r} was built for num_classes={self.num_classes}. "
                f"Received: y_pred of {num_classes} classes; build it with num_classes={num_classes}."
            )
        truth = ops.one_hot(truth, self.num_classes, dtype=self.dtype) * weights[:, None]
        chosen = ops.one_hot(predicted, self.num_classes, dtype=self.dtype)
        sums = [ops.sum(rows, axis=0) for rows in (truth * chosen, truth, chosen * weights[:, None])]
        return ops.concatenate(sums)

    def result(self) -> Any:
        hits, truth, predicted = ops.split(ops.stack(self._totals()), 3)
        total = truth + predicted
        occurs = ops.cast(total > 0, self.dtype)
        return ops.divide_no_nan(ops.sum(ops.divide_no_nan(2.0 * hits, total)), ops.sum(occurs))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "num_classes": self.num_classes}

    @classmethod
    def for_output(cls, num_classes: int) -> MacroF1:
        return cls(num_classes=num_classes)


def build_weighted_metrics(outputs: Sequence[str], num_classes: int = 8) -> dict[str, list[keras.metrics.Metric]]:
    """Build the streaming metrics of each output, for `compile(weighted_metrics=...)`.

    Args:
        outputs: names of the model's outputs, of "emotion", "valence", "arousal".
        num_classes: classes of the emotion output.

    Returns:
        output -> new metrics, in the order of `table.METRICS`: every metric there that has a streaming class.

    Raises:
        ValueError: an output has another name.

    Example:
        >>> built = build_weighted_metrics(["valence"])
        >>> [metric.name for metric in built["valence"]]
        ['ccc', 'sagr', 'pcc', 'rmse', 'mae']
    """
    unknown = [output for output in outputs if output not in OUTPUTS]
    if unknown or isinstance(outputs, str):
        raise ValueError(f"outputs must be a list of names among {', '.join(OUTPUTS)}. Received: {outputs!r}.")
    kinds = {output: "axis" if output in AXES else "emotion" for output in outputs}
    streamed = [metric for metric in METRICS.values() if metric.streaming]
    return {
        output: [metric.load_streaming().for_output(num_classes) for metric in streamed if metric.kind == kind]
        for output, kind in kinds.items()
    }
