"""Readings drawn on video frames: boxes, labels, bars of probabilities, the valence-arousal plane, the frame rate."""

import functools
from collections.abc import Sequence

import cv2
import numpy as np

from fer_keras.prediction.reading import QUADRANTS, Reading

_INK, _PAPER, _WARM = (255, 255, 255), (31, 41, 51), (230, 159, 0)  # RGB
#: A colour a face, told apart by people who see few colours too. Source: Okabe and Ito 2008.
COLOURS = ((86, 180, 233), (240, 228, 66), (0, 158, 115), (204, 121, 167), (213, 94, 0), (0, 114, 178))
_FONT = cv2.FONT_HERSHEY_SIMPLEX


def draw_faces(frame: np.ndarray, readings: Sequence[Reading], bars: bool = True) -> np.ndarray:
    """Draw each face's box, label and bars of all probabilities onto a frame, in place.

    The label is the likeliest emotion with its probability, after the face's id if it has one; marks of poor quality and
    "uncertain" follow it. Bars stand beside the box where the frame has room.

    Args:
        frame: (height, width, 3) uint8, RGB, writable.
        readings: with boxes in its pixels.
        bars: draw bars.

    Returns:
        The frame.
    """
    unit = _unit(frame)
    colours = [_WARM if doubts_of(reading) else colour_of(reading, number) for number, reading in enumerate(readings)]
    faces = [pair for pair in zip(readings, colours, strict=True) if pair[0].face_box is not None]
    for reading, colour in faces:
        x0, y0, x1, y1 = (round(value) for value in reading.face_box)
        cv2.rectangle(frame, (x0, y0), (x1, y1), colour, max(1, round(3 * unit)))
        if bars and reading.probabilities:
            _draw_bars(frame, reading, (x0, y0, x1), unit, colour)
    for reading, colour in faces:  # last, so that nothing lies on a label
        x0, y0, x1, _ = (round(value) for value in reading.face_box)
        whole = label_of(reading)
        crowded = len(faces) > 1 and cv2.getTextSize(_plain(whole), _FONT, unit, 1)[0][0] > 2 * (x1 - x0)
        _write_line(frame, label_of(reading, axes=False) if crowded else whole, x0, y0, unit, colour)
    return frame


def doubts_of(reading: Reading) -> list[str]:
    """Return in words what speaks against believing a reading."""
    return ["uncertain"] * reading.uncertain + list(getattr(reading, "marks", ()))


def label_of(reading: Reading, axes: bool = True) -> str:
    """Return what is written over a face: id, emotion, valence and arousal where `axes`, doubts.

    Example:
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
    return " ".join([*parts, *(f"({doubt})" for doubt in doubts_of(reading))]).strip()


def colour_of(reading: Reading, number: int) -> tuple[int, int, int]:
    """Return a face's colour, RGB: by its id, or by its number in the picture."""
    face = getattr(reading, "id", None)
    return COLOURS[(number if face is None else face - 1) % len(COLOURS)]


