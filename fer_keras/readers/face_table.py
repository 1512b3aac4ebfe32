"""Reader `face_table`: one line per face in CSV or Parquet files with named columns, images in files or in the cells.

A spec's options say what the columns are called, which file holds which split, and where the images are; what they leave out
is named as here: image, split, emotion, valence, arousal, landmarks, face_x, face_y, face_width, face_height.

    columns = { image = "file_name" }        what the columns are called
    tables = { training = "training.csv" }   word for a split -> its table; or table = "all.txt"
    header = ["image", "emotion"]            the columns in order, for a file without a header line
    separator = " "                          where it is none of , ; tab |
    images = "Image/aligned"                 folder of the images, from the table's folder
    image_name = "{stem}_aligned{suffix}"    what the image's file is called for a name in the table
    split_pattern = "^(train|test)_"         the word for the split in an image's name
"""

import math
import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath

import numpy as np
from joblib import Parallel, delayed

from fer_keras.labels import AXES
from fer_keras.preprocessing import square_box
from fer_keras.readers.embedded_images import CellImages, cell_path, fill_cell, iterate_cells, split_cell
from fer_keras.readers.file_states import file_state, file_states
from fer_keras.readers.listing import Notes, walk_folder
from fer_keras.readers.names import find_splits, unknown_split
from fer_keras.readers.outside import LayoutListing
from fer_keras.readers.rows import FileImages, JoinedImages, RawRows, Row, fill_image
from fer_keras.readers.spec import DataSpec
from fer_keras.readers.tables import BOX, Cells, Source, find_tables, read_cells

_CHUNK = 500  # rows per task
_URL = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)
_BASE64 = re.compile(r"data:image/|[A-Za-z0-9+/=\s]{200,}$")
_NO_IMAGE = "line without an image"
_IS_URL = "image is an address on the web, not a file on this machine"
_IS_BASE64 = "image is base64 text, which is not read: write it as a file, or as bytes into a Parquet file"
_LOOKED_AT = 50_000  # files among which a picture that is not where the table says is looked for


class TableListing(LayoutListing):
    """A listing that keeps the tables it was made from, so that a first index reads them once.

    Attributes:
        tables: where they are, and their cells.
        states: what `file_state` says of each table, taken before it was read.
    """

    tables: list[tuple[Source, Cells]]
    states: list[tuple[int, int]]


def list_files(spec: DataSpec, root: Path) -> TableListing:
    """List the tables and every image that they name.

    Raises:
        ValueError: no table, or one that cannot be read or lacks a column.
    """
    base, sources = _base(root), find_tables(spec, root)
    states = _states(sources)
    tables = _read_tables(spec, base, sources)
    found = {source.path.relative_to(base).as_posix() for source in sources}
    for source, cells in tables:
        if not cells.embedded:
            found.update(_path(spec, cell, base, source) for cell in cells.columns["image"] if _is_path(cell))
    folders: dict[str, set[str]] = {}
    for path in found:
        folder, _, name = path.rpartition("/")
        folders.setdefault(os.path.relpath(base / folder, base).replace(os.sep, "/"), set()).add(name)
    listing = TableListing(
        {folder: sorted(names) for folder, names in sorted(folders.items())}, picture="picture that no line names"
    )
    listing.tables, listing.states = tables, states
    return listing


def read_rows(spec: DataSpec, root: Path, listing: TableListing, jobs: int | None = None) -> RawRows:
    """Read every line, and the image that it names or holds."""
    states, base = file_states(root, listing), _base(root)
    tables = listing.tables
    if _states([source for source, _ in tables]) != listing.states:  # written to meanwhile
        tables = _read_tables(spec, base, find_tables(spec, root))
    rows, notes = list(_rows(spec, base, tables)), Notes()
    files = [row for row in rows if row.position < 0 and row.path]
    chunks = (files[start : start + _CHUNK] for start in range(0, len(files), _CHUNK))
    Parallel(n_jobs=jobs or 4, prefer="threads", require="sharedmem")(
        delayed(_fill_images)(str(base), chunk) for chunk in chunks
    )
    for _, cells in tables:
        notes.update(cells.notes)
    lost = bool(files) and not any(row.content for row in files)
    return RawRows(rows, states, notes, spec.emotions, _where_pictures_lie(base, files[0].path) if lost else "")


