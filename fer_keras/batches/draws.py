"""What is drawn at random for a batch of faces, all of it at once: how each face is moved, coloured, blurred and hidden.

Everything is drawn whether it is switched on or not, so that a change of one setting leaves the other draws as they were.
"""

import math
from dataclasses import dataclass

import numpy as np

from fer_keras.config.run_config import AugmentConfig

_YIQ = np.array([(0.299, 0.587, 0.114), (0.596, -0.274, -0.322), (0.211, -0.523, 0.312)])  # the first row is luma
_RGB = np.linalg.inv(_YIQ)
_ERASE_AREA = (0.02, 0.2)  # share of the face
_ERASE_LOG_ASPECT = (math.log(0.3), math.log(3.3))  # height over width
_JPEG_QUALITY = (20, 80)


@dataclass(frozen=True)
class Draws:
    """The changes of each face of a batch.

    Attributes:
        warps: (b, 2, 3) matrices that mirror, rotate, zoom and shift about the centre.
        shares: of each face, how much each channel adds to its mean after hue and saturation; lists of 3 numbers.
        gains, offsets: (b,) contrast, and brightness in grey levels.
        tints: (b, 3) gain of each channel.
        colours: (b, 3, 4) matrices of all of these, but for the mean of the face that contrast is about.
        one_gain: whether turns and tints are those that change nothing.
        blur: (b,) deviation as a share of the height; 0 or less leaves a face sharp.
        noise: (b,) deviation in grey levels.
        jpeg: (b,) int quality, 0 for none.
        erased: (b, 4) int top, left, height and width of a rectangle; 0, 0, 0, 0 for none.
    """

    warps: np.ndarray
    shares: list[list[float]]
    gains: np.ndarray
    offsets: np.ndarray
    tints: np.ndarray
    colours: np.ndarray
    one_gain: bool
    blur: np.ndarray
    noise: np.ndarray
    jpeg: np.ndarray
    erased: np.ndarray


def draw_changes(rng: np.random.Generator, shape: tuple[int, ...], config: AugmentConfig) -> Draws:
    """Draw the changes of a batch of faces.

    Args:
        rng: source of all of them.
        shape: (b, height, width, 3) of the batch.
        config: how far.
    """
    count, extent = shape[0], shape[1:3]
    warps = _draw_warps(rng, count, extent, config)
    turns = _draw_turns(rng, count, config)
    gains = 1 + config.contrast * rng.uniform(-1, 1, count)
    offsets = config.brightness * rng.uniform(-1, 1, count) * 255
    tints = 1 + config.tint * rng.uniform(-1, 1, (count, 3))
    blur, noise = config.blur * rng.uniform(-1, 1, count), config.noise * rng.random(count) * 255
    jpeg = rng.integers(*_JPEG_QUALITY, count, endpoint=True) * (rng.random(count) < config.jpeg)
    erased = _draw_rectangles(rng, count, extent) * (rng.random(count) < config.erasing)[:, None]
    colours = np.concatenate([gains[:, None, None] * turns, np.tile(offsets[:, None, None], (1, 3, 1))], 2)
    return Draws(
        warps,
        turns.mean(1).tolist(),
        gains,
        offsets,
        tints,
        colours=tints[:, :, None] * colours,
        one_gain=not (config.saturation or config.hue or config.tint),
        blur=blur,
        noise=noise,
        jpeg=jpeg,
        erased=erased,
    )


def _draw_warps(rng: np.random.Generator, count: int, extent: tuple[int, int], config: AugmentConfig) -> np.ndarray:
    """p' = centre + shift + scale * R * M * (p - centre), with M = diag(-1 if mirrored else 1, 1)."""
    sides = np.array([extent[1], extent[0]], float)
    angle = np.radians(config.rotation) * rng.uniform(-1, 1, count)
    scale = 1 + config.zoom * rng.uniform(-1, 1, count)
    shift = config.shift * rng.uniform(-1, 1, (count, 2)) * sides
    mirror = np.where((rng.random(count) < 0.5) & config.flip, -1.0, 1.0)
    cosine, sine = scale * np.cos(angle), scale * np.sin(angle)
    turn = np.stack([cosine * mirror, -sine, sine * mirror, cosine], 1).reshape(count, 2, 2)
    centre = (sides - 1) / 2
    return np.concatenate([turn, (centre + shift - turn @ centre)[:, :, None]], 2)


def _draw_turns(rng: np.random.Generator, count: int, config: AugmentConfig) -> np.ndarray:
    """Colours turned about grey, and more or less of them, in YIQ: luma stays."""
    factor = 1 + config.saturation * rng.uniform(-1, 1, count)
    angle = 2 * math.pi * config.hue * rng.uniform(-1, 1, count)
    inner = np.zeros((count, 3, 3))
    inner[:, 0, 0] = 1
    inner[:, 1, 1] = inner[:, 2, 2] = factor * np.cos(angle)
    inner[:, 2, 1] = factor * np.sin(angle)
    inner[:, 1, 2] = -inner[:, 2, 1]
    return _RGB @ inner @ _YIQ


def _draw_rectangles(rng: np.random.Generator, count: int, extent: tuple[int, int]) -> np.ndarray:
    """Return (count, 4) int top, left, height and width, each inside a face."""
    area, aspect = rng.uniform(*_ERASE_AREA, count), np.exp(rng.uniform(*_ERASE_LOG_ASPECT, count))
    sides = [np.sqrt(share) * side for share, side in zip((area * aspect, area / aspect), extent, strict=True)]
    sides = [np.clip(np.rint(long), 1, side).astype(int) for long, side in zip(sides, extent, strict=True)]
    starts = [rng.integers(side - long, endpoint=True) for long, side in zip(sides, extent, strict=True)]
    return np.stack([*starts, *sides], 1)
