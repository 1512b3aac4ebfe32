"""Files that are written: whole or not at all, whenever the program is killed, and never over a file that is not its own.

Also the cache folder. Commands ask `check_outputs` before they read anything.
"""

import contextlib
import errno
import glob
import json
import os
import shutil
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
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


_FULL = (errno.ENOSPC, errno.EDQUOT)


def is_full(error: BaseException) -> bool:
    """Return whether an error says that there is no room on a disk; some libraries tell it in words and kinds of their own."""
    return getattr(error, "errno", None) in _FULL or os.strerror(errno.ENOSPC) in str(error)


@contextlib.contextmanager
def naming(path: Path) -> Iterator[None]:
    """Let errors of a full disk in the block name the file that was written; the system's own often do not.

    Raises:
        OSError: with the number of a full disk.
    """
    try:
        yield
    except Exception as error:
        if is_full(error):
            raise OSError(getattr(error, "errno", None) or errno.ENOSPC, f"No space left to write {path}") from error
        raise


def write_atomic(path: Path, write: Callable[[Path], None]) -> Path:
    """Let `write` fill a temporary file beside `path`, then put it in its place.

    Args:
        path: the file to make or replace. The temporary file has the same suffix, which some writers look at.
        write: called with the temporary path.
    """
    temporary = path_aside(path)
    try:
        with naming(path):
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


@dataclass(frozen=True)
class Output:
    """A file that a command is about to write.

    Attributes:
        path: where.
        flag: that asked for it, such as "--annotate".
        folder: whether it is a folder that the command fills by itself, such as a SavedModel.
    """

    path: Path
    flag: str
    folder: bool = False


def check_outputs(
    outputs: Iterable[Output],
    inputs: Iterable[str | Path] = (),
    *,
    may_replace: Callable[[Path], bool] = lambda path: False,
    advice: str = "Replace earlier outputs with --overwrite",
) -> None:
    """Refuse to write over files that are there, before anything is read.

    Args:
        outputs: what is about to be written.
        inputs: files that the command reads; none of them is ever written over. Those that do not exist do not matter.
        may_replace: whether a file that is there may be replaced.
        advice: what to do about a file that is there, for the error.

    Raises:
        ValueError: an output is a file that is read, or one that is there and may not be replaced, or a folder; or two
            outputs are the same file.
    """
    outputs = list(outputs)
    _check_apart(outputs)
    there = [output for output in outputs if os.path.lexists(output.path)]
    if not there:
        return
    read = dict(_identified(inputs))
    for output in there:
        source = read.get(_identity(output.path))
        if source is not None:
            _refuse_input(output, source)
        if output.path.is_dir() != output.folder:
            kinds = ("folder", "file") if output.folder else ("file", "folder")
            raise ValueError(f"{output.flag} writes a {kinds[0]}, {output.path}. Received: a {kinds[1]} of that name.")
    kept = [output for output in there if not may_replace(output.path)]
    if kept:
        _refuse_kept(kept, advice)


def check_own_files(
    folder: str | Path, names: Iterable[str], *, sign: str, keys: Iterable[str], overwrite: bool = False
) -> None:
    """Refuse a folder given by --output-dir if files that the command writes there by name are someone else's.

    Args:
        folder: where the command writes.
        names: of its files; one that ends in a slash is a folder.
        sign: the one of them that tells whether the command made all of them, a JSON file.
        keys: what `sign` holds.
        overwrite: whether files that are there may be replaced even so.

    Raises:
        ValueError: files of these names that the command did not make.
    """
    check_folder(folder, "--output-dir")
    outputs = [Output(Path(folder) / name, "--output-dir", folder=name.endswith("/")) for name in names]
    own = overwrite or holds_keys(Path(folder) / sign, keys)
    check_outputs(outputs, may_replace=lambda path: own)


def holds_keys(path: Path, keys: Iterable[str]) -> bool:
    """Return whether a file is a JSON object that has these keys."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(content, dict) and content.keys() >= set(keys)


def check_folder(folder: str | Path, flag: str) -> None:
    """Refuse a folder to write to that is a file, or lies in one.

    Raises:
        ValueError: the flag and the file are named.
    """
    for place in (Path(folder), *Path(folder).parents):
        if place.is_dir():
            return
        if os.path.lexists(place):
            raise ValueError(f"{flag} expects a folder. Received: {folder}; {place} is a file.")


def distinct(paths: Iterable[Path]) -> Iterator[Path]:
    """Yield paths, with a number in the names of those that stand for a place that another one has already.

    Example:
        >>> [str(path) for path in distinct(map(Path, ("a/x.png", "a/X.png", "b/x.png")))]
        ['a/x.png', 'a/X-2.png', 'b/x.png']
    """
    taken: set[str] = set()
    for path in paths:
        number, free = 1, path
        while _spelling(free) in taken:
            number += 1
            free = path.with_name(f"{path.stem}-{number}{path.suffix}")
        taken.add(_spelling(free))
        yield free


def same_place(path: str | Path) -> str:
    """Return a key that is equal for all spellings of a place, whether there is a file or not.

    Links in the folders are followed, and case and the form of accents are ignored, as some file systems do.
    """
    folder, name = os.path.split(os.path.abspath(path))
    return _spelling(os.path.join(_real(folder), name))


def _spelling(path: str | Path) -> str:
    return unicodedata.normalize("NFC", str(path)).casefold()


@lru_cache(maxsize=1024)
def _real(folder: str) -> str:
    return os.path.realpath(folder)


def _check_apart(outputs: list[Output]) -> None:
    _real.cache_clear()  # folders may have been moved since the last command
    taken: dict[str, Output] = {}
    for output in outputs:
        other = taken.setdefault(same_place(output.path), output)
        if other is not output:
            flags = output.flag if output.flag == other.flag else f"{other.flag} and {output.flag}"
            raise ValueError(f"{flags} would write the same file twice, {output.path}. Name different places.")


def _identified(paths: Iterable[str | Path]) -> Iterator[tuple[tuple[int, int], str | Path]]:
    for path in paths:
        identity = _identity(path)
        if identity:
            yield identity, path


def _identity(path: str | Path) -> tuple[int, int] | None:
    """Return what is the same for all names and links of a file, or None if there is no file."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino


def _refuse_input(output: Output, source: str | Path):
    same = "" if same_place(output.path) == same_place(source) else f" (it is the same file as {source})"
    raise ValueError(
        f"{output.flag} would write over {output.path}{same}, which this command reads and never replaces, whatever "
        f"--overwrite says. Choose another {output.flag}."
    )


def _refuse_kept(kept: list[Output], advice: str):
    first, more = kept[0], len(kept) - 1
    others = f" (and {more:,} more)" if more else ""
    raise ValueError(f"{first.path} is there already{others}. {advice}, or choose another {first.flag}.")
