"""The cache folder, and atomic writes: a file is there whole or not at all, whenever the program is killed."""

import contextlib
import glob
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path


def cache_folder() -> Path:
    """Return the folder of what can be made or fetched again; it may not exist yet.

    $FER_KERAS_CACHE if set, else ~/.cache/fer_keras (or under $XDG_CACHE_HOME) if it exists, which earlier versions used on
    every system, else the system's own place for caches.
    """
    if named := os.environ.get("FER_KERAS_CACHE"):
        return Path(named)
    earlier = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fer_keras"
    if earlier.is_dir():
        return earlier
    from platformdirs import user_cache_path

    return user_cache_path("fer_keras", appauthor=False)


def path_aside(path: Path) -> Path:
    """Return where something is written before it is moved to `path`: a hidden file beside it, named after this process."""
    return path.with_name(f".{os.getpid()}-{path.name}")


def remove_leftovers(path: Path) -> None:
    """Remove the files and folders that killed processes left at their `path_aside` for `path`."""
    for left in path.parent.glob(f".*-{glob.escape(path.name)}"):
        process = left.name[1:].removesuffix(f"-{path.name}")
        if process.isdigit() and not _runs(int(process)):
            remove(left)


def remove(path: Path) -> None:
    """Remove a file, or a folder with its content; what cannot be removed stays."""
    with contextlib.suppress(OSError):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _runs(process: int) -> bool:
    """Return whether another process with this number runs; True where asking would do harm (Windows)."""
    if process == os.getpid():  # numbers are reused, often in containers
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
        path: the file to make or replace. The temporary file has the same suffix, which some writers look at.
        write: called with the temporary path.
    """
    temporary = path_aside(path)
    try:
        write(temporary)
        os.replace(temporary, path)
    finally:
        with contextlib.suppress(OSError):  # an error of `write` is the one to report
            temporary.unlink(missing_ok=True)
    return path


def write_text(path: Path, text: str) -> Path:
    """Write a text file atomically, in UTF-8."""
    return write_atomic(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def write_json(path: Path, value) -> Path:
    """Write a JSON file atomically.

    Raises:
        ValueError: a number that is not finite, which JSON cannot hold.
    """
    return write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
