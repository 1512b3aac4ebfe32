"""What the page shows beside the picture, moving smoothly, and how it puts SVG into itself."""

import base64
from collections import deque
from collections.abc import Iterable

from fer_keras.faces.tracking import mixed
from fer_keras.prediction.reading import FaceReading

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

        Faces that are not among `readings` are forgotten; what a model does not predict is empty.
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


def as_image(svg: str, what: str) -> str:
    """Return an SVG as an HTML image with the class `what`; Streamlit takes SVG elements themselves out of pages."""
    data = base64.b64encode(svg.encode()).decode()
    return (
        f'<img class="{what}" alt="{what}" style="width:100%;max-width:440px" src="data:image/svg+xml;base64,{data}">'
    )
