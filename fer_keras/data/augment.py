"""Random changes of face batches in tf.data: one affine warp, light, colour, camera, erasing; one seed, one result.

All randomness is stateless, from a seed a batch, so a run that is resumed sees the faces that an unbroken one sees.
"""

import math
from dataclasses import dataclass, fields, replace

import tensorflow as tf

from fer_keras.data.degrade import add_noise, blur, compress

#: Where each of the 68 landmarks (iBUG order) stands in the mirror image.
MIRROR_68 = (
    *range(16, -1, -1),
    *range(26, 16, -1),
    *range(27, 31),
    *range(35, 30, -1),
    45,
    44,
    43,
    42,
    47,
    46,
    39,
    38,
    37,
    36,
    41,
    40,
    *range(54, 47, -1),
    *range(59, 54, -1),
    *range(64, 59, -1),
    *range(67, 64, -1),
)

_LUMA = (0.299, 0.587, 0.114)
_ERASE_AREA = (0.02, 0.2)  # share of the face
_JPEG_QUALITY = (20.0, 80.0)
_ERASE_LOG_ASPECT = (math.log(0.3), math.log(3.3))  # height over width


@dataclass(frozen=True)
class Augmentation:
    """How far faces are changed; 0 switches a change off. Fields as in `fer_keras.config.TrainConfig`.

    Attributes:
        rotation: degrees either way.
        zoom, shift, contrast, saturation: shares.
        brightness: share of 255.
        hue: share of the colour circle.
        flip: mirror half of the faces.
        erasing: probability of erasing one rectangle with noise (Zhong et al., Random Erasing Data Augmentation, 2020).
        tint: largest gain or loss of each colour channel, a share.
        blur: largest deviation of a Gaussian blur, a share of the side; half of the faces stay sharp.
        noise: largest deviation of Gaussian noise, a share of 255, the same in all channels.
        jpeg: probability of JPEG's artefacts.
        mixup, cutmix: parameters of the Beta distributions of `fer_keras.data.mixup`; 0 is none.
    """

    rotation: float = 15.0
    zoom: float = 0.1
    shift: float = 0.1
    flip: bool = True
    brightness: float = 0.1
    contrast: float = 0.1
    saturation: float = 0.0
    hue: float = 0.0
    erasing: float = 0.0
    tint: float = 0.0
    blur: float = 0.0
    noise: float = 0.0
    jpeg: float = 0.0
    mixup: float = 0.0
    cutmix: float = 0.0

    def calmed(self) -> "Augmentation":
        """Return the augmentation of a run's last epochs: every change half as far, nothing mixed or erased.

        A net that has learned from faces harder than any it will meet ends on some that are like those.

        Example:
            >>> calm = Augmentation(rotation=10, mixup=0.2).calmed()
            >>> calm.rotation, calm.mixup, calm.flip
            (5.0, 0.0, True)
        """
        off = {"erasing": 0.0, "mixup": 0.0, "cutmix": 0.0}
        halved = {item.name: getattr(self, item.name) / 2 for item in fields(self) if item.name not in {"flip", *off}}
        return replace(self, **halved, **off)


class _Draws:
    """Independent uniform numbers for each face of a batch, from one seed."""

    def __init__(self, seed: tf.Tensor, faces: tf.Tensor):
        self.seed, self.faces, self.used = tf.cast(seed, tf.int64), faces, 0

    def uniform(self, low: float, high: float, shape=()) -> tf.Tensor:
        self.used += 1
        seed = tf.stack([self.seed, tf.constant(self.used, tf.int64)])
        return tf.random.stateless_uniform([self.faces, *shape], seed, low, high)

    def normal(self, shape) -> tf.Tensor:
        self.used += 1
        seed = tf.stack([self.seed, tf.constant(self.used, tf.int64)])
        return tf.random.stateless_normal([self.faces, *shape], seed)


def augment(
    images: tf.Tensor, seed: tf.Tensor, options: Augmentation, landmarks: tf.Tensor | None = None
) -> tuple[tf.Tensor, tf.Tensor | None]:
    """Change every face of a batch at random.

    Args:
        images: (b, height, width, 3) uint8 or float32, RGB 0..255.
        seed: () integer; equal seeds give equal results.
        options: how far.
        landmarks: (b, 68, 2) float32 pixels, or None. They follow the warp, and the mirror renames left and right.

    Returns:
        (b, height, width, 3) float32 in 0..255, and the landmarks.
    """
    images = tf.cast(images, tf.float32)
    draws = _Draws(seed, tf.shape(images)[0])
    images, landmarks = _warp(images, draws, options, landmarks)
    images = _relight(images, draws, options)
    images = _photograph(images, draws, options)
    if options.erasing:
        images = _erase(images, draws, options.erasing)
    return tf.clip_by_value(images, 0.0, 255.0), landmarks