def open_images(root: Path, paths, positions):
    """Return the source of the images, in files or in the cells of Parquet files."""
    base, inside = _base(root), np.asarray(positions) >= 0
    if not inside.any():
        return FileImages(base, paths)
    cells = CellImages(base, np.asarray(paths, object)[inside], np.asarray(positions)[inside])
    if inside.all():
        return cells
    return JoinedImages([FileImages(base, np.asarray(paths, object)[~inside]), cells], inside.astype(int))


def _read_tables(spec: DataSpec, base: Path, sources: list[Source]) -> list[tuple[Source, Cells]]:
    found = [(source, read_cells(spec, source.path)) for source in sources]
    return [(_nested(spec, base, source, cells), cells) for source, cells in found]


def _base(root: Path) -> Path:
    return root.parent if root.is_file() else root


def _states(sources: list[Source]) -> list[tuple[int, int]]:
    return [file_state(str(source.path)) for source in sources]


def _rows(spec: DataSpec, base: Path, tables: list[tuple[Source, Cells]]) -> Iterator[Row]:
    """Yield the row of each line of each table, those of images in cells described already."""
    words = [word for source, cells in tables for word in _split_words(spec, source, cells)]
    splits = find_splits(words, spec)
    seen: Counter = Counter()
    for source, cells in tables:
        inner = _inner_images(source, cells)
        for number, (word, values) in enumerate(zip(_split_words(spec, source, cells), _lines(cells), strict=True)):
            found = splits[word]
            row = _row(spec, values, Row(found or "", "", line=cells.lines[number]), cells)
            row.fatal = unknown_split(word) if found is None else row.fatal
            if inner is None:
                _name_image(spec, row, values["image"], base=base, source=source)
            else:
                _take_image(
                    row, next(inner), number, embedded=cells.embedded, file=source.path.relative_to(base).as_posix()
                )
            seen[row.split, row.id] += 1
            if seen[row.split, row.id] > 1:  # another face of the same picture
                row.id = f"{row.id}#{seen[row.split, row.id]}"
            yield row
        for line, reason in cells.bad_lines:
            yield Row("", source.path.name, line=line, fatal=reason)


def _inner_images(source: Source, cells: Cells) -> Iterator | None:
    return iterate_cells(source.path, cells.embedded) if cells.embedded else None


def _lines(cells: Cells) -> Iterator[dict]:
    """Yield the cells of each line by the package's words."""
    if not cells.columns:
        yield from ({} for _ in range(cells.count))
    for values in zip(*cells.columns.values(), strict=True):
        yield dict(zip(cells.columns, values, strict=True))


def _split_words(spec: DataSpec, source: Source, cells: Cells) -> list[str]:
    """Return what each line says of its split: its cell, else the name of its image, else its table."""
    words = [_text(cell) or source.split for cell in cells.columns.get("split", [None] * cells.count)]
    if "split_pattern" in spec.options and not cells.embedded:
        pattern = re.compile(spec.options["split_pattern"])
        matches = [pattern.search(_text(cell)) for cell in cells.columns["image"]]
        words = [match[1] if match else word for match, word in zip(matches, words, strict=True)]
    return words


def _name_image(spec: DataSpec, row: Row, cell, *, base: Path, source: Source) -> None:
    """Give a row the path of its image."""
    text = _text(cell)
    row.id = text if len(text) < 200 else f"{text[:40]}..."
    if not _is_path(text):
        row.fatal = row.fatal or (_NO_IMAGE if not text else _IS_BASE64 if _BASE64.match(text) else _IS_URL)
    else:
        row.path = row.id = _path(spec, text, base, source)


def _take_image(row: Row, value, number: int, *, embedded: str, file: str) -> None:
    """Give a row the image in its cell, or the path that stands there in its place."""
    data, named = split_cell(value)
    row.id = named or f"{file}/{number}"
    if data is None and named:
        row.path = named
        return
    row.path, row.position = cell_path(file, embedded), number
    fill_cell(row, data)


