"""Reader `face_table`: one line a face in CSV or Parquet files with named columns, images in files; AffectNet's CSVs too.

A spec's options say what the columns are called, which file holds which split, and where the images are; what they leave
out is named as here: image, split, emotion, valence, arousal, landmarks, face_x, face_y, face_width, face_height.
"""

import math
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
from joblib import Parallel, delayed

from fer_keras.labels import AXES, known_emotion
from fer_keras.preprocessing import square_box
from fer_keras.readers.rows import FileImages, RawRows, Row, content_hash, file_state, file_states, fill_image
from fer_keras.readers.spec import DataSpec

_BOX = ("face_x", "face_y", "face_width", "face_height")
_SUFFIXES = (".csv", ".parquet")
_CHUNK = 500  # rows a task


class TableListing(dict):
    """A listing that keeps the tables it was made from, so that a first index reads them once.

    Attributes:
        columns: what the files call their split -> columns, as `_columns` gives them.
        states: what `file_state` says of each table, taken before it was read.
    """

    columns: dict[str, dict[str, list]]
    states: list[tuple[int, int]]


def list_files(spec: DataSpec, root: Path) -> TableListing:
    """List the tables and every image that they name.

    Raises:
        ValueError: no table, or one that cannot be read or lacks a column.
    """
    base, tables = _base(root), _tables(spec, root)
    states = _states(tables)
    columns = {name: _columns(spec, path) for name, path in tables.items()}
    folders: dict[str, list[str]] = {".": [path.name for path in tables.values()]}
    for path in dict.fromkeys(_path(spec, cell, base) for found in columns.values() for cell in found["image"]):
        folder, _, name = path.rpartition("/")
        folders.setdefault(os.path.relpath(base / folder, base).replace(os.sep, "/"), []).append(name)
    listing = TableListing({folder: sorted(names) for folder, names in sorted(folders.items())})
    listing.columns, listing.states = columns, states
    return listing


def read_rows(spec: DataSpec, root: Path, listing: TableListing, jobs: int | None = None) -> RawRows:
    """Read every line, and the image that it names."""
    states, tables = file_states(root, listing), _tables(spec, root)
    columns = listing.columns
    if _states(tables) != listing.states:  # written to meanwhile
        columns = {name: _columns(spec, path) for name, path in tables.items()}
    rows = list(_rows(spec, root, columns))
    chunks = (rows[start : start + _CHUNK] for start in range(0, len(rows), _CHUNK))
    Parallel(n_jobs=jobs or 4, prefer="threads", require="sharedmem")(
        delayed(_fill_images)(str(_base(root)), chunk) for chunk in chunks
    )
    return RawRows(rows, states, {}, spec.emotions)


def open_images(root: Path, paths, positions) -> FileImages:
    """Return the source of the images at `paths`."""
    return FileImages(_base(root), paths)


def _base(root: Path) -> Path:
    return root.parent if root.is_file() else root


def _tables(spec: DataSpec, root: Path) -> dict[str, Path]:
    """Return the tables by what the files call their split; "" for one table of all splits."""
    if root.is_file():
        return {"": root}
    named = {name: root / file for name, file in spec.options.get("tables", {}).items() if (root / file).is_file()}
    found = sorted(path for path in root.iterdir() if path.suffix.lower() in _SUFFIXES)
    if named or ("tables" not in spec.options and len(found) == 1):
        return named or {"": found[0]}
    wanted = ", ".join(spec.options.get("tables", {}).values()) or "one .csv or .parquet file"
    names = ", ".join(path.name for path in found[:6]) or "none"
    raise ValueError(f"No table of faces in {root}. Expected {wanted}. Received: {names}. Or give the file itself.")


def _states(tables: dict[str, Path]) -> list[tuple[int, int]]:
    return [file_state(str(path)) for path in tables.values()]


def _rows(spec: DataSpec, root: Path, tables: dict[str, dict[str, list]]) -> Iterator[Row]:
    split_of = {name: split for split, name in spec.splits.items()}
    seen: Counter = Counter()
    for split_name, columns in tables.items():
        for values in zip(*columns.values(), strict=True):
            cells = dict(zip(columns, values, strict=True))
            name = _text(cells.get("split")) or split_name
            row = _row(spec, cells, split_of.get(name, name), _base(root))
            if name and name not in split_of:
                row.split, row.fatal = "", f"unknown split {name!r}"
            seen[row.split, row.id] += 1
            if seen[row.split, row.id] > 1:  # another face of the same picture
                row.id = f"{row.id}#{seen[row.split, row.id]}"
            yield row


