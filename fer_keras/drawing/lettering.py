"""Text on pictures: its size, a line on a coloured strip, dark panels behind it."""

import functools

import cv2
import numpy as np

from fer_keras.drawing.palette import DARK, LIGHT, rgb

FONT = cv2.FONT_HERSHEY_SIMPLEX


def unit_of(frame: np.ndarray) -> float:
    """Return the size of text, as OpenCV counts it, that can be read in a frame."""
    return max(0.42, min(frame.shape[:2]) / 1000)


def plain(text: str) -> str:
    """Return a text in ASCII, which is all that OpenCV's font has."""
    return text.encode("ascii", "replace").decode()


def text_width(text: str, unit: float) -> int:
    """Return the width of a text in pixels."""
    return cv2.getTextSize(plain(text), FONT, unit, 1)[0][0]


def strip_height(unit: float) -> int:
    """Return the height of a line's strip in pixels, the same for every text."""
    (_, high), below = cv2.getTextSize("X", FONT, unit, _thickness(unit))
    return high + below + _margin(unit)


def write_line(frame: np.ndarray, text: str, place: tuple[int, int], colour: tuple[int, int, int]) -> None:
    """Write a line on a coloured strip into a frame, in place.

    Args:
        frame: (height, width, 3) uint8, RGB, writable.
        text: the line.
        place: (x, y) of the strip's lower left corner; moved into the frame where it would reach beyond it.
        colour: of the strip, RGB.
    """
    unit, text = unit_of(frame), plain(text)
    (wide, _), below = cv2.getTextSize(text, FONT, unit, _thickness(unit))
    margin, high = _margin(unit), strip_height(unit)
    x = max(0, min(place[0], frame.shape[1] - wide - 2 * margin))
    bottom = max(high, place[1])
    cv2.rectangle(frame, (x, bottom - high), (x + wide + 2 * margin, bottom), colour, -1)
    ink = rgb(LIGHT) if sum(colour) < 330 else (0, 0, 0)
    cv2.putText(frame, text, (x + margin, bottom - below), FONT, unit, ink, _thickness(unit), cv2.LINE_AA)


def draw_text(frame: np.ndarray, text: str) -> np.ndarray:
    """Write one line into the upper left corner of a frame, in place; return the frame."""
    write_line(frame, text, (0, 0), rgb(DARK))
    return frame


def darken(panel: np.ndarray, share: float) -> None:
    """Lay the dark colour over a part of a frame, in place, so that `1 - share` of it shines through."""
    panel[:] = cv2.LUT(panel, _darkened(share))


@functools.cache
def _darkened(share: float) -> np.ndarray:
    """Return what each value of each channel becomes, to be looked up instead of computed for each pixel."""
    return (np.arange(256)[:, None] * (1 - share) + np.array(rgb(DARK)) * share).astype(np.uint8)[None]


def _thickness(unit: float) -> int:
    return max(1, round(1.6 * unit))


def _margin(unit: float) -> int:
    return max(2, round(6 * unit))