def _nested(spec: DataSpec, base: Path, source: Source, cells: Cells) -> Source:
    """Return a table with the folder of its images where an archive put it, into one of its own name, if they lie there."""
    images = spec.options.get("images", ".")
    first = next((cell for cell in cells.columns.get("image", ()) if _is_path(cell)), None)
    if cells.embedded or images == "." or first is None or (base / _path(spec, first, base, source)).exists():
        return source
    inner = replace(source, inner=images.rpartition("/")[2])
    return inner if (base / _path(spec, first, base, inner)).exists() else source


def _is_path(cell) -> bool:
    text = _text(cell)
    return bool(text) and not (_URL.match(text) or _BASE64.match(text))


def _path(spec: DataSpec, cell, base: Path, source: Source) -> str:
    """Return an image's path relative to the data set's folder, as a table's cell names it."""
    path = _text(cell).replace("\\", "/")
    folders = [folder for folder in (source.folder, spec.options.get("images", "."), source.inner) if folder != "."]
    if os.path.isabs(path):
        path, folders = os.path.relpath(path, base).replace(os.sep, "/"), []
    if "image_name" in spec.options:
        pure = PurePosixPath(path)
        path = str(pure.with_name(spec.options["image_name"].format(stem=pure.stem, suffix=pure.suffix)))
    return "/".join([*folders, path])


def _row(spec: DataSpec, cells: dict, row: Row, table: Cells) -> Row:
    """Fill in a row's labels, box and landmarks."""
    row.label = _label(spec, _text(cells.get("emotion")), table.classes)
    for axis in AXES:
        if axis in spec.targets:
            setattr(row, axis, _number(cells[axis], table.decimal_comma))
    if all(name in cells for name in BOX):
        x, y, width, height = (_number(cells[name], table.decimal_comma) for name in BOX)
        if width > 0 and height > 0 and math.isfinite(x + y):
            row.face_box = (x, y, x + width, y + height)
        else:
            row.fatal = "face box is not a place and a size"
    landmarks = cells.get("landmarks")
    if landmarks is not None and len(landmarks):
        row.landmarks = _landmarks(row, landmarks)
    return row


def _text(value) -> str:
    """A cell as text: nothing for an empty one, no point in a whole number that was stored as a float."""
    if value is None or value != value:
        return ""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip()


def _label(spec: DataSpec, text: str, classes: tuple[str, ...]) -> str | None:
    """A code as its class is called in the table's own metadata, unless the spec knows it; other labels as they are."""
    if text in spec.labels or text in spec.drop_labels or not text.isdecimal() or int(text) >= len(classes):
        return text or None
    return classes[int(text)]


def _number(value, decimal_comma: bool = False) -> float:
    try:
        return float(value.replace(",", ".") if decimal_comma and isinstance(value, str) else value)
    except (TypeError, ValueError, OverflowError):
        return math.nan


def _landmarks(row: Row, values) -> np.ndarray | None:
    """68 points from "x;y;x;y;..." or a list, moved into the square that is cut around the face; None with a problem noted."""
    try:
        points = np.array(values.split(";") if isinstance(values, str) else values, np.float32).reshape(68, 2)
    except (TypeError, ValueError):
        row.problems.append("landmarks: not 68 points")
        return None
    return points - np.float32(square_box(row.face_box, (1, 1))[:2]) if row.face_box else points


def _fill_images(base: str, rows: list[Row]) -> None:
    for row in rows:
        fill_image(row, f"{base}/{row.path}")


def _where_pictures_lie(base: Path, path: str) -> str:
    """Return where a picture lies that is not where its table says, for a hint; nothing where none is found."""
    wanted = PurePosixPath(path)
    for number, found in enumerate(walk_folder(base).files()):
        if number > _LOOKED_AT:
            break
        other = PurePosixPath(found)
        if found != path and (other.name == wanted.name or other.stem == wanted.name or other.stem == wanted.stem):
            return (
                f"Paths are taken from {base}; a picture of that name lies there at {found}: mend the column, or say "
                "the folder as images in the spec's [options]."
            )
    return f"Paths are taken from {base}, and no picture of that name lies under it."
