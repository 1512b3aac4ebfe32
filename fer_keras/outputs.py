"""Which files a command may write: none that it did not make, and never one that it reads.

How a command knows that it made a file:

- Pictures, videos and tables that it puts where users keep their own (annotated copies, results, recordings): it does not. A
  mark inside a picture is lost when somebody edits the picture, and a list beside it litters folders. So whatever is there
  stays, unless the user says by a flag that it may be replaced.
- Files of fixed names in a folder of its own (a run, an evaluation, a comparison): by a sign, one file that only this package
  writes and that is read and understood, such as `metrics.json` of an evaluation. Where the sign is missing, files of these
  names are someone else's.

Files that a command reads stay whatever the flags say. They are recognised as files, not by name, so that links, other
spellings of a path and file systems that ignore case lead to the same answer. All is checked before anything is read, so
that a run does not end half way.
"""

import json
import os
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path


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
