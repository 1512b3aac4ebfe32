"""A face as a detector finds it, what speaks against reading it, and the interface of all detectors."""

import abc
import dataclasses
from dataclasses import dataclass

import cv2
import numpy as np

from fer_keras.preprocessing import as_rgb

#: What a face is marked with: fewer pixels than a model can use, out of focus, reaching beyond the picture.
MARKS = ("small", "blurred", "cut")
#: Under this many pixels on its shorter side a face is marked small: less than FER2013's faces have.
SMALL_SIDE = 40
#: Under this variance of the Laplacian a face is marked blurred. The face of scikit-image's astronaut has 919, and 232,
#: 62 and 29 after a Gaussian blur whose deviation is 1, 2 and 3 % of the face's height.
SHARPNESS = 100.0
_SHARPNESS_SIDE = 64  # faces are compared at one size, since enlarging one makes it look blurred


@dataclass(frozen=True)
class DetectedFace:
    """A face in an image.

    Attributes:
        face_box: (x0, y0, x1, y1) in pixels, x1 and y1 exclusive; it can reach beyond the image.
        score: the detector's own; scales differ between detectors.
        landmarks: (5, 2) x, y in pixels: the eye, then the mouth's corner, that appear on the left of the picture come
            before those on the right: eye, eye, nose, mouth, mouth. None where the detector tells none.
        marks: of `MARKS`, what speaks against reading this face.
    """

    face_box: tuple[float, float, float, float]
    score: float
    landmarks: np.ndarray | None = None
    marks: tuple[str, ...] = ()

    @property
    def side(self) -> float:
        """The shorter side of its box, pixels."""
        x0, y0, x1, y1 = self.face_box
        return min(x1 - x0, y1 - y0)


class Detector(abc.ABC):
    """Finds faces in an image. Detectors keep state, so each method serves one thread at a time; see `FaceFinder`.

    Attributes:
        name: its key in `DETECTORS`.
        video_side: larger frames of videos are shrunk to this for it, unless told otherwise.
        sweep: seconds of a video after which it looks everywhere again, and only around the faces it knows in between;
            0: everywhere in each frame.
        near_side, near_reach: a known face is looked for in a square view that reaches beyond it by `near_reach` of its
            side all round, and in which its side has `near_side` pixels.
        near_most: with more known faces than this, looking everywhere costs less.
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
        raise NotImplementedError(f"{self.name} looks everywhere in each frame: its sweep is 0.")


def scaled(face: DetectedFace, scale: float) -> DetectedFace:
    """Return a face found in an image that was shrunk by `scale`, in pixels of the image itself."""
    points = None if face.landmarks is None else (face.landmarks + 0.5) / scale - 0.5
    return dataclasses.replace(face, face_box=tuple(value / scale for value in face.face_box), landmarks=points)


def shifted(face: DetectedFace, x: float, y: float) -> DetectedFace:
    """Return a face moved by (x, y) pixels."""
    points = None if face.landmarks is None else face.landmarks + np.array([x, y], np.float32)
    return dataclasses.replace(face, face_box=tuple(np.add(face.face_box, (x, y, x, y)).tolist()), landmarks=points)


def padded(face: DetectedFace, padding: float) -> DetectedFace:
    """Return a face whose box is larger on each side by `padding` times its sides."""
    x0, y0, x1, y1 = face.face_box
    wide, high = (x1 - x0) * padding, (y1 - y0) * padding
    return dataclasses.replace(face, face_box=(x0 - wide, y0 - high, x1 + wide, y1 + high))


def quality_marks(image: np.ndarray, face_box) -> tuple[str, ...]:
    """Return what speaks against reading a face.

    small: the shorter side is under `SMALL_SIDE` pixels. blurred: the variance of the Laplacian of the face, grey and
    64 x 64 pixels, is under `SHARPNESS`; small faces are not judged so, there being nothing to see. cut: the box
    reaches beyond the image by 3 % of its side or more.

    Args:
        image: (height, width, 3) uint8, RGB.
        face_box: (x0, y0, x1, y1) in pixels.

    Returns:
        Of `MARKS`, in that order.
    """
    height, width = image.shape[:2]
    x0, y0, x1, y1 = face_box
    left, top, right, bottom = max(0, round(x0)), max(0, round(y0)), min(width, round(x1)), min(height, round(y1))
    small = min(x1 - x0, y1 - y0) < SMALL_SIDE
    seen = left < right and top < bottom
    beyond = max(-x0 / (x1 - x0), -y0 / (y1 - y0), (x1 - width) / (x1 - x0), (y1 - height) / (y1 - y0))
    found = (small, seen and not small and sharpness(image[top:bottom, left:right]) < SHARPNESS, beyond >= 0.03)
    return tuple(mark for mark, holds in zip(MARKS, found, strict=True) if holds)


def sharpness(face: np.ndarray) -> float:
    """Return the variance of the Laplacian of a face (height, width, 3) uint8 RGB, seen grey at 64 x 64 pixels.

    Source: Pech-Pacheco et al., Diatom autofocusing in brightfield microscopy, ICPR 2000.

    Example:
        >>> sharpness(np.full((80, 80, 3), 128, np.uint8))
        0.0
    """
    grey = cv2.cvtColor(np.ascontiguousarray(face), cv2.COLOR_RGB2GRAY)
    grey = cv2.resize(grey, (_SHARPNESS_SIDE, _SHARPNESS_SIDE), interpolation=cv2.INTER_AREA)
    return float(cv2.Laplacian(grey, cv2.CV_64F).var())


def equalised(image: np.ndarray, tiles: int = 8) -> np.ndarray:
    """Return an RGB image whose lightness is spread locally (CLAHE, in tiles x tiles parts), for dark or flat photos."""
    lab = cv2.cvtColor(as_rgb(image), cv2.COLOR_RGB2LAB)
    lab[:, :, 0] = cv2.createCLAHE(2.0, (tiles, tiles)).apply(np.ascontiguousarray(lab[:, :, 0]))
    return cv2.cvtColor(lab, cv2.COLOR_LAB2RGB)


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
