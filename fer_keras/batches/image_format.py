"""The image format of shards: PNG, which is lossless, or JPEG, which is smaller."""

from dataclasses import dataclass

import cv2
import numpy as np

IMAGE_FORMATS = ("png", "jpeg")


@dataclass(frozen=True)
class ImageFormat:
    """The format in which faces are stored.

    JPEG keeps colour at full resolution (4:4:4): at half of it faces of 48 px take 0.88 of the bytes and change by up to 35.
    At quality 95 no channel of 400 drawn faces of 48 px changes by more than 20 of 255, 1.3 on average, in 0.45 of PNG's
    bytes; of 224 px by 17, 0.7 on average, in 0.25 of them (`benchmarks/jpeg_faces.py`).

    Attributes:
        name: of `IMAGE_FORMATS`.
        quality: of JPEG, 1 to 100.

    Raises:
        ValueError: an unknown name, or a quality out of range.

    Example:
        >>> ImageFormat("jpeg", 90).loss, ImageFormat().loss
        ('jpeg 90', '')
    """

    name: str = "png"
    quality: int = 95

    def __post_init__(self):
        if self.name not in IMAGE_FORMATS:
            raise ValueError(f"--image-format expects one of {', '.join(IMAGE_FORMATS)}. Received: {self.name!r}.")
        if not 1 <= self.quality <= 100:
            raise ValueError(f"--jpeg-quality expects a number from 1 to 100. Received: {self.quality}.")

    @property
    def loss(self) -> str:
        """The loss of pixels as a spec records it; empty for a lossless format."""
        return "" if self.name == "png" else f"{self.name} {self.quality}"

    def encoded(self, image: np.ndarray) -> np.ndarray | bytes:
        """Return an image (height, width, 3) uint8 RGB as TensorFlow Datasets expects it: JPEG bytes, or itself for PNG."""
        if self.name == "png":
            return image
        flags = [cv2.IMWRITE_JPEG_QUALITY, self.quality]
        flags += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
        return cv2.imencode(".jpg", np.ascontiguousarray(image[:, :, ::-1]), flags)[1].tobytes()
