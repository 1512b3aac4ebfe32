"""Random changes of face batches in NumPy and OpenCV: one affine warp, light and colour, camera, erasing.

They need no TensorFlow, so that a run on JAX or PyTorch sees the same faces. All randomness comes from a seed a batch: a run
that is resumed sees the faces that an unbroken one sees.
"""

import math
from dataclasses import dataclass, fields, replace

import cv2
import numpy as np

from fer_keras.batches.degrade import add_noise, blur, compress

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

_YIQ = np.array([(0.299, 0.587, 0.114), (0.596, -0.274, -0.322), (0.211, -0.523, 0.312)])  # the first row is luma
_ERASE_AREA = (0.02, 0.2)  # share of the face
_ERASE_LOG_ASPECT = (math.log(0.3), math.log(3.3))  # height over width
_JPEG_QUALITY = (20, 80)


@dataclass(frozen=True)
class Augmentation:
    """How far faces are changed; 0 switches a change off. Fields as in `fer_keras.config.fields.TrainConfig`.

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
        mixup, cutmix: parameters of the Beta distributions of `fer_keras.batches.mixup`; 0 is none.
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


def augment(
    images: np.ndarray, seed: int, options: Augmentation, landmarks: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray | None]:
    """Change every face of a batch at random.

    Args:
        images: (b, height, width, 3) uint8 or float32, RGB 0..255.
        seed: equal seeds give equal results.
        options: how far.
        landmarks: (b, 68, 2) float32 pixels, or None. They follow the warp, and the mirror renames left and right.

    Returns:
        (b, height, width, 3) float32 in 0..255, and the landmarks.
    """
    rng = np.random.default_rng(seed)
    faces = np.empty(images.shape, np.float32)
    moved = None if landmarks is None else np.empty_like(landmarks)
    for number, image in enumerate(images):
        turn, mirrored = _draw_warp(rng, image.shape, options)
        if moved is not None:
            moved[number] = _move(landmarks[number], turn, mirrored)
        faces[number] = _change(_warp(image, turn), rng, options)
    return faces, moved


def _change(face: np.ndarray, rng: np.random.Generator, options: Augmentation) -> np.ndarray:
    """Light and colour, then what stands between a face and its file: lens and distance, sensor, compression; erasing."""
    face = cv2.transform(face.astype(np.float32), _draw_colours(face, rng, options))
    if options.blur:
        face = blur(face, rng.uniform(-options.blur, options.blur))  # below 0: left sharp
    if options.noise:
        face = add_noise(face, rng.uniform(0, options.noise) * 255, rng)
    face = np.clip(face, 0.0, 255.0, out=face)
    if options.jpeg and rng.random() < options.jpeg:
        face = compress(face, int(rng.integers(*_JPEG_QUALITY, endpoint=True)))
    if options.erasing and rng.random() < options.erasing:
        _erase(face, rng)
    return face


def _draw_warp(rng: np.random.Generator, shape: tuple, options: Augmentation) -> tuple[np.ndarray, bool]:
    """Return the (2, 3) matrix that mirrors, rotates, zooms and shifts about the centre, and whether it mirrors.

    p' = centre + shift + scale * R * M * (p - centre), with M = diag(-1 if mirrored else 1, 1).
    """
    extent = np.array([shape[1], shape[0]], float)
    angle = math.radians(rng.uniform(-options.rotation, options.rotation))
    scale = 1 + rng.uniform(-options.zoom, options.zoom)
    shift = rng.uniform(-options.shift, options.shift, 2) * extent
    mirrored = options.flip and rng.random() < 0.5
    cosine, sine = scale * math.cos(angle), scale * math.sin(angle)
    turn = np.array([[cosine, -sine], [sine, cosine]]) @ np.diag([-1.0 if mirrored else 1.0, 1.0])
    centre = (extent - 1) / 2
    return np.column_stack([turn, centre + shift - turn @ centre]), mirrored


def _warp(image: np.ndarray, turn: np.ndarray) -> np.ndarray:
    """One bilinear warp; edges are repeated."""
    size = image.shape[1], image.shape[0]
    return cv2.warpAffine(image, turn, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _move(points: np.ndarray, turn: np.ndarray, mirrored: bool) -> np.ndarray:
    points = points[list(MIRROR_68)] if mirrored else points
    return points @ turn[:, :2].T + turn[:, 2]


def _draw_colours(face: np.ndarray, rng: np.random.Generator, options: Augmentation) -> np.ndarray:
    """Return the (3, 4) matrix of all that is linear in a pixel: hue and saturation, contrast and brightness, tint.

    Contrast is about the mean of the face, so that it does not change its brightness.
    """
    turn = np.eye(3)
    if options.saturation or options.hue:
        factor = 1 + rng.uniform(-options.saturation, options.saturation)
        angle = rng.uniform(-options.hue, options.hue) * 2 * math.pi
        cosine, sine = factor * math.cos(angle), factor * math.sin(angle)
        turn = np.linalg.solve(_YIQ, np.array([[1, 0, 0], [0, cosine, -sine], [0, sine, cosine]]) @ _YIQ)
    gain = 1 + rng.uniform(-options.contrast, options.contrast)
    brightness = rng.uniform(-options.brightness, options.brightness) * 255
    tint = 1 + rng.uniform(-options.tint, options.tint, (3, 1)) if options.tint else 1.0
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
