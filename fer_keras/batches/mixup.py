"""Mixup and CutMix: each face of a batch mixed with another one, and their known labels in the same proportion.

Sources: Zhang et al., mixup: Beyond Empirical Risk Minimization, ICLR 2018; Yun et al., CutMix: Regularization Strategy to
Train Strong Classifiers with Localizable Features, ICCV 2019.
"""

import cv2
import numpy as np

from fer_keras.batches.loader import empty_faces


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
        images: (b, height, width, 3) uint8 or float32, which the mixed ones are too.
        values: output -> (b, ...) float32 targets.
        weights: output -> (b,) float32 sample weights.
        seed: equal seeds give equal results.
        mixup, cutmix: parameters of their Beta distributions, 0 for none; small values change most faces very little.

    Returns:
        Images, values and weights.
    """
    rng = np.random.default_rng([seed, 1])  # independent of the draws of `augment`
    count, size = len(images), images.shape[1:3]
    order = rng.permutation(count)
    share, blended = np.ones(count, np.float32), np.full(count, bool(mixup))
    if mixup:
        share = _share(rng, count, mixup)
        share = np.maximum(share, 1 - share)
    if cutmix:
        rectangles = _cut_rectangles(rng, count, size, cutmix)
        blended &= rng.random(count) < 0.5
        cut = (rectangles[:, 2:] - rectangles[:, :2]).prod(1) / (size[0] * size[1])
        share = np.where(blended, share, 1 - cut).astype(np.float32)
    mixed = empty_faces(images.shape, images.dtype)
    for number, other in enumerate(order.tolist()):
        if blended[number]:
            own = float(share[number])
            cv2.addWeighted(images[number], own, images[other], 1 - own, 0, dst=mixed[number])
        else:
            top, left, bottom, right = rectangles[number].tolist()
            mixed[number] = images[number]
            mixed[number, top:bottom, left:right] = images[other, top:bottom, left:right]
    return mixed, *_mix_labels(values, weights, share, order)


def _share(rng: np.random.Generator, count: int, alpha: float) -> np.ndarray:
    """(count,) draws of Beta(alpha, alpha)."""
    return rng.beta(alpha, alpha, count).astype(np.float32)


def _cut_rectangles(rng: np.random.Generator, count: int, size: tuple[int, int], alpha: float) -> np.ndarray:
    """(count, 4) int top, left, bottom, right of a rectangle about a random centre, cut at the edges."""
    side = np.sqrt(1 - _share(rng, count, alpha))
    bounds = []
    for length in size:
        centre = rng.random(count) * length  # pixels whose middle is nearer to it than half of the side
        low, high = (np.ceil(centre + step * side * length / 2 - 0.5) for step in (-1, 1))
        bounds.append(np.clip([low, high], 0, length).astype(int))
    (top, bottom), (left, right) = bounds
    return np.stack([top, left, bottom, right], 1)


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
