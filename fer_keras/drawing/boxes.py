"""Faces drawn on pictures and frames: a box, a label and bars of probabilities each."""

import dataclasses
from collections.abc import Sequence

import cv2
import numpy as np

from fer_keras.drawing.bars import draw_bars
from fer_keras.drawing.lettering import text_width, unit_of, write_line
from fer_keras.drawing.palette import DOUBT, face_colour, rgb

#: Pictures with a shorter side are enlarged to this, so that the text has room, up to `_LARGEST` pixels on the longer one.
LEAST_SIDE = 320
_LARGEST = 2048


def annotated(image: np.ndarray, readings: Sequence, bars: bool = True) -> np.ndarray:
    """Return a copy of a picture with its readings drawn on it, enlarged if it is small.

    Args:
        image: (height, width, 3) uint8, RGB.
        readings: `Reading`s of its faces, with boxes in its pixels; without a box the whole picture is one face.
        bars: whether to draw bars of all probabilities.

    Returns:
        (height, width, 3) uint8, RGB.
    """
    height, width = image.shape[:2]
    scale = max(1.0, min(LEAST_SIDE / min(height, width), _LARGEST / max(height, width)))
    if scale == 1 or not readings:
        return draw_faces(image.copy(), readings, bars)
    size = round(width * scale), round(height * scale)
    enlarged = cv2.resize(image, size, interpolation=cv2.INTER_NEAREST)
    return draw_faces(enlarged, [_scaled(reading, scale) for reading in readings], bars)


def _scaled(reading, scale: float):
    """Return a reading with its box in the pixels of a picture that is larger by `scale`."""
    if reading.face_box is None:
        return reading
    return dataclasses.replace(reading, face_box=tuple(value * scale for value in reading.face_box))


def draw_faces(frame: np.ndarray, readings: Sequence, bars: bool = True) -> np.ndarray:
    """Draw each face's box, label and bars of all probabilities onto a frame, in place.

    The label is the likeliest emotion with its probability, after the face's id if it has one; doubts follow it. Bars stand
    beside the box where the frame has room.

    Args:
        frame: (height, width, 3) uint8, RGB, writable.
        readings: `Reading`s with boxes in its pixels; without a box the whole frame is one face.
        bars: whether to draw bars.

    Returns:
        The frame.
    """
    thickness = max(1, round(3 * unit_of(frame)))
    colours = [rgb(DOUBT if reading.doubts else face_colour(reading, n)) for n, reading in enumerate(readings)]
    boxes = [_box(frame, reading) for reading in readings]
    for reading, colour, (x0, y0, x1, y1) in zip(readings, colours, boxes, strict=True):
        if reading.face_box is not None:
            cv2.rectangle(frame, (x0, y0), (x1, y1), colour, thickness)
        if bars and reading.probabilities:
            draw_bars(frame, reading.probabilities, (x0, y0, x1), colour)
    for reading, colour, (x0, y0, x1, _) in zip(
        readings, colours, boxes, strict=True
    ):  # last, so that nothing hides them
        label = label_of(reading)
        crowded = len(boxes) > 1 and text_width(label, unit_of(frame)) > 2 * (x1 - x0)
        write_line(frame, label_of(reading, axes=False) if crowded else label, (x0, y0), colour)
    return frame


def _box(frame: np.ndarray, reading) -> tuple[int, int, int, int]:
    if reading.face_box is None:
        return 0, 0, frame.shape[1], frame.shape[0]
    x0, y0, x1, y1 = (round(value) for value in reading.face_box)
    return x0, y0, x1, y1


def label_of(reading, axes: bool = True) -> str:
    """Return what is written over a face: id, emotion, valence and arousal where `axes`, doubts.

    Example:
        >>> from fer_keras import Reading
        >>> label_of(Reading("happy", 0.91, {"happy": 0.91}, 0.62, 0.2))
        'happy 91%  v +0.62 a +0.20'
    """
    face = getattr(reading, "id", None)
    parts = [] if face is None else [f"#{face}"]
    if reading.emotion:
        parts.append(f"{reading.emotion} {reading.confidence:.0%} ")
    if axes:
        known = (("v", reading.valence), ("a", reading.arousal))
        parts += [f"{name} {value:+.2f}" for name, value in known if value is not None]
    return " ".join([*parts, *(f"({doubt})" for doubt in reading.doubts)]).strip()
