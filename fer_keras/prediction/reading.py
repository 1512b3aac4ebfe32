"""What a face was read as: one result type, whatever the engine."""

import math
from dataclasses import dataclass

#: Words of the circumplex's quadrants by (valence >= 0, arousal >= 0). Source: Russell 1980, A circumplex model of affect.
QUADRANTS = {(True, True): "excited", (False, True): "distressed", (False, False): "depressed", (True, False): "calm"}
#: Nearer than this to the origin a face is in no quadrant.
NEUTRAL_RADIUS = 0.1


@dataclass(frozen=True)
class Reading:
    """A face as the model reads it; what the model does not tell is None.

    Attributes:
        emotion: the likeliest class.
        confidence: its probability, calibrated where the bundle holds a temperature.
        probabilities: of every class by name, likeliest first.
        valence, arousal: in -1..1.
        uncertain: whether the confidence is under the predictor's `min_confidence`.
        face_box: (x0, y0, x1, y1) in pixels of the image, or None for the whole image.
    """

    emotion: str | None = None
    confidence: float | None = None
    probabilities: dict[str, float] | None = None
    valence: float | None = None
    arousal: float | None = None
    uncertain: bool = False
    face_box: tuple[float, float, float, float] | None = None

    @property
    def answer(self) -> str | None:
        """The emotion to show: "uncertain" where the confidence is too small."""
        return "uncertain" if self.uncertain else self.emotion

    @property
    def quadrant(self) -> str | None:
        """The circumplex quadrant in a word, "neutral" near its centre, None without valence and arousal."""
        return None if self.valence is None or self.arousal is None else quadrant(self.valence, self.arousal)

    def top(self, k: int = 3) -> list[tuple[str, float]]:
        """Return the k likeliest classes with their probabilities, likeliest first."""
        return list((self.probabilities or {}).items())[:k]

    def to_dict(self) -> dict:
        """Return everything as plain values that JSON can hold."""
        return {
            "face_box": None if self.face_box is None else list(self.face_box),
            "emotion": self.emotion,
            "confidence": self.confidence,
            "uncertain": self.uncertain,
            "valence": self.valence,
            "arousal": self.arousal,
            "quadrant": self.quadrant,
            "probabilities": None if self.probabilities is None else dict(self.probabilities),
        }


@dataclass(frozen=True)
class Unreadable:
    """What stands in a reading's place where an image could not be read.

    Attributes:
        reason: why, in one line.
    """

    reason: str


def quadrant(valence: float, arousal: float) -> str:
    """Return the circumplex quadrant of a point in a word.

    Args:
        valence, arousal: in -1..1.

    Returns:
        excited, distressed, depressed or calm; neutral within 0.1 of the origin.

    Example:
        >>> quadrant(0.6, -0.4), quadrant(-0.6, 0.4), quadrant(0.02, -0.05)
        ('calm', 'distressed', 'neutral')
    """
    if math.hypot(valence, arousal) < NEUTRAL_RADIUS:
        return "neutral"
    return QUADRANTS[valence >= 0, arousal >= 0]
