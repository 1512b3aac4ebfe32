"""What a reader gives: rows as found in the files, before labels are mapped and checked, and the way to their images."""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from fer_keras.decoding import decode_image, examine_image, upright_extent
from fer_keras.preprocessing import as_rgb, cut_face, level_points
from fer_keras.readers.listing import Notes
from fer_keras.readers.opening import read_bytes


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
        agreed: 1 where the label has more than half of the annotators' votes, 0 where not, NaN where there are no votes.
        content: hash of the image's bytes, "" where it could not be read.
        extent: (height, width) in pixels where the header tells, else (0, 0).
        problems: what is wrong with single labels; they count as missing.
        fatal: why the whole row cannot be used, or None.
        position: row of the image array, -1 where images are files.
        face_box: (x0, y0, x1, y1) of the face in its picture, in pixels, or None: the picture is the face.
        subject: id of the person where the layout tells it, else "".
        line: number of the line in its table, 0 where there is none.
        remarks: what is worth a count though the row is used.
    """

    split: str
    id: str
    path: str = ""
    label: str | None = None
    valence: float = float("nan")
    arousal: float = float("nan")
    landmarks: np.ndarray | None = None
    votes: np.ndarray | None = None
    agreed: float = float("nan")
    content: str = ""
    extent: tuple[int, int] = (0, 0)
    problems: list[str] = field(default_factory=list)
    fatal: str | None = None
    position: int = -1
    face_box: tuple[float, float, float, float] | None = None
    subject: str = ""
    line: int = 0
    remarks: list[str] = field(default_factory=list)

    @property
    def place(self) -> str:
        """The row's id as a report names it, with its line where it has one."""
        return f"{self.id} at line {self.line}" if self.line else self.id


@dataclass
class RawRows:
    """All rows of a data set with what concerns no single row.

    Attributes:
        rows: one per face; a list, or `RowColumns`.
        states: what `file_states` says of the listing, taken before or while each file was read.
        notes: what concerns no row, for example annotations without an image.
        labels: emotions that the data set can hold, in the package's order.
        hint: what would help, should no row be usable.
    """

    rows: Sequence[Row]
    states: np.ndarray
    notes: Notes = field(default_factory=Notes)
    labels: tuple[str, ...] = ()
    hint: str = ""


def content_hash(data: bytes) -> str:
    """Return the hash by which equal images are found: 128 bits of BLAKE2b, in hex."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def fill_image(row: Row, path: str) -> None:
    """Read a row's image file: its hash, its extent, whether it looks whole, and whether the row's face lies in it."""
    try:
        fill_content(row, read_bytes(path))
    except (OSError, ValueError) as error:
        row.fatal = row.fatal or unreadable_file(error)


def fill_content(row: Row, data: bytes) -> None:
    """Describe a row's image by the bytes of its file; see `fill_image`."""
    row.content, row.extent, problem = describe_image(data)
    row.fatal = row.fatal or problem
    if row.face_box and row.content:
        _check_box(row, data)
        row.content = content_hash(f"{row.content} {row.face_box}".encode())  # two faces of a picture are two contents


def _check_box(row: Row, data: bytes) -> None:
    """Drop a row whose face lies outside its picture, and remark one whose face reaches beyond it."""
    (x0, y0, x1, y1), (height, width) = row.face_box, row.extent
    if not row.extent[0] or (x0 >= 0 and y0 >= 0 and x1 <= width and y1 <= height):
        return
    height, width = upright_extent(data) or row.extent
    if x1 <= 0 or y1 <= 0 or x0 >= width or y0 >= height:
        row.fatal = row.fatal or BOX_OUTSIDE
    elif x0 < 0 or y0 < 0 or x1 > width or y1 > height:
        row.remarks.append(BOX_BEYOND)


#: Why a row is dropped whose face box has no pixel of its picture.
BOX_OUTSIDE = "face box outside its picture"
#: What is remarked of a row whose face box has pixels outside its picture; they repeat the picture's edge.
BOX_BEYOND = "face box that reaches beyond its picture (many: the pictures are cut to the face already)"


def unreadable_file(error: OSError | ValueError) -> str:
    """Return why a row is dropped whose image file cannot be read."""
    return f"image not readable ({getattr(error, 'strerror', None) or error})"


def describe_image(data: bytes, megapixels: float | None = None) -> tuple[str, tuple[int, int], str | None]:
    """Return hash, (height, width) and None of an image file's bytes, or why the row cannot be used in the last place.

    Args:
        data: content of the file.
        megapixels: as of `size_problem`.
    """
    _, extent, problem = examine_image(data, megapixels)
    if problem:
        return "", (0, 0), f"unreadable image ({problem})"
    return content_hash(data), extent or (0, 0), None


def list_folder(folder: Path) -> list[str]:
    """Return the names of what is in one folder, in no order; hidden files are passed over."""
    return [name for name in os.listdir(folder) if name[0] != "."]


class FileImages:
    """Images in files: the source behind readers of folders.

    Args:
        root: folder that the paths are relative to.
        paths: one per row.
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
        return decode_image(self.data(row))

    def data(self, row: int) -> bytes:
        """Return the bytes of a row's file.

        Raises:
            OSError: no such file, or no permission.
        """
        return read_bytes(os.path.join(self.root, self.paths[row]))


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
        sources: one per data set.
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
