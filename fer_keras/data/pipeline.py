"""tf.data pipelines of (faces, targets, sample weights), for training and for evaluation.

The order of faces is a function of seed and epoch, computed here in NumPy: a resumed run starts at any step of any epoch
and sees what an unbroken one sees, and the faces behind a step can be named afterwards.
"""

import os

import numpy as np
import tensorflow as tf

from fer_keras.data.augment import Augmentation, augment
from fer_keras.data.loader import FaceLoader
from fer_keras.data.mixup import mix
from fer_keras.data.targets import Targets


def epoch_steps(faces: int, batch_size: int) -> int:
    """Return the number of full batches in an epoch; an incomplete last one is left to another epoch's order."""
    return max(faces // batch_size, 1)


def epoch_rows(
    faces: int, batch_size: int, seed: int, epoch: int, probabilities: np.ndarray | None = None
) -> np.ndarray:
    """Return the rows of every batch of one epoch.

    Args:
        faces: number of training faces.
        batch_size: faces a step.
        seed: the run's seed.
        epoch: counted from 0.
        probabilities: (faces,) of drawing each face, with replacement; default: each face once, in random order.

    Returns:
        (steps, batch_size) int64.
    """
    rng = np.random.default_rng([seed, epoch])
    steps = epoch_steps(faces, batch_size)
    if probabilities is None:
        order = rng.permutation(faces)
        order = np.resize(order, steps * batch_size)  # repeats faces only where there are fewer than one batch of them
    else:
        order = rng.choice(faces, steps * batch_size, p=probabilities)
    return order.reshape(steps, batch_size)


def training_dataset(
    loader: FaceLoader,
    targets: Targets,
    batch_size: int,
    epochs: int,
    seed: int = 0,
    augmentation: Augmentation | None = None,
    probabilities: np.ndarray | None = None,
    first_epoch: int = 0,
    calm_from: int | None = None,
    workers: int | None = None,
) -> tf.data.Dataset:
    """Return the batches of all epochs, one after the other.

    Args:
        loader: the faces.
        targets: their labels.
        batch_size: faces a step.
        epochs: number of epochs in all.
        seed: of order and augmentation.
        augmentation: how faces are changed; default: not at all.
        probabilities: see `epoch_rows`.
        first_epoch: where to start, for a resumed run.
        calm_from: epoch from which on faces are changed by `augmentation.calmed()`; default: never.
        workers: parallel decoding calls; default: one a core.

    Returns:
        Elements (images (b, height, width, 3) float32 RGB 0..255, targets by output, sample weights by output);
        `epoch_steps(len(loader), batch_size)` of them are one epoch.
    """
    steps = epoch_steps(len(loader), batch_size)

    def batches():
        for epoch in range(first_epoch, epochs):
            for step, rows in enumerate(epoch_rows(len(loader), batch_size, seed, epoch, probabilities)):
                calm = calm_from is not None and epoch >= calm_from
                yield rows, np.int64(seed * 1_000_003 + epoch * steps + step), calm

    signature = tf.TensorSpec([batch_size], tf.int64), tf.TensorSpec([], tf.int64), tf.TensorSpec([], tf.bool)
    dataset = tf.data.Dataset.from_generator(batches, output_signature=signature)
    workers = workers or os.cpu_count() or 1
    dataset = dataset.map(_load_batch(loader, targets, batch_size), num_parallel_calls=workers, deterministic=True)
    dataset = dataset.map(_augment_batch(augmentation), num_parallel_calls=workers, deterministic=True)
    return dataset.prefetch(2).with_options(_options())


def evaluation_dataset(
    loader: FaceLoader, targets: Targets, batch_size: int, workers: int | None = None
) -> tf.data.Dataset:
    """Return every face once, in order, unchanged; the last batch can be smaller.

    Returns:
        Elements as of `training_dataset`. An unreadable face is black and has sample weight 0 in every output.
    """
    dataset = tf.data.Dataset.range(len(loader)).batch(batch_size)
    dataset = dataset.map(
        _load_batch(loader, targets, None), num_parallel_calls=workers or os.cpu_count() or 1, deterministic=True
    )
    plain = dataset.map(lambda images, values, weights: (tf.cast(images, tf.float32), values, weights))
    return plain.prefetch(2).with_options(_options())


def _load_batch(loader: FaceLoader, targets: Targets, batch_size: int | None):
    values = {name: tf.constant(array) for name, array in targets.values.items()}
    weights = {name: tf.constant(array) for name, array in targets.weights.items()}

    def load(rows, *rest):
        images, readable = tf.numpy_function(loader.load, [rows], [tf.uint8, tf.bool])
        images = tf.ensure_shape(images, [batch_size, *loader.image_size, 3])
        readable = tf.cast(tf.ensure_shape(readable, [batch_size]), tf.float32)
        return (
            images,
            {name: tf.gather(array, rows) for name, array in values.items()},
            {name: tf.gather(array, rows) * readable for name, array in weights.items()},
            *rest,
        )

    return load


def _augment_batch(options: Augmentation | None):
    def change(images, values, weights, seed, calm):
        if options is None:
            return tf.cast(images, tf.float32), values, weights

        def changed(how: Augmentation):
            faces = augment(images, seed, how)[0]
            if how.mixup or how.cutmix:
                return mix(faces, values, weights, seed, how.mixup, how.cutmix)
            return faces, values, weights

        return tf.cond(calm, lambda: changed(options.calmed()), lambda: changed(options))

    return change


def _options() -> tf.data.Options:
    options = tf.data.Options()
    options.autotune.enabled = False  # it stalls the end of passes by seconds; parallelism is given explicitly
    return options
