"""What a reader gives: rows as found in the files, before labels are mapped and checked, and the way to their images."""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from fer_keras.preprocessing import as_rgb, cut_face, decode_image, image_extent, image_problem, level_points

_READ = os.O_RDONLY | getattr(os, "O_BINARY", 0)

#: folder, relative to the data set's root -> names of its files, in an order that depends on the names alone
Listing = dict[str, list[str]]


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
        face_box: (x0, y0, x1, y1) of the face in its picture, in pixels, or None: the picture is the face.
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
    face_box: tuple[float, float, float, float] | None = None


@dataclass
class RawRows:
    """All rows of a data set with what concerns no single row.

    Attributes:
        rows: one a face.
        states: what `file_states` says of the listing, taken before or while each file was read.
        warnings: reason -> count, for example of annotations without an image.
        labels: emotions that the data set can hold, in the package's order.
    """

    rows: list[Row]
    states: np.ndarray
    warnings: dict[str, int] = field(default_factory=dict)
    labels: tuple[str, ...] = ()


def content_hash(data: bytes) -> str:
    """Return the hash by which equal images are found: 128 bits of BLAKE2b, in hex."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def read_file(path: str) -> tuple[bytes, int]:
    """Return a small file's bytes and modification time in ns, several times as fast as `open(path, "rb").read()`."""
    descriptor = os.open(path, _READ)
    try:
        state = os.fstat(descriptor)
        data = os.read(descriptor, state.st_size)
        while len(data) < state.st_size and (more := os.read(descriptor, state.st_size - len(data))):
            data += more
        return data, state.st_mtime_ns
    finally:
        os.close(descriptor)


def read_bytes(path: str) -> bytes:
    """Return a small file's bytes; see `read_file`."""
    return read_file(path)[0]


def fill_image(row: Row, path: str) -> None:
    """Read a row's image file: its hash, its extent, and whether it looks whole."""
    try:
        row.content, row.extent, row.fatal = describe_image(read_bytes(path))
    except OSError as error:
        row.fatal = unreadable_file(error)


def unreadable_file(error: OSError) -> str:
    """Return why a row is dropped whose image file cannot be read."""
    return f"image not readable ({error.strerror})"


def describe_image(data: bytes) -> tuple[str, tuple[int, int], str | None]:
    """Return hash, (height, width) and None of an image file's bytes, or why the row cannot be used in the last place."""
    problem = image_problem(data)
    if problem:
        return "", (0, 0), f"unreadable image ({problem})"
    return content_hash(data), image_extent(data) or (0, 0), None


def list_folder(folder: Path) -> list[str]:
    """Return the names of what is in one folder, in no order; hidden files are passed over."""
    return [name for name in os.listdir(folder) if name[0] != "."]


def file_state(path: str) -> tuple[int, int]:
    """Return bytes and modification time in ns of a file; -1, -1 where it is gone."""
    try:
        state = os.stat(path)
    except OSError:
        return -1, -1
    return state.st_size, state.st_mtime_ns


def file_states(root: Path, listing: Listing) -> np.ndarray:
    """Return (files, 2) int64, bytes and modification time in ns of each listed file in order; -1 where it is gone."""
    if root.is_file():  # a data set of one file
        root = root.parent
    found = [file_state(f"{root}/{folder}/{name}") for folder, names in listing.items() for name in names]
    return np.array(found, np.int64).reshape(-1, 2)


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


def open_images(root: Path, paths: Sequence[str], positions: Sequence[int]) -> FileImages:
    """Return the source of the images at `paths` under `root`; a reader of files has no use for `positions`."""
    return FileImages(root, paths)


class BoxedImages:
    """Pictures with a face in a box each: what it gives is the square around the face.

    Args:
        source: of the pictures.
        boxes: (n, 4) x0, y0, x1, y1 in pixels; NaN where the picture is the face.
    """

    def __init__(self, source, boxes: np.ndarray):
        self.source, self.boxes = source, boxes

    def __len__(self) -> int:
        return len(self.source)

    def load(self, row: int) -> np.ndarray:
        """Return a row's face, (side, side, 3) uint8 RGB, or its picture where it has no box.

        Raises:
            ValueError: a box outside its picture.
        """
        image, box = self.source.load(row), self.boxes[row]
        return image if np.isnan(box[0]) else cut_face(image, box.tolist())


class LevelImages:
    """Pictures of faces with landmarks: what it gives is the square around the face, turned until the eyes are level.

    A face without landmarks comes as `BoxedImages` gives it.

    Args:
        source: of the pictures.
        landmarks: (n, 68, 2) in pixels of the pictures; NaN where there are none.
        boxes: as of `BoxedImages`, or None: the pictures are the faces.
    """

    def __init__(self, source, landmarks: np.ndarray, boxes: np.ndarray | None = None):
        self.source, self.landmarks, self.boxes = source, landmarks, boxes

    def __len__(self) -> int:
        return len(self.source)

    def load(self, row: int) -> np.ndarray:
        """Return a row's face, (side, side, 3) uint8 RGB; a picture without box and landmarks as it is."""
        image = self.source.load(row)
        box = None if self.boxes is None or np.isnan(self.boxes[row][0]) else self.boxes[row].tolist()
        if has_landmarks(self.landmarks[row]):
            image, box = level_points(image, self.landmarks[row], box)
        return image if box is None else cut_face(image, box)


def has_landmarks(landmarks: np.ndarray) -> np.ndarray:
    """Return whether each face of (..., 68, 2) has all its landmarks."""
    return ~np.isnan(landmarks).any((-2, -1))


class JoinedImages:
    """Images of several sources as one.

    Args:
        sources: one a data set.
        owner: (n,) number of the source that each row is in; rows of a source stand in its order.
    """

    def __init__(self, sources: Sequence, owner: np.ndarray):
        self.sources, self.owner = list(sources), np.asarray(owner)
        self.place = np.zeros(len(self.owner), np.int64)
        for number in range(len(self.sources)):
            rows = self.owner == number
            self.place[rows] = np.arange(rows.sum())

    def __len__(self) -> int:
        return len(self.owner)

    def load(self, row: int) -> np.ndarray:
        """Return a row's image, (height, width, 3) uint8 RGB; errors are its source's."""
        return self.sources[self.owner[row]].load(int(self.place[row]))


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
