"""The checks of rows in columns: those with nothing to say of are told at once, each other one is checked as a row.

So every count and message comes from `check_row`, whatever the layout, and a million faultless files cost no step each.
"""

import numpy as np

from fer_keras.data.index import IndexReport
from fer_keras.data.row_checks import check_row
from fer_keras.data.unusable import Meanings
from fer_keras.labels import AXES, VA_RANGE
from fer_keras.readers.row_columns import RowColumns, label_text
from fer_keras.readers.spec import DataSpec


def check_columns(rows: RowColumns, meanings: Meanings, report: IndexReport) -> dict:
    """Return the columns of an index, with the rows that can be used.

    Args:
        rows: as found.
        meanings: of their labels.
        report: where what is wrong is counted.
    """
    emotion, plain = _emotions(rows, meanings)
    units = {}
    for axis in AXES:
        units[axis], on_scale = _to_units(meanings.spec, getattr(rows, axis))
        plain &= on_scale
    plain &= rows.usable()
    plain[list(rows.problems)] = False
    kept = np.ones(len(rows), bool)
    for number in np.flatnonzero(~plain).tolist():
        row = rows[number]
        kept[number] = check_row(meanings.spec, row, meanings, report)
        emotion[number] = meanings.emotions.get(row.label, -1)
        for axis in AXES:
            units[axis][number] = getattr(row, axis)
    return _columns(rows, {"emotion": emotion, **units}, kept)


def _emotions(rows: RowColumns, meanings: Meanings) -> tuple[np.ndarray, np.ndarray]:
    """Return (n,) int16 emotion of each row, -1 for none, and (n,) bool: whether its label plainly means it."""
    codes, places = np.unique(rows.code, return_inverse=True)
    alone = Meanings(meanings.spec, meanings.emotions)  # the real one counts unknown labels in the order of the rows
    meant = [alone[label_text(code)].emotion if code == code else None for code in codes]
    emotions = np.array([meanings.emotions.get(name, -1) for name in meant], np.int16)[places]
    return emotions, emotions >= 0


def _to_units(spec: DataSpec, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (n,) float32 values on -1..1, and (n,) bool: whether each is a plain one, as `to_unit` has it."""
    low, high = spec.va_range or VA_RANGE
    plain = (values >= min(low, high)) & (values <= max(low, high))  # False for NaN
    if spec.missing_va is not None:
        plain &= values != spec.missing_va
    units = values if spec.va_range is None else (values - low) / (high - low) * 2 - 1
    return np.where(plain, units, np.nan).astype(np.float32), plain


def _columns(rows: RowColumns, checked: dict[str, np.ndarray], kept: np.ndarray) -> dict:
    chosen = slice(None) if kept.all() else kept  # a copy of the landmarks is as large as all the rest
    count = int(kept.sum())
    landmarks = rows.landmarks[chosen]
    texts = {name: getattr(rows, name) for name in ("split", "id", "path")}
    return {
        **{name: column[chosen] for name, column in {**checked, **texts}.items()},
        "content": rows.content[chosen].astype(str),
        "extent": rows.extent[chosen],
        "subject": np.full(count, "", "U1"),
        "position": np.full(count, -1),
        "landmarks": None if np.isnan(landmarks[:, 0, 0]).all() else landmarks,
    }
