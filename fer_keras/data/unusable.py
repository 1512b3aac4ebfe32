"""Labels that mean no emotion, and data of which no row can be used: said with what was seen and how to mend it."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from fer_keras.data.index import IndexReport
from fer_keras.readers.names import NO_EMOTION, UnknownLabels, find_code, find_emotion, labels_advice
from fer_keras.readers.rows import RawRows
from fer_keras.readers.spec import DataSpec

_MANY = 20  # unknown labels that get a count of their own
_UNKNOWN = "unknown label "
_OTHERS = f"{_UNKNOWN}(others)"


@dataclass(frozen=True)
class Meaning:
    """What a label in the files means.

    Attributes:
        emotion: one of the data set's, or None.
        problem: why it is missing, or None.
        fatal: why its row is dropped, or None.
    """

    emotion: str | None = None
    problem: str | None = None
    fatal: str | None = None


class Meanings(dict):
    """Label in the files -> `Meaning`, worked out once for each label.

    Args:
        spec: the data spec.
        emotions: that the data set can hold.
    """

    def __init__(self, spec: DataSpec, emotions):
        super().__init__()
        self.spec, self.emotions, self.unknown = spec, emotions, 0

    def __missing__(self, label: str) -> Meaning:
        self[label] = self._meaning(label)
        return self[label]

    def _meaning(self, label: str) -> Meaning:
        spec = self.spec
        if label in self.emotions and label not in spec.labels:
            return Meaning(label)
        dropped = None if label in spec.labels else find_code(label, spec.drop_labels)
        if dropped is not None:
            means = spec.drop_labels[dropped]
            return Meaning(fatal=f"label {dropped} ({means})" if means != dropped else f"label {dropped}")
        emotion = find_emotion(spec, label)
        if emotion in self.emotions:
            return Meaning(emotion)
        self.unknown += 1
        return Meaning(problem=f"emotion: {f'{_UNKNOWN}{label}' if self.unknown <= _MANY else _OTHERS}")


def check_codes(spec: DataSpec, labels: Iterable[str | None]) -> None:
    """Refuse numbered labels that are all one higher or lower than those of the spec: each would mean another emotion.

    Args:
        spec: the data spec.
        labels: as they stand in the files.

    Raises:
        ValueError: it says which numbers were expected, and which were found.
    """
    known = {int(code) for code in spec.labels if code.isdecimal()}
    if len(known) < 3 or len(known) != len(spec.labels):
        return
    found = {_number(label) for label in set(labels) if label and label.strip()}
    if None in found:
        return
    low, high, fewest = min(known), max(known), len(known) // 2 + 1
    for step in (1, -1):
        beyond, gone = (high + 1, low) if step == 1 else (low - 1, high)
        shifted = {code + step for code in known}
        if found <= shifted and beyond in found and gone not in found and len(found) >= fewest:
            if str(beyond) in spec.drop_labels:
                return
            meant = ", ".join(f"{code} {spec.labels[str(code)]}" for code in sorted(known))
            raise ValueError(
                f"{spec.name} expects labels from {low} to {high} ({meant}). Received: {min(found)} to {max(found)}, so that "
                "each would mean another emotion. Say what each number means in [labels] of a copy of the data spec."
            )


def _number(label: str) -> int | None:
    try:
        return int(float(label)) if float(label).is_integer() else None
    except (ValueError, OverflowError):
        return None


def unknown_names(report: IndexReport) -> list[str]:
    """Return the labels and folders of a data set that mean no emotion, the most frequent ones first."""
    counts: dict[str, int] = {}
    for table in (report.dropped, report.missing_labels, report.warnings):
        for reason, count in table.items():
            for start in (_UNKNOWN, f"emotion: {_UNKNOWN}", NO_EMOTION):
                if reason.startswith(start) and not reason.endswith("(others)"):
                    name = reason.removeprefix(start)
                    name = name.rpartition("/")[2] if start == NO_EMOTION else name
                    counts[name] = counts.get(name, 0) + count
    return sorted(counts, key=lambda name: -counts[name])


def nothing_usable(spec: DataSpec, root: Path, raw: RawRows, report: IndexReport) -> ValueError:
    """Return the error for data of which no row can be used: the reasons, what was tried, and what would help."""
    counts = sorted(report.dropped.items(), key=lambda item: -item[1])
    reasons = "; ".join(f"{count:,} x {reason}{_example(reason, root, raw)}" for reason, count in counts[:8])
    more = f"; and {len(counts) - 8} reasons more" if len(counts) > 8 else ""
    names = unknown_names(report)
    advice = f" {labels_advice(names)}" if names else ""
    hint = f" {raw.hint}" if raw.hint else ""
    message = f"No usable faces in {root} ({spec.name}): {reasons or 'it holds no images'}{more}.{hint}{advice}"
    return UnknownLabels(message, names) if names else ValueError(message)


def one_class_note(report: IndexReport, labels: tuple[str, ...]) -> str:
    """Return what to say of data with fewer than two emotions: which names were not recognised, and the lines to write."""
    names = unknown_names(report)
    seen = f" Not recognised: {', '.join(names[:12])}." if names else ""
    found = ", ".join(labels) or "none"
    return f"Expected faces of at least two emotions. Received: {found}.{seen} {labels_advice(names)}".rstrip()


def _example(reason: str, root: Path, raw: RawRows) -> str:
    row = next((row for row in raw.rows if row.fatal == reason), None)
    if row is None:
        return ""
    if reason.startswith("image not readable") and row.path:
        return f", first tried: {os.path.normpath((root.parent if root.is_file() else root) / row.path)}"
    return f", such as {row.place or row.path}"
