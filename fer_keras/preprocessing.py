"""Geometry of a face image: crop, align, resize to uint8 RGB. Its one owner; files are decoded by `fer_keras.decoding`.

Training, evaluation, prediction and the apps all call `decode_image` and `crop_face`, so a model sees the same pixels
everywhere. Scaling of pixel values is no part of this: every model takes RGB in 0..255 and scales in its first layers.
"""

import sys

import cv2
import numpy as np

from fer_keras.decoding import IMAGE_SUFFIXES, decode_image, image_extent, image_problem, pil_pixels

__all__ = [  # with what most of those who cut faces out of pictures need to read them
    "COLOURS",
    "GEOMETRY",
    "IMAGE_SUFFIXES",
    "as_rgb",
    "crop_face",
    "crop_points",
    "crop_views",
    "cut_face",
    "decode_image",
    "five_points",
    "image_extent",
    "image_problem",
    "level_face",
    "level_points",
    "resize_matrices",
    "square_box",
    "to_rgb",
]

#: The geometry rule as bundles record it; the version is raised when its pixels change.
GEOMETRY = {"version": 1, "shape": "square by edge padding", "shrink": "area", "enlarge": "linear"}

#: Orders of an array's colour channels. An array does not say which it has, so callers do.
COLOURS = ("rgb", "bgr")


def as_rgb(image: np.ndarray) -> np.ndarray:
    """Return a grey (height, width) or (height, width, 1) uint8 image as RGB; an RGB one unchanged.

    Raises:
        ValueError: another shape or dtype.
    """
    image = np.asarray(image)
    if image.ndim == 3 and image.shape[2] == 1:
        image = image[:, :, 0]
    if image.dtype != np.uint8 or image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] != 3):
        raise ValueError(
            f"Expected a uint8 image of shape (height, width[, 1 or 3]). Received: {image.dtype} {image.shape}."
        )
    return np.repeat(image[:, :, None], 3, axis=2) if image.ndim == 2 else image


def to_rgb(image, colour: str = "rgb") -> np.ndarray:
    """Return a picture in memory as uint8 RGB, by the rules that `decode_image` has for files.

    Args:
        image: a PIL image of any mode but F, turned as its EXIF asks; or an array (height, width[, 1, 3 or 4]) uint8 or
            uint16, whose upper 8 bits are kept. Alpha is dropped.
        colour: order of an array's channels, one of `COLOURS`; a PIL image knows its own.

    Returns:
        (height, width, 3) uint8, RGB.

    Raises:
        ValueError: another kind of picture, or an empty one.

    Example:
        >>> to_rgb(np.full((1, 1, 4), (1, 2, 3, 255), np.uint16) * 256, "bgr").tolist()
        [[[3, 2, 1]]]
    """
    if colour not in COLOURS:
        raise ValueError(f"colour expects one of {', '.join(COLOURS)}. Received: {colour!r}.")
    pil = sys.modules.get("PIL.Image")  # an object can be a PIL image only if PIL was imported
    if pil and isinstance(image, pil.Image):
        image, colour = pil_pixels(image), "rgb"
    if not isinstance(image, np.ndarray) or image.dtype not in (np.uint8, np.uint16) or 0 in image.shape:
        what = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
        raise ValueError(f"Expected a PIL image, or a uint8 or uint16 array with values from 0. Received: {what}.")
    if image.dtype == np.uint16:
        image = (image >> 8).astype(np.uint8)
    if image.ndim == 3 and image.shape[2] == 4:
        image = image[:, :, :3]
    image = as_rgb(image)
    return np.ascontiguousarray(image[:, :, ::-1] if colour == "bgr" else image)


