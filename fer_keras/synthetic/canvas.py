"""The enlarged picture that a face is drawn on, with calls that take float pixels and widths in face units."""

import cv2
import numpy as np

from fer_keras.synthetic.face_shape import Pose, on_head

SUPERSAMPLING = 2
SHIFT = 4  # fractional bits of OpenCV's coordinates


class Canvas:
    """An enlarged picture with drawing calls that take float pixels and widths in face units."""

    def __init__(self, size: int, pose: Pose, background: np.ndarray):
        self.side, self.pose = size * SUPERSAMPLING, pose
        self.unit = pose.scale * SUPERSAMPLING
        colours = np.clip(background, 0, 255).astype(np.uint8)
        self.pixels = cv2.resize(colours, (self.side, self.side), interpolation=cv2.INTER_LINEAR)

    def finer(self, points: np.ndarray) -> np.ndarray:
        return (points + 0.5) * SUPERSAMPLING - 0.5

    def place(self, points: np.ndarray, lift: float = 0.0) -> np.ndarray:
        """Face coordinates (n, 2) on the head to enlarged pixels."""
        return self.finer(self.pose.project(on_head(np.asarray(points, np.float64), lift)))

    def fill(self, points: np.ndarray, colour: np.ndarray, onto: np.ndarray | None = None) -> None:
        cv2.fillPoly(self.pixels if onto is None else onto, [fixed(points)], _rgb(colour), cv2.LINE_AA, SHIFT)

    def line(self, points: np.ndarray, colour: np.ndarray, width: float, closed: bool = False) -> None:
        thickness = max(1, round(width * self.unit))
        cv2.polylines(self.pixels, [fixed(points)], closed, _rgb(colour), thickness, cv2.LINE_AA, SHIFT)

    def disc(self, centre: np.ndarray, radius: float, colour: np.ndarray, onto: np.ndarray | None = None) -> None:
        x, y = fixed(centre).tolist()
        target = self.pixels if onto is None else onto
        cv2.circle(target, (x, y), round(radius * self.unit * 2**SHIFT), _rgb(colour), -1, cv2.LINE_AA, SHIFT)


def fixed(points: np.ndarray) -> np.ndarray:
    """Return points in the fixed-point numbers of OpenCV's drawing, int32 of `SHIFT` fractional bits."""
    return np.rint(np.asarray(points) * 2**SHIFT).astype(np.int32)


def _rgb(colour: np.ndarray) -> tuple[float, ...]:
    return tuple(np.asarray(colour, np.float64).tolist())  # OpenCV saturates at 0 and 255
