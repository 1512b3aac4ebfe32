"""Random changes of face batches in NumPy and OpenCV: one affine warp, light and colour, camera, erasing.

They need no TensorFlow, so that a run on JAX or PyTorch sees the same faces. All randomness comes from one seed per batch: a
resumed run sees the faces that an unbroken one sees. Faces of whole levels (uint8) stay so from step to step, as a camera's
do; what is linear in a pixel is one step.
"""

import math
from dataclasses import fields, replace

import cv2
import numpy as np

from fer_keras.batches.degrade import add_noise, blur, compress, to_levels
from fer_keras.batches.draws import Draws, draw_changes
from fer_keras.config.run_config import AugmentConfig

_MEAN_ROWS = 28  # of a face, about so many, that its mean is taken of
_EDGE = cv2.BORDER_REPLICATE


def calmed(config: AugmentConfig) -> AugmentConfig:
    """Return the augmentation of a run's last epochs: every change half as large, without mixing and erasing.

    A net that has learned from faces harder than any it will meet ends on some that are like those.

    Example:
        >>> calm = calmed(AugmentConfig(rotation=10, mixup=0.2))
        >>> calm.rotation, calm.mixup, calm.flip
        (5.0, 0.0, True)
    """
    off = {"erasing": 0.0, "mixup": 0.0, "cutmix": 0.0}
    kept = {"flip", "calm_epochs", *off}
    halved = {item.name: getattr(config, item.name) / 2 for item in fields(config) if item.name not in kept}
    return replace(config, **halved, **off)


def augment(images: np.ndarray, seed: int, config: AugmentConfig) -> np.ndarray:
    """Change every face of a batch at random.

    Args:
        images: (b, height, width, 3) uint8 or float32, RGB 0..255.
        seed: equal seeds give equal results.
        config: how far; mixing (`mixup`, `cutmix`) is left to `fer_keras.batches.mixup`.

    Returns:
        (b, height, width, 3) of the same dtype in 0..255.
    """
    rng = np.random.default_rng(seed)
    draws = draw_changes(rng, images.shape, config)
    warp, faces = _Warp(draws.warps, images), np.empty_like(images)
    for number in range(len(images)):
        warp(number, faces[number])
        _change(faces[number], number, draws, rng)
    return faces


class _Warp:
    """Warps the faces of a batch, each by its matrix: bilinear, edges repeated.

    OpenCV is nearly twice as fast where no pixel comes from beyond the edge, so a margin is put around each face first; the
    result is the same to the bit.

    Args:
        warps: (b, 2, 3) matrices, from places of the face to those of the result.
        images: (b, height, width, 3).
    """

    def __init__(self, warps: np.ndarray, images: np.ndarray):
        self.images, self.size = images, (images.shape[2], images.shape[1])
        self.still = (warps == np.eye(2, 3)).all((1, 2))
        beyond = _beyond(warps, self.size)
        self.margin = beyond if beyond <= max(self.size) // 2 else 0
        shape = (images.shape[1] + 2 * self.margin, images.shape[2] + 2 * self.margin, 3)
        self.framed = np.empty(shape, images.dtype)
        self.warps = warps.copy()
        self.warps[:, :, 2] -= warps[:, :, :2].sum(2) * self.margin

    def __call__(self, number: int, out: np.ndarray) -> None:
        """Write the warped face of a number to `out`."""
        if self.still[number]:
            out[:] = self.images[number]
            return
        face, margins = self.images[number], [self.margin] * 4
        if self.margin:
            face = cv2.copyMakeBorder(face, *margins, _EDGE, dst=self.framed)
        cv2.warpAffine(face, self.warps[number], self.size, dst=out, flags=cv2.INTER_LINEAR, borderMode=_EDGE)


def _beyond(warps: np.ndarray, size: tuple[int, int]) -> int:
    """Return how many pixels beyond the edge of a face the farthest pixel of any result comes from, at least 0."""
    width, height = size
    corners = np.array([(x, y) for x in (0, width - 1) for y in (0, height - 1)], float)
    places = np.linalg.solve(warps[:, None, :, :2], (corners - warps[:, None, :, 2])[..., None])[..., 0]
    over = np.maximum(-places, places - [width - 1, height - 1]).max(initial=0)
    return math.ceil(over) + 1 if over > 0 else 0


def _change(face: np.ndarray, number: int, draws: Draws, rng: np.random.Generator) -> None:
    """Light and colour, then what stands between a face and its file: lens and distance, sensor, compression; erasing."""
    changed = _recolour(face, number, draws)
    if draws.blur[number] > 0:
        changed = blur(changed, draws.blur[number])
    if draws.noise[number]:
        changed = add_noise(changed, draws.noise[number], rng)
    if changed.dtype != face.dtype:
        changed = to_levels(changed)
    if changed is not face:
        face[:] = changed
    if face.dtype != np.uint8:
        np.clip(face, 0.0, 255.0, out=face)
    if draws.jpeg[number]:
        face[:] = compress(face, int(draws.jpeg[number]))
    if draws.erased[number, 2]:
        top, left, high, wide = draws.erased[number].tolist()
        face[top : top + high, left : left + wide] = rng.integers(0, 256, (high, wide, 3), np.uint8)


def _recolour(face: np.ndarray, number: int, draws: Draws) -> np.ndarray:
    """All that is linear in a pixel: hue and saturation, contrast and brightness, tint.

    Contrast is about the mean of the face, so that it does not change its brightness.

    Returns:
        The face, or a new array: of its dtype where there is one gain for all channels, else float32, not yet in 0..255.
    """
    turn, gain, offset = draws.turns[number], draws.gains[number], draws.offsets[number]
    mean = 0.0
    if gain != 1:
        mean = (turn @ cv2.mean(face[:: max(1, len(face) // _MEAN_ROWS)])[:3]).mean()
    offset += (1 - gain) * mean
    if draws.one_gain:
        return face if gain == 1 and offset == 0 else cv2.addWeighted(face, gain, face, 0, offset, dst=face)
    matrix = draws.tints[number][:, None] * np.column_stack([gain * turn, np.full(3, offset)])
    return cv2.transform(face.astype(np.float32, copy=False), matrix)
