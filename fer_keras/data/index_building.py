"""Building a face index from a reader's raw rows: labels mapped by name, every value and scale checked, problems counted.

No invalid value gets past this module: marks such as AffectNet's -2 become missing labels, and every row or label that
cannot be used is counted.
"""

import math
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fer_keras.data.column_checks import check_columns
from fer_keras.data.index import FaceIndex, IndexReport
from fer_keras.data.row_checks import check_row
from fer_keras.data.unusable import Meanings, check_codes, nothing_usable
from fer_keras.labels import AXES, VA_RANGE
from fer_keras.readers.row_columns import RowColumns
from fer_keras.readers.rows import RawRows, Row
from fer_keras.readers.spec import DataSpec

#: Ranges that valence and arousal are published in -> whose they are.
KNOWN_SCALES = {
    (0.0, 1.0): "a scale of 0..1",
    (1.0, 5.0): "a five-point scale of 1..5",
    (1.0, 7.0): "a seven-point scale of 1..7",
    (1.0, 9.0): "SAM's 1..9",
    (1.0, 10.0): "EMOTIC's 1..10",
    (0.0, 10.0): "a scale of 0..10",
    (-5.0, 5.0): "a scale of -5..5",
    (-10.0, 10.0): "AFEW-VA's -10..10",
    (0.0, 100.0): "a scale of 0..100",
    (-100.0, 100.0): "a scale of -100..100",
    (-1000.0, 1000.0): "Aff-Wild's raw -1000..1000",
}

#: What is noted of a valence that never falls below the middle of its scale.
NEVER_NEGATIVE = "valence, none of them below 0 (a scale of 0..1 needs va_range = [0, 1] in the data spec)"

_FEW, _SHARE = 2, 0.05  # values outside the range that can be slips of single rows
_ENOUGH = 50  # values that should hold a negative one


class WrongScale(ValueError):
    """Valence or arousal on another scale than the spec says.

    Attributes:
        range: (lowest, highest) of the scale that it looks like.
    """

    def __init__(self, message: str, scale: tuple[float, float]):
        super().__init__(message)
        self.range = scale


def check_scale(spec: DataSpec, rows: Sequence[Row]) -> list[str]:
    """Refuse valence and arousal that are plainly on another scale than the spec's.

    Single values outside it are slips, which are counted as missing; many, or whole numbers beyond it, are a scale.

    Returns:
        Remarks on what could be another scale.

    Raises:
        WrongScale: it names the scale that the values look like.
    """
    low, high = spec.va_range or VA_RANGE
    low, high = min(low, high), max(low, high)
    found = {axis: _values(spec, rows, axis) for axis in AXES if axis in spec.targets}
    for axis, values in found.items():
        outside = (values < low) | (values > high)
        whole = bool((values == np.round(values)).all())
        if outside.sum() >= _FEW and (outside.mean() > _SHARE or whole):
            raise _wrong_scale(spec, axis, outside, np.concatenate(list(found.values())))
    valence = found.get("valence", np.empty(0))
    if spec.va_range is None and len(valence) >= _ENOUGH and valence.min() >= 0 and valence.max() > 0.5:
        return [NEVER_NEGATIVE]
    return []


def _values(spec: DataSpec, rows: Sequence[Row], axis: str) -> np.ndarray:
    if isinstance(rows, RowColumns):
        values = getattr(rows, axis)[rows.usable()]
    else:
        values = np.array([getattr(row, axis) for row in rows if not row.fatal], np.float64)
    return values[np.isfinite(values) & (values != (math.nan if spec.missing_va is None else spec.missing_va))]


def _wrong_scale(spec: DataSpec, axis: str, outside: np.ndarray, values: np.ndarray) -> WrongScale:
    expected = f"{spec.va_range or VA_RANGE}".strip("()[]").replace(", ", "..").replace(".0", "")
    lowest, highest = float(values.min()), float(values.max())
    fitting = [scale for scale in KNOWN_SCALES if scale[0] <= lowest and highest <= scale[1]]
    scale = min(fitting, key=lambda scale: scale[1] - scale[0], default=(lowest, highest))
    looks = f", which looks like {KNOWN_SCALES[scale]}" if scale in KNOWN_SCALES else ""
    return WrongScale(
        f"{spec.name}: {axis} is not on the scale {expected}. Received: {int(outside.sum()):,} of {len(outside):,} values "
        f"outside it, all between {lowest:g} and {highest:g}{looks}. Write va_range = [{scale[0]:g}, {scale[1]:g}] into a "
        "copy of the data spec to map that scale to -1..1.",
        scale,
    )


def build_index(spec: DataSpec, root: Path, raw: RawRows) -> FaceIndex:
    """Check raw rows and build an index of those that can be used.

    Raises:
        ValueError: not one row can be used, or valence and arousal are on another scale than the spec's.
    """
    notes, columns = raw.notes, isinstance(raw.rows, RowColumns)
    check_codes(spec, raw.rows.labels() if columns else (row.label for row in raw.rows))
    for remark in check_scale(spec, raw.rows):
        notes.add(remark, spec.name)
    report = IndexReport(found=len(raw.rows), warnings=dict(notes.counts), examples=dict(notes.examples))
    codes = {name: code for code, name in enumerate(raw.labels)}
    meanings = Meanings(spec, codes)
    found = check_columns(raw.rows, meanings, report) if columns else _check_rows(raw.rows, meanings, report)
    if not len(found["id"]):
        raise nothing_usable(spec, root, raw, report)
    return FaceIndex(spec, root, raw.labels, report, subject=_subjects(spec, found), **found)


def _check_rows(rows: list[Row], meanings: Meanings, report: IndexReport) -> dict:
    """Return the columns of an index, with the rows that can be used; their subjects as found."""
    rows = [row for row in rows if check_row(meanings.spec, row, meanings, report)]
    has_votes, has_landmarks = bool(rows) and rows[0].votes is not None, any(row.landmarks is not None for row in rows)
    blank = np.full((68, 2), np.nan, np.float32)
    return {
        **{name: np.array([getattr(row, name) for row in rows], str) for name in ("split", "id", "path", "content")},
        "subject": np.array([row.subject for row in rows], str),
        "position": np.array([row.position for row in rows]),
        "emotion": np.array([meanings.emotions.get(row.label, -1) for row in rows], np.int16),
        "valence": np.array([row.valence for row in rows], np.float32),
        "arousal": np.array([row.arousal for row in rows], np.float32),
        "extent": np.array([row.extent for row in rows], np.int32),
        "votes": np.stack([row.votes for row in rows]) if has_votes else None,
        "agreed": np.array([row.agreed for row in rows], np.float32) if has_votes else None,
        "landmarks": np.stack([blank if row.landmarks is None else row.landmarks for row in rows])
        if has_landmarks
        else None,
        "face_box": _boxes(rows),
    }


def _boxes(rows: list[Row]) -> np.ndarray | None:
    if all(row.face_box is None for row in rows):
        return None
    return np.array([row.face_box or [np.nan] * 4 for row in rows], np.float32)


def _subjects(spec: DataSpec, found: dict) -> np.ndarray:
    """Take the column of subjects out of the others, or make it of paths or ids where the spec says how."""
    subjects = found.pop("subject")
    if not spec.subject_pattern:
        return subjects
    pattern, names = re.compile(spec.subject_pattern), zip(found["path"].tolist(), found["id"].tolist(), strict=True)
    return np.array([match.group(1) if (match := pattern.search(path or name)) else "" for path, name in names])
