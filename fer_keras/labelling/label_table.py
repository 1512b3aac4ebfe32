"""One annotator's labels of a selection: a CSV that the reader `face_table` takes, whole on the disk after every label."""

import csv
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fer_keras.files import write_text
from fer_keras.labels import AXES, EMOTIONS, VA_RANGE
from fer_keras.prediction.csv_cells import csv_row, read_cell

COLUMNS = ("image", "emotion", *AXES, "skipped")
#: Why a face is not labelled.
SKIPS = ("not a face", "unsure")
_DIGITS = 3  # of valence and arousal: a click is no more exact


class Elsewhere(ValueError):
    """The file was changed by another program since it was read."""


@dataclass(frozen=True)
class Label:
    """What an annotator says of a face.

    Attributes:
        image: the face's file, relative to the table.
        emotion: one of `EMOTIONS`, or None.
        valence, arousal: in -1..1, or None.
        skipped: one of `SKIPS` for a face that gets no label, otherwise "".
    """

    image: str
    emotion: str | None = None
    valence: float | None = None
    arousal: float | None = None
    skipped: str = ""

    def __post_init__(self):
        if self.emotion is not None and self.emotion not in EMOTIONS:
            raise ValueError(f"emotion expects one of {', '.join(EMOTIONS)}. Received: {self.emotion!r}.")
        for axis in AXES:
            _check_axis(axis, getattr(self, axis))
        if self.skipped and self.skipped not in SKIPS:
            raise ValueError(f"skipped expects one of {', '.join(SKIPS)}. Received: {self.skipped!r}.")
        labelled = any(getattr(self, name) is not None for name in ("emotion", *AXES))
        if labelled == bool(self.skipped):
            raise ValueError(
                "A label expects an emotion, valence or arousal, or a reason to skip. Received: both or none."
            )

    @classmethod
    def of(cls, image: str, values: Mapping) -> "Label":
        """Return a label from values of JSON or of a table's cells; empty text and null are missing.

        Raises:
            ValueError: values that are no label.
        """
        given = {name: values.get(name) for name in COLUMNS[1:]}
        given = {name: None if value in ("", None) else value for name, value in given.items()}
        texts = [given["emotion"], given["skipped"]]
        if not all(text is None or isinstance(text, str) for text in texts):
            raise ValueError(f"emotion and skipped expect text. Received: {texts}.")
        axes = {axis: None if given[axis] is None else _number(axis, given[axis]) for axis in AXES}
        return cls(image, emotion=given["emotion"], skipped=given["skipped"] or "", **axes)

    def cells(self) -> list:
        """Return the values of `COLUMNS`."""
        return [self.image, self.emotion, self.valence, self.arousal, self.skipped or None]


def _number(axis: str, value) -> float:
    try:
        return round(float(value), _DIGITS) if not isinstance(value, bool) else math.nan
    except (TypeError, ValueError, OverflowError):
        return math.nan


def _check_axis(axis: str, value: float | None) -> None:
    low, high = VA_RANGE
    if value is not None and not low <= value <= high:
        raise ValueError(f"{axis} expects a number from {low:g} to {high:g}. Received: {value!r}.")


class LabelTable:
    """The labels of one annotator, in the order in which they were given.

    Args:
        path: of the CSV; labels that it holds are gone on with.
        images: the faces that can be labelled.

    Attributes:
        labels: image -> label.

    Raises:
        ValueError: the file holds something else, or labels of other faces.
    """

    def __init__(self, path: Path, images: Sequence[str]):
        self.path, self.images = path, tuple(images)
        self.labels: dict[str, Label] = {}
        self._state = _state(path)
        if path.exists():
            self.labels = self._read()

    def put(self, label: Label) -> None:
        """Keep a label, in place of an earlier one of the same face; it is on the disk when this returns.

        Raises:
            ValueError: a face that is not in the selection.
            Elsewhere: another program wrote the file meanwhile.
        """
        if label.image not in self.images:
            raise ValueError(f"Expected a face of the selection. Received: {label.image!r}.")
        others = {image: other for image, other in self.labels.items() if image != label.image}
        self._write({**others, label.image: label})

    def remove(self, image: str) -> None:
        """Take a label back; nothing happens where there is none.

        Raises:
            Elsewhere: another program wrote the file meanwhile.
        """
        if image in self.labels:
            self._write({other: label for other, label in self.labels.items() if other != image})

    def _write(self, labels: dict[str, Label]) -> None:
        if _state(self.path) != self._state:
            raise Elsewhere(
                f"{self.path} was changed by another program. Start this command again, which goes on with what is there."
            )
        write_text(self.path, csv_row(COLUMNS) + "".join(csv_row(label.cells()) for label in labels.values()))
        self.labels, self._state = labels, _state(self.path)

    def _read(self) -> dict[str, Label]:
        try:
            with open(self.path, newline="", encoding="utf-8") as file:
                rows = csv.DictReader(file)
                if tuple(rows.fieldnames or ()) != COLUMNS:
                    raise ValueError(f"columns {', '.join(rows.fieldnames or ()) or 'none'}")
                rows = [{name: read_cell(text) for name, text in row.items()} for row in rows]
            found = {row["image"]: Label.of(row["image"], row) for row in rows}
        except (ValueError, TypeError, AttributeError, csv.Error) as error:
            raise ValueError(
                f"{self.path} does not hold labels as label writes them ({' '.join(str(error).split())[:120]}). Move it away, "
                "or choose another --annotator."
            ) from error
        strange = [image for image in found if image not in self.images]
        if strange:
            raise ValueError(f"{self.path} holds labels of other faces, such as {strange[0]}. Move it away.")
        return found


def _state(path: Path) -> tuple[int, int] | None:
    """Return what tells one content of a file from another, or None without a file."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    return found.st_mtime_ns, found.st_size
