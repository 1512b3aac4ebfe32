"""The detector of the package `dlib`."""

import numpy as np

from fer_keras.faces.detection import DetectedFace, Detector


class DlibDetector(Detector):
    """dlib's frontal face detector (HOG): boxes without landmarks, faces from about 80 pixels (40 with one enlarging).

    Args:
        confidence: least score, its distance to the decision (about 0 to 3); default 0.3.
    """

    name = "dlib"

    def __init__(self, confidence: float | None = None):
        import dlib

        self._detector, self._confidence = dlib.get_frontal_face_detector(), 0.3 if confidence is None else confidence

    def detect(self, image: np.ndarray) -> list[DetectedFace]:
        boxes, scores, _ = self._detector.run(np.ascontiguousarray(image), 1, self._confidence)
        found = [
            DetectedFace.from_corner((box.left(), box.top(), box.width(), box.height()), score)
            for box, score in zip(boxes, scores, strict=True)
        ]
        return sorted(found, key=lambda face: -face.score)
