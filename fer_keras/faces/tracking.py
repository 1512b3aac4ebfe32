"""Following faces from frame to frame: ids that stay, scores that move smoothly."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fer_keras.faces.detection import overlap
from fer_keras.faces.tracking_options import TrackingOptions
from fer_keras.labels import AXES
from fer_keras.prediction.reading import FaceReading

#: Boxes that overlap less, and are further apart than this share of their sides, are different faces.
LEAST_OVERLAP, LARGEST_STEP = 0.2, 1.0
#: A face may grow or shrink by this factor from one frame to the next.
_LARGEST_GROWTH = 1.8


@dataclass
class _Track:
    id: int
    reading: FaceReading
    missed: int = 0


class FaceTracker:
    """Gives the faces of a video ids that stay, and smooths each face's scores.

    Faces are paired with those of earlier frames by overlap and distance, the best pairs first. Scores are averaged
    exponentially: `smoothing` times what the face had plus the rest times what was read now.

    Args:
        smoothing: share of the earlier scores that is kept, 0 (none) up to, not including, 1.
        patience: a face that was not found for more frames than this is forgotten, and gets a new id if it comes back.
        min_confidence: faces whose smoothed confidence is under it are marked uncertain.

    Raises:
        ValueError: a number outside these limits.
    """

    def __init__(self, smoothing: float = TrackingOptions.smoothing, patience: int = 10, min_confidence: float = 0.0):
        TrackingOptions(smoothing)
        if patience < 0:
            raise ValueError(f"patience expects 0 or more frames. Received: {patience}.")
        self.smoothing, self.patience, self.min_confidence = smoothing, patience, min_confidence
        self._tracks: list[_Track] = []
        self._next = 1

    def update(self, readings: Sequence[FaceReading]) -> list[FaceReading]:
        """Take the faces of the next frame; return them in their order with id and smoothed scores.

        Args:
            readings: with boxes; their scores as read.
        """
        partner = self._pair(readings)
        seen = set()
        result = []
        for number, reading in enumerate(readings):
            track = partner.get(number)
            if track is None:
                track = _Track(self._next, reading)
                self._next += 1
                self._tracks.append(track)
            else:
                track.reading = smoothed(track.reading, reading, self.smoothing)
                track.missed = 0
            seen.add(track.id)
            doubtful = track.reading.confidence is not None and track.reading.confidence < self.min_confidence
            result.append(dataclasses.replace(track.reading, id=track.id, uncertain=doubtful))
        for track in self._tracks:
            track.missed += track.id not in seen
        self._tracks = [track for track in self._tracks if track.missed <= self.patience]
        return result

    def _pair(self, readings: Sequence[FaceReading]) -> dict[int, _Track]:
        pairs = []
        for number, reading in enumerate(readings):
            for track in self._tracks:
                closeness = _closeness(track.reading.face_box, reading.face_box)
                if closeness is not None:
                    pairs.append((closeness, track.missed, number, track))
        pairs.sort(key=lambda pair: (-pair[0], pair[1], pair[2], pair[3].id))
        partner: dict[int, _Track] = {}
        taken: set[int] = set()
        for _, _, number, track in pairs:
            if number not in partner and track.id not in taken:
                partner[number] = track
                taken.add(track.id)
        return partner


def smoothed(before: FaceReading, now: FaceReading, keep: float) -> FaceReading:
    """Return a face as it is now, with scores averaged exponentially.

    s_t = keep * s_(t-1) + (1 - keep) * x_t for each probability, valence and arousal; emotion and confidence follow from
    the averaged probabilities.

    Args:
        before: with the averaged scores so far.
        now: with the scores as read.
        keep: share of the earlier scores, 0 to 1.
    """
    facts: dict = {}
    for axis in AXES:
        if getattr(now, axis) is not None and getattr(before, axis) is not None:
            facts[axis] = keep * getattr(before, axis) + (1 - keep) * getattr(now, axis)
    if now.probabilities and before.probabilities:
        facts["probabilities"] = mixed(before.probabilities, now.probabilities, keep)
        facts["emotion"], facts["confidence"] = next(iter(facts["probabilities"].items()))
    return dataclasses.replace(now, **facts)


def mixed(before: Mapping[str, float], now: Mapping[str, float], keep: float) -> dict[str, float]:
    """Return probabilities averaged exponentially, likeliest first.

    Example:
        >>> mixed({"happy": 1.0, "sad": 0.0}, {"happy": 0.0, "sad": 1.0}, 0.25)
        {'sad': 0.75, 'happy': 0.25}
    """
    shares = {name: keep * before[name] + (1 - keep) * share for name, share in now.items()}
    return dict(sorted(shares.items(), key=lambda item: -item[1]))


def _closeness(one, other) -> float | None:
    """Return how likely two boxes are the same face, or None where they cannot be."""
    sides = [math.sqrt((box[2] - box[0]) * (box[3] - box[1])) for box in (one, other)]
    if max(sides) > _LARGEST_GROWTH * min(sides):
        return None
    centres = [((box[0] + box[2]) / 2, (box[1] + box[3]) / 2) for box in (one, other)]
    step = math.dist(*centres) / (sum(sides) / 2)
    shared = overlap(one, other)
    if shared < LEAST_OVERLAP and step > LARGEST_STEP:
        return None
    return shared - step
