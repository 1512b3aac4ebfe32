"""Mixup and CutMix: each face of a batch mixed with another one, and their known labels in the same proportion.

Sources: Zhang et al., mixup: Beyond Empirical Risk Minimization, ICLR 2018; Yun et al., CutMix: Regularization Strategy to
Train Strong Classifiers with Localizable Features, ICCV 2019.
"""

import numpy as np


def mix(
    images: np.ndarray, values: dict, weights: dict, *, seed: int, mixup: float = 0.0, cutmix: float = 0.0
) -> tuple[np.ndarray, dict, dict]:
    """Mix each face with another one of its batch: share * own + (1 - share) * other.

    Mixup blends whole faces with a share from Beta(mixup, mixup), never below one half. CutMix puts a rectangle of the other
    face into the same place; the share is the area that is left, from Beta(cutmix, cutmix) before it is cut at the edges.
    Where both are asked for, each face gets one of them at random.

    A label is mixed in proportion to share and sample weight: target = (s w y + (1 - s) w' y') / W and weight
    W = s w + (1 - s) w'. Cross-entropy is linear in its target and a squared error differs by a constant, so the loss is
    that of both faces, each with its share; a missing label (weight 0) changes nothing.

    Args:
        images: (b, height, width, 3) float32.
        values: output -> (b, ...) float32 targets.
        weights: output -> (b,) float32 sample weights.
        seed: equal seeds give equal results.
        mixup, cutmix: parameters of their Beta distributions, 0 for none; small values change most faces very little.

    Returns:
        Images, values and weights.
    """
    rng = np.random.default_rng([seed, 1])  # independent of the draws of `augment`
    count, (height, width) = len(images), images.shape[1:3]
    order = rng.permutation(count)
    mask = np.ones((count, 1, 1, 1), np.float32)
    if mixup:
        share = _share(rng, count, mixup)
        mask = np.maximum(share, 1 - share)[:, None, None, None]
    if cutmix:
        cut = _cut_mask(rng, count, (height, width), cutmix)
        mask = np.where(rng.random((count, 1, 1, 1)) < 0.5, mask, cut) if mixup else cut
    share = mask.mean(axis=(1, 2, 3))
    return mask * images + (1 - mask) * images[order], *_mix_labels(values, weights, share, order)


def _share(rng: np.random.Generator, count: int, alpha: float) -> np.ndarray:
    """(count,) draws of Beta(alpha, alpha)."""
    return rng.beta(alpha, alpha, count).astype(np.float32)


def _cut_mask(rng: np.random.Generator, count: int, size: tuple[int, int], alpha: float) -> np.ndarray:
    """(count, height, width, 1): 0 inside a rectangle about a random centre, 1 elsewhere."""
    height, width = size
    side = np.sqrt(1 - _share(rng, count, alpha))[:, None]

    def inside(length: int) -> np.ndarray:
        centre = rng.random((count, 1)) * length
        return np.abs(np.arange(length) + 0.5 - centre) < side * length / 2

    rectangle = inside(height)[:, :, None] & inside(width)[:, None, :]
    return 1 - rectangle.astype(np.float32)[..., None]


def _mix_labels(values: dict, weights: dict, share: np.ndarray, order: np.ndarray) -> tuple[dict, dict]:
    mixed_values, mixed_weights = {}, {}
    for name, value in values.items():
        own, other = share * weights[name], (1 - share) * weights[name][order]
        total = own + other
        part = np.divide(own, total, out=np.zeros_like(own), where=total > 0)
        part = part.reshape(-1, *[1] * (value.ndim - 1))
        mixed_values[name] = part * value + (1 - part) * value[order]
        mixed_weights[name] = total
    return mixed_values, mixed_weights
