"""What a value of `bundle.json` may be: one kind per sort of value, which checks it in reading and turns it back in writing."""

import json
import math
import re
import unicodedata
from collections.abc import Callable
from dataclasses import MISSING as NO_DEFAULT
from dataclasses import fields
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

from fer_keras.runs.bundle_parts import Part

MISSING = object()
_DEEPEST, _LONGEST_SHOWN, _LARGEST_SIDE = 50, 60, 4096


class Unexpected(Exception):
    """A value that a bundle cannot have.

    Args:
        key: where it stands, such as "exports.onnx.file".
        expected: what should be there.
        received: what is there, or `MISSING`.
    """

    def __init__(self, key: str, expected: str, received: Any):
        super().__init__(f"Wrong {key}. Expected {expected}. Received: {_shown(received)}.")


class Kind:
    """One kind of value.

    Args:
        expected: how an error names it.
        accepts: whether a value of JSON is one.
        make: turns the value into what a part of a bundle holds.
        null: whether null is accepted too, and None written as null; otherwise None leaves its key out.
    """

    def __init__(
        self, expected: str, accepts: Callable[[Any], bool], make: Callable | None = None, *, null: bool = False
    ):
        self.expected, self.accepts, self.make, self.null = expected, accepts, make, null

    def read(self, value: Any, key: str) -> Any:
        """Return the checked value.

        Raises:
            Unexpected: it is of another kind.
        """
        if value is None and self.null:
            return None
        if not self.accepts(value):
            raise Unexpected(key, f"{self.expected} or null" if self.null else self.expected, value)
        return self.make(value) if self.make else value

    def write(self, value: Any) -> Any:
        """Return what JSON holds of a value that `read` gave."""
        return value


class FieldsKind(Kind):
    """An object that stays as it is; of its keys those are checked that the package reads.

    Args:
        keys: those keys.
        needed: which of them must be there.
    """

    def __init__(self, keys: dict[str, Kind], needed: tuple[str, ...] = ()):
        super().__init__("an object", _is_table)
        self.keys, self.needed = keys, needed

    def read(self, value: Any, key: str) -> dict:
        """Return the object itself; errors are those of `Kind.read`."""
        super().read(value, key)
        for name, kind in self.keys.items():
            if name in value:
                kind.read(value[name], f"{key}.{name}")
            elif name in self.needed:
                raise Unexpected(f"{key}.{name}", kind.expected, MISSING)
        return value


class EachKind(Kind):
    """An object whose values are all of one kind, whatever their names."""

    def __init__(self, kind: Kind):
        super().__init__("an object", _is_table)
        self.kind = kind

    def read(self, value: Any, key: str) -> dict:
        """Return name -> value as read; errors are those of `Kind.read`."""
        return {name: self.kind.read(entry, f"{key}.{name}") for name, entry in super().read(value, key).items()}

    def write(self, value: dict) -> dict:
        """Return name -> value as written."""
        return {name: self.kind.write(entry) for name, entry in value.items()}


class PartKind(Kind):
    """An object that becomes a part of the bundle.

    Args:
        part: its class.
        keys: its keys in the order in which they are written.
        attributes: key -> the part's attribute, where they differ.
    """

    def __init__(self, part: type[Part], keys: dict[str, Kind], attributes: dict[str, str] | None = None):
        super().__init__("an object", _is_table)
        self.part, self.keys = part, keys
        self.attributes = {name: (attributes or {}).get(name, name) for name in keys}
        self.needed = {
            field.name for field in fields(part) if field.default is NO_DEFAULT and field.default_factory is NO_DEFAULT
        }

    def read(self, value: Any, key: str) -> Part:
        """Return the part; a key that is needed and missing is an error like those of `Kind.read`."""
        super().read(value, key)
        found = {}
        for name, kind in self.keys.items():
            place = f"{key}.{name}" if key else name
            if name in value:
                found[self.attributes[name]] = kind.read(value[name], place)
            elif self.attributes[name] in self.needed:
                raise Unexpected(place, kind.expected, MISSING)
        return self.part(**found, extra={name: entry for name, entry in value.items() if name not in self.keys})

    def write(self, value: Part) -> dict:
        """Return the object: known keys in order, None left out where it is not written as null, then unknown keys."""
        table = {}
        for name, kind in self.keys.items():
            held = getattr(value, self.attributes[name])
            if held is not None or kind.null:
                table[name] = None if held is None else kind.write(held)
        return table | dict(value.extra)


