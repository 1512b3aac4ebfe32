"""Indexes as Parquet files: columns as they are, the rest (labels, report, key) in the file's metadata."""

import hashlib
import json
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
    digest.update(states.tobytes())
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
            kind = pa.binary(rows[:1].nbytes)
            columns[name] = pa.FixedSizeBinaryArray.from_buffers(kind, len(rows), [None, pa.py_buffer(rows)])
        else:
            columns[name] = pa.array(column.tolist() if column.dtype.kind == "U" else column)
    facts = {"format": _FORMAT, "key": key, "labels": index.labels, "report": asdict(index.report)}
    table = pa.table(columns).replace_schema_metadata({_KEY: json.dumps(facts)})
    options = {
        "compression": {name: "zstd" if name in _PACKED else "none" for name in columns},
        "use_dictionary": _REPEATED,
        "write_statistics": False,
        "write_page_checksum": True,
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
        table = pq.read_table(path, page_checksum_verification=True)
        facts = json.loads((table.schema.metadata or {})[_KEY])
        if facts["format"] != _FORMAT:
            return None
        columns = {name: _column(table, name) for name in table.column_names}
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


def _column(table: pa.Table, name: str) -> np.ndarray:
    column = table.column(name).combine_chunks()
    if isinstance(column, pa.ChunkedArray):
        column = column.chunk(0)
    if name in _SHAPES:
        shape, dtype = _SHAPES[name]
        start, size = column.offset, column.type.byte_width
        data = np.frombuffer(column.buffers()[1], np.uint8)[start * size : (start + len(column)) * size]
        return data.view(dtype).reshape(len(column), *shape)
    values = column.to_numpy(zero_copy_only=False)
    return values.astype(str) if values.dtype == object else values
