"""Bars of probabilities: beside a face in a picture, and as SVG for a page."""

from collections.abc import Mapping, Sequence
from html import escape

import cv2
import numpy as np

from fer_keras.drawing.lettering import FONT, darken, plain, strip_height, text_width, unit_of
from fer_keras.drawing.palette import ACCENT, INK, LIGHT, MUTED, TRACK, rgb


def draw_bars(
    frame: np.ndarray, shares: Mapping[str, float], box: tuple[int, int, int], colour: tuple[int, int, int]
) -> None:
    """Draw one bar per class beside a face, in place, ordered by name, so that no bar changes its place between frames.

    Args:
        frame: (height, width, 3) uint8, RGB, writable.
        shares: probabilities by name.
        box: (x0, y0, x1) of the face; bars stand on its right where the frame has room, otherwise on its left.
        colour: of the face, RGB.
    """
    x0, y0, x1 = box
    unit, names = unit_of(frame), sorted(shares)
    # Many classes get lower bars, so that the last one is still in the picture.
    high = min(max(10, round(24 * unit)), max(4, frame.shape[0] // max(len(names), 1)))
    small = max(0.2, min(max(0.36, 0.75 * unit), high / 27))
    wide = max(text_width(name, small) for name in names) + round(10 * unit) + 4
    x = x1 + 4 if x1 + 4 + wide <= frame.shape[1] else x0 - 4 - wide
    x = max(0, min(x, frame.shape[1] - wide))
    y = max(0, min(max(y0, strip_height(unit)), frame.shape[0] - high * len(names)))  # beneath a label at the top
    darken(frame[y : y + high * len(names), x : x + wide], 0.65)
    dimmed = tuple(round(value * 0.6) for value in colour)
    for row, name in enumerate(names):
        top = y + row * high
        cv2.rectangle(frame, (x, top + 1), (x + round(wide * shares[name]), top + high - 2), dimmed, -1)
        place = (x + 3, top + round(high * 0.75))
        cv2.putText(frame, plain(name), place, FONT, small, rgb(LIGHT), 1, cv2.LINE_AA)


def bars_svg(shares: Mapping[str, float], names: Sequence[str], colour: str = ACCENT) -> str:
    """Return one bar per class as SVG, each always in the same place.

    Args:
        shares: probabilities by name.
        names: the classes from top to bottom.
        colour: of the bars.
    """
    high, left, wide = 26, max(92, 8 * max(map(len, names), default=0) + 12), 300
    rows = []
    for row, name in enumerate(names):
        share, y = shares.get(name, 0.0), row * high
        rows.append(
            f'<text x="{left - 8}" y="{y + 17}" text-anchor="end" font-size="14" fill="{INK}">{escape(name)}</text>'
            f'<rect x="{left}" y="{y + 4}" width="{wide}" height="{high - 8}" fill="{TRACK}" rx="3"/>'
            f'<rect x="{left}" y="{y + 4}" width="{wide * share:.1f}" height="{high - 8}" fill="{colour}" rx="3"/>'
            f'<text x="{left + wide + 8}" y="{y + 17}" font-size="13" fill="{MUTED}">{share:.0%}</text>'
        )
    size = f'viewBox="0 0 {left + wide + 50} {high * max(len(names), 1)}" font-family="sans-serif"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} width="100%">{"".join(rows)}</svg>'
