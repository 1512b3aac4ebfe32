"""The shape of a drawn face: expression parameters and identity in, 68 posed landmarks out. NumPy only.

Face coordinates: x grows to the image's right, y downwards, z towards the viewer; the unit is half a face width and
the origin lies between the eyes. Landmarks follow the iBUG order: 0-16 jaw, 17-21 and 22-26 brows (image left first),
27-30 nose bridge, 31-35 nostrils, 36-41 and 42-47 eyes (image left first), 48-59 outer lips, 60-67 inner lips.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

# Landmarks 48 to 67: place along the mouth (-1 image-left corner, 1 image-right), lip thickness there (negative above),
# and how far along the opening it is (an inner corner lies at 0.86).
_ALONG = np.array(
    [-1.0, -0.62, -0.22, 0.0, 0.22, 0.62, 1.0, 0.6, 0.25, 0.0, -0.25, -0.6]  # outer lips
    + [-0.86, -0.35, 0.0, 0.35, 0.86, 0.35, 0.0, -0.35]  # inner lips
)
_THICKNESS = np.zeros(20)
_THICKNESS[:7] = -0.085 * np.array([0.0, 0.65, 1.0, 0.85, 1.0, 0.65, 0.0])
_THICKNESS[7:12] = 0.11 * np.array([0.6, 0.95, 1.0, 0.95, 0.6])
_OPENING = np.abs(_ALONG) / np.repeat((1.0, 0.86), (12, 8))
_UPPER = np.r_[0:7, 12:17]
_LOWER = np.r_[7:12, 17:20]
_JAW_COS, _JAW_SIN = np.cos(np.linspace(0.0, np.pi, 17)), np.sin(np.linspace(0.0, np.pi, 17))
_BROW = np.linspace(0.0, 1.0, 5)
_BROW_ARCH = np.sin(np.pi * np.sqrt(_BROW + 0.05) / 1.1)
_ACROSS = np.array([-1.0, -0.5, 0.0, 0.5, 1.0])


@dataclass(frozen=True)
class Expression:
    """What the face does: about 0 (rest) to 1 (full) for each action; comments give the action unit (AU) of FACS.

    `one_sided` and `one_brow` act on one side only: positive the image's right, negative its left.
    """

    inner_brow_raise: float = 0.0  # AU 1
    outer_brow_raise: float = 0.0  # AU 2
    one_brow: float = 0.0  # AU 2 on one side
    brow_lower: float = 0.0  # AU 4
    lid_raise: float = 0.0  # AU 5
    lid_tighten: float = 0.0  # AU 6 and 7
    nose_wrinkle: float = 0.0  # AU 9
    upper_lip_raise: float = 0.0  # AU 10
    corner_pull: float = 0.0  # AU 12
    one_sided: float = 0.0  # AU 12 and 14 on one side
    corner_drop: float = 0.0  # AU 15
    chin_raise: float = 0.0  # AU 17
    lip_stretch: float = 0.0  # AU 20
    lip_press: float = 0.0  # AU 23 and 24
    jaw_drop: float = 0.0  # AU 26
    lid_droop: float = 0.0  # AU 43

    def corner_pulls(self) -> tuple[float, float]:
        """Pull of the lip corner on the image's left and on its right."""
        return self.corner_pull + max(0.0, -self.one_sided), self.corner_pull + max(0.0, self.one_sided)


@dataclass(frozen=True)
class Shape:
    """Who the face is: proportions, 1 (or 0 for offsets in face units) being the mean face."""

    width: float = 1.0
    chin: float = 1.5
    jaw_roundness: float = 0.85
    eye_spacing: float = 0.45
    eye_size: float = 1.0
    eye_tilt: float = 0.0
    brow_height: float = 0.33
    brow_arch: float = 0.07
    nose_length: float = 0.55
    nose_width: float = 0.19
    mouth_height: float = 0.98
    mouth_width: float = 0.38
    lip_fullness: float = 1.0


@dataclass(frozen=True)
class Pose:
    """Position of the head: angles in radians, scale in pixels per face unit, centre (x, y) in pixels."""

    yaw: float
    pitch: float
    roll: float
    scale: float
    centre: tuple[float, float]

    def project(self, points: np.ndarray) -> np.ndarray:
        """Rotate (n, 3) face coordinates and project them without perspective to (n, 2) pixels."""
        return points @ self._matrix + self.centre

    @cached_property
    def _matrix(self) -> np.ndarray:
        cy, sy, cp, sp = np.cos(self.yaw), np.sin(self.yaw), np.cos(self.pitch), np.sin(self.pitch)
        cr, sr = np.cos(self.roll), np.sin(self.roll)
        yaw = np.array([[cy, 0.0, sy], [0.0, 1.0, 0.0], [-sy, 0.0, cy]])
        pitch = np.array([[1.0, 0.0, 0.0], [0.0, cp, sp], [0.0, -sp, cp]])
        roll = np.array([[cr, -sr, 0.0], [sr, cr, 0.0]])
        return self.scale * (roll @ pitch @ yaw).T


