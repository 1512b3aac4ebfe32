"""Atomic writes: a file is there whole or not at all, whenever the program is killed."""

import contextlib
import glob
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path


def cache_folder() -> Path:
    """Return $FER_KERAS_CACHE, or fer_keras under the user's cache folder: the place of what can be made or fetched again."""
    fallback = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fer_keras"
    return Path(os.environ.get("FER_KERAS_CACHE") or fallback)


def path_aside(path: Path) -> Path:
    """Return where something is written before it is put at `path`: a hidden neighbour, named after this process."""
    return path.with_name(f".{os.getpid()}-{path.name}")


def remove_leftovers(path: Path) -> None:
    """Remove what processes that were killed while they wrote `path` have left at `path_aside`, files and folders."""
    for left in path.parent.glob(f".*-{glob.escape(path.name)}"):
        process = left.name[1:].removesuffix(f"-{path.name}")
        if process.isdigit() and not _runs(int(process)):
            remove(left)


def remove(path: Path) -> None:
    """Remove a file or a folder with all in it, as far as that is possible."""
    with contextlib.suppress(OSError):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _runs(process: int) -> bool:
    """Whether another process of this number is there; where that cannot be asked without harm, it is taken to be."""
    if process == os.getpid():  # numbers are given again, in containers often
        return False
    if os.name != "posix":
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        pass
    return True


def write_atomic(path: Path, write: Callable[[Path], None]) -> Path:
    """Let `write` fill a temporary file beside `path`, then put it in its place.

    Args:
        path: the file to make or replace. The temporary one keeps its suffix, which some writers look at.
        write: takes the temporary path.
    """
    temporary = path_aside(path)
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
