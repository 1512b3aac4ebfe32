"""Indexes as Parquet files: columns as they are, the rest (labels, report, key) in the file's metadata."""

import hashlib
import json
import math
import warnings
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from fer_keras.data.index import COLUMNS, FaceIndex, IndexReport
from fer_keras.files import write_atomic
from fer_keras.readers.file_states import DerivedNames, Listing
from fer_keras.readers.spec import DataSpec

_FORMAT = 3  # 2 has `agreed`, 3 keeps landmarks and others of several numbers as bytes
_KEY = b"fer_keras.index"
_GROUP = 1 << 13  # rows that are written and read at a time, so that landmarks are in memory once
_REPEATED = ["split", "subject"]  # a dictionary for the other columns costs time and saves no space
_PACKED = ["split", "id", "path", "subject"]  # so does compressing numbers and hashes
#: Shape per face and type of the columns of more than one number; `votes` has one number per label.
_SHAPES = {
    "landmarks": ((68, 2), np.float32),
    "extent": ((2,), np.int32),
    "face_box": ((4,), np.float32),
    "votes": ((-1,), np.float32),
}


def index_path(folder: Path, spec: DataSpec, root: Path) -> Path:
    """Return the cache file of the data set at `root`; another place gets another file."""
    place = hashlib.blake2b(str(root).encode(), digest_size=8).hexdigest()
    return folder / "index" / f"{spec.name}-{place}.parquet"


def listing_key(spec: DataSpec, listing: Listing, states: np.ndarray) -> str:
    """Return a hash that changes when a file is added or removed, when its size or time changes, or when the spec does.

    Args:
        spec: the data spec.
        listing: the files.
        states: what `file_states` returns for them.
    """
    digest = hashlib.blake2b(json.dumps(asdict(spec), sort_keys=True).encode(), digest_size=16)
    for folder, names in listing.items():
        told = [repr(names.endings)] if isinstance(names, DerivedNames) else names  # their stems are among the images
        digest.update("\n".join([folder, *told, ""]).encode())
    digest.update(np.ascontiguousarray(states))
    return digest.hexdigest()


def write_index(path: Path, index: FaceIndex, key: str) -> None:
    """Write an index atomically, with the `listing_key` of its files; if the folder cannot be written, only warn."""
    columns = {}
    for name in COLUMNS:
        column = getattr(index, name)
        if column is None:
            continue
        if name in _SHAPES:  # as bytes: lists of numbers cost Parquet a mark for each number
            rows = np.ascontiguousarray(column, _SHAPES[name][1])
            kind = pa.binary(rows.itemsize * math.prod(rows.shape[1:]))
            columns[name] = pa.FixedSizeBinaryArray.from_buffers(kind, len(rows), [None, pa.py_buffer(rows)])
        else:
            columns[name] = _text_array(column) if column.dtype.kind == "U" else pa.array(column)
    facts = {"format": _FORMAT, "key": key, "labels": index.labels, "report": asdict(index.report)}
    table = pa.table(columns).replace_schema_metadata({_KEY: json.dumps(facts)})
    options = {
        "compression": {name: "zstd" if name in _PACKED else "none" for name in columns},
        "use_dictionary": _REPEATED,
        "write_statistics": False,
        "write_page_checksum": True,
        "row_group_size": _GROUP,
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, lambda temporary: pq.write_table(table, temporary, **options))
    except OSError as error:
        warnings.warn(
            f"The index could not be cached in {path.parent} ({error.strerror}). Set FER_KERAS_CACHE to a writable folder.",
            stacklevel=2,
        )


def read_index(path: Path, spec: DataSpec, root: Path) -> tuple[str, FaceIndex] | None:
    """Return the index at `path` and its key, or None if there is none, if it is of another format, or if it is not whole."""
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            facts = json.loads((file.schema_arrow.metadata or {})[_KEY])
            if facts["format"] != _FORMAT:
                return None
            columns = _columns(file)
        index = FaceIndex(spec, root, tuple(facts["labels"]), _report(facts["report"]), **columns)
        return (facts["key"], index) if _is_whole(index) else None
    except _DAMAGE:
        return None


#: What a damaged file makes its readers throw.
_DAMAGE = (OSError, LookupError, ValueError, TypeError, AttributeError, OverflowError, RecursionError, MemoryError)
_DAMAGE += (pa.ArrowException,)


def _report(facts: dict) -> IndexReport:
    counts = [facts[name] for name in ("dropped", "missing_labels", "warnings")]
    if not (isinstance(facts["found"], int) and all(isinstance(table, dict) for table in counts)):
        raise ValueError("another report")
    return IndexReport(**facts)


