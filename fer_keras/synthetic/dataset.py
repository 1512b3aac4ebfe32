"""Drawn faces in AffectNet's official layout: a data set of known truth for tests, demonstrations and smoke runs.

The faces are drawn, not photographed: scores measured on them say that the code learns, not how well it reads people.
"""

import contextlib
import json
import os
import shutil
import uuid
from dataclasses import dataclass, fields
from pathlib import Path

import cv2
import numpy as np

from fer_keras.labels import EMOTIONS
from fer_keras.synthetic.face_shape import Expression, random_pose, random_shape
from fer_keras.synthetic.portrait import Portrait, random_look, random_scene, render_face

#: Raised whenever the same seed would draw another picture or label.
DRAWING_VERSION = 1

MARKER = "synthetic.json"
NOTE = "These faces are drawn, not photographed. They show that code learns, not how well a model reads people."
JPEG_QUALITY = 92

#: Shares of `EMOTIONS` in each split: training imbalanced as AffectNet is (milder for happy), validation balanced.
SHARES = {
    "train_set": (0.26, 0.30, 0.12, 0.09, 0.06, 0.04, 0.10, 0.03),
    "val_set": (0.125,) * 8,
}

#: Valence and arousal of each emotion at full intensity (its place on Russell's circumplex).
CIRCUMPLEX = {
    "neutral": (0.0, 0.0),
    "happy": (0.82, 0.3),
    "sad": (-0.75, -0.4),
    "surprise": (0.25, 0.8),
    "fear": (-0.4, 0.78),
    "disgust": (-0.78, 0.35),
    "anger": (-0.6, 0.72),
    "contempt": (-0.5, 0.2),
}

#: Actions of each emotion at full intensity (after the prototypes of Ekman and Friesen's EMFACS).
PROTOTYPES = {
    "neutral": {},
    "happy": {"corner_pull": 1.0, "lid_tighten": 0.6, "jaw_drop": 0.1},
    "sad": {"inner_brow_raise": 0.9, "brow_lower": 0.15, "corner_drop": 0.95, "chin_raise": 0.7, "lid_droop": 0.6},
    "surprise": {"inner_brow_raise": 1.0, "outer_brow_raise": 1.0, "lid_raise": 0.8, "jaw_drop": 0.9},
    "fear": {
        "inner_brow_raise": 1.0,
        "outer_brow_raise": 0.25,
        "brow_lower": 0.25,
        "lid_raise": 1.0,
        "lip_stretch": 1.1,
        "corner_drop": 0.1,
        "jaw_drop": 0.25,
    },
    "disgust": {
        "nose_wrinkle": 1.0,
        "upper_lip_raise": 1.0,
        "lid_tighten": 0.7,
        "brow_lower": 0.45,
        "corner_drop": 0.3,
    },
    "anger": {"brow_lower": 1.1, "outer_brow_raise": 0.15, "lid_raise": 0.35, "lip_press": 1.0, "corner_drop": 0.25},
    "contempt": {"one_sided": 1.2, "one_brow": 0.9, "brow_lower": 0.2, "lid_droop": 0.35, "lip_press": 0.25},
}
_ACTIONS = tuple(field.name for field in fields(Expression))


@dataclass(frozen=True)
class SyntheticFace:
    """A drawn face and its truth.

    Attributes:
        image: (size, size, 3) uint8 RGB.
        emotion: index into `fer_keras.labels.EMOTIONS`.
        valence: in [-1, 1], at most six decimals.
        arousal: in [-1, 1], at most six decimals.
        landmarks: (68, 2) float64 pixels x, y, iBUG order, (0, 0) the centre of the first pixel; they are the points
            the drawing uses and can lie outside the frame.
    """

    image: np.ndarray
    emotion: int
    valence: float
    arousal: float
    landmarks: np.ndarray


