"""The Haar detector: OpenCV's cascade for frontal faces, inside opencv-python below 5.0; it needs no file."""

from pathlib import Path

import cv2
import numpy as np

from fer_keras.faces.detection import DetectedFace, Detector

#: Of the last stage of haarcascade_frontalface_alt2.
_THRESHOLD = 53.756
#: A picture in which no face was found is searched again with a frame of this share of its longer side, enlarged to this many
#: pixels, for faces of at least this share of its shorter side. Chosen on 400 cut faces of FER+'s training split, of which
#: the search without a frame finds 0.45 and this 0.79.
_FRAME, _FRAMED_SIDE, _FILLS = 0.2, 96, 0.45
#: Flat pictures are stretched by this at most, so that their noise does not become faces.
_MOST_GAIN = 10.0


class HaarDetector(Detector):
    """A Haar cascade: boxes without landmarks, frontal faces only.

    Faces under 24 pixels or a twelfth of the image's shorter side are not searched for. The cascade, its step from size to
    size and its least number of neighbours were chosen on 315 faces of FER+'s training split of 34 to 190 pixels, in mosaics
    on nine backgrounds: haarcascade_frontalface_alt2, 1.2 and 3 found 222 with 1 box elsewhere in 47 ms per picture;
    haarcascade_frontalface_default, 1.15 and 5 found 209 with 2 in 77 ms; their boxes are alike (mean overlap 0.90).

    Dark and flat pictures are stretched to the full range, others are left as they are: the cascade levels contrast window
    by window, and found fewer faces where the histogram was equalised first.

    Args:
        confidence: least score, how far the cascade's sum is above its last threshold (about 0 to 4); default 0.

    Raises:
        ValueError: an OpenCV without the cascade.
    """

    name = "haar"
    sweep = 0.4
    near_side = 40  # twice the cascade's window
    copies = True
    # Median and mean over 1,560 faces of FER+'s training split in which it was found: 1.17 and 1.15, 0.01 and 0.02 lower.
    # Read so by the model of that day, 1,665 other faces were right as often as whole, 0.880; with the box itself 0.865.
    frame = (1.16, 0.02)

    def __init__(self, confidence: float | None = None):
        folder = getattr(getattr(cv2, "data", None), "haarcascades", "")
        path = Path(folder, "haarcascade_frontalface_alt2.xml")
        if not hasattr(cv2, "CascadeClassifier") or not path.is_file():
            raise ValueError(
                f"OpenCV {cv2.__version__} has no Haar cascades. Expected opencv-python below 5, or choose yunet."
            )
        # Two, because a cascade serves one thread at a time.
        self._cascade, self._near = (cv2.CascadeClassifier(str(path)) for _ in range(2))
        self._confidence = 0.0 if confidence is None else confidence

    def detect(self, image: np.ndarray) -> list[DetectedFace]:
        least = max(24, min(image.shape[:2]) // 12)  # most of the time goes into the smallest faces
        grey = _grey(image)
        faces = self._scan(self._cascade, grey, least) or self._framed(grey)
        return sorted(faces, key=lambda face: -face.score)

    def _framed(self, grey: np.ndarray) -> list[DetectedFace]:
        """Return the face that fills an image in which none was found: a cascade wants some background around it.

        The image gets a frame of its mean grey, and only faces of `_FILLS` of its side are searched for.
        """
        scale = max(1.0, _FRAMED_SIDE / min(grey.shape))
        size = round(grey.shape[1] * scale), round(grey.shape[0] * scale)
        view = cv2.resize(grey, size, interpolation=cv2.INTER_LINEAR) if scale > 1 else grey
        border = round(_FRAME * max(view.shape))
        view = cv2.copyMakeBorder(view, *[border] * 4, cv2.BORDER_CONSTANT, value=int(grey.mean()))
        found = self._scan(self._cascade, view, round(_FILLS * min(size)), step=1.1)
        return [face.shifted(-border, -border).unscaled(scale) for face in found]

    def detect_near(self, view: np.ndarray, face: DetectedFace) -> DetectedFace | None:
        if min(view.shape[:2]) < 0.8 * self.near_side:
            return None
        found = self._scan(self._near, _grey(view), round(0.8 * self.near_side), round(1.3 * self.near_side))
        return max(found, key=lambda near: near.score, default=None)

    def _scan(self, cascade, grey: np.ndarray, least: int, most: int = 0, *, step: float = 1.2) -> list[DetectedFace]:
        """Return the faces with sides of `least` to `most` pixels (0: any) that are sure enough."""
        boxes, _, weights = cascade.detectMultiScale3(
            grey, step, 3, minSize=(least, least), maxSize=(most, most), outputRejectLevels=True
        )
        found = zip(boxes, np.ravel(weights), strict=True)
        faces = [DetectedFace.from_corner(box, float(weight) - _THRESHOLD) for box, weight in found]
        return [face for face in faces if face.score >= self._confidence]


def _grey(image: np.ndarray) -> np.ndarray:
    """Return an RGB image in grey, its range stretched: the cascade passes over windows whose deviation is under 10."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    shares = np.cumsum(cv2.calcHist([grey], [0], None, [256], [0, 256])) / grey.size
    low, high = np.searchsorted(shares, (0.01, 0.99))
    gain = min(_MOST_GAIN, 255 / max(1, high - low))
    return cv2.convertScaleAbs(cv2.subtract(grey, float(low)), alpha=gain) if gain > 1.2 else grey
