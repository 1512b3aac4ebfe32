"""Mixup: each face of a batch blended with another, and all of its labels with it, where they are known.

Source: Zhang et al., mixup: Beyond Empirical Risk Minimization, ICLR 2018.
"""

import tensorflow as tf

_SEED = 7_919  # apart from the seeds of `augment`, which count from 1


def mixup(images: tf.Tensor, values: dict, weights: dict, seed: tf.Tensor, alpha: float) -> tuple:
    """Blend each face with another one of its batch: share * own + (1 - share) * other, share from Beta(alpha, alpha).

    A label is blended in proportion to share and sample weight: target = (s w y + (1 - s) w' y') / W and weight
    W = s w + (1 - s) w'. Cross-entropy is linear in its target and a squared error differs by a constant, so the loss is
    that of both faces, each with its share; a label that is missing (weight 0) adds nothing and takes nothing away.

    Args:
        images: (b, height, width, 3) float32.
        values: output -> (b, ...) float32 targets.
        weights: output -> (b,) float32 sample weights.
        seed: () integer; equal seeds give equal results.
        alpha: of the Beta distribution; small values leave most faces nearly alone.

    Returns:
        Images, values and weights. The own face's share is never below one half.
    """
    seed = tf.cast(seed, tf.int64)
    count = tf.shape(images)[0]
    own, other = tf.unstack(tf.random.stateless_gamma([2, count], tf.stack([seed, _SEED]), alpha=alpha))
    # With a small alpha both can underflow, and then the face stays alone.
    share = tf.where(own + other > 1e-30, own / (own + other), 1.0)
    share = tf.maximum(share, 1 - share)
    order = tf.argsort(tf.random.stateless_uniform([count], tf.stack([seed, tf.constant(_SEED + 1, tf.int64)])))
    mixed_values, mixed_weights = {}, {}
    for name, value in values.items():
        own, other = share * weights[name], (1 - share) * tf.gather(weights[name], order)
        total = own + other
        part = tf.reshape(tf.math.divide_no_nan(own, total), [-1, *[1] * (value.shape.rank - 1)])
        mixed_values[name] = part * value + (1 - part) * tf.gather(value, order)
        mixed_weights[name] = total
    share = share[:, None, None, None]
    return share * images + (1 - share) * tf.gather(images, order), mixed_values, mixed_weights
