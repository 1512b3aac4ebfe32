"""The table of face detectors; each loads what stands behind it when it is made."""

import importlib.util
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from fer_keras.faces.detection import DetectedFace, Detector, overlap
from fer_keras.faces.yunet_file import find_yunet, yunet_path
from fer_keras.hints import nearest

#: Of the last stage of haarcascade_frontalface_alt2.
_THRESHOLD = 53.756
#: A face that overlaps the known one less may be another: then it is looked for everywhere.
_SAME = 0.3
#: Flat pictures are stretched by this at most, lest their noise become faces.
_MOST_GAIN = 10.0


class YuNetDetector(Detector):
    """YuNet by OpenCV's FaceDetectorYN: boxes, five points, score 0..1; also in OpenCV 5.

    Args:
        model: path of its ONNX file; default: see `yunet_path`.
        confidence: least score, 0..1; default 0.7.
    """

    name = "yunet"
    video_side = 320
    sweep = 0.2
    near_side, near_reach, near_most = 40, 0.7, 2

    def __init__(self, model: str | Path | None = None, confidence: float | None = None):
        path = yunet_path(model)
        # One for whole pictures and one for views around faces: a network that gets another size allocates anew, 1 ms.
        self._view = round(self.near_side * (1 + 2 * self.near_reach))
        try:
            self._network, self._near = (
                cv2.FaceDetectorYN.create(str(path), "", (side, side), _given(confidence, 0.7), 0.3, 5000)
                for side in (320, self._view)
            )
        except cv2.error as error:
            raise ValueError(
                f"{path} is not a YuNet model that OpenCV {cv2.__version__} reads: {error.err}."
            ) from error

    def detect(self, image: np.ndarray) -> list[DetectedFace]:
        self._network.setInputSize((image.shape[1], image.shape[0]))
        return self._found(self._network, image)

    def detect_near(self, view: np.ndarray, face: DetectedFace) -> DetectedFace | None:
        missing = self._view - view.shape[0], self._view - view.shape[1]
        if any(missing):
            view = cv2.copyMakeBorder(view, 0, missing[0], 0, missing[1], cv2.BORDER_CONSTANT)
        found = self._found(self._near, view)
        best = max(found, key=lambda near: overlap(near.face_box, face.face_box), default=None)
        return best if best and overlap(best.face_box, face.face_box) >= _SAME else None

    @staticmethod
    def _found(network, image: np.ndarray) -> list[DetectedFace]:
        found = network.detect(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1]
        rows = [] if found is None else found[np.argsort(-found[:, 14], kind="stable")]
        # The score is a product of two that can each be a little above 1.
        return [_face(row[:4], min(1.0, float(row[14])), row[4:14].reshape(5, 2)) for row in rows]


