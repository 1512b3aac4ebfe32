"""Sums that a Keras metric keeps over batches and replicas, each with its rounding error."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


class RunningSums(keras.metrics.Metric):
    """Keeps `size` sums, each with its rounding error."""

    size = 2

    def __init__(self, name: str, dtype: Any = None, size: int | None = None) -> None:
        super().__init__(name=name, dtype=dtype)
        shape = (size or self.size,)
        self._sums = self.add_weight(shape=shape, initializer="zeros", dtype=self.dtype, name="sums")
        self._errors = self.add_weight(shape=shape, initializer="zeros", dtype=self.dtype, name="errors")

    def _add(self, values: Any) -> None:
        """Add `(size,)` to the sums, and what rounding lost (Knuth's two-sum) to the errors."""
        before = ops.convert_to_tensor(self._sums)
        after = before + values
        added = after - before
        lost = (before - (after - added)) + (values - added)
        self._sums.assign(after)
        self._errors.assign_add(lost)

    def _totals(self) -> list[Any]:
        return ops.unstack(ops.convert_to_tensor(self._sums) + ops.convert_to_tensor(self._errors))

    def _flat_weights(self, sample_weight: Any, like: Any) -> Any:
        """Return weights `(batch,)`, 1 if None were given."""
        if sample_weight is None:
            return ops.ones_like(like)
        return ops.broadcast_to(ops.reshape(ops.cast(sample_weight, self.dtype), (-1,)), ops.shape(like))

    @classmethod
    def for_output(cls, num_classes: int) -> RunningSums:
        """Build the metric for an output; only emotion metrics that count per class use `num_classes`."""
        return cls()
