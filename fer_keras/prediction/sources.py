"""Where faces come from: files, bytes, arrays, PIL images, folders, and any iterable of these."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from fer_keras.preprocessing import IMAGE_SUFFIXES, decode_image, to_rgb


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
        return decode_image(Path(source).read_bytes())
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
    """Return the image files under a folder, sorted, and how many other files are there; hidden ones are passed over.

    Raises:
        FileNotFoundError: no such folder.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"No folder there. Received: {folder}.")
    images, others = [], 0
    for path in _walk(folder):
        if path.suffix.lower() in IMAGE_SUFFIXES:
            images.append(path)
        else:
            others += 1
    return sorted(images), others


def _walk(folder: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(parent, name) for name in files if not name.startswith("."))