def _columns(spec: DataSpec, path: Path) -> dict[str, list]:
    """Return the columns that a spec knows, by the package's word for each.

    Raises:
        ValueError: an unreadable file, or one without the image's column or that of a target.
    """
    words = ("image", "split", "emotion", *AXES, "landmarks", *_BOX)
    names = {word: spec.options.get("columns", {}).get(word, word) for word in words}
    try:
        table = _read(path, names["image"], spec.options.get("header"))
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not a readable table: {str(error).splitlines()[0]}") from error
    missing = [names[word] for word in ("image", *spec.targets) if names[word] not in table.column_names]
    if missing:
        raise ValueError(
            f"{path} lacks the column {', '.join(missing)}. Received: {', '.join(table.column_names)[:300]}. Say what "
            "the columns are called in [options.columns] of a copy of the data spec, and in its targets what is labelled."
        )
    return {word: table.column(name).to_pylist() for word, name in names.items() if name in table.column_names}


def _read(path: Path, image: str, header: list[str] | None) -> pa.Table:
    if path.suffix.lower() == ".parquet":
        return pq.read_table(path)
    with open(path, encoding="utf-8-sig") as file:
        first = [name.strip().strip('"') for name in file.readline().split(",")]
    named = header is None or image in first
    names = first if named else header
    reading = pyarrow.csv.ReadOptions(column_names=names, skip_rows=int(named), encoding="utf8")
    texts = pyarrow.csv.ConvertOptions(column_types={name: pa.string() for name in names})
    return pyarrow.csv.read_csv(path, reading, convert_options=texts)


def _path(spec: DataSpec, cell, base: Path) -> str:
    """Return an image's path relative to the data set's folder, as a table's cell names it."""
    path, folder = _text(cell).replace("\\", "/"), spec.options.get("images", "")
    path = os.path.relpath(path, base).replace(os.sep, "/") if os.path.isabs(path) else path
    return f"{folder}/{path}" if folder else path


def _row(spec: DataSpec, cells: dict, split: str, base: Path) -> Row:
    path = _path(spec, cells["image"], base)
    row = Row(split, path, path, label=_label(spec, _text(cells.get("emotion"))))
    for axis in AXES:
        if axis in spec.targets:
            setattr(row, axis, _number(cells[axis]))
    if all(name in cells for name in _BOX):
        x, y, width, height = (_number(cells[name]) for name in _BOX)
        if width > 0 and height > 0 and math.isfinite(x + y):
            row.face_box = (x, y, x + width, y + height)
        else:
            row.fatal = "face box is not a place and a size"
    if cells.get("landmarks"):
        row.landmarks = _landmarks(row, str(cells["landmarks"]))
    return row


def _text(value) -> str:
    """A cell as text: nothing for an empty one, no point in a whole number that was stored as a float."""
    if value is None or value != value:
        return ""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip()


def _label(spec: DataSpec, text: str) -> str | None:
    """A code of the spec as it is, an emotion's name under any of its aliases as the package's; others as they are."""
    if not text or text in spec.labels or text in spec.drop_labels:
        return text or None
    return known_emotion(text)


def _number(value) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan


def _landmarks(row: Row, text: str) -> np.ndarray | None:
    """68 points from "x;y;x;y;...", moved into the square that is cut around the face; None with a problem noted."""
    try:
        points = np.array(text.split(";"), np.float32).reshape(68, 2)
    except ValueError:
        row.problems.append("landmarks: not 68 points")
        return None
    return points - np.float32(square_box(row.face_box, (1, 1))[:2]) if row.face_box else points


def _fill_images(base: str, rows: list[Row]) -> None:
    for row in rows:
        fatal = row.fatal
        fill_image(row, f"{base}/{row.path}")
        row.fatal = fatal or row.fatal
        if row.face_box and row.content:  # two faces of one picture are two contents
            row.content = content_hash(f"{row.content} {row.face_box}".encode())
