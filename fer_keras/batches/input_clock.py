"""How long a run waits for its batches, and how much processor time making them takes."""

import threading
import time
from collections.abc import Iterable, Iterator

import keras

from fer_keras.batches.batches import Batch, TrainingBatches


class InputClock:
    """Two sums over the batches of a run, read while it goes on.

    Waiting is what a step loses: a batch that is ready when it is asked for costs nothing. Making batches goes on beside the
    step; on a machine without a GPU it takes processor time from it.
    """

    def __init__(self) -> None:
        self._lock, self._made, self._waited, self._variable = threading.Lock(), 0.0, 0.0, None

    @property
    def waited(self) -> float:
        """Seconds between asking for a batch and having it, summed so far."""
        return self._waited if self._variable is None else float(self._variable.numpy())

    @property
    def made(self) -> float:
        """Seconds of processor time in the threads that made batches, summed so far."""
        return self._made

    def timed(self, batches: TrainingBatches) -> TrainingBatches:
        """Return the same batches, which add to `made` when they are loaded."""
        return _TimedBatches(batches, self._add_made)

    def _add_made(self, seconds: float) -> None:
        with self._lock:
            self._made += seconds

    def watched(self, data: Iterable) -> Iterable:
        """Return what `fit` reads, a dataset or an iterator of batches, such that it adds to `waited`.

        Args:
            data: what `training_data` returned; it is read once.
        """
        if keras.backend.backend() == "tensorflow":
            return self._watched_dataset(data)
        return self._watched_iterator(iter(data))

    def _watched_iterator(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        while True:
            started = time.perf_counter()
            try:
                batch = next(batches)
            except StopIteration:
                return
            finally:
                self._waited += time.perf_counter() - started
            yield batch

    def _watched_dataset(self, dataset):
        """A zipped dataset asks its members in order, so clocks on both sides of one see how long it takes to answer.

        They are read in TensorFlow's own threads: Python there would wait for the threads that make batches.
        """
        import tensorflow as tf

        with tf.device("CPU:0"):
            self._variable = sum_of_waits = tf.Variable(self.waited, dtype=tf.float64, trainable=False)
        clock = tf.data.Dataset.range(1).repeat().map(lambda _: tf.timestamp())

        def add(before, element, after):
            sum_of_waits.assign_add(after - before)
            return element

        options = tf.data.Options()
        options.autotune.enabled = False  # as in the pipeline: read ahead, the clocks would show other moments
        return tf.data.Dataset.zip(clock, dataset, clock).map(add).with_options(options)


class _TimedBatches:
    """Batches whose `load` reports its processor time; all else is theirs."""

    def __init__(self, batches: TrainingBatches, report):
        self._batches, self._report = batches, report

    def __getattr__(self, name: str):
        return getattr(self._batches, name)

    def load(self, *element) -> Batch:
        started = time.thread_time()
        try:
            return self._batches.load(*element)
        finally:
            self._report(time.thread_time() - started)
