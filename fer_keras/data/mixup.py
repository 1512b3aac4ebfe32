"""Mixup and CutMix: each face of a batch mixed with another, and all of its labels with it, where they are known.

Sources: Zhang et al., mixup: Beyond Empirical Risk Minimization, ICLR 2018; Yun et al., CutMix: Regularization Strategy to
Train Strong Classifiers with Localizable Features, ICCV 2019.
"""

import tensorflow as tf

_SEED = 7_919  # apart from the seeds of `augment`, which count from 1


def mix(
    images: tf.Tensor, values: dict, weights: dict, seed: tf.Tensor, mixup: float = 0.0, cutmix: float = 0.0
) -> tuple:
    """Mix each face with another one of its batch: share * own + (1 - share) * other.

    Mixup blends whole faces with a share from Beta(mixup, mixup), never below one half. CutMix puts a rectangle of the other
    face into the same place; the share is the area that is left, from Beta(cutmix, cutmix) before it is cut at the edges.
    Where both are asked for, each face gets one of them at random.

    A label is mixed in proportion to share and sample weight: target = (s w y + (1 - s) w' y') / W and weight
    W = s w + (1 - s) w'. Cross-entropy is linear in its target and a squared error differs by a constant, so the loss is
    that of both faces, each with its share; a label that is missing (weight 0) adds nothing and takes nothing away.

    Args:
        images: (b, height, width, 3) float32.
        values: output -> (b, ...) float32 targets.
        weights: output -> (b,) float32 sample weights.
        seed: () integer; equal seeds give equal results.
        mixup, cutmix: of their Beta distributions, 0 for none; small values leave most faces nearly alone.

    Returns:
        Images, values and weights.
    """
    seed = tf.cast(seed, tf.int64)
    count = tf.shape(images)[0]
    order = tf.argsort(_uniform(count, seed, 1))
    mask = tf.ones([count, *images.shape[1:3], 1])
    if mixup:
        share = _share(count, seed, 0, mixup)
        mask *= tf.maximum(share, 1 - share)[:, None, None, None]
    if cutmix:
        cut = _cut_mask(count, images.shape[1], images.shape[2], seed, cutmix)
        mask = tf.where(_uniform(count, seed, 5)[:, None, None, None] < 0.5, mask, cut) if mixup else cut
    share = tf.reduce_mean(mask, axis=[1, 2, 3])
    mixed_values, mixed_weights = _mix_labels(values, weights, share, order)
    return mask * images + (1 - mask) * tf.gather(images, order), mixed_values, mixed_weights


def _uniform(count, seed, number: int) -> tf.Tensor:
    return tf.random.stateless_uniform([count], tf.stack([seed, tf.constant(_SEED + number, tf.int64)]))


def _share(count, seed, number: int, alpha: float) -> tf.Tensor:
    """(count,) draws of Beta(alpha, alpha)."""
    seeds = tf.stack([seed, tf.constant(_SEED + number, tf.int64)])
    own, other = tf.unstack(tf.random.stateless_gamma([2, count], seeds, alpha=alpha))
    # With a small alpha both can underflow, and then the face stays alone.
    return tf.where(own + other > 1e-30, own / (own + other), 1.0)


def _cut_mask(count, height: int, width: int, seed, alpha: float) -> tf.Tensor:
    """(count, height, width, 1): 0 inside a rectangle about a random centre, 1 elsewhere."""
    side = tf.sqrt(1 - _share(count, seed, 2, alpha))

    def inside(length: int, number: int) -> tf.Tensor:
        centre = _uniform(count, seed, number)[:, None] * length
        return tf.abs(tf.range(length, dtype=tf.float32) + 0.5 - centre) < side[:, None] * length / 2

    rectangle = inside(height, 3)[:, :, None] & inside(width, 4)[:, None, :]
    return 1 - tf.cast(rectangle, tf.float32)[..., None]


def _mix_labels(values: dict, weights: dict, share, order) -> tuple[dict, dict]:
    mixed_values, mixed_weights = {}, {}
    for name, value in values.items():
        own, other = share * weights[name], (1 - share) * tf.gather(weights[name], order)
        total = own + other
        part = tf.reshape(tf.math.divide_no_nan(own, total), [-1, *[1] * (value.shape.rank - 1)])
        mixed_values[name] = part * value + (1 - part) * tf.gather(value, order)
        mixed_weights[name] = total
    return mixed_values, mixed_weights