def random_shape(rng: np.random.Generator) -> Shape:
    """Draw the proportions of a face."""
    mean = Shape()
    spread = {
        "width": 0.05, "chin": 0.07, "jaw_roundness": 0.07, "eye_spacing": 0.022, "eye_size": 0.07, "eye_tilt": 0.014,
        "brow_height": 0.022, "brow_arch": 0.018, "nose_length": 0.035, "nose_width": 0.02, "mouth_height": 0.03,
        "mouth_width": 0.03, "lip_fullness": 0.2,
    }  # fmt: skip
    offsets = np.clip(rng.standard_normal(len(spread)), -2.0, 2.0)
    drawn = zip(spread.items(), offsets, strict=True)
    return Shape(**{name: getattr(mean, name) + deviation * offset for (name, deviation), offset in drawn})


def random_pose(rng: np.random.Generator, size: int) -> Pose:
    """Draw a small head rotation and a place in the frame; the chin may leave the frame."""
    yaw, pitch, roll = np.clip(rng.standard_normal(3), -2.2, 2.2) * np.deg2rad((7.5, 4.5, 4.5))
    scale = size * rng.uniform(0.345, 0.395)
    centre = size * (np.array((0.5, 0.4)) + rng.uniform(-0.025, 0.025, 2)) - (scale * 0.6 * np.sin(yaw), 0.0)
    return Pose(yaw, pitch, roll, scale, (centre[0], centre[1]))


def on_head(points: np.ndarray, lift: float | np.ndarray = 0.0) -> np.ndarray:
    """Add to (n, 2) face coordinates the depth of the head there (an ellipsoid) plus `lift`: (n, 3)."""
    x, y = points[:, 0], points[:, 1]
    depth = 0.85 * np.sqrt(np.maximum(0.05, 1.0 - (x / 1.12) ** 2 - ((y - 0.1) / 1.75) ** 2))
    return np.concatenate([points, (depth + lift)[:, None]], axis=1)


def face_landmarks(shape: Shape, expression: Expression) -> np.ndarray:
    """The 68 landmarks in face coordinates, before pose.

    Args:
        shape: the identity.
        expression: what the face does.

    Returns:
        float64 array of shape (68, 3), iBUG order.
    """
    left_brow, right_brow = (_brow(shape, expression, max(0.0, side * expression.one_brow)) for side in (-1.0, 1.0))
    eye, mirror = _eye(shape, expression), np.array((-1.0, 1.0))
    parts = (left_brow * mirror, right_brow[::-1], *_nose(shape, expression), eye * mirror, eye[[3, 2, 1, 0, 5, 4]])
    points = np.concatenate([_jaw(shape, expression), *parts, _mouth(shape, expression)])
    lift = np.zeros(68)
    lift[27:31] = np.linspace(0.08, 0.4, 4)
    lift[31:36] = (0.1, 0.2, 0.25, 0.2, 0.1)
    lift[48:] = 0.06
    return on_head(points, lift)


def _jaw(shape: Shape, expression: Expression) -> np.ndarray:
    x = -np.sign(_JAW_COS) * np.abs(_JAW_COS) ** shape.jaw_roundness * shape.width
    drop = 0.24 * expression.jaw_drop - 0.04 * expression.chin_raise
    return np.stack([x, shape.chin * _JAW_SIN**0.95 + drop * _JAW_SIN**2], axis=1)


def _brow(shape: Shape, expression: Expression, own_raise: float) -> np.ndarray:
    """Brow on the image's right, from its outer to its inner end; `own_raise` is what the other brow does not do."""
    x = 0.3 + shape.eye_spacing - (0.57 + 0.07 * expression.brow_lower) * _BROW
    rest = -shape.brow_height - shape.brow_arch * _BROW_ARCH + 0.05 * (1.0 - _BROW)
    raised = 0.2 * expression.inner_brow_raise * _BROW**1.5
    raised += 0.2 * (expression.outer_brow_raise + own_raise) * (1.0 - 0.75 * _BROW)
    lowered = 0.17 * expression.brow_lower * (0.25 + 0.75 * _BROW) + 0.05 * expression.nose_wrinkle * _BROW
    return np.stack([x, rest - raised + lowered], axis=1)