def draw_face(rng: np.random.Generator, emotion: int, size: int = 96) -> SyntheticFace:
    """Draw a face that shows an emotion, with everything else at random.

    Valence and arousal are the emotion's place on the circumplex times an intensity in [0.5, 1], plus a part of each
    face's own that shows in the picture: the lip corners for valence, the opening of eyes and mouth for arousal.

    Args:
        rng: source of everything random; the same state gives the same face, byte for byte.
        emotion: index into `fer_keras.labels.EMOTIONS`.
        size: side of the image in pixels, at least 32.

    Returns:
        The face and its truth.

    Raises:
        ValueError: `emotion` or `size` out of range.

    Example:
        >>> face = draw_face(np.random.default_rng(0), EMOTIONS.index("happy"))
        >>> face.image.shape, face.landmarks.shape, face.valence > 0
        ((96, 96, 3), (68, 2), True)
    """
    if not 0 <= emotion < len(EMOTIONS):
        raise ValueError(f"Argument `emotion` must be an index from 0 to {len(EMOTIONS) - 1}. Received: {emotion!r}.")
    if size < 32:
        raise ValueError(f"Argument `size` must be at least 32 pixels for the face to show. Received: {size!r}.")
    expression, valence, arousal = _express(rng, EMOTIONS[emotion])
    portrait = Portrait(random_shape(rng), random_look(rng), expression, random_pose(rng, size), random_scene(rng))
    image, landmarks = render_face(rng, portrait, size)
    return SyntheticFace(image, int(emotion), valence, arousal, landmarks)


def _express(rng: np.random.Generator, emotion: str) -> tuple[Expression, float, float]:
    """Draw the actions of an emotion and the valence and arousal they stand for."""
    intensity = rng.uniform(0.5, 1.0)
    cheer, alert = np.clip(rng.normal(0.0, 0.45, 2), -1.0, 1.0).tolist()
    gains = np.clip(rng.normal(1.0, 0.14, len(_ACTIONS)), 0.6, 1.4)
    stray = np.clip(rng.normal(0.0, 0.06, len(_ACTIONS)), 0.0, 0.15)
    side = rng.choice((-1.0, 1.0))
    prototype = PROTOTYPES[emotion]
    actions = {
        name: intensity**0.6 * gain * prototype.get(name, 0.0) + extra
        for name, gain, extra in zip(_ACTIONS, gains.tolist(), stray.tolist(), strict=True)
    }
    actions["one_sided"] *= side
    actions["one_brow"] *= side
    actions["corner_pull" if cheer > 0 else "corner_drop"] += 0.4 * abs(cheer)
    actions["lid_raise" if alert > 0 else "lid_droop"] += 0.45 * abs(alert)
    actions["jaw_drop"] += 0.2 * max(0.0, alert)
    valence, arousal = (
        min(1.0, max(-1.0, round(intensity * place + 0.17 * own, 6)))
        for place, own in zip(CIRCUMPLEX[emotion], (cheer, alert), strict=True)
    )
    return Expression(**actions), valence, arousal


def write_synthetic(
    directory: str | os.PathLike, *, train: int = 2400, val: int = 400, size: int = 96, seed: int = 0
) -> Path:
    """Write drawn faces in the layout of AffectNet's official release.

    `train_set` and `val_set` hold `images/{id}.jpg` and, in `annotations`, `{id}_exp.npy`, `{id}_val.npy`,
    `{id}_aro.npy` (0-d unicode arrays) and `{id}_lnd.npy` (136 float64: x, y of each landmark in turn, in pixels, some
    outside the frame). Ids are decimal numbers with gaps and occur in both splits. A (seed, split, id) always gives the
    same face, for any counts. Everything is written beside `directory` and renamed at the end, so `directory` is either
    complete or missing; a complete one with the same parameters is left as it is.

    Args:
        directory: folder to create; it may exist if it is empty or already holds this data set.
        train: number of training faces, 0 or more; classes imbalanced as in `SHARES`.
        val: number of validation faces, 0 or more; classes balanced.
        size: side of the images in pixels, at least 32.
        seed: non-negative seed.

    Returns:
        `directory` as a Path.

    Raises:
        ValueError: a number is out of range, or `directory` exists and is something else; nothing is overwritten.

    Example:
        >>> folder = write_synthetic("/tmp/faces", train=240, val=80)  # doctest: +SKIP
    """
    parameters = _parameters(train, val, size, seed)
    directory = Path(directory)
    if _is_written(directory, parameters):
        return directory
    directory.parent.mkdir(parents=True, exist_ok=True)
    partial = directory.parent / f".{directory.name}.{uuid.uuid4().hex}.partial"
    try:
        for split, count in (("train_set", train), ("val_set", val)):
            _write_split(partial / split, count, size=size, seed=seed)
        (partial / MARKER).write_text(json.dumps(parameters, indent=2) + "\n", encoding="utf-8")
        _move(partial, directory, parameters)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return directory