def _warp(images, draws: _Draws, options: Augmentation, landmarks):
    """Mirror, rotate, zoom and shift about the centre in one bilinear warp; edges are repeated."""
    size = tf.shape(images)[1:3]
    extent = tf.cast(tf.reverse(size, [0]), tf.float32)  # width, height
    centre = (extent - 1) / 2
    angle = draws.uniform(-options.rotation, options.rotation) * (math.pi / 180)
    scale = 1 + draws.uniform(-options.zoom, options.zoom)
    shift = draws.uniform(-options.shift, options.shift, (2,)) * extent
    mirrored = draws.uniform(0, 1) < (0.5 if options.flip else -1.0)
    sign = tf.where(mirrored, -1.0, 1.0)
    cosine, sine = tf.cos(angle), tf.sin(angle)
    # Forward: p' = centre + shift + scale * R * M * (p - centre), with M = diag(sign, 1).
    if landmarks is not None:
        landmarks = tf.where(mirrored[:, None, None], tf.gather(landmarks, MIRROR_68, axis=1), landmarks)
        x, y = tf.unstack(landmarks - centre, axis=2)
        x = x * sign[:, None]
        turned = tf.stack([cosine[:, None] * x - sine[:, None] * y, sine[:, None] * x + cosine[:, None] * y], 2)
        landmarks = turned * scale[:, None, None] + (centre + shift)[:, None, :]
    # Backward, which the operation wants: p = centre + M * R^-1 * (p' - centre - shift) / scale.
    a0, a1 = sign * cosine / scale, sign * sine / scale
    b0, b1 = -sine / scale, cosine / scale
    target = centre + shift
    zero = tf.zeros_like(a0)
    transforms = tf.stack(
        [
            a0,
            a1,
            centre[0] - a0 * target[:, 0] - a1 * target[:, 1],
            b0,
            b1,
            centre[1] - b0 * target[:, 0] - b1 * target[:, 1],
            zero,
            zero,
        ],
        axis=1,
    )
    warped = tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=transforms,
        output_shape=size,
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="NEAREST",
    )
    return tf.ensure_shape(warped, images.shape), landmarks


def _relight(images, draws: _Draws, options: Augmentation):
    if options.saturation or options.hue:
        images = tf.einsum("bhwc,bdc->bhwd", images, _colour_matrices(draws, options))
    gain = 1 + draws.uniform(-options.contrast, options.contrast)[:, None, None, None]
    offset = draws.uniform(-options.brightness, options.brightness)[:, None, None, None] * 255
    mean = tf.reduce_mean(images, axis=[1, 2, 3], keepdims=True)
    return (images - mean) * gain + mean + offset


def _photograph(images, draws: _Draws, options: Augmentation):
    """What stands between a face and its file: coloured light, lens and distance, sensor, compression."""
    if options.tint:
        images = images * (1 + draws.uniform(-options.tint, options.tint, (1, 1, 3)))
    if options.blur:
        images = blur(images, draws.uniform(-options.blur, options.blur))  # below 0: left sharp
    if options.noise:
        deviation = 255 * draws.uniform(0, options.noise, (1, 1, 1))
        images = add_noise(images, deviation * draws.normal((*images.shape[1:3], 1)))
    if options.jpeg:
        chosen = draws.uniform(0, 1) < options.jpeg
        images = tf.where(chosen[:, None, None, None], compress(images, draws.uniform(*_JPEG_QUALITY)), images)
    return images


def _colour_matrices(draws: _Draws, options: Augmentation):
    """(b, 3, 3) matrices that keep luma, scale saturation and turn hue in the YIQ plane."""
    yiq = tf.constant([_LUMA, (0.596, -0.274, -0.322), (0.211, -0.523, 0.312)])
    factor = 1 + draws.uniform(-options.saturation, options.saturation)
    angle = draws.uniform(-options.hue, options.hue) * (2 * math.pi)
    one, zero = tf.ones_like(factor), tf.zeros_like(factor)
    cosine, sine = factor * tf.cos(angle), factor * tf.sin(angle)
    turn = tf.stack(
        [tf.stack([one, zero, zero], 1), tf.stack([zero, cosine, -sine], 1), tf.stack([zero, sine, cosine], 1)], 1
    )
    return tf.einsum("ij,bjk,kl->bil", tf.linalg.inv(yiq), turn, yiq)


def _erase(images, draws: _Draws, probability: float):
    height, width = tf.unstack(tf.cast(tf.shape(images)[1:3], tf.float32))
    area = draws.uniform(*_ERASE_AREA)
    aspect = tf.exp(draws.uniform(*_ERASE_LOG_ASPECT))
    high, wide = tf.sqrt(area * aspect), tf.sqrt(area / aspect)
    top, left = draws.uniform(0, 1) * (1 - high), draws.uniform(0, 1) * (1 - wide)
    y = (tf.range(height) / height)[None, :, None]
    x = (tf.range(width) / width)[None, None, :]

    def spread(value):
        return value[:, None, None]

    inside = (y >= spread(top)) & (y < spread(top + high)) & (x >= spread(left)) & (x < spread(left + wide))
    chosen = draws.uniform(0, 1) < probability
    noise = draws.uniform(0, 255, (*images.shape[1:3], 3))
    return tf.where((inside & spread(chosen))[..., None], noise, images)
