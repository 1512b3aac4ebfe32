"""The sources of batches for `fit`, `evaluate` and `predict`: tf.data on TensorFlow, threads on the other backends.

Both give the same batches in the same order; the other backends do not need TensorFlow installed.
"""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np

from fer_keras.batches.batches import Batch, EvaluationBatches, TrainingBatches
from fer_keras.cores import usable_cores

_AHEAD = 2  # batches that are ready in advance, beside those being made


def training_data(batches: TrainingBatches, first_epoch: int, end_epoch: int, workers: int | None = None):
    """Return the batches of some epochs, one after the other, in the form that `fit` takes on this backend.

    Args:
        batches: of the run.
        first_epoch, end_epoch: counted from 0, the end not included; a resumed run starts later.
        workers: batches made at a time; default: one per core.

    Returns:
        A `tf.data.Dataset`, or a generator where Keras runs on another backend; `batches.steps` elements are one epoch.
    """
    workers = workers or usable_cores()
    if keras.backend.backend() != "tensorflow":
        return _in_threads(batches, first_epoch, end_epoch, workers)
    import tensorflow as tf

    signature = tf.TensorSpec([None], tf.int64), tf.TensorSpec([], tf.int64), tf.TensorSpec([], tf.bool)
    dataset = tf.data.Dataset.from_generator(
        lambda: batches.schedule(first_epoch, end_epoch), output_signature=signature
    )
    return _mapped(dataset, batches, batches.batch_size // batches.share[1], workers)


def evaluation_data(batches: EvaluationBatches, workers: int | None = None):
    """Return every batch of a split, in order, as `evaluate` and `predict` of the backend read them, any number of times."""
    workers = workers or usable_cores()
    if keras.backend.backend() != "tensorflow":
        return _Sequence(batches, workers)
    import tensorflow as tf

    return _mapped(tf.data.Dataset.range(batches.steps), batches, None, workers)


def _mapped(dataset, batches: TrainingBatches | EvaluationBatches, size: int | None, workers: int):
    """Return the dataset of `batches.load(*element)`."""
    import tensorflow as tf

    names, shapes = list(batches.targets.values), [array.shape[1:] for array in batches.targets.values.values()]

    def load(*element) -> list[np.ndarray]:
        images, values, weights = batches.load(*element)
        return [images, *(values[name] for name in names), *(weights[name] for name in names)]

    def make(*element):
        images, *labels = tf.numpy_function(load, element, [tf.uint8] + [tf.float32] * (2 * len(names)))
        values, weights = labels[: len(names)], labels[len(names) :]
        return (
            tf.ensure_shape(images, [size, *batches.loader.image_size, 3]),
            {name: tf.ensure_shape(v, [size, *shape]) for name, v, shape in zip(names, values, shapes, strict=True)},
            {name: tf.ensure_shape(weight, [size]) for name, weight in zip(names, weights, strict=True)},
        )

    options = tf.data.Options()
    options.autotune.enabled = False  # it stalls the end of passes by seconds; parallelism is given explicitly
    if workers > usable_cores():  # TensorFlow's own pool has a thread for each core: the others would never run
        options.threading.private_threadpool_size = workers
    dataset = dataset.map(make, num_parallel_calls=workers, deterministic=True)
    return dataset.prefetch(_AHEAD).with_options(options)


def _in_threads(batches: TrainingBatches, first_epoch: int, end_epoch: int, workers: int) -> Iterator[Batch]:
    """Yield the batches in order while threads make the next ones; they end with the generator."""
    pool = ThreadPoolExecutor(workers, "fer_keras-batches")
    waiting: deque = deque()
    try:
        for element in batches.schedule(first_epoch, end_epoch):
            waiting.append(pool.submit(batches.load, *element))
            if len(waiting) > workers + _AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


class _Sequence(keras.utils.PyDataset):
    """The batches of a split for `evaluate` and `predict`, which read it anew each time."""

    def __init__(self, batches: EvaluationBatches, workers: int):
        super().__init__(workers=workers, max_queue_size=workers + _AHEAD)
        self.batches = batches

    def __len__(self) -> int:
        return self.batches.steps

    def __getitem__(self, step: int) -> Batch:
        return self.batches.load(step)
