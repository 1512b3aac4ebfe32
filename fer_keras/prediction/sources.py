"""Where faces come from: files, bytes, arrays, PIL images, folders, and any iterable of these."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from fer_keras.decoding import decode_image
from fer_keras.preprocessing import to_rgb
from fer_keras.readers.listing import find_pictures
from fer_keras.readers.opening import read_bytes


def load_image(source, colour: str = "rgb") -> np.ndarray:
    """Return one image as uint8 RGB.

    Args:
        source: a path, the bytes of an image file, such a file opened, a PIL image, or an array as `to_rgb` takes it.
        colour: order of an array's channels, rgb or bgr; files and PIL images know their own.

    Raises:
        FileNotFoundError: no such file.
        ValueError: an unreadable image.
    """
    if isinstance(source, (str, Path)):
        return decode_image(read_bytes(str(source)))
    if isinstance(source, (bytes, bytearray, memoryview)):
        return decode_image(bytes(source))
    if hasattr(source, "read"):
        return decode_image(source.read())
    return to_rgb(source, colour)


def is_batch(source) -> bool:
    """Whether a source holds several images in a sequence: a list, a tuple or an array (n, height, width, channels)."""
    return isinstance(source, (list, tuple)) or (isinstance(source, np.ndarray) and source.ndim == 4)


def is_stream(source) -> bool:
    """Whether a source gives images one after the other: an iterator or another iterable that is not itself an image."""
    single = isinstance(source, (str, Path, bytes, bytearray, memoryview, np.ndarray))
    return not single and isinstance(source, Iterable) and not hasattr(source, "read")


def list_images(folder: str | Path) -> tuple[list[Path], int]:
    """Return the image files under a folder, sorted, and how many other files are passed over.

    `find_pictures` says which those are; linked folders are followed once, and content decides where no suffix does.

    Raises:
        FileNotFoundError: no such folder.
    """
    found = find_pictures(folder)
    return found.paths, sum(found.others.counts.values())
