"""The MTCNN detector of the package `mtcnn`, which ships its weights and runs on TensorFlow."""

import numpy as np

from fer_keras.faces.detection import DetectedFace, Detector


class MTCNNDetector(Detector):
    """MTCNN: boxes, five landmarks, score 0..1; the slowest here.

    Args:
        confidence: least score, 0..1; default 0.9.
    """

    name = "mtcnn"

    def __init__(self, confidence: float | None = None):
        from mtcnn import MTCNN

        self._network, self._confidence = MTCNN(device="CPU:0"), 0.9 if confidence is None else confidence

    def detect(self, image: np.ndarray) -> list[DetectedFace]:
        names = ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")
        try:
            found = self._network.detect_faces(np.ascontiguousarray(image)) or []
        except ValueError:  # mtcnn 1.0.0 raises where its first stage finds nothing
            return []
        faces = [
            DetectedFace.from_corner(face["box"], face["confidence"], [face["keypoints"][name] for name in names])
            for face in found
        ]
        return sorted((face for face in faces if face.score >= self._confidence), key=lambda face: -face.score)
