"""What the page shows beside the picture, as SVG: bars of probabilities and the valence-arousal plane, moving smoothly."""

import base64
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from html import escape

from fer_keras.drawing.boxes import COLOURS
from fer_keras.faces.face_reader import FaceReading
from fer_keras.faces.tracking import mixed
from fer_keras.prediction.reading import QUADRANTS

_INK, _MUTED, _GRID = "#1f2933", "#5f6b7a", "#d5dbe2"
_TRAIL = 40


class DisplaySmoother:
    """Averages what is shown of each face from refresh to refresh, so that bars and points glide.

    Args:
        keep: share of what was shown before, 0 up to, not including, 1.
    """

    def __init__(self, keep: float = 0.85):
        if not 0 <= keep < 1:
            raise ValueError(f"keep expects a number from 0 up to, not including, 1. Received: {keep}.")
        self._keep = keep
        self._shares: dict[int, dict[str, float]] = {}
        self._trails: dict[int, deque] = {}

    def update(self, readings: Iterable[FaceReading]) -> dict[int, tuple[dict[str, float], list[tuple[float, float]]]]:
        """Return id -> (probabilities by name, trail of (valence, arousal), newest last) to show now.

        Faces that are not among `readings` are forgotten; what a model does not tell is empty.
        """
        shares, trails = {}, {}
        for reading in readings:
            face = reading.id or 0
            now = reading.probabilities or {}
            before = self._shares.get(face)
            shares[face] = mixed(before, now, self._keep) if before else dict(now)
            trails[face] = self._trails.get(face, deque(maxlen=_TRAIL))
            if reading.valence is not None and reading.arousal is not None:
                point = (reading.valence, reading.arousal)
                if trails[face]:
                    last = trails[face][-1]
                    point = tuple(
                        self._keep * old + (1 - self._keep) * new for old, new in zip(last, point, strict=True)
                    )
                trails[face].append(point)
        self._shares, self._trails = shares, trails
        return {face: (shares[face], list(trails[face])) for face in shares}


def colour_text(face: int) -> str:
    """Return a face's colour as in the picture, for HTML.

    Example:
        >>> colour_text(1)
        'rgb(86,180,233)'
    """
    return "rgb({},{},{})".format(*COLOURS[(face - 1) % len(COLOURS)])


def as_image(svg: str, what: str) -> str:
    """Return an SVG as an HTML image with the class `what`; Streamlit takes SVG elements themselves out of pages."""
    data = base64.b64encode(svg.encode()).decode()
    return (
        f'<img class="{what}" alt="{what}" style="width:100%;max-width:440px" src="data:image/svg+xml;base64,{data}">'
    )


def bars_svg(shares: Mapping[str, float], names: Sequence[str], colour: str = "#0072b2") -> str:
    """Return a bar a class, always in the same place.

    Args:
        shares: probabilities by name.
        names: the classes from top to bottom.
        colour: of the bars.
    """
    high, left, wide = 26, 92, 300
    rows = []
    for row, name in enumerate(names):
        share, y = shares.get(name, 0.0), row * high
        rows.append(
            f'<text x="{left - 8}" y="{y + 17}" text-anchor="end" font-size="14" fill="{_INK}">{escape(name)}</text>'
            f'<rect x="{left}" y="{y + 4}" width="{wide}" height="{high - 8}" fill="#eef1f4" rx="3"/>'
            f'<rect x="{left}" y="{y + 4}" width="{wide * share:.1f}" height="{high - 8}" fill="{colour}" rx="3"/>'
            f'<text x="{left + wide + 8}" y="{y + 17}" font-size="13" fill="{_MUTED}">{share:.0%}</text>'
        )
    size = f'viewBox="0 0 {left + wide + 50} {high * max(len(names), 1)}" font-family="sans-serif"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} width="100%">{"".join(rows)}</svg>'


def plane_svg(trails: Mapping[int, Sequence[tuple[float, float]]]) -> str:
    """Return the valence-arousal plane with a point a face and a fading trail behind it.

    Args:
        trails: id -> (valence, arousal), newest last.
    """
    side, reach = 300, 130
    middle = side / 2
    parts = [
        f'<circle cx="{middle}" cy="{middle}" r="{reach}" fill="none" stroke="{_GRID}"/>',
        f'<path d="M{middle - reach} {middle}H{middle + reach}M{middle} {middle - reach}V{middle + reach}" stroke="{_GRID}"/>',
        f'<text x="{side - 4}" y="{middle - 5}" text-anchor="end" font-size="11" fill="{_MUTED}">valence</text>',
        f'<text x="{middle + 5}" y="14" font-size="11" fill="{_MUTED}">arousal</text>',
    ]
    for (right, up), word in QUADRANTS.items():
        place = (
            f'x="{side - 6 if right else 6}" y="{20 if up else side - 8}" text-anchor="{"end" if right else "start"}"'
        )
        parts.append(f'<text {place} font-size="12" fill="{_MUTED}">{word}</text>')
    for face, trail in trails.items():
        points = [(middle + v * reach, middle - a * reach) for v, a in trail]
        for age, ((x0, y0), (x1, y1)) in enumerate(zip(points, points[1:], strict=False), 1):
            line = f'x1="{x0:.1f}" y1="{y0:.1f}" x2="{x1:.1f}" y2="{y1:.1f}"'
            parts.append(
                f'<line {line} stroke="{colour_text(face)}" stroke-width="3" opacity="{age / len(points):.2f}"/>'
            )
        if points:
            x, y = points[-1]
            parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="7" fill="{colour_text(face)}" stroke="{_INK}"/>')
    size = f'viewBox="0 0 {side} {side}" font-family="sans-serif" width="100%"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{"".join(parts)}</svg>'