def square_box(box, image_size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Grow a box about its centre to the aspect ratio of `image_size`, in whole pixels.

    Args:
        box: (x0, y0, x1, y1) in pixels, x1 and y1 exclusive.
        image_size: (height, width) of the model's input.

    Returns:
        (x0, y0, x1, y1); it can reach beyond the image.

    Raises:
        ValueError: an empty box.

    Example:
        >>> square_box((0, 0, 40, 20), (96, 96))
        (0, -10, 40, 30)
    """
    x0, y0, x1, y1 = (float(value) for value in box)
    if not (x1 > x0 and y1 > y0):
        raise ValueError(f"Expected a face_box with x0 < x1 and y0 < y1. Received: {tuple(box)}.")
    height, width = image_size
    wide = max(x1 - x0, (y1 - y0) * width / height)
    high = wide * height / width
    left, top = round((x0 + x1 - wide) / 2), round((y0 + y1 - high) / 2)
    return left, top, left + max(1, round(wide)), top + max(1, round(high))


def crop_face(image: np.ndarray, image_size: tuple[int, int], face_box=None) -> np.ndarray:
    """Crop a face to the aspect ratio of `image_size` and resize it: the geometry rule of the whole package.

    The box grows to the aspect ratio about its centre, so a face is never stretched; what lies beyond the image repeats
    the image's edge. Shrinking averages over areas, enlarging is bilinear.

    Args:
        image: (height, width, 3) uint8, RGB.
        image_size: (height, width) of the result.
        face_box: (x0, y0, x1, y1) in pixels; default: the whole image.

    Returns:
        image_size + (3,) uint8, RGB.

    Raises:
        ValueError: an image of another shape or dtype, or a box outside the image.
    """
    image = as_rgb(image)
    if face_box is None and image.shape[:2] == tuple(image_size):
        return np.ascontiguousarray(image)
    box = square_box(face_box or (0, 0, image.shape[1], image.shape[0]), image_size)
    return _resize(_cut(image, box), image_size)


def cut_face(image: np.ndarray, face_box) -> np.ndarray:
    """Cut the square around a face out of a picture, at the picture's own resolution.

    `crop_face` of the result is `crop_face` of the picture with the box, for square image sizes.

    Args:
        image: (height, width, 3) uint8, RGB.
        face_box: (x0, y0, x1, y1) in pixels.

    Returns:
        (side, side, 3) uint8, RGB; what lies beyond the picture repeats its edge.

    Raises:
        ValueError: an image of another shape or dtype, or a box outside the image.
    """
    return np.ascontiguousarray(_cut(as_rgb(image), square_box(face_box, (1, 1))))


def crop_views(image: np.ndarray, image_size: tuple[int, int], face_box=None, share: float = 0.9) -> list[np.ndarray]:
    """Crop a face as `crop_face` does, and four times closer: the windows at the corners of that crop.

    Args:
        image, image_size, face_box: as for `crop_face`.
        share: side of the windows as a share of the crop's.

    Returns:
        Five crops: the face itself first, then its corners, from the upper left one row by row.
    """
    image = as_rgb(image)
    square = _cut(image, square_box(face_box or (0, 0, image.shape[1], image.shape[0]), image_size))
    height, width = square.shape[:2]
    free_x, free_y = width * (1 - share), height * (1 - share)
    corners = [(left, top) for top in (0, free_y) for left in (0, free_x)]
    boxes = [(left, top, left + width * share, top + height * share) for left, top in corners]
    return [_resize(square, image_size), *(crop_face(square, image_size, box) for box in boxes)]


def resize_matrices(image_size: tuple[int, int], target: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Return the two matrices by which `crop_face` resizes a whole face, for a model that resizes in its own graph.

    `rows @ channel @ columns.T` is the resized channel before it is rounded to whole numbers.

    Args:
        image_size: (height, width) of the face.
        target: (height, width) of the result, of the same aspect ratio, so that nothing is cut off or added.

    Returns:
        rows (target height, height) and columns (target width, width), float32; each row sums to 1.

    Raises:
        ValueError: another aspect ratio.

    Example:
        >>> resize_matrices((4, 4), (2, 2))[0].tolist()
        [[0.5, 0.5, 0.0, 0.0], [0.0, 0.0, 0.5, 0.5]]
    """
    if image_size[0] * target[1] != image_size[1] * target[0]:
        raise ValueError(f"Expected sizes of one aspect ratio. Received: {image_size} and {target}.")
    rows, columns = (
        _resize(np.eye(source, dtype=np.float32), (side, source))
        for source, side in zip(image_size, target, strict=True)
    )
    return rows, columns


def crop_points(
    points: np.ndarray, image_shape: tuple[int, ...], image_size: tuple[int, int], face_box=None
) -> np.ndarray:
    """Move landmarks from an image into the crop that `crop_face` makes of it.

    Args:
        points: (n, 2) x, y in pixels of the image; the centre of the first pixel is (0, 0).
        image_shape: (height, width, ...) of the image.
        image_size: (height, width) of the crop.
        face_box: as for `crop_face`.

    Returns:
        (n, 2) float32 in pixels of the crop.
    """
    x0, y0, x1, y1 = square_box(face_box or (0, 0, image_shape[1], image_shape[0]), image_size)
    scale = np.array([image_size[1] / (x1 - x0), image_size[0] / (y1 - y0)])
    return ((np.asarray(points, np.float64) + 0.5 - [x0, y0]) * scale - 0.5).astype(np.float32)


def level_face(
    image: np.ndarray, face_box, left_eye, right_eye
) -> tuple[np.ndarray, tuple[float, float, float, float]]:
    """Turn a face about the middle of its box so that its eyes are level, for `crop_face` to cut out.

    Training faces are turned only with `--align`; the bundle records it, and the model then gets turned faces everywhere.

    Args:
        image: (height, width, 3) uint8, RGB.
        face_box: (x0, y0, x1, y1) in pixels.
        left_eye, right_eye: (x, y) in pixels, the one on the left of the picture first.

    Returns:
        The turned surroundings of the face, (h, w, 3) uint8, and its box in them; what lies beyond the image repeats its
        edge.
    """
    x0, y0, x1, y1 = (float(value) for value in face_box)
    angle = np.degrees(np.arctan2(right_eye[1] - left_eye[1], right_eye[0] - left_eye[0]))
    side = 1.5 * max(x1 - x0, y1 - y0)  # more than the diagonal of the square around the box
    middle, half = ((x0 + x1) / 2, (y0 + y1) / 2), side / 2
    turn = cv2.getRotationMatrix2D((middle[0] - 0.5, middle[1] - 0.5), float(angle), 1.0)
    turn[:, 2] += half - middle[0], half - middle[1]
    extent = (max(1, round(side)), max(1, round(side)))
    patch = cv2.warpAffine(as_rgb(image), turn, extent, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    wide, high = (x1 - x0) / 2, (y1 - y0) / 2
    return patch, (half - wide, half - high, half + wide, half + high)


def five_points(landmarks: np.ndarray) -> np.ndarray:
    """Return eye, eye, nose tip, mouth corner and mouth corner, in each pair the one on the left of the picture first.

    Args:
        landmarks: (68, 2) in iBUG order, an eye being the mean of its six points; or these five already.

    Returns:
        (5, 2) float64, in the pixels of the landmarks; as face detectors give them.

    Raises:
        ValueError: another number of points.

    Example:
        >>> five_points(np.arange(136.0).reshape(68, 2))[2].tolist()
        [60.0, 61.0]
    """
    points = np.asarray(landmarks, np.float64)
    if points.shape == (5, 2):
        return points
    if points.shape != (68, 2):
        raise ValueError(f"Expected 68 or 5 landmarks, (n, 2) pixels. Received: {points.shape}.")
    return np.stack([points[36:42].mean(0), points[42:48].mean(0), points[30], points[48], points[54]])


def level_points(
    image: np.ndarray, landmarks: np.ndarray, face_box=None
) -> tuple[np.ndarray, tuple[float, float, float, float]]:
    """Turn a face by its landmarks until its eyes are level: `level_face` for 68 or 5 landmarks.

    Args:
        image: (height, width, 3) uint8, RGB.
        landmarks: as for `five_points`, in pixels of the image.
        face_box: (x0, y0, x1, y1) in pixels; default: the whole image.

    Returns:
        As `level_face`.
    """
    eyes = five_points(landmarks)[:2]
    return level_face(image, (0, 0, image.shape[1], image.shape[0]) if face_box is None else face_box, *eyes)


def _cut(image: np.ndarray, box: tuple[int, int, int, int]) -> np.ndarray:
    height, width = image.shape[:2]
    x0, y0, x1, y1 = box
    if x1 <= 0 or y1 <= 0 or x0 >= width or y0 >= height:
        raise ValueError(f"Expected a face_box inside the image of {width} x {height} pixels. Received: {box}.")
    inside = image[max(y0, 0) : min(y1, height), max(x0, 0) : min(x1, width)]
    margins = max(-y0, 0), max(y1 - height, 0), max(-x0, 0), max(x1 - width, 0)
    return cv2.copyMakeBorder(inside, *margins, cv2.BORDER_REPLICATE) if any(margins) else inside


def _resize(image: np.ndarray, image_size: tuple[int, int]) -> np.ndarray:
    height, width = image_size
    if image.shape[:2] == (height, width):
        return np.ascontiguousarray(image)
    shrinks = image.shape[0] >= height and image.shape[1] >= width
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
