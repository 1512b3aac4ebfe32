"""The scale of valence and arousal: what is not -1..1 is mapped where the spec says its range, and refused where it does not."""

import math
from collections.abc import Iterable

import numpy as np

from fer_keras.labels import AXES, VA_RANGE
from fer_keras.readers.rows import Row
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
