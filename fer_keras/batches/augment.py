"""Random changes of face batches in NumPy and OpenCV: one affine warp, light and colour, camera, erasing.

They need no TensorFlow, so that a run on JAX or PyTorch sees the same faces. All randomness comes from one seed per batch: a
resumed run sees the faces that an unbroken one sees. Faces of whole levels (uint8) stay so from step to step, as a camera's
do; what is linear in a pixel is one step.
"""

from collections.abc import Iterable
from dataclasses import fields, replace

import cv2
import numpy as np

from fer_keras.batches.degrade import add_noise, as_floats, blur, compress, in_range
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
    return augment_each(images, seed, config, out=np.empty_like(images, order="C"))


def augment_each(faces: Iterable[np.ndarray], seed: int, config: AugmentConfig, *, out: np.ndarray) -> np.ndarray:
    """Change faces at random one by one, each as soon as it is there: the processor's cache still holds it.

    What is computed as floats has one room for all faces, and no face is kept while the next one is fetched, so that all of it
    stays in that cache.

    Args:
        faces: b faces, (height, width, 3) of the dtype of `out`, which are left as they are.
        seed, config: as of `augment`.
        out: (b, height, width, 3), written to.

    Returns:
        `out`.
    """
    rng = np.random.default_rng(seed)
    draws = draw_changes(rng, out.shape, config)
    warp, faces = Warp(draws.warps, out), iter(faces)
    room = np.empty(out.shape[1:], np.float32)
    for number in range(len(out)):
        warp(number, next(faces))
        _change(out[number], number, draws, rng, room=room)
    return out


class Warp:
    """Warps the faces of a batch, each by its matrix: bilinear, edges repeated.

    OpenCV is nearly twice as fast where no pixel comes from beyond the edge, so what is needed of the repeated edge is put
    around each face first; the result is the same to the bit.

    Args:
        warps: (b, 2, 3) matrices, from places of the face to those of the result.
        out: (b, height, width, 3), for the results.
    """

    def __init__(self, warps: np.ndarray, out: np.ndarray):
        self.out, self.size = out, (out.shape[2], out.shape[1])
        self.still = (warps == np.eye(2, 3)).all((1, 2)).tolist()
        self.margins = _margins(warps, self.size)
        self.warps = warps.copy()
        self.warps[:, :, 2] -= (warps[:, :, :2] @ self.margins[:, [2, 0], None])[..., 0]
        framed = self.margins[:, ::2] + self.margins[:, 1::2] + self.size[::-1]
        self.framed, self.room = framed.tolist(), np.empty(framed.prod(1).max(initial=0) * 3, out.dtype)
        self.margins = self.margins.tolist()

    def __call__(self, number: int, face: np.ndarray) -> None:
        """Write the warped face to its place."""
        out, margins = self.out[number], self.margins[number]
        if self.still[number]:
            out[:] = face
            return
        if any(margins):
            high, wide = self.framed[number]
            room = self.room[: high * wide * 3].reshape(high, wide, 3)
            face = cv2.copyMakeBorder(face, *margins, _EDGE, dst=room)
        cv2.warpAffine(face, self.warps[number], self.size, dst=out, flags=cv2.INTER_LINEAR, borderMode=_EDGE)


def _margins(warps: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return (b, 4) how many pixels above, below, left and right of each face its result comes from; 0 where very many."""
    far = np.array(size) - 1
    corners = np.array([(x, y) for x in (0, far[0]) for y in (0, far[1])], float)
    places = np.linalg.solve(warps[:, None, :, :2], (corners - warps[:, None, :, 2])[..., None])[..., 0]
    over = np.stack([-places.min(1), places.max(1) - far], 2).clip(0)  # (b, x and y, before and behind)
    margins = np.ceil(over[:, ::-1].reshape(-1, 4)).astype(int) + (over[:, ::-1].reshape(-1, 4) > 0)
    return np.where(margins.max(1, keepdims=True) <= max(size) // 2, margins, 0)


def _change(face: np.ndarray, number: int, draws: Draws, rng: np.random.Generator, *, room: np.ndarray) -> None:
    """Light and colour, then what stands between a face and its file: lens and distance, sensor, compression; erasing."""
    changed = _recolour(face, number, draws, room)
    if draws.blur[number] > 0:
        changed = blur(changed, draws.blur[number], 3 if face.dtype == np.uint8 else 4, out=changed)
    if draws.noise[number]:
        add_noise(as_floats(changed, room), draws.noise[number], rng, out=face)
    elif changed is not face:
        in_range(changed, out=face)
    if draws.jpeg[number]:
        face[:] = compress(face, int(draws.jpeg[number]))
    if draws.erased[number, 2]:
        top, left, high, wide = draws.erased[number].tolist()
        face[top : top + high, left : left + wide] = rng.integers(0, 256, (high, wide, 3), np.uint8)


def _recolour(face: np.ndarray, number: int, draws: Draws, room: np.ndarray) -> np.ndarray:
    """All that is linear in a pixel: hue and saturation, contrast and brightness, tint.

    Contrast is about the mean of the face, so that it does not change its brightness.

    Returns:
        The face itself, changed where it is uint8 and all channels have one gain, or `room`, float32, not yet in 0..255.
    """
    gain, offset = float(draws.gains[number]), float(draws.offsets[number])
    red, green, blue = _mean(face) if gain != 1 else (0.0, 0.0, 0.0)
    if draws.one_gain:
        offset += (1 - gain) * (red + green + blue) / 3
        if gain == 1 and offset == 0:
            return face
        return cv2.addWeighted(face, gain, face, 0, offset, dst=face if face.dtype == np.uint8 else room)
    # Plain numbers: NumPy takes ten times as long, and locks others out.
    of_red, of_green, of_blue = draws.shares[number]
    grey = of_red * red + of_green * green + of_blue * blue
    matrix = draws.colours[number].copy()
    matrix[:, 3] += (1 - gain) * grey * draws.tints[number]
    return cv2.transform(as_floats(face, room), matrix, dst=room)


def _mean(face: np.ndarray) -> tuple[float, float, float]:
    """Return the mean of each channel over some rows, as `cv2.mean` gives it in six times the time."""
    rows = face[:: max(1, len(face) // _MEAN_ROWS)]
    red, green, blue, _ = cv2.sumElems(rows)
    share = 1 / (rows.shape[0] * rows.shape[1])
    return red * share, green * share, blue * share
