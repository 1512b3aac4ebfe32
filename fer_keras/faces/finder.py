"""Finding the faces of images: a detector with shrinking, contrast, smallest face, padding and marks around it."""

import contextlib
import dataclasses
import queue
import threading
from collections.abc import Iterator

import cv2
import numpy as np

from fer_keras.cores import usable_cores
from fer_keras.faces.detection import DetectedFace, Detector, overlap
from fer_keras.faces.detectors import build_detector
from fer_keras.faces.opencv_threads import MOST_THREADS
from fer_keras.faces.reader_options import FinderOptions
from fer_keras.preprocessing import as_rgb, crop_face, level_face

#: Reasons to doubt the reading of a face: fewer pixels than a model can use, out of focus, reaching beyond the picture.
MARKS = ("small", "blurred", "cut")
#: Under this many pixels on its shorter side a face is marked small: less than FER2013's faces have.
SMALL_SIDE = 40
#: Under this variance of the Laplacian a face is marked blurred. The face of scikit-image's astronaut has 919, and 232,
#: 62 and 29 after a Gaussian blur whose deviation is 1, 2 and 3 % of the face's height.
SHARPNESS = 100.0
_SHARPNESS_SIDE = 64  # faces are compared at one size, since enlarging one makes it look blurred
#: Eyes are searched for in a square around the face of twice its size, enlarged to this many pixels: YuNet's points follow
#: a tilted head only where the face has about 200 (at 95, a face turned by 20 degrees gets level eyes).
_CLOSE_SIDE = 448
#: Tiles along each side of a view around a face, see `equalised`.
_NEAR_TILES = 2
#: Larger photos are shrunk to this for finding faces, unless told.
PHOTO_SIDE = 1280


