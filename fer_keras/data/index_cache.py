"""Indexes as Parquet files: columns as they are, the rest (labels, report, fingerprint) in the file's metadata."""

import json
import warnings
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from fer_keras.data.index import COLUMNS, FaceIndex
from fer_keras.data.index_report import IndexReport
from fer_keras.files import write_atomic
from fer_keras.readers.spec import DataSpec

_FORMAT = 1
_KEY = b"fer_keras.index"
_REPEATED = ["split", "path", "subject"]  # a dictionary of the others' values would cost time and save no room
_SHAPES = {
    "landmarks": (68, 2),
    "extent": (2,),
    "face_box": (4,),
}  # columns of more than one number; votes has as many as labels


def write_index(path: Path, index: FaceIndex, key: str) -> None:
    """Write an index atomically; where the folder cannot be written, warn and go on without a cache."""
    columns = {}
    for name in COLUMNS:
        column = getattr(index, name)
        if column is None:
            continue
        if column.ndim > 1:
            flat = pa.array(column.reshape(-1))
            columns[name] = pa.FixedSizeListArray.from_arrays(flat, column[0].size)
        else:
            columns[name] = pa.array(column.tolist() if column.dtype.kind == "U" else column)
    facts = {"format": _FORMAT, "key": key, "labels": index.labels, "report": asdict(index.report)}
    table = pa.table(columns).replace_schema_metadata({_KEY: json.dumps(facts)})
    options = {"compression": "zstd", "use_dictionary": _REPEATED, "write_statistics": False}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, lambda temporary: pq.write_table(table, temporary, **options))
    except OSError as error:
        warnings.warn(
            f"The index could not be kept in {path.parent} ({error.strerror}); set FER_KERAS_CACHE to a folder "
            "that can be written.",
            stacklevel=2,
        )


def read_index(path: Path, spec: DataSpec, root: Path, key: str) -> FaceIndex | None:
    """Return the index at `path`, or None where there is none, it is of other files, or it cannot be read."""
    try:
        table = pq.read_table(path)
        facts = json.loads((table.schema.metadata or {})[_KEY])
    except (OSError, KeyError, ValueError, pa.ArrowException):
        return None
    if facts["format"] != _FORMAT or facts["key"] != key:
        return None
    columns = {name: _column(table, name) for name in table.column_names}
    return FaceIndex(spec, root, tuple(facts["labels"]), IndexReport(**facts["report"]), **columns)


def _column(table: pa.Table, name: str) -> np.ndarray:
    column = table.column(name).combine_chunks()
    if isinstance(column, pa.ChunkedArray):
        column = column.chunk(0)
    if pa.types.is_fixed_size_list(column.type):
        shape = _SHAPES.get(name, (column.type.list_size,))
        return column.flatten().to_numpy(zero_copy_only=False).reshape(-1, *shape)
    values = column.to_numpy(zero_copy_only=False)
    return values.astype(str) if values.dtype == object else values