def or_null(kind: Kind) -> Kind:
    """Return a kind that accepts null too."""
    return Kind(kind.expected, kind.accepts, kind.make, null=True)


def check_content(content: Any) -> None:
    """Refuse what JSON can carry and a bundle cannot: NaN, endless numbers, broken Unicode, bottomless nesting.

    Raises:
        Unexpected: one of these.
    """
    waiting = [("content", content, 0)]
    while waiting:
        key, value, depth = waiting.pop()
        if depth > _DEEPEST:
            raise Unexpected(key[:_LONGEST_SHOWN], f"at most {_DEEPEST} levels", value)
        if isinstance(value, dict):
            for name, entry in value.items():
                _check_scalar(f"name in {key}", name)
                waiting.append((f"{key}.{name}" if depth else name, entry, depth + 1))
        elif isinstance(value, list):
            waiting += [(f"{key}[{number}]", entry, depth + 1) for number, entry in enumerate(value)]
        else:
            _check_scalar(key, value)
    TABLE.read(content, "content")


def _check_scalar(key: str, value: Any) -> None:
    if isinstance(value, str) and not value.isascii() and _has(value, "Cs"):
        raise Unexpected(key, "whole Unicode text", value)
    if isinstance(value, float) and not math.isfinite(value):
        raise Unexpected(key, "a finite number", value)
    if isinstance(value, int) and abs(value) >= 2**63:
        raise Unexpected(key, "a whole number of at most 64 bits", value)


def _has(text: str, category: str) -> bool:
    return any(unicodedata.category(letter) == category for letter in text)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_table(value: Any) -> bool:
    return isinstance(value, dict)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_size(value: Any) -> bool:
    sides = isinstance(value, list) and len(value) == 2 and all(map(_is_count, value))
    return sides and min(value) >= 1 and max(value) <= _LARGEST_SIDE


def _is_pair(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(map(_is_number, value))


def _is_temperature(value: Any) -> bool:
    # What fitting gives lies well inside; outside, probabilities overflow.
    return _is_number(value) and 0.001 <= value <= 1000


def _are_labels(value: Any) -> bool:
    texts = isinstance(value, list) and all(isinstance(name, str) and name.strip() for name in value)
    return texts and len(set(value)) == len(value) and not any(_has(name, "Cc") for name in value)


def _is_file_name(value: Any) -> bool:
    """Whether a name stays in its folder on every system: no folder, no drive, neither the folder itself nor its parent."""
    if not isinstance(value, str) or value in ("", ".", "..") or "\0" in value:
        return False
    return PurePosixPath(value).name == value == PureWindowsPath(value).name


def _is_sha256(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch("[0-9a-f]{64}", value) is not None


def _list_of(accepts: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and all(map(accepts, value))


def _table_of(accepts: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, dict) and all(map(accepts, value.values()))


def _shown(value: Any) -> str:
    if value is MISSING:
        return "no such key"
    try:
        text = json.dumps(value)
    except (ValueError, RecursionError):  # a number of thousands of digits, bottomless nesting
        text = f"a very long {type(value).__name__}"
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."


TEXT = Kind("text", _is_text)
FLAG = Kind("true or false", lambda value: isinstance(value, bool))
COUNT = Kind("a whole number from 0", _is_count)
NUMBER = Kind("a number", _is_number)
TABLE = Kind("an object", _is_table)
PAIR = Kind("a list of two numbers", _is_pair, tuple)
NUMBERS = Kind("a list of numbers", _list_of(_is_number))
ROWS = Kind("a list of objects", _list_of(_is_table), tuple)
NAMED_ROWS = Kind(
    "a list of objects with a name", _list_of(lambda row: _is_table(row) and _is_text(row.get("name"))), tuple
)
NAMES = Kind("a list of text", _list_of(_is_text))
TEXTS = Kind("an object of text", _table_of(_is_text))
COUNTS = Kind("an object of whole numbers from 0", _table_of(_is_count))
LABELS = Kind("a list of different names, each of one line", _are_labels, tuple)
SIZE = Kind(f"[height, width], whole numbers from 1 to {_LARGEST_SIDE}", _is_size, tuple)
TEMPERATURE = Kind("a number from 0.001 to 1000", _is_temperature)
FILE_NAME = Kind("the bare name of a file in the bundle's folder", _is_file_name)
SHA256 = Kind("64 hexadecimal digits in lower case", _is_sha256)
