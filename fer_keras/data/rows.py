"""What a reader gives: rows as found in the files, before labels are mapped and checked, and the way to their images."""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from fer_keras.preprocessing import as_rgb, decode_image, image_extent, image_problem

_BLOCK = 1 << 18

#: folder, relative to the data set's root -> file name -> (bytes, modification time in ns)
Listing = dict[str, dict[str, tuple[int, int]]]


@dataclass(slots=True)
class Row:
    """One face as its files describe it.

    Attributes:
        split: the split's name in the spec (train, validation, test), or "" where the files know none.
        id: unique inside its split.
        path: image file relative to the root, "" where images are in an array.
        label: code or name of the emotion in the files, or None.
        valence, arousal: as found; NaN where the files have none.
        landmarks: (68, 2) float32 pixels, or None.
        votes: number of votes for each of the spec's emotions, in `DataSpec.emotions` order, or None.
        content: hash of the image's bytes, "" where it could not be read.
        extent: (height, width) in pixels where the header tells, else (0, 0).
        problems: what is wrong with single labels; they count as missing.
        fatal: why the whole row cannot be used, or None.
        position: row of the image array, -1 where images are files.
    """

    split: str
    id: str
    path: str = ""
    label: str | None = None
    valence: float = float("nan")
    arousal: float = float("nan")
    landmarks: np.ndarray | None = None
    votes: np.ndarray | None = None
    content: str = ""
    extent: tuple[int, int] = (0, 0)
    problems: list[str] = field(default_factory=list)
    fatal: str | None = None
    position: int = -1


@dataclass
class RawRows:
    """All rows of a data set with what concerns no single row.

    Attributes:
        rows: one a face.
        warnings: reason -> count, for example of annotations without an image.
        labels: emotions that the data set can hold, in the package's order.
    """

    rows: list[Row]
    warnings: dict[str, int] = field(default_factory=dict)
    labels: tuple[str, ...] = ()


def content_hash(data: bytes) -> str:
    """Return the hash by which equal images are found: 128 bits of BLAKE2b, in hex."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def read_bytes(path: str) -> bytes:
    """Read a small file in three system calls, several times as fast as `open(path, "rb").read()`."""
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    try:
        data = os.read(descriptor, _BLOCK)
        if len(data) < _BLOCK:  # a regular file gives less than asked only at its end
            return data
        parts = [data]
        while parts[-1]:
            parts.append(os.read(descriptor, _BLOCK))
        return b"".join(parts)
    finally:
        os.close(descriptor)


def fill_image(row: Row, path: str) -> None:
    """Read a row's image file: its hash, its extent, and whether it looks whole."""
    try:
        data = read_bytes(path)
    except OSError as error:
        row.fatal = f"image not readable ({error.strerror})"
        return
    problem = image_problem(data)
    if problem:
        row.fatal = f"unreadable image ({problem})"
        return
    row.content = content_hash(data)
    row.extent = image_extent(data) or (0, 0)


def list_folder(folder: Path) -> dict[str, tuple[int, int]]:
    """Return the files of one folder with bytes and modification time in ns; hidden files are passed over."""
    found = {}
    with os.scandir(folder) as entries:
        for entry in entries:
            if not entry.name.startswith(".") and entry.is_file():
                state = entry.stat()
                found[entry.name] = (state.st_size, state.st_mtime_ns)
    return found


class FileImages:
    """Images in files: the source behind readers of folders.

    Args:
        root: folder that the paths are relative to.
        paths: one a row.
    """

    def __init__(self, root: str | Path, paths: Sequence[str]):
        self.root, self.paths = str(root), list(paths)

    def __len__(self) -> int:
        return len(self.paths)

    def load(self, row: int) -> np.ndarray:
        """Return a row's image, (height, width, 3) uint8 RGB.

        Raises:
            ValueError: an unreadable image.
            OSError: no such file, or no permission.
        """
        return decode_image(read_bytes(os.path.join(self.root, self.paths[row])))


def open_image_files(root: Path, paths: Sequence[str], positions: Sequence[int]) -> FileImages:
    """Return the source of the images at `paths` under `root`; a reader of files has no use for `positions`."""
    return FileImages(root, paths)


class ArrayImages:
    """Images in one array: the source behind data sets that fit in memory.

    Args:
        images: (n, height, width[, 1 or 3]) uint8, grey or RGB.
        positions: row of `images` for each row of the index; default: the same.
    """

    def __init__(self, images: np.ndarray, positions: Sequence[int] | None = None):
        self.images = images
        self.positions = np.arange(len(images)) if positions is None else np.asarray(positions)

    def __len__(self) -> int:
        return len(self.positions)

    def load(self, row: int) -> np.ndarray:
        """Return a row's image, (height, width, 3) uint8 RGB."""
        return as_rgb(self.images[self.positions[row]])
