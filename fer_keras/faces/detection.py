"""A face as a detector finds it, and the interface of all detectors."""

from __future__ import annotations

import abc
import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class DetectedFace:
    """A face in an image.

    Attributes:
        face_box: (x0, y0, x1, y1) in pixels, x1 and y1 exclusive; it can reach beyond the image.
        score: the detector's own; scales differ between detectors.
        landmarks: (5, 2) x, y in pixels: eye, eye, nose, mouth corner, mouth corner, in each pair the one on the left of the
            picture first. None where the detector gives none.
        marks: reasons to doubt the reading of this face, see `fer_keras.faces.finder.MARKS`.
    """

    face_box: tuple[float, float, float, float]
    score: float
    landmarks: np.ndarray | None = None
    marks: tuple[str, ...] = ()

    @classmethod
    def from_corner(cls, box, score: float, landmarks=None) -> DetectedFace:
        """Return a face whose box is given as left, top, width, height."""
        import numpy as np

        x, y, wide, high = (float(value) for value in box)
        points = None if landmarks is None else np.asarray(landmarks, np.float32)
        return cls((x, y, x + wide, y + high), float(score), points)

    @property
    def side(self) -> float:
        """The shorter side of its box, pixels."""
        x0, y0, x1, y1 = self.face_box
        return min(x1 - x0, y1 - y0)

    def unscaled(self, scale: float) -> DetectedFace:
        """Return this face, found in an image that was scaled by `scale`, in the pixels of the image itself."""
        points = None if self.landmarks is None else (self.landmarks + 0.5) / scale - 0.5
        return dataclasses.replace(self, face_box=tuple(value / scale for value in self.face_box), landmarks=points)

    def shifted(self, x: float, y: float) -> DetectedFace:
        """Return this face moved by (x, y) pixels."""
        import numpy as np

        points = None if self.landmarks is None else self.landmarks + np.array([x, y], np.float32)
        box = tuple(value + step for value, step in zip(self.face_box, (x, y, x, y), strict=True))
        return dataclasses.replace(self, face_box=box, landmarks=points)

    def padded(self, padding: float) -> DetectedFace:
        """Return this face with a box that is larger on each side by `padding` times its sides."""
        x0, y0, x1, y1 = self.face_box
        wide, high = (x1 - x0) * padding, (y1 - y0) * padding
        return dataclasses.replace(self, face_box=(x0 - wide, y0 - high, x1 + wide, y1 + high))

    def framed(self, scale: float, lower: float) -> DetectedFace:
        """Return this face with a box `scale` times as large, its centre lower by `lower` times the height of the old one."""
        x0, y0, x1, y1 = self.face_box
        x, y = (x0 + x1) / 2, (y0 + y1) / 2 + lower * (y1 - y0)
        wide, high = scale * (x1 - x0) / 2, scale * (y1 - y0) / 2
        return dataclasses.replace(self, face_box=(x - wide, y - high, x + wide, y + high))


class Detector(abc.ABC):
    """Finds faces in an image. Detectors keep state, so each method serves one thread at a time; see `FaceFinder`.

    Attributes:
        name: its key in `DETECTORS`.
        least_side: images whose shorter side has fewer pixels are enlarged to this for it.
        video_side: larger frames of videos are shrunk to this for it, unless told otherwise.
        sweep: seconds of a video after which it searches the whole frame again, and only around the known faces in between;
            0: the whole of each frame.
        near_side, near_reach: a known face is searched for in a square view that reaches beyond it by `near_reach` of its
            side all round, and in which its side has `near_side` pixels.
        near_most: with more known faces than this, searching the whole frame costs less.
        copies: whether it is small enough for several threads to have one each, where `detect` is called by several.
        frame: (scale, lower) of `DetectedFace.framed` that makes its box the square that FER2013's faces fill, which models
            are trained on; `benchmarks/detector_crops.py` measures it.
    """

    name: str
    least_side: int = 0
    video_side: int = 640
    sweep: float = 0.0
    near_side: int = 48
    near_reach: float = 0.35
    near_most: int = 1000
    copies: bool = False
    frame: tuple[float, float] = (1.0, 0.0)

    @abc.abstractmethod
    def detect(self, image: np.ndarray) -> list[DetectedFace]:
        """Return the faces of an image (height, width, 3) uint8 RGB, best first, unmarked."""

    def detect_near(self, view: np.ndarray, face: DetectedFace) -> DetectedFace | None:
        """Return a known face as it is in the next frame of a video, unmarked, or None where it is not found.

        Args:
            view: (height, width, 3) uint8, RGB: what is around it, see `near_side`; less where the frame is smaller.
            face: in the frame before, in pixels of `view`.
        """
        raise NotImplementedError(f"{self.name} searches the whole of each frame: its sweep is 0.")


def overlap(one, other) -> float:
    """Return the intersection over union of two boxes (x0, y0, x1, y1).

    Example:
        >>> overlap((0, 0, 2, 2), (1, 0, 3, 2)) == 1 / 3, overlap((0, 0, 1, 1), (2, 2, 3, 3))
        (True, 0.0)
    """
    wide = min(one[2], other[2]) - max(one[0], other[0])
    high = min(one[3], other[3]) - max(one[1], other[1])
    both = max(0.0, wide) * max(0.0, high)
    either = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)) - both
    return both / either if either > 0 else 0.0
