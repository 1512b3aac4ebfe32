"""Random changes of face batches in NumPy and OpenCV: one affine warp, light and colour, camera, erasing.

They need no TensorFlow, so that a run on JAX or PyTorch sees the same faces. All randomness comes from one seed per batch: a
resumed run sees the faces that an unbroken one sees.
"""

import math
from dataclasses import fields, replace

import cv2
import numpy as np

from fer_keras.batches.degrade import add_noise, blur, compress
from fer_keras.config.run_config import AugmentConfig

_YIQ = np.array([(0.299, 0.587, 0.114), (0.596, -0.274, -0.322), (0.211, -0.523, 0.312)])  # the first row is luma
_ERASE_AREA = (0.02, 0.2)  # share of the face
_ERASE_LOG_ASPECT = (math.log(0.3), math.log(3.3))  # height over width
_JPEG_QUALITY = (20, 80)


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
        (b, height, width, 3) float32 in 0..255.
    """
    rng = np.random.default_rng(seed)
    faces = np.empty(images.shape, np.float32)
    for number, image in enumerate(images):
        faces[number] = _change(_warp(image, _draw_warp(rng, image.shape, config)), rng, config)
    return faces


def _change(face: np.ndarray, rng: np.random.Generator, config: AugmentConfig) -> np.ndarray:
    """Light and colour, then what stands between a face and its file: lens and distance, sensor, compression; erasing."""
    face = cv2.transform(face.astype(np.float32), _draw_colours(face, rng, config))
    if config.blur:
        face = blur(face, rng.uniform(-config.blur, config.blur))  # below 0: left sharp
    if config.noise:
        face = add_noise(face, rng.uniform(0, config.noise) * 255, rng)
    face = np.clip(face, 0.0, 255.0, out=face)
    if config.jpeg and rng.random() < config.jpeg:
        face = compress(face, int(rng.integers(*_JPEG_QUALITY, endpoint=True)))
    if config.erasing and rng.random() < config.erasing:
        _erase(face, rng)
    return face


def _draw_warp(rng: np.random.Generator, shape: tuple, config: AugmentConfig) -> np.ndarray:
    """Return the (2, 3) matrix that mirrors, rotates, zooms and shifts about the centre.

    p' = centre + shift + scale * R * M * (p - centre), with M = diag(-1 if mirrored else 1, 1).
    """
    extent = np.array([shape[1], shape[0]], float)
    angle = math.radians(rng.uniform(-config.rotation, config.rotation))
    scale = 1 + rng.uniform(-config.zoom, config.zoom)
    shift = rng.uniform(-config.shift, config.shift, 2) * extent
    mirrored = config.flip and rng.random() < 0.5
    cosine, sine = scale * math.cos(angle), scale * math.sin(angle)
    turn = np.array([[cosine, -sine], [sine, cosine]]) @ np.diag([-1.0 if mirrored else 1.0, 1.0])
    centre = (extent - 1) / 2
    return np.column_stack([turn, centre + shift - turn @ centre])


def _warp(image: np.ndarray, turn: np.ndarray) -> np.ndarray:
    """One bilinear warp; edges are repeated."""
    size = image.shape[1], image.shape[0]
    return cv2.warpAffine(image, turn, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _draw_colours(face: np.ndarray, rng: np.random.Generator, config: AugmentConfig) -> np.ndarray:
    """Return the (3, 4) matrix of all that is linear in a pixel: hue and saturation, contrast and brightness, tint.

    Contrast is about the mean of the face, so that it does not change its brightness.
    """
    turn = np.eye(3)
    if config.saturation or config.hue:
        factor = 1 + rng.uniform(-config.saturation, config.saturation)
        angle = rng.uniform(-config.hue, config.hue) * 2 * math.pi
        cosine, sine = factor * math.cos(angle), factor * math.sin(angle)
        turn = np.linalg.solve(_YIQ, np.array([[1, 0, 0], [0, cosine, -sine], [0, sine, cosine]]) @ _YIQ)
    gain = 1 + rng.uniform(-config.contrast, config.contrast)
    brightness = rng.uniform(-config.brightness, config.brightness) * 255
    tint = 1 + rng.uniform(-config.tint, config.tint, (3, 1)) if config.tint else 1.0
    mean = (turn @ cv2.mean(face)[:3]).mean()
    return tint * np.column_stack([gain * turn, np.full(3, (1 - gain) * mean + brightness)])


def _erase(face: np.ndarray, rng: np.random.Generator) -> None:
    """Put noise over one rectangle of a face, in place."""
    height, width = face.shape[:2]
    area, aspect = rng.uniform(*_ERASE_AREA), math.exp(rng.uniform(*_ERASE_LOG_ASPECT))
    high, wide = (round(math.sqrt(share) * side) for share, side in ((area * aspect, height), (area / aspect, width)))
    high, wide = min(max(high, 1), height), min(max(wide, 1), width)
    top, left = rng.integers(height - high, endpoint=True), rng.integers(width - wide, endpoint=True)
    face[top : top + high, left : left + wide] = rng.uniform(0, 255, (high, wide, 3))
