"""What the values of a data spec's file may be: checked once, where the file is read, so that readers need not ask again."""

import math
import re
from collections.abc import Callable
from typing import Any

_LONGEST_SHOWN = 60


def _text(value: Any) -> bool:
    return isinstance(value, str) and "\0" not in value


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(map(_text, value))


def _named(accepts: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, dict) and all(map(accepts, value.values()))


def _whole(value: Any) -> bool:
    return type(value) is int and abs(value) < 2**31


def _number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value) and abs(value) < 1e300


def _pattern(value: Any) -> bool:
    try:
        return _text(value) and re.compile(value) is not None
    except (re.error, RecursionError, OverflowError):
        return False


def _grouped(value: Any) -> bool:
    return _pattern(value) and re.compile(value).groups >= 1


_TEXT, _TEXTS = ("text", _text), ("a list of text", _texts)
_NAMED_TEXT = ("a table of text", _named(_text))
_KEYS = {
    **dict.fromkeys(("name", "title", "homepage", "licence", "citation", "note", "reader"), _TEXT),
    "targets": _TEXTS,
    "image_size": ("a whole number from 1", lambda value: _whole(value) and value > 0),
    "labels": _NAMED_TEXT,
    "drop_labels": ("a table of text or numbers", _named(lambda value: _text(value) or _number(value))),
    "class_names": _TEXTS,
    "splits": _NAMED_TEXT,
    "missing_va": ("a number", _number),
    "subject_pattern": ("a regular expression with a group", _grouped),
    "options": ("a table", lambda value: isinstance(value, dict)),
}
_OPTIONS = {
    **dict.fromkeys(("images", "separator", "table"), _TEXT),
    **dict.fromkeys(("header", "vote_names", "files"), _TEXTS),
    **dict.fromkeys(("columns", "folders", "tables"), _NAMED_TEXT),
    "split_pattern": ("a regular expression with a group", _grouped),
    "split_aliases": ("a table of lists of text", _named(_texts)),
    "usage": ("a table of whole numbers", _named(_whole)),
    "image_name": (
        "a file's name with {stem} and {suffix}",
        lambda value: _text(value) and re.fullmatch(r"([^{}]|\{stem\}|\{suffix\})+", value) is not None,
    ),
}


def check_spec_values(mapping: dict, source: str) -> None:
    """Refuse values of other types than a data spec has.

    Args:
        mapping: the file's content.
        source: the file, for the error.

    Raises:
        ValueError: the first such value, with its key.
    """
    _check(mapping, _KEYS, "", source)
    _check(mapping.get("options", {}), _OPTIONS, "options.", source)


def _check(table: dict, kinds: dict, place: str, source: str) -> None:
    for key, value in table.items():
        if key in kinds and not kinds[key][1](value):
            raise ValueError(f"Data spec {source}: {place}{key} expects {kinds[key][0]}. Received: {_shown(value)}.")


def _shown(value: Any) -> str:
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # a number of thousands of digits
        text = f"a very long {type(value).__name__}"
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."
