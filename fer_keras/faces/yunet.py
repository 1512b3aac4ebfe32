"""The YuNet detector, and its model file: given by path, found in the cache, or fetched once and kept if its checksum is right.

Source: Wu et al., YuNet: a tiny millisecond-level face detector, 2023; https://github.com/opencv/opencv_zoo (MIT).
"""

import functools
import os
import sys
from pathlib import Path

import cv2
import numpy as np

from fer_keras.faces.detection import DetectedFace, Detector, overlap
from fer_keras.fetching import OFFLINE, Fetched, offline
from fer_keras.files import cache_folder, write_atomic

FILE_NAME = "face_detection_yunet_2026may.onnx"
SHA256 = "ebafce4e3c118d6554634be5c27ab333b4c047a9a8c3faf1d7cf93101c22f0f0"
#: Of one revision of opencv_zoo, so that the file behind it does not change.
ADDRESS = (
    "https://github.com/opencv/opencv_zoo/raw/47534e27c9851bb1128ccc0102f1145e27f23f98/models/face_detection_yunet/"
    + FILE_NAME
)
#: The environment variable that names the file.
VARIABLE = "FER_KERAS_YUNET"
_ADVICE = (
    f"Fetch {FILE_NAME} from opencv_zoo on another machine and name it by ${VARIABLE} or --detector-model, or use the Haar "
    "cascade (haar), which needs no file."
)
#: Least score of a face, and most overlap of two: of two faces that overlap more, the better one is kept.
CONFIDENCE, OVERLAP = 0.7, 0.3
_MODEL = Fetched("YuNet's model", SHA256, "sha256", 10_000_000, _ADVICE)
_PATIENCE = 20.0  # seconds
#: Seconds to wait where a face detector is wanted and any will do.
_SHORT_PATIENCE = 5.0
#: What Haar costs, said where it takes YuNet's place. Reported by a user of 1,657 photos: 0.69 and 0.986.
_COST = "the Haar cascade takes its place, which misses about three faces in ten that YuNet finds in photos"
#: A face that overlaps the known one less may be another: then the whole frame is searched.
_SAME = 0.3


class YuNetDetector(Detector):
    """YuNet by OpenCV's FaceDetectorYN: boxes, five landmarks, score 0..1; also in OpenCV 5.

    Args:
        model: path of its ONNX file; default: see `yunet_path`.
        confidence: least score, 0..1; default 0.7.

    Raises:
        FileNotFoundError: no file at `model`.
        ValueError: a file that is not a YuNet model, or one that cannot be fetched.
    """

    name = "yunet"
    # Of 400 cut faces of FER+'s training split it finds 0.74 at their 48 pixels, 0.98 at 96 and 0.985 at 160.
    least_side = 160
    video_side = 320
    sweep = 0.2
    near_side, near_reach, near_most = 40, 0.7, 2
    copies = True

    def __init__(self, model: str | Path | None = None, confidence: float | None = None):
        path, least = yunet_path(model), CONFIDENCE if confidence is None else confidence
        # One for whole pictures and one for views around faces: a network that gets another size allocates anew, 1 ms.
        self._view = round(self.near_side * (1 + 2 * self.near_reach))
        try:
            self._network, self._near = (
                cv2.FaceDetectorYN.create(str(path), "", (side, side), least, OVERLAP, 5000)
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
        return [DetectedFace.from_corner(row[:4], min(1.0, row[14]), row[4:14].reshape(5, 2)) for row in rows]


def find_yunet() -> Path | None:
    """Return the model file that $FER_KERAS_YUNET names, or the one in the cache, or None; nothing is fetched.

    Raises:
        FileNotFoundError: the variable names no file.
    """
    named = os.environ.get(VARIABLE)
    if named:
        return _checked_path(named, f"${VARIABLE}")
    cached = cache_folder() / FILE_NAME
    return cached if cached.is_file() else None


def yunet_path(path: str | Path | None = None, address: str = ADDRESS) -> Path:
    """Return the model file, fetched into the cache if it is nowhere.

    Args:
        path: of the file, which wins over the variable and the cache; it may be another YuNet.
        address: where to fetch it.

    Raises:
        FileNotFoundError: no file at `path`.
        ValueError: it cannot be fetched, the network is forbidden, or what came is another file.
    """
    if path is not None:
        return _checked_path(path, "--detector-model")
    found = find_yunet()
    if found is None and offline():
        raise ValueError(f"YuNet's model is not there, and ${OFFLINE} forbids to fetch it. {_ADVICE}")
    return found or _fetch(address)


@functools.cache
def fetch_once(address: str = ADDRESS) -> Path | None:
    """Fetch the model file into the cache where no other file of it is known; say so, and say where that fails.

    It is tried once in a process, since a program that reads many images must not wait at each.

    Returns:
        The file, or None where it could not be fetched or the network is forbidden.
    """
    if offline():
        print(f"note: YuNet's model is not there and ${OFFLINE} forbids to fetch it; {_COST}", file=sys.stderr)
        return None
    print(f"fetching the face detector YuNet (230 kB), once: {address}", file=sys.stderr)
    try:
        return _fetch(address, _SHORT_PATIENCE)
    except (ValueError, OSError) as error:
        print(f"note: {' '.join(str(error).split())} Until then {_COST}.", file=sys.stderr)
        return None


def _checked_path(path: str | Path, flag: str) -> Path:
    path = Path(path).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f"No YuNet model there. Expected {FILE_NAME}. Received: {flag} {path}.")
    return path


def _fetch(address: str, patience: float = _PATIENCE) -> Path:
    content, path = _MODEL.fetch(address, patience), cache_folder() / FILE_NAME
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_atomic(path, lambda temporary: temporary.write_bytes(content))
