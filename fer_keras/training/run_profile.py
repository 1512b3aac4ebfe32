"""Where the time of a training run goes: `train --profile`."""

import time
from collections.abc import Callable
from functools import wraps

import keras

from fer_keras.batches.input_clock import InputClock
from fer_keras.training.part_clock import PartClock

#: What the time of a run is divided into; whatever else a profile holds is the name of a callback.
PARTS = ("step", "input", "metrics", "validation", "checkpoint", "start")
_UNCOUNTED = "profiling"
_HOOKS = [name for name in dir(keras.callbacks.Callback) if name.startswith(("on_train", "on_test", "on_epoch"))]
_REPEATS = 10


class RunProfile(keras.callbacks.Callback):
    """Divides the time of a run among `PARTS` and its callbacks; every second belongs to one of them.

    `fit` calls it before all other callbacks. `start` is all that a stage does once: building, tracing, its first batch and the
    first batch of its validation. What is trained does not change.

    Args:
        batch: returns a batch, on which the metrics are measured alone, for inside the step they cannot be; None: they are
            counted as part of the step.

    Attributes:
        input: the clock of the batches.
        epochs, steps: how many were measured.
    """

    def __init__(self, batch: Callable[[], tuple] | None = None):
        super().__init__()
        self.input, self.epochs, self.steps = InputClock(), 0, 0
        self._clock, self._batch, self._waited, self._metrics = PartClock("start"), batch, 0.0, 0.0
        self._starting = self._unvalidated = True

    def watch(self, callbacks: list[keras.callbacks.Callback]) -> list[keras.callbacks.Callback]:
        """Return the callbacks to give to `fit`: this one, and those of a stage, whose time is measured from now on."""
        for callback in callbacks:
            for hook in _HOOKS:
                setattr(callback, hook, self._timed(callback, hook))
        return [self, *callbacks]

    def _timed(self, callback: keras.callbacks.Callback, hook: str) -> Callable:
        name, call = type(callback).__name__, getattr(callback, hook)
        part = "checkpoint" if (name, hook) == ("RunKeeper", "on_epoch_end") else name

        @wraps(call)
        def timed(*args, **kwargs):
            with self._clock.inside(part):
                return call(*args, **kwargs)

        return timed

    def on_train_begin(self, logs=None):
        self._starting = self._unvalidated = True

    def on_train_batch_end(self, batch, logs=None):
        float((logs or {}).get("loss", 0.0))  # waits until an accelerator has finished the step
        self.steps += 1
        waited, self._waited = self._waited, self.input.waited
        if self._starting:
            self._starting = False
            self._clock.switch("step")
        else:
            self._clock.move(self._waited - waited, "step", "input")

    def on_test_begin(self, logs=None):
        self._clock.switch("start" if self._unvalidated else "validation")

    def on_test_batch_end(self, batch, logs=None):
        self._unvalidated = False
        self._clock.switch("validation")

    def on_test_end(self, logs=None):
        self._clock.switch("step")

    def on_epoch_end(self, epoch, logs=None):
        self.epochs += 1
        if self._batch and self.epochs == 1:
            with self._clock.inside(_UNCOUNTED):
                self._metrics = metrics_seconds(self.model, self._batch())

    def on_train_end(self, logs=None):
        self._clock.switch("start")

    def seconds(self) -> dict[str, float]:
        """Return the seconds of `PARTS` and of each callback since the run began; it can be called once."""
        self._clock.move(self._metrics * self.steps, "step", "metrics")
        taken = self._clock.take()
        taken.pop(_UNCOUNTED, None)
        return dict.fromkeys(PARTS, 0.0) | taken


def metrics_seconds(model: keras.Model, batch: tuple) -> float:
    """Return how long a compiled model's metrics take for a batch, on TensorFlow; their state is spoiled.

    Keras computes each metric's result after every step, and so does this.
    """
    import tensorflow as tf

    given = tf.nest.map_structure(tf.convert_to_tensor, batch[1:])

    @tf.function
    def repeated(values, weights):  # as arguments: what is computed from constants would be computed once, in advance
        def once(number, total):
            logs = model.compute_metrics(None, values, values, weights)
            return number + 1, total + tf.add_n([tf.cast(value, tf.float32) for value in logs.values()])

        return tf.while_loop(lambda number, _: number < _REPEATS, once, (0, 0.0), parallel_iterations=1)

    repeated(*given)
    started = time.perf_counter()
    repeated(*given)
    return (time.perf_counter() - started) / _REPEATS
