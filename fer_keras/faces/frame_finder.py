"""Finding the faces of a video's frames, one after the other."""

import numpy as np

from fer_keras.faces.detection import DetectedFace, overlap
from fer_keras.faces.finder import FaceFinder
from fer_keras.preprocessing import as_rgb


class FrameFinder:
    """Finds the faces of a video's frames, one after the other.

    A detector that is slow in a whole frame (`Detector.sweep`) searches the whole frame now and then, where a face was lost,
    and while there is none; otherwise only around the faces of the frame before. So each face is found in each frame, but one
    that joins others may be found up to a sweep later; in a file, `find_in_clip` finds it in the frames before as well.

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
            seconds: its time, by any clock.
        """
        image = as_rgb(image)
        due = not 0 <= seconds - self._swept < self._finder.detector.sweep
        followed, joined = self.follow(image, self.detect(image) if due else None)
        self._swept = self._swept if joined is None else seconds
        return self.finished(image, followed + (joined or []))

    def detect(self, image: np.ndarray) -> list[DetectedFace]:
        """Return the faces of a whole frame (height, width, 3) uint8 RGB, as the detector gives them."""
        return self._finder.detect(image, self._side)

    def follow(
        self, image: np.ndarray, everywhere: list[DetectedFace] | None = None
    ) -> tuple[list[DetectedFace], list[DetectedFace] | None]:
        """Return the faces of the next frame that were known before, and those that joined them; both as detected.

        Args:
            image: (height, width, 3) uint8, RGB.
            everywhere: what `detect` found in it, where the whole frame was searched already; otherwise it is searched if a
                face was lost or none is known.

        Returns:
            The second is None where the whole frame was not searched.
        """
        detector = self._finder.detector
        followed = self._finder.detect_near(image, self._known) if len(self._known) <= detector.near_most else []
        if everywhere is None and (not followed or len(followed) < len(self._known)):
            everywhere = self.detect(image)
        joined = None if everywhere is None else [face for face in everywhere if apart(face, followed)]
        self._known = followed + (joined or []) if detector.sweep else []
        return followed, joined

    def finished(self, image: np.ndarray, faces: list[DetectedFace]) -> list[DetectedFace]:
        """Return a frame's faces as `find` does."""
        return self._finder.finished(image, sorted(faces, key=lambda face: -face.score))


def apart(face: DetectedFace, others: list[DetectedFace]) -> bool:
    """Return whether a face is none of the others."""
    return all(overlap(face.face_box, other.face_box) < 0.3 for other in others)
