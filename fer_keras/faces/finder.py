"""Finding faces with all that stands around a detector: shrinking, contrast, smallest face, padding, marks; frame by frame."""

import dataclasses
import threading

import cv2
import numpy as np

from fer_keras.faces.detection import DetectedFace, equalised, overlap, padded, quality_marks, scaled, shifted
from fer_keras.faces.detectors import build_detector
from fer_keras.faces.finder_options import FinderOptions
from fer_keras.preprocessing import as_rgb, crop_face, level_face

#: Eyes are looked for in a square around the face of twice its size, enlarged to this many pixels: YuNet's points follow
#: a tilted head only where the face has about 200 (at 95, a face turned by 20 degrees gets level eyes).
_CLOSE_SIDE = 448
#: Parts along each side of a view around a face whose contrast is raised each by itself, see `equalised`.
_NEAR_TILES = 2
#: Larger photos are shrunk to this for finding faces, unless told.
PHOTO_SIDE = 1280


class FaceFinder:
    """Finds the faces of images; may be shared by threads, which then take turns.

    Args:
        options: see `FinderOptions`.

    Raises:
        FileNotFoundError, ValueError: as `build_detector`.
    """

    def __init__(self, options: FinderOptions | None = None):
        self.options = options or FinderOptions()
        self.detector = build_detector(
            self.options.detector, self.options.detector_model, self.options.detector_confidence
        )
        self._turn, self._near_turn = threading.Lock(), threading.Lock()

    def find(self, image: np.ndarray) -> list[DetectedFace]:
        """Return the faces of an image (height, width, 3) uint8 RGB, best first, padded and marked."""
        image = as_rgb(image)
        return self.finished(image, self.look(image, self.options.max_side or PHOTO_SIDE))

    def look(self, image: np.ndarray, side: int) -> list[DetectedFace]:
        """Return the faces of an image as the detector tells them, in the image's pixels.

        Args:
            image: (height, width, 3) uint8, RGB.
            side: larger images are shrunk to this.
        """
        scale = min(1.0, side / max(image.shape[:2]))
        size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
        view = self._view(image, size)
        with self._turn:
            faces = self.detector.detect(view)
        return [scaled(face, scale) if scale < 1 else face for face in faces]

    def look_near(self, image: np.ndarray, known: list[DetectedFace]) -> list[DetectedFace]:
        """Return those faces of the frame before that are in the next frame of a video, as the detector tells them.

        Args:
            image: (height, width, 3) uint8, RGB: the next frame.
            known: of the frame before; each is looked for around its place only.
        """
        found: list[DetectedFace] = []
        for face in known:
            near = self._near(image, face)
            if near and all(overlap(near.face_box, other.face_box) < 0.5 for other in found):
                found.append(near)
        return found

    def finished(self, image: np.ndarray, faces: list[DetectedFace]) -> list[DetectedFace]:
        """Return those of `look`'s faces that are inside the image and large enough, padded and marked."""
        return [self._finished(image, face) for face in faces if self._usable(image, face)]

    def face_patch(self, image: np.ndarray, face: DetectedFace, aligned: bool = False) -> tuple[np.ndarray, tuple]:
        """Return the image and box that a face is cut from: turned so that the eyes are level if so asked.

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
        """Return what decides which faces are found, to be kept beside results."""
        return {**self.options.facts(), "detector": self.detector.name}

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
            near = self.detector.detect_near(view, scaled(shifted(face, -left, -top), 1 / scale))
        return near and shifted(scaled(near, scale), left, top)

    def _view(self, image: np.ndarray, size: tuple[int, int], tiles: int = 8) -> np.ndarray:
        """Return an image at another (width, height), its contrast raised if so asked."""
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
        with self._turn:
            found = [scaled(near, scale) for near in self.detector.detect(view)]
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
        return dataclasses.replace(padded(face, self.options.padding), marks=marks)


class FrameFinder:
    """Finds the faces of a video's frames, one after the other.

    A detector that is slow in a whole frame (`Detector.sweep`) looks everywhere now and then, where a face was lost, and
    while there is none; else only around the faces of the frame before. So a face is found in each frame as ever, but one
    that joins others may be found up to a sweep later; in a file `find_in_clip` finds it in the frames before as well.

    Args:
        finder: whose options and detector are used.
    """

    def __init__(self, finder: FaceFinder):
        self._finder = finder
        self._side = finder.options.max_side or finder.detector.video_side
        self._known: list[DetectedFace] = []
        self._swept = 0.0

    def find(self, image: np.ndarray, seconds: float) -> list[DetectedFace]:
        """Return the faces of the next frame, best first, padded and marked.

        Args:
            image: (height, width, 3) uint8, RGB.
            seconds: when it is, by any clock.
        """
        image = as_rgb(image)
        due = not 0 <= seconds - self._swept < self._finder.detector.sweep
        followed, joined = self.follow(image, self.look(image) if due else None)
        self._swept = self._swept if joined is None else seconds
        return self.finished(image, followed + (joined or []))

    def look(self, image: np.ndarray) -> list[DetectedFace]:
        """Return the faces everywhere in a frame (height, width, 3) uint8 RGB, as detected."""
        return self._finder.look(image, self._side)

    def follow(
        self, image: np.ndarray, everywhere: list[DetectedFace] | None = None
    ) -> tuple[list[DetectedFace], list[DetectedFace] | None]:
        """Return the faces of the next frame that were known before, and those that joined them; both as detected.

        Args:
            image: (height, width, 3) uint8, RGB.
            everywhere: what `look` found in it, where somebody looked; it is looked at if a face was lost or none is known.

        Returns:
            The second is None where nobody looked everywhere.
        """
        detector = self._finder.detector
        followed = self._finder.look_near(image, self._known) if len(self._known) <= detector.near_most else []
        if everywhere is None and (not followed or len(followed) < len(self._known)):
            everywhere = self.look(image)
        joined = None if everywhere is None else [face for face in everywhere if apart(face, followed)]
        self._known = followed + (joined or []) if detector.sweep else []
        return followed, joined

    def finished(self, image: np.ndarray, faces: list[DetectedFace]) -> list[DetectedFace]:
        """Return a frame's faces as `find` does."""
        return self._finder.finished(image, sorted(faces, key=lambda face: -face.score))


def apart(face: DetectedFace, others: list[DetectedFace]) -> bool:
    """Return whether a face is none of the others."""
    return all(overlap(face.face_box, other.face_box) < 0.3 for other in others)
