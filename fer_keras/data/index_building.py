"""Building a face index from a reader's raw rows: labels mapped by name, every value and scale checked, problems counted.

No invalid value gets past this module: marks such as AffectNet's -2 become missing labels, and every row or label that
cannot be used is counted.
"""

import math
import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from fer_keras.data.index import FaceIndex, IndexReport
from fer_keras.data.unusable import Meanings, check_codes, nothing_usable
from fer_keras.labels import AXES, VA_RANGE
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


def check_scale(spec: DataSpec, rows: Iterable[Row]) -> list[str]:
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


def _values(spec: DataSpec, rows: Iterable[Row], axis: str) -> np.ndarray:
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


def to_unit(spec: DataSpec, value: float) -> float:
    """Return a value of valence or arousal on -1..1; one outside the spec's range as NaN.

    Example:
        >>> from dataclasses import replace
        >>> from fer_keras.readers.spec import load_spec
        >>> sam = replace(load_spec("face_table"), va_range=(1.0, 9.0))
        >>> [to_unit(sam, value) for value in (1, 5, 9)], to_unit(sam, 0)
        ([-1.0, 0.0, 1.0], nan)
    """
    low, high = spec.va_range or VA_RANGE
    if not min(low, high) <= value <= max(low, high):
        return math.nan
    return value if spec.va_range is None else (value - low) / (high - low) * 2 - 1


def build_index(spec: DataSpec, root: Path, raw: RawRows) -> FaceIndex:
    """Check raw rows and build an index of those that can be used.

    Raises:
        ValueError: not one row can be used, or valence and arousal are on another scale than the spec's.
    """
    notes = raw.notes
    check_codes(spec, (row.label for row in raw.rows))
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
        agreed=np.array([row.agreed for row in rows], np.float32) if has_votes else None,
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
