"""Building a face index from a reader's raw rows: labels mapped by name, every value checked, problems counted by reason.

No invalid value gets past this module: marks such as AffectNet's -2 become missing labels, and every row or label that
cannot be used is counted.
"""

import math
import re
from pathlib import Path

import numpy as np

from fer_keras.data.index import FaceIndex, IndexReport
from fer_keras.data.unusable import Meanings, nothing_usable
from fer_keras.data.va_scale import check_scale, to_unit
from fer_keras.labels import AXES, VA_RANGE
from fer_keras.readers.rows import RawRows, Row
from fer_keras.readers.spec import DataSpec


def build_index(spec: DataSpec, root: Path, raw: RawRows) -> FaceIndex:
    """Check raw rows and build an index of those that can be used.

    Raises:
        ValueError: not one row can be used, or valence and arousal are on another scale than the spec's.
    """
    notes = raw.notes
    for remark in check_scale(spec, raw.rows):
        notes.add(remark, spec.name)
    report = IndexReport(found=len(raw.rows), warnings=dict(notes.counts), examples=dict(notes.examples))
    codes = {name: code for code, name in enumerate(raw.labels)}
    meanings = Meanings(spec, codes)
    rows = [row for row in raw.rows if _check_row(spec, row, meanings, report)]
    if not rows:
        raise nothing_usable(spec, root, raw, report)
    has_votes, has_landmarks = rows[0].votes is not None, any(row.landmarks is not None for row in rows)
    blank = np.full((68, 2), np.nan, np.float32)
    return FaceIndex(
        spec,
        root,
        raw.labels,
        report,
        split=np.array([row.split for row in rows]),
        id=np.array([row.id for row in rows]),
        path=np.array([row.path for row in rows]),
        position=np.array([row.position for row in rows]),
        emotion=np.array([codes.get(row.label, -1) for row in rows], np.int16),
        valence=np.array([row.valence for row in rows], np.float32),
        arousal=np.array([row.arousal for row in rows], np.float32),
        content=np.array([row.content for row in rows]),
        extent=np.array([row.extent for row in rows], np.int32),
        subject=_subjects(spec, rows),
        votes=np.stack([row.votes for row in rows]) if has_votes else None,
        landmarks=np.stack([blank if row.landmarks is None else row.landmarks for row in rows])
        if has_landmarks
        else None,
        face_box=_boxes(rows),
    )


def _boxes(rows: list[Row]) -> np.ndarray | None:
    if all(row.face_box is None for row in rows):
        return None
    return np.array([row.face_box or [np.nan] * 4 for row in rows], np.float32)


def _subjects(spec: DataSpec, rows: list[Row]) -> np.ndarray:
    if not spec.subject_pattern:
        return np.array([row.subject for row in rows], str)
    pattern = re.compile(spec.subject_pattern)
    return np.array([match.group(1) if (match := pattern.search(row.path or row.id)) else "" for row in rows])


def _check_row(spec: DataSpec, row: Row, meanings: Meanings, report: IndexReport) -> bool:
    """Map and check a row's labels in place; count what is wrong and return whether the row can be used."""
    fatal = row.fatal or _check_emotion(row, meanings)
    if fatal:
        report.count("dropped", fatal, row.split, row.place)
        return False
    for axis in AXES:
        _check_axis(spec, row, axis)
    if not (row.label or any(not math.isnan(getattr(row, axis)) for axis in AXES if axis in spec.targets)):
        unknown = [problem.removeprefix("emotion: ") for problem in row.problems if "unknown label" in problem]
        report.count("dropped", unknown[0] if unknown else "no usable label", row.split, row.place)
        return False
    for table, reasons in (("missing_labels", row.problems), ("warnings", row.remarks)):
        for reason in reasons:
            report.count(table, reason, row.split, row.place)
    return True


def _check_emotion(row: Row, meanings: Meanings) -> str | None:
    """Replace the row's code by the emotion's name; return why the row is dropped, if it is."""
    if not (row.label or "").strip():
        row.label = None
        return None
    meaning = meanings[row.label]
    row.label = meaning.emotion
    if meaning.problem:
        row.problems.append(meaning.problem)
    return meaning.fatal


def _check_axis(spec: DataSpec, row: Row, axis: str) -> None:
    """Bring valence or arousal to -1..1, or to NaN where it is no label, with the reason among the row's problems."""
    value = getattr(row, axis)
    explained = any(problem.startswith(f"{axis}:") for problem in row.problems)
    if math.isnan(value):
        if axis in spec.targets and not explained:
            row.problems.append(f"{axis}: not a number")
        return
    unit = math.nan if value == spec.missing_va else to_unit(spec, value)
    if value == spec.missing_va:
        row.problems.append(f"{axis}: marked as not labelled ({value:g})")
    elif math.isnan(unit):
        low, high = spec.va_range or VA_RANGE
        row.problems.append(f"{axis}: outside {low:g}..{high:g}")
    setattr(row, axis, unit)