def _eye(shape: Shape, expression: Expression) -> np.ndarray:
    """Eye on the image's right: outer corner, two upper, inner corner, two lower points."""
    droop = 0.55 * expression.lid_droop
    upper = 0.115 * max(0.2, 1.0 + 0.85 * expression.lid_raise - 0.35 * expression.lid_tighten - droop)
    lower = 0.075 * max(0.1, 1.0 + 0.3 * expression.lid_raise - 0.6 * expression.lid_tighten)
    tilt = 0.02 + shape.eye_tilt
    offsets = np.array(
        [[0.2, -tilt], [0.08, -upper], [-0.08, -upper * 0.95], [-0.2, tilt], [-0.08, lower], [0.08, lower * 1.05]]
    )
    offsets[1:3, 1] += np.array([0.5, -0.5]) * 0.08 * expression.lid_droop  # a drooping lid falls at its outer end
    return offsets * shape.eye_size + (shape.eye_spacing, 0.0)


def _nose(shape: Shape, expression: Expression) -> tuple[np.ndarray, np.ndarray]:
    up = 0.07 * expression.nose_wrinkle
    bridge = np.stack([np.zeros(4), np.linspace(-0.02, shape.nose_length - up * 0.6, 4)], axis=1)
    width = shape.nose_width * (1.0 + 0.22 * expression.nose_wrinkle + 0.1 * expression.corner_pull)
    down = shape.nose_length + 0.13 - 0.06 * _ACROSS**2 - up * (0.5 + 0.5 * np.abs(_ACROSS))
    return bridge, np.stack([width * _ACROSS, down], axis=1)


def _mouth(shape: Shape, expression: Expression) -> np.ndarray:
    """Outer then inner lips: a line between the corners, opened up and down, with lips of some thickness."""
    e = expression
    left, right = e.corner_pulls()
    parted = max(0.0, 1.0 - 1.3 * e.lip_press)
    raised = 0.12 * e.upper_lip_raise + 0.05 * e.nose_wrinkle
    opened_up = parted * (raised + 0.04 * e.jaw_drop + 0.03 * e.corner_pull)
    opened_down = parted * (0.4 * e.jaw_drop + 0.07 * e.corner_pull + 0.11 * e.lip_stretch - 0.25 * raised)

    common = 1.0 + 0.25 * e.lip_stretch - 0.1 * e.lip_press - 0.22 * e.jaw_drop * (1.0 - 0.6 * min(1.0, e.corner_pull))
    pull = np.where(_ALONG < 0, left, right)
    corner = -0.2 * pull + 0.19 * e.corner_drop + 0.02 * e.lip_stretch + 0.08 * e.jaw_drop
    bow = np.abs(_ALONG) ** 1.6
    x = shape.mouth_width * (common + 0.28 * pull) * _ALONG
    y = shape.mouth_height + corner * bow - (0.05 * e.chin_raise + 0.02 * e.corner_drop) * (1.0 - bow)
    y[_UPPER] -= opened_up * (1.0 - _OPENING[_UPPER] ** 4)
    y[_LOWER] += max(opened_down, 0.005 - opened_up) * (1.0 - _OPENING[_LOWER] ** 2)
    y += shape.lip_fullness * (1.0 - 0.75 * min(1.0, e.lip_press)) * _THICKNESS
    return np.stack([x, y], axis=1)


def smooth(points: np.ndarray, closed: bool = False) -> np.ndarray:
    """Return a Catmull-Rom curve through (n, 2) points, five steps per segment; it passes through every point."""
    return _spline(len(points), closed) @ points


@lru_cache(maxsize=64)
def _spline(count: int, closed: bool, steps: int = 5) -> np.ndarray:
    """The matrix that takes `count` points to their Catmull-Rom curve."""
    segments = count if closed else count - 1
    rows = np.zeros((segments * steps + (not closed), count))
    for row in range(len(rows)):
        segment, t = min(row // steps, segments - 1), row / steps - min(row // steps, segments - 1)
        weights = 0.5 * np.array([-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, t**3 - t**2])
        for weight, index in zip(weights, range(segment - 1, segment + 3), strict=True):
            rows[row, index % count if closed else min(max(index, 0), count - 1)] += weight
    return rows
