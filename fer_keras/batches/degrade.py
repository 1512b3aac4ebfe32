"""Blur, noise and JPEG artefacts on one face, as lens, sensor and file format cause them."""

from functools import lru_cache

import cv2
import numpy as np


def as_floats(face: np.ndarray, room: np.ndarray) -> np.ndarray:
    """Return a face as float32: itself, or a copy in `room`, which has its shape."""
    if face.dtype == np.float32:
        return face
    np.copyto(room, face)
    return room


def blur(face: np.ndarray, deviation: float, reach: int = 4, *, out: np.ndarray | None = None) -> np.ndarray:
    """Return a face blurred by a Gaussian; edges are repeated.

    Args:
        face: (height, width, 3).
        deviation: as a share of the height; 0 or less leaves the face as it is.
        reach: of the Gaussian in deviations, either way; OpenCV takes 3 for whole levels, else 4.
        out: where to write it, the face itself too; default: a new array.
    """
    if deviation <= 0:
        return face
    side = round(2 * reach * deviation * face.shape[0] + 1) | 1
    return cv2.GaussianBlur(face, (side, side), deviation * face.shape[0], dst=out, borderType=cv2.BORDER_REPLICATE)


def add_noise(face: np.ndarray, deviation: float, rng: np.random.Generator, *, out: np.ndarray) -> None:
    """Add Gaussian noise to a face, the same in all channels, kept in 0..255 as a sensor would.

    The noise is a stretch of one long drawn list, from a random place on and with a random sign: drawing as many normal
    numbers as a face has pixels takes longer than decoding the face.

    Args:
        face: (height, width, 3) float32.
        deviation: in grey levels.
        rng: source of place and sign.
        out: (height, width, 3) uint8, for whole levels, or float32.
    """
    pixels = face.shape[0] * face.shape[1]
    noise = _noise(max(_NOISE, 4 * pixels))
    first, sign = int(rng.integers(len(noise) - pixels)), 1 - 2 * int(rng.integers(2))
    part = noise[first : first + pixels].reshape(face.shape)
    _add(face, part, sign * deviation, out)


def in_range(face: np.ndarray, *, out: np.ndarray) -> None:
    """Write a float32 face to another one, (height, width, 3) uint8 or float32, rounded to its levels and kept in 0..255."""
    _add(face, face, 0.0, out)


def _add(face: np.ndarray, other: np.ndarray, share: float, out: np.ndarray) -> None:
    if out.dtype == np.uint8:  # rounded and kept in range on the way
        cv2.addWeighted(face, 1, other, share, 0, dst=out, dtype=cv2.CV_8U)
    else:
        np.clip(cv2.scaleAdd(other, share, face), 0.0, 255.0, out=out)


_NOISE = 1 << 18  # pixels of noise that are drawn once


@lru_cache(maxsize=2)
def _noise(count: int) -> np.ndarray:
    """Return (count, 3) float32, standard normal, equal in the three channels; always the same."""
    return np.repeat(np.random.default_rng(0).standard_normal((count, 1), np.float32), 3, axis=1)


def recompress(image: np.ndarray, quality: int) -> np.ndarray:
    """Return an image after JPEG at a quality from 1 to 100, encoded for real; RGB in and out."""
    colours = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2BGR)
    code = cv2.imencode(".jpg", colours, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return cv2.cvtColor(cv2.imdecode(code, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def compress(face: np.ndarray, quality: int) -> np.ndarray:
    """Return a face of any type after `recompress`, chroma at half resolution.

    Args:
        face: (height, width, 3), RGB 0..255; rounded to whole levels first.
        quality: from 1 to 100.

    Returns:
        The same shape and dtype.
    """
    levels = face if face.dtype == np.uint8 else np.clip(np.rint(face), 0, 255).astype(np.uint8)
    return recompress(levels, quality).astype(face.dtype, copy=False)