class FaceFinder:
    """Finds the faces of images; may be shared by threads, which get a detector each or take turns.

    Args:
        options: see `FinderOptions`.

    Attributes:
        detector: the first one, which a lone thread uses.

    Raises:
        FileNotFoundError, ValueError: as `build_detector`.
    """

    def __init__(self, options: FinderOptions | None = None):
        self.options = options or FinderOptions()
        self.detector = self._build(self.options.detector)
        self._near_turn = threading.Lock()
        self._idle: queue.LifoQueue[Detector | None] = queue.LifoQueue()
        for _ in range(min(MOST_THREADS, usable_cores()) - 1 if self.detector.copies else 0):
            self._idle.put(None)  # one that is built when it is needed
        self._idle.put(self.detector)

    def find(self, image: np.ndarray) -> list[DetectedFace]:
        """Return the faces of an image (height, width, 3) uint8 RGB, best first, padded and marked."""
        image = as_rgb(image)
        return self.finished(image, self.detect(image, self.options.max_side or PHOTO_SIDE))

    def detect(self, image: np.ndarray, side: int) -> list[DetectedFace]:
        """Return the faces of an image as the detector gives them, in the image's pixels.

        Args:
            image: (height, width, 3) uint8, RGB.
            side: larger images are shrunk to this.
        """
        shorter, longer = sorted(image.shape[:2])
        scale = min(max(1.0, self.detector.least_side / shorter), side / longer)
        size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
        view = self._view(image, size)
        with self._lent() as detector:
            faces = detector.detect(view)
        return [face if scale == 1 else face.unscaled(scale) for face in faces]

    def detect_near(self, image: np.ndarray, known: list[DetectedFace]) -> list[DetectedFace]:
        """Return those faces of the frame before that are in the next frame of a video, as the detector gives them.

        Args:
            image: (height, width, 3) uint8, RGB: the next frame.
            known: of the frame before; each is searched for around its place only.
        """
        found: list[DetectedFace] = []
        for face in known:
            near = self._near(image, face)
            if near and all(overlap(near.face_box, other.face_box) < 0.5 for other in found):
                found.append(near)
        return found

    def finished(self, image: np.ndarray, faces: list[DetectedFace]) -> list[DetectedFace]:
        """Return those of the faces of `detect` that are inside the image and large enough, framed for models, and marked."""
        return [self._finished(image, face) for face in faces if self._usable(image, face)]

    def face_patch(self, image: np.ndarray, face: DetectedFace, aligned: bool = False) -> tuple[np.ndarray, tuple]:
        """Return the image and box that a face is cut from: turned until the eyes are level where options or model ask for it.

        Args:
            image: (height, width, 3) uint8, RGB.
            face: in it.
            aligned: whether the model was trained so, for where the options leave it open.
        """
        if (aligned if self.options.align is None else self.options.align) and face.landmarks is not None:
            eyes = self._close_eyes(image, face)
            return level_face(image, face.face_box, eyes[0], eyes[1])
        return image, face.face_box

    def settings(self) -> dict:
        """Return what decides which faces are found, to be stored beside results."""
        return {**self.options.facts(), "detector": self.detector.name}

    def _build(self, name: str) -> Detector:
        options = self.options
        return build_detector(name, options.detector_model, options.detector_confidence, offline=options.offline)

    @contextlib.contextmanager
    def _lent(self) -> Iterator[Detector]:
        """Lend this thread a detector; it waits while as many as may be there are in use."""
        detector = self._idle.get()
        try:
            detector = detector or self._build(self.detector.name)
            yield detector
        finally:
            self._idle.put(detector)

    def _near(self, image: np.ndarray, face: DetectedFace) -> DetectedFace | None:
        """Return a known face in the next frame, seen at a size that is cheap to search, or None."""
        reach = 1 + 2 * self.detector.near_reach
        (x0, y0, x1, y1), side = face.face_box, max(1, round(face.side * reach))
        wide, high = min(side, image.shape[1]), min(side, image.shape[0])
        left = min(max(0, round((x0 + x1 - side) / 2)), image.shape[1] - wide)
        top = min(max(0, round((y0 + y1 - side) / 2)), image.shape[0] - high)
        scale = round(self.detector.near_side * reach) / side
        size = max(1, round(wide * scale)), max(1, round(high * scale))
        view = self._view(image[top : top + high, left : left + wide], size, _NEAR_TILES)
        with self._near_turn:
            near = self.detector.detect_near(view, face.shifted(-left, -top).unscaled(1 / scale))
        return near and near.unscaled(scale).shifted(left, top)

    def _view(self, image: np.ndarray, size: tuple[int, int], tiles: int = 8) -> np.ndarray:
        """Return an image at another (width, height), its contrast raised where the options ask for it."""
        if size != image.shape[1::-1]:
            shrinks = size[0] < image.shape[1]
            image = cv2.resize(image, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
        return equalised(image, tiles) if self.options.clahe else image

    def _close_eyes(self, image: np.ndarray, face: DetectedFace) -> np.ndarray:
        """Return the eyes (2, 2) as found in an enlarged view of the face, or those of the face if it is not found there."""
        x0, y0, x1, y1 = face.face_box
        half = max(x1 - x0, y1 - y0) / (1 + 2 * self.options.padding)
        left, top = (x0 + x1) / 2 - half, (y0 + y1) / 2 - half
        scale = _CLOSE_SIDE / (2 * half)
        view = crop_face(image, (_CLOSE_SIDE, _CLOSE_SIDE), (left, top, left + 2 * half, top + 2 * half))
        with self._lent() as detector:
            found = [near.unscaled(scale) for near in detector.detect(view)]
        found = [near for near in found if near.landmarks is not None]
        box = x0 - left, y0 - top, x1 - left, y1 - top
        best = max(found, key=lambda near: overlap(near.face_box, box), default=None)
        if best is None or overlap(best.face_box, box) < 0.3:
            return face.landmarks[:2]
        return best.landmarks[:2] + np.array([left, top])

    def _usable(self, image: np.ndarray, face: DetectedFace) -> bool:
        x0, y0, x1, y1 = face.face_box
        inside = x1 > 0.5 and y1 > 0.5 and x0 < image.shape[1] - 0.5 and y0 < image.shape[0] - 0.5
        return inside and face.side >= self.options.min_face

    def _finished(self, image: np.ndarray, face: DetectedFace) -> DetectedFace:
        marks = quality_marks(image, face.face_box)
        framed = face if self.detector.frame == (1.0, 0.0) else face.framed(*self.detector.frame)
        return dataclasses.replace(framed.padded(self.options.padding), marks=marks)


def quality_marks(image: np.ndarray, face_box) -> tuple[str, ...]:
    """Return the reasons to doubt the reading of a face.

    small: the shorter side is under `SMALL_SIDE` pixels. blurred: the variance of the Laplacian of the face, grey and
    64 x 64 pixels, is under `SHARPNESS`; small faces are not judged by it. cut: the box
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
