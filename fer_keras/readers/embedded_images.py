"""Images inside the cells of Parquet files: bytes of image files, as Hugging Face keeps them, or rows of pixels."""

import json
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from fer_keras.decoding import decode_image
from fer_keras.preprocessing import as_rgb
from fer_keras.readers.rows import Row, content_hash, fill_content

#: Between the file and the column in the path of a row whose image is in a cell.
MARK = "#"

_KEPT = 256 << 20  # bytes of row groups that are kept: small sets fit whole, of large ones a group is a hundred faces


def holds_images(kind: pa.DataType) -> bool:
    """Whether the cells of a column hold images, and not paths of them."""
    if isinstance(kind, pa.BaseExtensionType):
        kind = kind.storage_type
    if pa.types.is_struct(kind):
        return any(field.name == "bytes" for field in kind)
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or _is_list(kind)


def _is_list(kind: pa.DataType) -> bool:
    return pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)


def class_names(metadata: dict, column: str) -> list[str]:
    """Return the names behind the codes of a column, as Hugging Face writes them into a Parquet file's metadata; or none.

    Args:
        metadata: of the file's schema.
        column: name of the labels.
    """
    try:
        features = json.loads(metadata[b"huggingface"])["info"]["features"]
        names = features[column]["names"]
    except (KeyError, TypeError, ValueError):
        return []
    return [str(name) for name in names] if isinstance(names, list) else []


def split_cell(value) -> tuple[bytes | list | None, str]:
    """Return what an image's cell holds, bytes or numbers, and the path that it names."""
    if isinstance(value, dict):
        data = value.get("bytes")
        return data or None, str(value.get("path") or "")
    return (value, "") if value is not None and len(value) else (None, "")


def fill_cell(row: Row, value: bytes | list | None) -> None:
    """Describe a row's image by what its cell holds, as `fill_image` does for files."""
    if value is None:
        row.fatal = row.fatal or "cell without an image"
    elif isinstance(value, bytes):
        fill_content(row, value)
    else:
        try:
            pixels = as_pixels(value)
            row.content, row.extent = content_hash(pixels.tobytes()), pixels.shape[:2]
        except ValueError as error:
            row.fatal = row.fatal or f"unreadable pixels ({error})"


def as_pixels(values: Sequence) -> np.ndarray:
    """Return an image from nested lists of its pixels.

    Args:
        values: (height, width), (height, width, 1 or 3), (1 or 3, height, width), or a flat list of a square grey image.

    Returns:
        (height, width) or (height, width, 3) uint8.

    Raises:
        ValueError: other shapes, or other numbers than whole ones from 0 to 255.

    Example:
        >>> as_pixels([0, 50, 100, 255]).tolist()
        [[0, 50], [100, 255]]
    """
    try:
        pixels = np.asarray(values, np.float64)
    except (TypeError, ValueError):
        raise ValueError("rows of different lengths, or no numbers") from None
    side = round(pixels.size**0.5)
    if pixels.ndim == 1 and side * side == pixels.size:
        pixels = pixels.reshape(side, side)
    if pixels.ndim == 3 and pixels.shape[0] in (1, 3) and pixels.shape[2] not in (1, 3):
        pixels = np.moveaxis(pixels, 0, 2)
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    if pixels.size == 0 or not (pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] == 3)):
        raise ValueError(f"shape {pixels.shape}")
    if not (
        np.isfinite(pixels).all() and (pixels == np.round(pixels)).all() and 0 <= pixels.min() <= pixels.max() <= 255
    ):
        raise ValueError("not whole numbers from 0 to 255")
    return np.ascontiguousarray(pixels.astype(np.uint8))


def iterate_cells(path: Path, column: str) -> Iterator:
    """Yield the cells of a column, a row group at a time in memory."""
    file = pq.ParquetFile(path)
    for group in range(file.num_row_groups):
        yield from file.read_row_group(group, columns=[column]).column(column).to_pylist()


class CellImages:
    """Images in cells of Parquet files: read a row group at a time, the last ones kept.

    Args:
        root: folder that the paths are relative to.
        paths: for each row the file and its column, as `cell_path` writes them.
        positions: row of the file for each row of the index.
    """

    def __init__(self, root: str | Path, paths: Sequence[str], positions: Sequence[int]):
        self.root, self.paths, self.positions = str(root), list(paths), list(positions)
        self._open()

    def _open(self) -> None:
        self._lock = threading.Lock()
        self._files: dict[str, tuple[pq.ParquetFile, np.ndarray]] = {}
        self._groups: OrderedDict[tuple[str, int], pa.ChunkedArray] = OrderedDict()

    def __getstate__(self) -> dict:
        return {"root": self.root, "paths": self.paths, "positions": self.positions}

    def __setstate__(self, state: dict) -> None:
        self.__dict__.update(state)
        self._open()

    def __len__(self) -> int:
        return len(self.paths)

    def load(self, row: int) -> np.ndarray:
        """Return a row's image, (height, width, 3) uint8 RGB.

        Raises:
            ValueError: an unreadable image.
            OSError: no such file, or no permission.
        """
        with self._lock:
            value, _ = split_cell(self._cell(self.paths[row], int(self.positions[row])))
        if value is None:
            raise ValueError("cell without an image")
        return decode_image(value) if isinstance(value, bytes) else as_rgb(as_pixels(value))

    def _cell(self, path: str, position: int):
        file, first = self._file(path)
        group = int(np.searchsorted(first, position, "right")) - 1
        key = (path, group)
        if key not in self._groups:
            column = path.rpartition(MARK)[2]
            self._groups[key] = file.read_row_group(group, columns=[column]).column(column)
            while len(self._groups) > 1 and sum(cells.nbytes for cells in self._groups.values()) > _KEPT:
                self._groups.popitem(last=False)
        self._groups.move_to_end(key)
        return self._groups[key][position - int(first[group])].as_py()

    def _file(self, path: str) -> tuple[pq.ParquetFile, np.ndarray]:
        if path not in self._files:
            try:
                file = pq.ParquetFile(f"{self.root}/{path.rpartition(MARK)[0]}")
            except pa.ArrowException as error:
                raise ValueError(f"{path.rpartition(MARK)[0]} is not a readable table: {error}") from error
            counts = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
            self._files[path] = file, np.cumsum([0, *counts])
        return self._files[path]


def cell_path(file: str, column: str) -> str:
    """Return the path of a row whose image is in a cell."""
    return f"{file}{MARK}{column}"
