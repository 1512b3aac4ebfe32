"""Blur, noise and JPEG artefacts on one face, as lens, sensor and file format cause them."""

import cv2
import numpy as np


def blur(face: np.ndarray, deviation: float) -> np.ndarray:
    """Return a face blurred by a Gaussian; edges are repeated.

    Args:
        face: (height, width, 3).
        deviation: as a share of the height; 0 or less leaves the face as it is.
    """
    if deviation <= 0:
        return face
    return cv2.GaussianBlur(face, (0, 0), deviation * face.shape[0], borderType=cv2.BORDER_REPLICATE)


def add_noise(face: np.ndarray, deviation: float, rng: np.random.Generator) -> np.ndarray:
    """Return a face with Gaussian noise, the same in all channels, kept in 0..255 as a sensor would.

    Args:
        face: (height, width, 3) float32 in 0..255.
        deviation: in grey levels.
        rng: source of the noise.
    """
    noise = rng.standard_normal((*face.shape[:2], 1), np.float32) * np.float32(deviation)
    return np.clip(face + noise, 0.0, 255.0)


def recompress(image: np.ndarray, quality: int) -> np.ndarray:
    """Return an image after JPEG at a quality from 1 to 100, encoded for real; RGB in and out."""
    code = cv2.imencode(".jpg", image[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.ascontiguousarray(cv2.imdecode(code, cv2.IMREAD_COLOR)[:, :, ::-1])


def compress(face: np.ndarray, quality: int) -> np.ndarray:
    """Return a face of any type after `recompress`, chroma at half resolution.

    Args:
        face: (height, width, 3), RGB 0..255; rounded to whole levels first.
        quality: from 1 to 100.

    Returns:
        The same shape and dtype.
    """
    levels = np.clip(np.rint(face), 0, 255).astype(np.uint8)
    return recompress(levels, quality).astype(face.dtype, copy=False)
