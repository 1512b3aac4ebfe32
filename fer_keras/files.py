"""Atomic writes: a file is there whole or not at all, whenever the program is killed."""

import contextlib
import json
import os
from collections.abc import Callable
from pathlib import Path


def cache_folder() -> Path:
    """Return $FER_KERAS_CACHE, or fer_keras under the user's cache folder: the place of what can be made or fetched again."""
    fallback = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fer_keras"
    return Path(os.environ.get("FER_KERAS_CACHE") or fallback)


def write_atomic(path: Path, write: Callable[[Path], None]) -> Path:
    """Let `write` fill a temporary file beside `path`, then put it in its place.

    Args:
        path: the file to make or replace. The temporary one keeps its suffix, which some writers look at.
        write: takes the temporary path.
    """
    temporary = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        write(temporary)
        os.replace(temporary, path)
    finally:
        with contextlib.suppress(OSError):  # the first error is the one to tell
            temporary.unlink(missing_ok=True)
    return path


def write_text(path: Path, text: str) -> Path:
    """Write a text file atomically, in UTF-8."""
    return write_atomic(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def write_json(path: Path, value) -> Path:
    """Write a JSON file atomically; NaN is refused, for JSON has none."""
    return write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
