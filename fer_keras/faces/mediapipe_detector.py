"""The detector of the package `mediapipe`, which ships no model file."""

from pathlib import Path

import numpy as np

from fer_keras.faces.detection import DetectedFace, Detector


class MediaPipeDetector(Detector):
    """MediaPipe's face detector (BlazeFace): boxes, score 0..1.

    It finds eyes, nose, the mouth's centre and ears; without corners of the mouth its faces are given without landmarks. Take
    its full-range model, face_detection_full_range_sparse.tflite, which the wheels of mediapipe 0.10.21 hold: it found twelve
    of twelve faces a fifth of the picture high; the short-range one, for one or two large faces, found none.

    Args:
        model: path of its .tflite file.
        confidence: least score, 0..1; default 0.5.

    Raises:
        ValueError: no model file.
    """

    name = "mediapipe"

    def __init__(self, model: str | Path | None = None, confidence: float | None = None):
        if model is None or not Path(model).is_file():
            raise ValueError(
                "mediapipe 1 ships no model. Expected --detector-model face_detection_full_range_sparse.tflite, from "
                "mediapipe/modules/face_detection in the wheel of mediapipe 0.10.21 (pip download --no-deps). "
                f"Received: {model}."
            )
        import mediapipe
        from mediapipe.tasks.python import BaseOptions, vision

        options = vision.FaceDetectorOptions(
            base_options=BaseOptions(model_asset_path=str(model)),
            min_detection_confidence=0.5 if confidence is None else confidence,
        )
        self._package, self._detector = mediapipe, vision.FaceDetector.create_from_options(options)

    def detect(self, image: np.ndarray) -> list[DetectedFace]:
        picture = self._package.Image(image_format=self._package.ImageFormat.SRGB, data=np.ascontiguousarray(image))
        found = []
        for face in self._detector.detect(picture).detections:
            box = face.bounding_box
            corner = box.origin_x, box.origin_y, box.width, box.height
            found.append(DetectedFace.from_corner(corner, face.categories[0].score))
        return sorted(found, key=lambda face: -face.score)