def _parameters(train: int, val: int, size: int, seed: int) -> dict:
    for name, value, least in (("train", train, 0), ("val", val, 0), ("size", size, 32), ("seed", seed, 0)):
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
            raise ValueError(f"Argument `{name}` must be an integer of at least {least}. Received: {value!r}.")
    numbers = {"train": int(train), "val": int(val), "size": int(size), "seed": int(seed)}
    return {"drawing_version": DRAWING_VERSION, **numbers, "note": NOTE}


def _is_written(directory: Path, parameters: dict) -> bool:
    """Return whether `directory` holds exactly this data set; raise ValueError if it holds anything else."""
    if not os.path.lexists(directory):
        return False
    if directory.is_dir() and not any(directory.iterdir()):
        return False
    found = None
    with contextlib.suppress(OSError, ValueError):
        found = json.loads((directory / MARKER).read_text(encoding="utf-8"))
    if found == parameters:
        return True
    held = "something that is not drawn faces" if found is None else f"drawn faces of other parameters, {found}"
    raise ValueError(
        f"Cannot write drawn faces: expected a new or empty folder, or one written before with {parameters}. "
        f"Received: '{directory}', which holds {held}. Name another folder, or move that one away."
    )


def _move(partial: Path, directory: Path, parameters: dict) -> None:
    """Rename the finished folder into place, or accept that another process was first with the same."""
    try:
        if directory.is_dir():
            directory.rmdir()
        partial.rename(directory)
    except OSError:
        if not _is_written(directory, parameters):
            raise


def _emotions(shares: tuple[float, ...], count: int) -> list[int]:
    """Return the emotions of the first `count` faces: each time the one furthest behind its share, so counts stay exact."""
    behind, order = np.zeros(len(shares)), []
    for _ in range(count):
        behind += shares
        order.append(int(np.argmax(behind)))
        behind[order[-1]] -= 1.0
    return order


def _write_split(folder: Path, count: int, *, size: int, seed: int) -> None:
    images, annotations = folder / "images", folder / "annotations"
    images.mkdir(parents=True)
    annotations.mkdir()
    number = list(SHARES).index(folder.name)
    gaps = np.random.default_rng((seed, number))
    face_id = -1
    for emotion in _emotions(SHARES[folder.name], count):
        face_id += 1 + int(gaps.random() < 0.3) * int(1 + 9 * gaps.random())
        face = draw_face(np.random.default_rng((seed, number, face_id)), emotion, size)
        _write_face(images, annotations, str(face_id), face)


def _write_face(images: Path, annotations: Path, name: str, face: SyntheticFace) -> None:
    encoded = cv2.imencode(".jpg", face.image[:, :, ::-1], (cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY))[1]
    (images / f"{name}.jpg").write_bytes(encoded.tobytes())
    scalars = {"exp": str(face.emotion), "val": _decimal(face.valence), "aro": _decimal(face.arousal)}
    for key, text in scalars.items():
        np.save(annotations / f"{name}_{key}.npy", np.array(text))
    np.save(annotations / f"{name}_lnd.npy", face.landmarks.reshape(-1))


def _decimal(value: float) -> str:
    """At most six decimals, no trailing zeros: '-0.176846', '0.5', '0'."""
    text = f"{value:.6f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
