"""A predictions table's columns as arrays: what every score and plot is computed from.

The table has one row per example: `emotion_true` (null = not labelled), `emotion_pred`, `probability_<label>`;
`valence_true`, `valence_pred` and the same for arousal. A model without an output has none of its columns. In the schema's
metadata, `fer_keras.labels` is the JSON list of label names in order and `fer_keras.derived` that of the axes whose labels
were derived from the emotion. Where several data sets were evaluated as one, the column `set` names each row's. Where the
labels are majorities of votes, `agreed` says whether each has more than half of them (null = no votes).
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

LABELS_KEY = b"fer_keras.labels"
DERIVED_KEY = b"fer_keras.derived"
SET_COLUMN = "set"
AGREED_COLUMN = "agreed"


def table_labels(table: pa.Table) -> tuple[str, ...]:
    """Read the label names, in order, from a predictions table's metadata.

    Args:
        table: predictions with an emotion output.

    Raises:
        ValueError: the metadata is missing or is not a JSON list of two or more different names.
    """
    found = (table.schema.metadata or {}).get(LABELS_KEY)
    try:
        labels = json.loads(found) if found is not None else None
    except ValueError:
        labels = None
    valid = isinstance(labels, list) and len(labels) > 1 and all(isinstance(label, str) for label in labels)
    if not valid or len(set(labels)) != len(labels):
        raise ValueError(
            f"A predictions table with emotions needs schema metadata {LABELS_KEY.decode()!r}: a JSON list of its "
            f"label names in order. Received: {found!r}. Write the table with `replace_schema_metadata`."
        )
    return tuple(labels)


def derived_axes(table: pa.Table) -> tuple[str, ...]:
    """Return the axes of a predictions table whose labels are derived from the emotion, not measured."""
    return tuple(json.loads((table.schema.metadata or {}).get(DERIVED_KEY) or "[]"))


def _column(table: pa.Table, name: str) -> pa.ChunkedArray:
    """Return a column by name, or raise ValueError."""
    if name not in table.column_names:
        raise ValueError(
            f"The predictions table lacks the column {name!r}. Expected every column of each output the model has. "
            f"Received: {', '.join(table.column_names)}."
        )
    return table.column(name)


def _numbers(table: pa.Table, name: str) -> np.ndarray:
    """Return a numeric column as float64; a null, NaN or infinity raises ValueError."""
    column = _column(table, name)
    values = column.to_numpy().astype(np.float64)
    if column.null_count or not np.isfinite(values).all():
        raise ValueError(
            f"Column {name!r} must hold a finite number in every labelled row. Received: null, NaN or infinity. "
            "A missing label is null in the *_true column; a prediction is never missing."
        )
    return values


def _class_codes(table: pa.Table, name: str, labels: Sequence[str]) -> np.ndarray:
    """Return label names of a column as int64 indices into `labels`."""
    codes = {label: index for index, label in enumerate(labels)}
    encoded = _column(table, name).cast(pa.string()).combine_chunks().dictionary_encode()
    names = encoded.dictionary.to_pylist()
    unknown = sorted(str(value) for value in names if value not in codes)
    if unknown or encoded.null_count:
        raise ValueError(
            f"Column {name!r} must hold only the table's labels: {', '.join(labels)}. "
            f"Received: {', '.join(unknown) or 'null'}. Map labels by name before predicting."
        )
    return np.array([codes[value] for value in names], np.int64)[encoded.indices.to_numpy()]


def emotion_arrays(table: pa.Table) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Take the labelled rows' emotions out of a predictions table.

    Args:
        table: predictions.

    Returns:
        True indices `(n,)`, predicted indices `(n,)` and probabilities `(n, C)` float64 in label order; None if the
        model has no emotion output or no row is labelled.

    Raises:
        ValueError: a column is missing, or holds a name that is not a label, or a number that is not finite.
    """
    if "emotion_pred" not in table.column_names:
        return None
    labels = table_labels(table)
    table = table.filter(_column(table, "emotion_true").is_valid())
    if not table.num_rows:
        return None
    probabilities = np.stack([_numbers(table, f"probability_{label}") for label in labels], axis=1)
    return _class_codes(table, "emotion_true", labels), _class_codes(table, "emotion_pred", labels), probabilities


def axis_arrays(table: pa.Table, axis: str) -> tuple[np.ndarray, np.ndarray] | None:
    """Take the labelled rows' true and predicted values of "valence" or "arousal", each `(n,)` float64.

    Args:
        table: predictions.
        axis: "valence" or "arousal".

    Returns:
        The two arrays, or None if the model has no such output or no row is labelled.

    Raises:
        ValueError: a column is missing or holds a number that is not finite.
    """
    if f"{axis}_pred" not in table.column_names:
        return None
    table = table.filter(_column(table, f"{axis}_true").is_valid())
    if not table.num_rows:
        return None
    return _numbers(table, f"{axis}_true"), _numbers(table, f"{axis}_pred")
