"""Rows in columns: a few arrays in place of a `Row` each, for data sets of a million files."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from fer_keras.readers.rows import Row


@dataclass
class RowColumns(Sequence):
    """Rows whose labels are numbers, in columns; a `Row` is made of each that is asked for.

    Attributes:
        split, id, path: (n,) text, as of `Row`.
        code: (n,) float64, number of the emotion, NaN where the files have none.
        valence, arousal: (n,) float64, NaN where the files have none.
        landmarks: (n, 68, 2) float32 pixels, NaN where the files have none.
        content: (n,) ASCII bytes, as of `Row`.
        extent: (n, 2) int32.
        problems, fatal: as of `Row`, by number of the rows that have any.
    """

    split: np.ndarray
    id: np.ndarray
    path: np.ndarray
    code: np.ndarray
    valence: np.ndarray
    arousal: np.ndarray
    landmarks: np.ndarray
    content: np.ndarray
    extent: np.ndarray
    problems: dict[int, list[str]] = field(default_factory=dict)
    fatal: dict[int, str] = field(default_factory=dict)

    @classmethod
    def blank(cls, split: np.ndarray, ids: np.ndarray, path: np.ndarray) -> "RowColumns":
        """Return the columns of rows with these texts; those of numbers are to be written into."""
        count = len(ids)
        numbers = {name: np.full(count, np.nan) for name in ("code", "valence", "arousal")}
        landmarks, extent = np.empty((count, 68, 2), np.float32), np.zeros((count, 2), np.int32)
        content = np.zeros(count, "S32")
        return cls(split, ids, path, **numbers, landmarks=landmarks, content=content, extent=extent)

    def __len__(self) -> int:
        return len(self.code)

    def __getitem__(self, number: int) -> Row:
        landmarks = self.landmarks[number]
        return Row(
            str(self.split[number]),
            str(self.id[number]),
            str(self.path[number]),
            label=label_text(self.code[number]),
            valence=float(self.valence[number]),
            arousal=float(self.arousal[number]),
            landmarks=None if np.isnan(landmarks[0, 0]) else landmarks,
            content=self.content[number].decode(),
            extent=tuple(self.extent[number].tolist()),
            problems=list(self.problems.get(number, ())),
            fatal=self.fatal.get(number),
        )

    def __iter__(self) -> Iterator[Row]:
        return map(self.__getitem__, range(len(self)))

    def labels(self) -> list[str]:
        """Return the different labels."""
        return [label_text(code) for code in np.unique(self.code) if code == code]

    def usable(self) -> np.ndarray:
        """Return (n,) bool: whether nothing in its files makes a row useless."""
        usable = np.ones(len(self), bool)
        usable[list(self.fatal)] = False
        return usable


def label_text(code: float) -> str | None:
    """Return a numbered label as text, None for NaN.

    Example:
        >>> label_text(3.0), label_text(1.5), label_text(float("nan"))
        ('3', '1.5', None)
    """
    return None if code != code else f"{code:g}"