class HaarDetector(Detector):
    """A Haar cascade for frontal faces inside opencv-python before 5.0: boxes only, frontal faces only.

    Faces under 24 pixels or a twelfth of the image's shorter side are not looked for. The cascade, its step from size to size
    and its least number of neighbours were chosen on 315 faces of FER+'s training split of 34 to 190 pixels, in mosaics on nine
    backgrounds: haarcascade_frontalface_alt2, 1.2 and 3 found 222 with 1 box elsewhere in 47 ms a picture;
    haarcascade_frontalface_default, 1.15 and 5 found 209 with 2 in 77 ms; their boxes are alike (mean overlap 0.90).

    Dark and flat pictures are stretched to the full range, others are left as they are, for the cascade levels contrast window
    by window, and found fewer faces where the histogram was equalised first.

    Args:
        confidence: least score, how far the cascade's sum is above its last threshold (about 0 to 4); default 0.
    """

    name = "haar"
    sweep = 0.4
    near_side = 40  # twice the cascade's window

    def __init__(self, confidence: float | None = None):
        folder = getattr(getattr(cv2, "data", None), "haarcascades", "")
        path = Path(folder, "haarcascade_frontalface_alt2.xml")
        if not hasattr(cv2, "CascadeClassifier") or not path.is_file():
            raise ValueError(
                f"OpenCV {cv2.__version__} has no Haar cascades. Expected opencv-python below 5, or choose yunet."
            )
        # Two, for a cascade serves one thread at a time.
        self._cascade, self._near = (cv2.CascadeClassifier(str(path)) for _ in range(2))
        self._confidence = _given(confidence, 0.0)

    def detect(self, image: np.ndarray) -> list[DetectedFace]:
        least = max(24, min(image.shape[:2]) // 12)  # most of the time goes into the smallest faces
        faces = self._scan(self._cascade, _grey(image), least)
        return sorted(faces, key=lambda face: -face.score)

    def detect_near(self, view: np.ndarray, face: DetectedFace) -> DetectedFace | None:
        if min(view.shape[:2]) < 0.8 * self.near_side:
            return None
        found = self._scan(self._near, _grey(view), round(0.8 * self.near_side), round(1.3 * self.near_side))
        return max(found, key=lambda near: near.score, default=None)

    def _scan(self, cascade, grey: np.ndarray, least: int, most: int = 0) -> list[DetectedFace]:
        """Return the faces with sides of `least` to `most` pixels (0: any) that are sure enough."""
        boxes, _, weights = cascade.detectMultiScale3(
            grey, 1.2, 3, minSize=(least, least), maxSize=(most, most), outputRejectLevels=True
        )
        faces = [_face(box, float(weight) - _THRESHOLD) for box, weight in zip(boxes, np.ravel(weights), strict=True)]
        return [face for face in faces if face.score >= self._confidence]


class MTCNNDetector(Detector):
    """MTCNN of the package `mtcnn` (TensorFlow): boxes, five points, score 0..1; the slowest here.

    Args:
        confidence: least score, 0..1; default 0.9.
    """

    name = "mtcnn"

    def __init__(self, confidence: float | None = None):
        from mtcnn import MTCNN

        self._network, self._confidence = MTCNN(device="CPU:0"), _given(confidence, 0.9)

    def detect(self, image: np.ndarray) -> list[DetectedFace]:
        points = ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")
        try:
            found = self._network.detect_faces(np.ascontiguousarray(image))
        except ValueError:  # mtcnn 1.0.0 raises where its first stage finds nothing
            return []
        faces = [
            _face(face["box"], float(face["confidence"]), np.array([face["keypoints"][name] for name in points]))
            for face in found or []
        ]
        return sorted((face for face in faces if face.score >= self._confidence), key=lambda face: -face.score)


class DlibDetector(Detector):
    """dlib's frontal face detector (HOG): boxes without points, faces from about 80 pixels (40 with one enlarging).

    Args:
        confidence: least score, its distance to the decision (about 0 to 3); default 0.3.
    """

    name = "dlib"

    def __init__(self, confidence: float | None = None):
        import dlib

        self._detector, self._confidence = dlib.get_frontal_face_detector(), _given(confidence, 0.3)

    def detect(self, image: np.ndarray) -> list[DetectedFace]:
        boxes, scores, _ = self._detector.run(np.ascontiguousarray(image), 1, self._confidence)
        found = [
            _face((box.left(), box.top(), box.width(), box.height()), float(score))
            for box, score in zip(boxes, scores, strict=True)
        ]
        return sorted(found, key=lambda face: -face.score)


class MediaPipeDetector(Detector):
    """MediaPipe's face detector (BlazeFace): boxes, score 0..1; its package ships no model file.

    It tells eyes, nose, the mouth's centre and ears; having no mouth's corners, it is given without landmarks. Take its
    full-range model, face_detection_full_range_sparse.tflite, which the wheels of mediapipe 0.10.21 hold: it found twelve of
    twelve faces a fifth of the picture high, the short-range one, for one or two large faces, none.

    Args:
        model: path of its .tflite file.
        confidence: least score, 0..1; default 0.5.
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
            base_options=BaseOptions(model_asset_path=str(model)), min_detection_confidence=_given(confidence, 0.5)
        )
        self._package, self._detector = mediapipe, vision.FaceDetector.create_from_options(options)

    def detect(self, image: np.ndarray) -> list[DetectedFace]:
        picture = self._package.Image(image_format=self._package.ImageFormat.SRGB, data=np.ascontiguousarray(image))
        found = []
        for face in self._detector.detect(picture).detections:
            box = face.bounding_box
            found.append(_face((box.origin_x, box.origin_y, box.width, box.height), float(face.categories[0].score)))
        return sorted(found, key=lambda face: -face.score)


@dataclass(frozen=True)
class DetectorEntry:
    """A detector by name.

    Attributes:
        build: makes it; takes confidence, and model where `takes_model`.
        package: what must be installed.
        install: what to ask pip for.
        takes_model: whether it has a model file that can be named.
    """

    build: type[Detector]
    package: str
    install: str
    takes_model: bool = False

    @property
    def installed(self) -> bool:
        """Whether its package is there, without importing it."""
        return importlib.util.find_spec(self.package) is not None


DETECTORS: dict[str, DetectorEntry] = {
    "yunet": DetectorEntry(YuNetDetector, "cv2", "fer_keras", takes_model=True),
    "haar": DetectorEntry(HaarDetector, "cv2", "fer_keras"),
    "mtcnn": DetectorEntry(MTCNNDetector, "mtcnn", "fer_keras[mtcnn]"),
    "mediapipe": DetectorEntry(MediaPipeDetector, "mediapipe", "fer_keras[mediapipe]", takes_model=True),
    "dlib": DetectorEntry(DlibDetector, "dlib", "fer_keras[dlib]"),
}


def build_detector(name: str = "auto", model: str | Path | None = None, confidence: float | None = None) -> Detector:
    """Return a detector by name.

    Args:
        name: a key of `DETECTORS`, or auto: YuNet where its file is there already (`find_yunet`) or named, else Haar.
        model: path of its model file, for yunet and mediapipe.
        confidence: least score; default: the detector's own.

    Raises:
        FileNotFoundError: no model file at that path.
        ValueError: an unknown name, a missing package, or a model file that cannot be had.
    """
    if name == "auto":
        name = "yunet" if model is not None or find_yunet() else "haar"
    if name not in DETECTORS:
        known = ("auto", *DETECTORS)
        raise ValueError(f"detector expects one of {', '.join(known)}. Received: {name!r}.{nearest(name, known)}")
    entry = DETECTORS[name]
    if not entry.installed:
        raise ValueError(
            f'{name} needs the package {entry.package}, which is not installed: pip install "{entry.install}".'
        )
    if model is not None and not entry.takes_model:
        raise ValueError(f"{name} has no model file. Received: --detector-model {model}.")
    return entry.build(confidence=confidence, **({"model": model} if entry.takes_model else {}))


def _grey(image: np.ndarray) -> np.ndarray:
    """Return an RGB image in grey, its range stretched: the cascade passes over windows whose deviation is under 10."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    shares = np.cumsum(cv2.calcHist([grey], [0], None, [256], [0, 256])) / grey.size
    low, high = np.searchsorted(shares, (0.01, 0.99))
    gain = min(_MOST_GAIN, 255 / max(1, high - low))
    return cv2.convertScaleAbs(cv2.subtract(grey, float(low)), alpha=gain) if gain > 1.2 else grey


def _given(value: float | None, default: float) -> float:
    return default if value is None else value


def _face(box, score: float, landmarks: np.ndarray | None = None) -> DetectedFace:
    """Return a face of a box given as left, top, width, height."""
    x, y, wide, high = (float(value) for value in box)
    points = None if landmarks is None else np.asarray(landmarks, np.float32)
    return DetectedFace((x, y, x + wide, y + high), score, points)
