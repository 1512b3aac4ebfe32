"""The checks of one row: labels mapped by name, values brought to -1..1 or to NaN, with the reason counted."""

import math

from fer_keras.data.index import IndexReport
from fer_keras.data.unusable import Meanings
from fer_keras.labels import AXES, VA_RANGE
from fer_keras.readers.rows import Row
from fer_keras.readers.spec import DataSpec


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


def check_row(spec: DataSpec, row: Row, meanings: Meanings, report: IndexReport) -> bool:
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
