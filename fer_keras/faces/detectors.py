"""What a face detector finds, the interface of all detectors, and the table of them.

Adding a detector takes one file with its class and one line in `DETECTORS`. This module loads nothing heavy, so command lines
take the names for their help from the table.
"""

from __future__ import annotations

import abc
import dataclasses
import importlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fer_keras.hints import nearest

if TYPE_CHECKING:
    import numpy as np

#: YuNet where its file is there already, otherwise Haar.
AUTO = "auto"
#: No detector: each image is one face already.
WHOLE = "whole"


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


class Detector(abc.ABC):
    """Finds faces in an image. Detectors keep state, so each method serves one thread at a time; see `FaceFinder`.

    Attributes:
        name: its key in `DETECTORS`.
        video_side: larger frames of videos are shrunk to this for it, unless told otherwise.
        sweep: seconds of a video after which it searches the whole frame again, and only around the known faces in between;
            0: the whole of each frame.
        near_side, near_reach: a known face is searched for in a square view that reaches beyond it by `near_reach` of its
            side all round, and in which its side has `near_side` pixels.
        near_most: with more known faces than this, searching the whole frame costs less.
    """

    name: str
    video_side: int = 640
    sweep: float = 0.0
    near_side: int = 48
    near_reach: float = 0.35
    near_most: int = 1000

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


@dataclass(frozen=True)
class DetectorEntry:
    """A detector by name.

    Attributes:
        module: the file of this folder that holds it.
        kind: name of its class, which takes `confidence`, and `model` where `takes_model`.
        package: what must be installed.
        install: what to ask pip for.
        takes_model: whether it has a model file that can be named.
    """

    module: str
    kind: str
    package: str = "cv2"
    install: str = "fer_keras"
    takes_model: bool = False

    @property
    def installed(self) -> bool:
        """Whether its package is there, without importing it."""
        return importlib.util.find_spec(self.package) is not None


DETECTORS: dict[str, DetectorEntry] = {
    "yunet": DetectorEntry("yunet", "YuNetDetector", takes_model=True),
    "haar": DetectorEntry("haar", "HaarDetector"),
    "mtcnn": DetectorEntry("mtcnn_detector", "MTCNNDetector", "mtcnn", "fer_keras[mtcnn]"),
    "mediapipe": DetectorEntry("mediapipe_detector", "MediaPipeDetector", "mediapipe", "fer_keras[mediapipe]", True),
    "dlib": DetectorEntry("dlib_detector", "DlibDetector", "dlib", "fer_keras[dlib]"),
}


def build_detector(name: str = AUTO, model: str | Path | None = None, confidence: float | None = None) -> Detector:
    """Return a detector by name.

    Args:
        name: a key of `DETECTORS`, or auto: YuNet where its file is there already (`find_yunet`) or named, otherwise Haar.
        model: path of its model file, for those that take one.
        confidence: least score; default: the detector's own.

    Raises:
        FileNotFoundError: no model file at that path.
        ValueError: an unknown name, a missing package, or a model file that cannot be read or fetched.
    """
    if name == AUTO:
        from fer_keras.faces.yunet import find_yunet

        name = "yunet" if model is not None or find_yunet() else "haar"
    if name not in DETECTORS:
        known = (AUTO, *DETECTORS)
        raise ValueError(f"detector expects one of {', '.join(known)}. Received: {name!r}.{nearest(name, known)}")
    entry = DETECTORS[name]
    if not entry.installed:
        raise ValueError(
            f'{name} needs the package {entry.package}, which is not installed: pip install "{entry.install}".'
        )
    if model is not None and not entry.takes_model:
        with_model = ", ".join(other for other, found in DETECTORS.items() if found.takes_model)
        raise ValueError(
            f"{name} has no model file. Expected one for {with_model} only. Received: --detector-model {model}."
        )
    kind = getattr(importlib.import_module(f"fer_keras.faces.{entry.module}"), entry.kind)
    return kind(confidence=confidence, **({"model": model} if entry.takes_model else {}))


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
