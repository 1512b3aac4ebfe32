"""The valence-arousal plane with a point per face: in the corner of a picture, and as SVG for a page."""

from collections.abc import Mapping, Sequence

import cv2
import numpy as np

from fer_keras.drawing.lettering import FONT, darken
from fer_keras.drawing.palette import INK, MUTED, PANEL_LINE, PANEL_WORD, PLANE_LINE, face_colour, id_colour, rgb
from fer_keras.labels import QUADRANTS

Point = tuple[float, float]


def draw_plane(
    frame: np.ndarray, readings: Sequence, trails: Mapping[int, Sequence[Point]] | None = None
) -> np.ndarray:
    """Draw the plane into the lower right corner of a frame, in place; a frame that is too small stays as it is.

    Args:
        frame: (height, width, 3) uint8, RGB, writable.
        readings: `Reading`s; those with valence and arousal are shown.
        trails: id -> earlier (valence, arousal), oldest first, drawn as a fading line.

    Returns:
        The frame.
    """
    side = max(72, round(min(frame.shape[:2]) * 0.3))
    gap = max(4, side // 20)
    if frame.shape[0] < side + gap or frame.shape[1] < side + gap:
        return frame
    plane = frame[-side - gap : -gap, -side - gap : -gap]
    _draw_axes(plane)
    for number, reading in enumerate(readings):
        if reading.valence is None or reading.arousal is None:
            continue
        colour = rgb(face_colour(reading, number))
        trail = [_place(point, side) for point in (trails or {}).get(getattr(reading, "id", None), ())]
        for age, (start, end) in enumerate(zip(trail, trail[1:], strict=False), 1):
            faded = tuple(round(value * age / len(trail)) for value in colour)
            cv2.line(plane, start, end, faded, 1, cv2.LINE_AA)
        cv2.circle(plane, _place((reading.valence, reading.arousal), side), max(3, side // 40), colour, -1, cv2.LINE_AA)
    return frame


def _draw_axes(plane: np.ndarray) -> None:
    """Draw the empty plane: circle, axes, a word in each quadrant."""
    darken(plane, 0.75)
    side, line = len(plane), rgb(PANEL_LINE)
    middle, unit = side // 2, side / 320
    cv2.circle(plane, (middle, middle), middle - 2, line, 1, cv2.LINE_AA)
    cv2.line(plane, (2, middle), (side - 3, middle), line, 1)
    cv2.line(plane, (middle, 2), (middle, side - 3), line, 1)
    for (right, up), word in QUADRANTS.items():
        x = side - cv2.getTextSize(word, FONT, unit, 1)[0][0] - 4 if right else 4
        y = round(14 * unit) + 6 if up else side - 6
        cv2.putText(plane, word, (x, y), FONT, unit, rgb(PANEL_WORD), 1, cv2.LINE_AA)


def _place(point: Point, side: int) -> tuple[int, int]:
    """Return where (valence, arousal) stands in the plane, pixels."""
    reach = side // 2 - 4
    return round(side / 2 + point[0] * reach), round(side / 2 - point[1] * reach)


def plane_svg(trails: Mapping[int, Sequence[Point]]) -> str:
    """Return the plane as SVG, with a point per face and a fading trail behind it.

    Args:
        trails: id -> (valence, arousal), newest last.
    """
    side, reach = 300, 130
    middle = side / 2
    cross = f"M{middle - reach} {middle}H{middle + reach}M{middle} {middle - reach}V{middle + reach}"
    parts = [
        f'<circle cx="{middle}" cy="{middle}" r="{reach}" fill="none" stroke="{PLANE_LINE}"/>',
        f'<path d="{cross}" stroke="{PLANE_LINE}"/>',
        f'<text x="{side - 4}" y="{middle - 5}" text-anchor="end" font-size="11" fill="{MUTED}">valence</text>',
        f'<text x="{middle + 5}" y="14" font-size="11" fill="{MUTED}">arousal</text>',
    ]
    for (right, up), word in QUADRANTS.items():
        place = (
            f'x="{side - 6 if right else 6}" y="{20 if up else side - 8}" text-anchor="{"end" if right else "start"}"'
        )
        parts.append(f'<text {place} font-size="12" fill="{MUTED}">{word}</text>')
    for face, trail in trails.items():
        parts += _trail_svg([(middle + v * reach, middle - a * reach) for v, a in trail], id_colour(face))
    size = f'viewBox="0 0 {side} {side}" font-family="sans-serif" width="100%"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{"".join(parts)}</svg>'


def _trail_svg(points: list[Point], colour: str) -> list[str]:
    parts = []
    for age, ((x0, y0), (x1, y1)) in enumerate(zip(points, points[1:], strict=False), 1):
        line = f'x1="{x0:.1f}" y1="{y0:.1f}" x2="{x1:.1f}" y2="{y1:.1f}"'
        parts.append(f'<line {line} stroke="{colour}" stroke-width="3" opacity="{age / len(points):.2f}"/>')
    if points:
        x, y = points[-1]
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="7" fill="{colour}" stroke="{INK}"/>')
    return parts
