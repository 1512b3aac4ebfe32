"""Readings drawn onto a copy of their picture: boxes, the answer, bars of probabilities, valence and arousal."""

from collections.abc import Sequence

import cv2
import numpy as np

from fer_keras.prediction.reading import Reading

_INK, _PAPER, _ACCENT, _WARM = (255, 255, 255), (31, 41, 51), (86, 180, 233), (230, 159, 0)  # RGB
_LEAST_SIDE = 320  # smaller pictures are enlarged, so that the writing has room


def annotate(image: np.ndarray, readings: Sequence[Reading], bars: int = 3) -> np.ndarray:
    """Return a copy of a picture with its readings drawn on it.

    Args:
        image: (height, width, 3) uint8, RGB; one that is small is enlarged.
        readings: of its faces; their boxes are in its pixels.
        bars: how many of the likeliest classes get a bar.

    Returns:
        (height, width, 3) uint8, RGB.
    """
    scale = max(1.0, _LEAST_SIDE / min(image.shape[:2]))
    size = round(image.shape[1] * scale), round(image.shape[0] * scale)
    canvas = cv2.resize(image, size, interpolation=cv2.INTER_NEAREST) if scale > 1 else image.copy()
    unit = max(0.45, min(canvas.shape[:2]) / 1000)
    for reading in readings:
        box = reading.face_box or (0, 0, image.shape[1], image.shape[0])
        x0, y0, x1, y1 = (round(value * scale) for value in box)
        if reading.face_box:
            cv2.rectangle(canvas, (x0, y0), (x1, y1), _WARM if reading.uncertain else _ACCENT, max(1, round(3 * unit)))
        _write(canvas, _lines(reading, bars), x0, y0, unit)
    return canvas


def _lines(reading: Reading, bars: int) -> list[tuple[str, float | None]]:
    """Return the lines of a face with the length of their bar, 0..1, or None for none."""
    lines: list[tuple[str, float | None]] = [("uncertain", None)] if reading.uncertain else []
    lines += [(f"{name} {share:.2f}", share) for name, share in reading.top(bars)]
    axes = [
        f"{axis} {value:+.2f}" for axis, value in (("v", reading.valence), ("a", reading.arousal)) if value is not None
    ]
    return lines + ([("  ".join(axes), None)] if axes else [])


def _write(canvas: np.ndarray, lines: list[tuple[str, float | None]], x: int, y: int, unit: float) -> None:
    high, thick = round(34 * unit), max(1, round(1.6 * unit))
    wide = max(
        (cv2.getTextSize(_plain(text), cv2.FONT_HERSHEY_SIMPLEX, unit, thick)[0][0] for text, _ in lines), default=0
    )
    wide += round(16 * unit)
    x, y = max(0, min(x, canvas.shape[1] - wide)), max(0, min(y, canvas.shape[0] - high * len(lines)))
    panel = canvas[y : y + high * len(lines), x : x + wide]
    panel[:] = (panel * 0.3 + np.array(_PAPER) * 0.7).astype(np.uint8)
    for number, (text, share) in enumerate(lines):
        top = y + number * high
        if share is not None:
            end = x + round(wide * share)
            cv2.rectangle(canvas, (x, top + high - max(2, high // 7)), (end, top + high - 2), _ACCENT, -1)
        place = (x + round(8 * unit), top + round(high * 0.72))
        cv2.putText(canvas, _plain(text), place, cv2.FONT_HERSHEY_SIMPLEX, unit, _INK, thick, cv2.LINE_AA)


def _plain(text: str) -> str:
    """OpenCV's font has ASCII only."""
    return text.encode("ascii", "replace").decode()
