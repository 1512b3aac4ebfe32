"""Reader `fer2013_csv`: Kaggle's fer2013.csv, one line per face: emotion, 2,304 grey values as text, Usage.

Ids are those of FER+ (`fer0000000.png` is the first line), so that the two label sets of the same faces can be set beside
each other. Kaggle's own train.csv has no Usage: its faces are split by training.
"""

from pathlib import Path

import numpy as np
import pyarrow as pa

from fer_keras.preprocessing import as_rgb
from fer_keras.readers.file_states import Listing, file_states
from fer_keras.readers.listing import walk_folder
from fer_keras.readers.names import find_splits
from fer_keras.readers.outside import LayoutListing
from fer_keras.readers.rows import RawRows, Row, content_hash
from fer_keras.readers.spec import DataSpec
from fer_keras.readers.table_file import FileTable, open_table
from fer_keras.readers.tables import ALIASES, SPLIT_ALIASES

_COLUMNS = ("emotion", "pixels", "Usage")
_NAMES = {
    "emotion": ("emotion", *ALIASES["emotion"]),
    "pixels": ("pixels", "pixel", "pixel_values"),
    "Usage": ("Usage", "split", *SPLIT_ALIASES),
}
_FILES = ("fer2013.csv", "icml_face_data.csv")


def list_files(spec: DataSpec, root: Path) -> Listing:
    """List the one file: `root` itself, or the file in it, at whatever depth, that the spec names.

    Raises:
        ValueError: no such file.
    """
    folder, _, name = _path(root, spec.options["files"]).rpartition("/")
    return LayoutListing({folder or ".": [name]})


def read_rows(spec: DataSpec, root: Path, listing: Listing, jobs: int | None = None) -> RawRows:
    """Read every line; a face whose pixels are not 48 by 48 numbers from 0 to 255 is counted and left out."""
    states, path = file_states(root, listing), _file(root, spec.options["files"])
    table = read_table(path)
    if table.bad_lines and not table.table.num_rows:
        line, reason = table.bad_lines[0]
        raise ValueError(f"{path} is not Kaggle's fer2013.csv: {reason}, line {line}.")
    labels, pixels = (table.column(name).to_pylist() for name in _COLUMNS[:2])
    named = _COLUMNS[2] in table.names
    usages = [text.strip() for text in table.column(_COLUMNS[2]).to_pylist()] if named else [""] * len(labels)
    splits, names = find_splits(usages, spec), _ids(table)
    rows = [
        _read_line(Row(splits[usage] or "", names[line], label=label, position=position, line=line), text)
        for position, (label, text, usage, line) in enumerate(zip(labels, pixels, usages, table.lines(), strict=True))
    ]
    for row, usage in zip(rows, usages, strict=True):
        if splits[usage] is None or (named and not usage):
            row.fatal = f"unknown Usage {usage!r}"
    rows += [Row("", names[line], line=line, fatal=reason) for line, reason in table.bad_lines]
    return RawRows(rows, states, table.notes, spec.emotions)


def _ids(table: FileTable) -> dict[int, str]:
    """Return FER+'s name of the face in each line: they count lines, those that are no row among them."""
    lines = sorted([*table.lines(), *(line for line, _ in table.bad_lines)])
    return {line: f"fer{number:07}.png" for number, line in enumerate(lines)}


def _read_line(row: Row, text: str) -> Row:
    try:
        image = parse_pixels(text)
        row.content, row.extent = content_hash(image.tobytes()), image.shape
    except ValueError as error:
        row.fatal = f"unreadable pixels ({error})"
    return row


def read_table(path: Path) -> FileTable:
    """Return the table with its columns emotion, pixels and, if it is there, Usage; case and outer space do not count.

    Raises:
        ValueError: no table, or one without emotion and pixels.
    """
    try:
        table = open_table(path, [name for names in _NAMES.values() for name in names])
    except ValueError as error:
        raise ValueError(f"{path} is not Kaggle's fer2013.csv: {error}") from error
    found = {name: table.find(_NAMES[name]) for name in _COLUMNS}
    missing = [name for name in _COLUMNS[:2] if found[name] is None]
    if missing:
        only = len(table.names) == 1 and found["pixels"]
        unlabelled = " That is the challenge's list of faces to label, which has no labels." if only else ""
        raise ValueError(
            f"{path} is not Kaggle's fer2013.csv. Expected columns {', '.join(_COLUMNS)}. "
            f"Received: {', '.join(table.names)[:200]}.{unlabelled}"
        )
    return table.take({name: other for name, other in found.items() if other})


def parse_pixels(text: str) -> np.ndarray:
    """Return a face from its pixels as text.

    Returns:
        (48, 48) uint8.

    Raises:
        ValueError: not 2,304 whole numbers from 0 to 255.
    """
    try:
        numbers = list(map(int, text.split()))
    except ValueError:
        raise ValueError("not whole numbers") from None
    if len(numbers) != 48 * 48:
        raise ValueError(f"{len(numbers)} values")
    try:
        values = bytes(numbers)  # several times as fast as NumPy's parsing
    except ValueError:
        raise ValueError("value outside 0..255") from None
    return np.frombuffer(values, np.uint8).reshape(48, 48)


class PixelImages:
    """Images as text in a column: parsed when they are asked for.

    Args:
        pixels: one text per row of the table.
        positions: row of the table for each row of the index.
    """

    def __init__(self, pixels: pa.ChunkedArray, positions):
        self.pixels, self.positions = pixels, positions

    def __len__(self) -> int:
        return len(self.positions)

    def load(self, row: int) -> np.ndarray:
        """Return a row's image, (48, 48, 3) uint8 RGB."""
        return as_rgb(parse_pixels(self.pixels[int(self.positions[row])].as_py()))


def open_images(root: Path, paths, positions) -> PixelImages:
    """Return the source of the images in the file."""
    return PixelImages(read_table(_file(root)).column("pixels"), positions)


def _file(root: Path, names=_FILES) -> Path:
    return root if root.is_file() else root / _path(root, names)


def _path(root: Path, names=_FILES) -> str:
    """Return the path of the one file, relative to the folder that it is in or that `root` is."""
    if root.is_file():
        return root.name
    files = sorted(walk_folder(root).files(), key=lambda path: (path.count("/"), path))
    found = [path for name in names for path in files if path.rpartition("/")[2].casefold() == name.casefold()]
    if not found:
        raise ValueError(f"No FER2013 faces in {root}. Expected the file {' or '.join(names)}.")
    return found[0]