def draw_plane(
    frame: np.ndarray, readings: Sequence[Reading], trails: dict[int, Sequence[tuple[float, float]]] | None = None
) -> np.ndarray:
    """Draw the valence-arousal plane into the lower right corner of a frame, in place, with a point a face.

    Args:
        frame: (height, width, 3) uint8, RGB, writable.
        readings: those with valence and arousal are shown.
        trails: id -> earlier (valence, arousal), oldest first, drawn as a fading line.

    Returns:
        The frame.
    """
    side = max(72, round(min(frame.shape[:2]) * 0.3))
    gap = max(4, side // 20)
    if frame.shape[0] < side + gap or frame.shape[1] < side + gap:
        return frame
    plane = frame[-side - gap : -gap, -side - gap : -gap]
    _cover(plane, 0.75)
    middle, unit = side // 2, side / 320
    cv2.circle(plane, (middle, middle), middle - 2, (110, 120, 130), 1, cv2.LINE_AA)
    cv2.line(plane, (2, middle), (side - 3, middle), (110, 120, 130), 1)
    cv2.line(plane, (middle, 2), (middle, side - 3), (110, 120, 130), 1)
    for (right, up), word in QUADRANTS.items():
        wide = cv2.getTextSize(word, _FONT, unit, 1)[0][0]
        x = side - wide - 4 if right else 4
        cv2.putText(
            plane, word, (x, round(14 * unit) + 6 if up else side - 6), _FONT, unit, (190, 198, 205), 1, cv2.LINE_AA
        )
    for number, reading in enumerate(readings):
        if reading.valence is None or reading.arousal is None:
            continue
        colour = colour_of(reading, number)
        trail = [_place(point, side) for point in (trails or {}).get(getattr(reading, "id", None), ())]
        for age, (start, end) in enumerate(zip(trail, trail[1:], strict=False), 1):
            fade = age / len(trail)
            cv2.line(plane, start, end, tuple(round(value * fade) for value in colour), 1, cv2.LINE_AA)
        cv2.circle(plane, _place((reading.valence, reading.arousal), side), max(3, side // 40), colour, -1, cv2.LINE_AA)
    return frame


def draw_text(frame: np.ndarray, text: str) -> np.ndarray:
    """Write one line into the upper left corner of a frame, in place; return the frame."""
    unit = _unit(frame)
    _write_line(frame, text, 0, 0, unit, _PAPER)
    return frame


def _place(point: tuple[float, float], side: int) -> tuple[int, int]:
    """Return where (valence, arousal) stands in the plane, pixels."""
    reach = side // 2 - 4
    return round(side / 2 + point[0] * reach), round(side / 2 - point[1] * reach)


def _unit(frame: np.ndarray) -> float:
    """Return the size of writing, as OpenCV counts it, that can be read in a frame."""
    return max(0.42, min(frame.shape[:2]) / 1000)


def _write_line(frame: np.ndarray, text: str, x: int, y: int, unit: float, colour: tuple) -> None:
    """Write a line on a strip of `colour` whose lower edge is at y, or at the frame's top."""
    text, thick = _plain(text), _thick(unit)
    (wide, _), below = cv2.getTextSize(text, _FONT, unit, thick)
    pad, high = _pad(unit), _line_high(unit)
    x = max(0, min(x, frame.shape[1] - wide - 2 * pad))
    bottom = max(high, y)
    cv2.rectangle(frame, (x, bottom - high), (x + wide + 2 * pad, bottom), colour, -1)
    ink = _INK if sum(colour) < 330 else (0, 0, 0)
    cv2.putText(frame, text, (x + pad, bottom - below), _FONT, unit, ink, thick, cv2.LINE_AA)


def _thick(unit: float) -> int:
    return max(1, round(1.6 * unit))


def _pad(unit: float) -> int:
    return max(2, round(6 * unit))


def _line_high(unit: float) -> int:
    """Return how high a line's strip is, whatever its text."""
    (_, high), below = cv2.getTextSize("X", _FONT, unit, _thick(unit))
    return high + below + _pad(unit)


def _draw_bars(frame: np.ndarray, reading: Reading, box: tuple[int, int, int], unit: float, colour: tuple) -> None:
    """Draw a bar a class, in the order of their names, so that bars do not change places from frame to frame."""
    x0, y0, x1 = box
    names = sorted(reading.probabilities)
    high, small = max(10, round(24 * unit)), max(0.36, 0.75 * unit)
    wide = max(cv2.getTextSize(name, _FONT, small, 1)[0][0] for name in names) + round(10 * unit) + 4
    x = x1 + 4 if x1 + 4 + wide <= frame.shape[1] else x0 - 4 - wide
    x = max(0, min(x, frame.shape[1] - wide))
    y = max(0, min(max(y0, _line_high(unit)), frame.shape[0] - high * len(names)))  # beneath a label at the frame's top
    _cover(frame[y : y + high * len(names), x : x + wide], 0.65)
    for row, name in enumerate(names):
        share, top = reading.probabilities[name], y + row * high
        cv2.rectangle(frame, (x, top + 1), (x + round(wide * share), top + high - 2), _dimmed(colour), -1)
        cv2.putText(frame, _plain(name), (x + 3, top + round(high * 0.75)), _FONT, small, _INK, 1, cv2.LINE_AA)


def _cover(panel: np.ndarray, share: float) -> None:
    """Lay paper over a part of a frame, in place, so that `1 - share` of it shines through."""
    panel[:] = cv2.LUT(panel, _covered(share))


@functools.cache
def _covered(share: float) -> np.ndarray:
    """Return what each value of each channel becomes, to be looked up in place of computed for each pixel."""
    return (np.arange(256)[:, None] * (1 - share) + np.array(_PAPER) * share).astype(np.uint8)[None]


def _plain(text: str) -> str:
    """OpenCV's font has ASCII only."""
    return text.encode("ascii", "replace").decode()


def _dimmed(colour: tuple) -> tuple[int, ...]:
    return tuple(round(value * 0.6) for value in colour)