def _is_whole(index: FaceIndex) -> bool:
    """Return whether columns have the types and lengths of an index, and codes stand for labels."""
    columns = {name: getattr(index, name) for name in COLUMNS if getattr(index, name) is not None}
    if any(len(column) != len(index) for column in columns.values()):
        return False
    texts = ("split", "id", "path", "content", "subject")
    if any((column.dtype.kind == "U") != (name in texts) for name, column in columns.items() if len(column)):
        return False
    if not all(isinstance(name, str) for name in index.labels):
        return False
    codes = index.emotion
    return not len(index) or (codes.dtype.kind == "i" and codes.min() >= -1 and codes.max() < len(index.labels))


def _columns(file: pq.ParquetFile) -> dict[str, np.ndarray]:
    """Return the columns of a file: one after the other, and those of many bytes a row group at a time."""
    names = file.schema_arrow.names
    columns = {name: _plain(file.read([name]).column(name)) for name in names if name not in _SHAPES}
    rows = file.metadata.num_rows
    wide = {
        name: np.empty((rows, file.schema_arrow.field(name).type.byte_width), np.uint8)
        for name in names
        if name in _SHAPES
    }
    first = 0
    for group in range(file.num_row_groups):
        table = file.read_row_group(group, list(wide))
        for name, room in wide.items():
            at = first
            for chunk in table.column(name).chunks:
                room[at : at + len(chunk)] = _bytes_of(chunk)
                at += len(chunk)
        first += table.num_rows
        del table
        pa.default_memory_pool().release_unused()
    for name, room in wide.items():
        shape, dtype = _SHAPES[name]
        columns[name] = room.view(dtype).reshape(rows, *shape)
    return columns


def _text_array(column: np.ndarray) -> pa.Array:
    """Return a column of text as Arrow has it; ASCII, which nearly all is, without a Python string for each."""
    width = max(1, column.dtype.itemsize // 4)
    letters = np.ascontiguousarray(column).view(np.uint32).reshape(-1, width)
    if not len(column) or letters.max() > 127:
        return pa.array(column.tolist(), pa.string())
    letters = letters.astype(np.uint8)
    there = letters != 0
    if (there[:, 1:] > there[:, :-1]).any():  # a zero inside a text
        return pa.array(column.tolist(), pa.string())
    ends = np.zeros(len(column) + 1, np.int32)
    np.cumsum(there.sum(1, dtype=np.int32), out=ends[1:])
    data = letters.reshape(-1) if ends[-1] == letters.size else letters[there]
    return pa.StringArray.from_buffers(len(column), pa.py_buffer(ends), pa.py_buffer(data))


def _bytes_of(column: pa.FixedSizeBinaryArray) -> np.ndarray:
    width = column.type.byte_width
    return np.frombuffer(column.buffers()[1], np.uint8).reshape(-1, width)[column.offset : column.offset + len(column)]


def _plain(column: pa.ChunkedArray) -> np.ndarray:
    """Return a column of numbers, or of text as NumPy's."""
    if pa.types.is_string(column.type):
        return _texts(column.chunks)
    return np.concatenate([_numbers(chunk) for chunk in column.chunks] or [np.empty(0)])


def _numbers(column: pa.Array) -> np.ndarray:
    """Return numbers; `column.to_numpy` imports pandas, which takes longer than all the rest."""
    name = str(column.type)
    dtype = np.dtype({"float": "float32", "double": "float64"}.get(name, name))
    if column.null_count:
        raise ValueError("a number is missing")
    return np.frombuffer(column.buffers()[1], dtype)[column.offset : column.offset + len(column)]


def _texts(chunks: list[pa.StringArray]) -> np.ndarray:
    """Return texts; ASCII, which nearly all are, without a Python string for each."""
    parts = [_letters(chunk) for chunk in chunks]
    if any(letters.max(initial=0) > 127 for _, letters in parts):
        return np.concatenate([chunk.to_numpy(zero_copy_only=False).astype(str) for chunk in chunks])
    width = max([1, *(int(lengths.max(initial=0)) for lengths, _ in parts)])
    text = np.zeros((sum(map(len, chunks)), width), np.uint32)  # NumPy keeps a letter in four bytes
    first = 0
    for lengths, letters in parts:
        text[first : first + len(lengths)][np.arange(width) < lengths[:, None]] = letters
        first += len(lengths)
    return text.view(f"U{width}")[:, 0]


def _letters(column: pa.StringArray) -> tuple[np.ndarray, np.ndarray]:
    """Return (n,) bytes of each text, and the bytes of all."""
    ends = np.frombuffer(column.buffers()[1], np.int32)[column.offset : column.offset + len(column) + 1]
    return np.diff(ends), np.frombuffer(column.buffers()[2] or b"", np.uint8)[ends[0] : ends[-1]]
