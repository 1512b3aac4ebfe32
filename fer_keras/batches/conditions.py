"""Conditions under which faces are read worse than in the data set, as changes of an image before it is cropped.

`scale` stands for distance to the camera (and a picture enlarged by others), `jpeg` is a messenger's or web
page's compression, `tilt` a head or camera that is not upright, `crop` a face detector whose boxes are larger or smaller
than the data set's, `colour cast` coloured light, `light` a dim room.
"""

from collections.abc import Callable

import cv2
import numpy as np

from fer_keras.batches.degrade import recompress

_CAST = (1.25, 1.0, 0.75)  # gain of red, green, blue: a warm lamp

Change = Callable[[np.ndarray], np.ndarray]


def rescale(image: np.ndarray, factor: float) -> np.ndarray:
    """Return an image of `factor` times its sides, at least one pixel each: areas averaged or linear between pixels."""
    height, width = (max(round(side * factor), 1) for side in image.shape[:2])
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR)


def tilt(image: np.ndarray, degrees: float) -> np.ndarray:
    """Return an image turned about its centre, anticlockwise for positive degrees; its edges are repeated."""
    height, width = image.shape[:2]
    turn = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, 1.0)
    return cv2.warpAffine(image, turn, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def recrop(image: np.ndarray, share: float) -> np.ndarray:
    """Return an image whose sides are longer by a share (its edges repeated) or, below 0, shorter; the centre stays."""
    margins = [round(side * share / 2) for side in image.shape[:2]]
    if share >= 0:
        return cv2.copyMakeBorder(image, margins[0], margins[0], margins[1], margins[1], cv2.BORDER_REPLICATE)
    height, width = image.shape[:2]
    return np.ascontiguousarray(image[-margins[0] : height + margins[0], -margins[1] : width + margins[1]])


def cast(image: np.ndarray, gains: tuple[float, float, float] = _CAST) -> np.ndarray:
    """Return an RGB image with each channel multiplied by its gain."""
    return np.clip(image * np.array(gains), 0, 255).astype(np.uint8)


#: Name -> change of an RGB uint8 image. The first changes nothing.
CONDITIONS: dict[str, Change] = {
    "as it is": lambda image: image,
    "mirrored": lambda image: np.ascontiguousarray(image[:, ::-1]),
    "scale 0.5": lambda image: rescale(image, 0.5),
    "scale 2": lambda image: rescale(image, 2),
    "scale 4": lambda image: rescale(image, 4),
    "JPEG quality 30": lambda image: recompress(image, 30),
    "tilt +15 degrees": lambda image: tilt(image, 15),
    "tilt -15 degrees": lambda image: tilt(image, -15),
    "crop 20 % looser": lambda image: recrop(image, 0.2),
    "crop 20 % tighter": lambda image: recrop(image, -0.2),
    "warm colour cast": cast,
    "a third of the light": lambda image: cast(image, (1 / 3, 1 / 3, 1 / 3)),
}


class ChangedImages:
    """A source of images, each changed by one function: `load(row)` and `len`, as `FaceLoader` expects."""

    def __init__(self, source, change: Change):
        self.source, self.change = source, change

    def __len__(self) -> int:
        return len(self.source)

    def load(self, row: int) -> np.ndarray:
        """Return one image, changed: (height, width, 3) uint8 RGB."""
        return self.change(self.source.load(row))
