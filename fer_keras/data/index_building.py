"""Raw rows of a reader become a face index: labels mapped by name, every value checked, what is wrong counted by reason.

Nothing that is wrong in the files gets past this module: marks such as AffectNet's -2 become missing labels, and every
row or label that cannot be used is counted.
"""

import math
import re
from pathlib import Path

import numpy as np

from fer_keras.data.index import FaceIndex, IndexReport
from fer_keras.labels import AXES, VA_RANGE
from fer_keras.readers.rows import RawRows, Row
from fer_keras.readers.spec import DataSpec


def build_index(spec: DataSpec, root: Path, raw: RawRows) -> FaceIndex:
    """Check raw rows and make them an index.

    Raises:
        ValueError: not one row can be used.
    """
    report = IndexReport(found=len(raw.rows), warnings=dict(raw.warnings))
    codes = {name: code for code, name in enumerate(raw.labels)}
    rows = [row for row in raw.rows if _check_row(spec, row, codes, report)]
    if not rows:
        reasons = "; ".join(f"{count:,} x {reason}" for reason, count in report.dropped.items()) or "it holds no images"
        raise ValueError(f"No usable faces in {root} ({spec.name}): {reasons}.")
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
        return np.zeros(len(rows), "U1")
    pattern = re.compile(spec.subject_pattern)
    return np.array([match.group(1) if (match := pattern.search(row.path or row.id)) else "" for row in rows])


def _check_row(spec: DataSpec, row: Row, codes: dict[str, int], report: IndexReport) -> bool:
    """Map and check a row's labels in place; count what is wrong and return whether the row can be used."""
    fatal = row.fatal or _check_emotion(spec, row, codes)
    if fatal:
        report.count("dropped", fatal, row.split, row.id)
        return False
    for axis in AXES:
        _check_axis(spec, row, axis)
    if not (row.label or any(not math.isnan(getattr(row, axis)) for axis in AXES if axis in spec.targets)):
        report.count("dropped", "no usable label", row.split, row.id)
        return False
    for problem in row.problems:
        report.count("missing_labels", problem, row.split, row.id)
    return True


def _check_emotion(spec: DataSpec, row: Row, codes: dict[str, int]) -> str | None:
    """Replace the row's code by the emotion's name; return why the row is dropped, if it is."""
    label = row.label
    if label is None or label in codes and label not in spec.labels:
        return None
    if label in spec.drop_labels:
        return f"label {label} ({spec.drop_labels[label]})" if spec.drop_labels[label] != label else f"label {label}"
    row.label = spec.labels.get(label)
    if row.label is None:
        row.problems.append(f"emotion: unknown label {label}")
    return None


def _check_axis(spec: DataSpec, row: Row, axis: str) -> None:
    """Make valence or arousal NaN where it is no label, with the reason among the row's problems."""
    value = getattr(row, axis)
    explained = any(problem.startswith(f"{axis}:") for problem in row.problems)
    if math.isnan(value):
        if axis in spec.targets and not explained:
            row.problems.append(f"{axis}: not a number")
        return
    if value == spec.missing_va:
        row.problems.append(f"{axis}: marked as not labelled ({value:g})")
    elif not VA_RANGE[0] <= value <= VA_RANGE[1]:
        row.problems.append(f"{axis}: outside {VA_RANGE[0]:g}..{VA_RANGE[1]:g}")
    else:
        return
    setattr(row, axis, float("nan"))
