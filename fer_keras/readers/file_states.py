"""Size and time of many files: what tells whether a data set has changed."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np

from fer_keras.cores import usable_cores
from fer_keras.readers import folder_states
from fer_keras.readers.folder_states import count_names, open_folder, states_of

#: folder, relative to the data set's root -> names of its files, in an order that depends on the names alone
Listing = dict[str, Sequence[str]]

_MANY = 40_000  # files from which on processes are worth their start
_LEAST, _MOST = 20_000, 100_000  # files that a process is asked for


class DerivedNames(Sequence):
    """The names stem + ending of every stem, those of a stem together: a million names that need not be held in memory.

    Args:
        stems: text.
        endings: of the files that each stem has.

    Example:
        >>> list(DerivedNames(["1", "2"], ("_exp.npy", "_val.npy")))[1:3]
        ['1_val.npy', '2_exp.npy']
    """

    def __init__(self, stems: Sequence[str], endings: tuple[str, ...]):
        self.stems, self.endings = stems, endings

    def __len__(self) -> int:
        return len(self.stems) * len(self.endings)

    def __getitem__(self, key):
        if isinstance(key, slice):
            return [self[place] for place in range(*key.indices(len(self)))]
        stem, ending = divmod(range(len(self))[key], len(self.endings))
        return self.stems[stem] + self.endings[ending]

    def __iter__(self) -> Iterator[str]:
        return (stem + ending for stem in self.stems for ending in self.endings)

    def parts(self, count: int) -> Iterator["DerivedNames"]:
        """Yield the names in order, about `count` at a time."""
        step = max(1, count // len(self.endings))
        for start in range(0, len(self.stems), step):
            yield DerivedNames(self.stems[start : start + step], self.endings)


@contextlib.contextmanager
def entered(folder: str) -> Iterator[tuple[str, int | None]]:
    """Give what `open_folder` returns, and close it."""
    before, dir_fd = open_folder(folder)
    try:
        yield before, dir_fd
    finally:
        if dir_fd is not None:
            os.close(dir_fd)


def file_state(path: str, dir_fd: int | None = None) -> tuple[int, int]:
    """Return bytes and modification time in ns of a file; -1, -1 where it is gone."""
    try:
        state = os.stat(path, dir_fd=dir_fd)
    except (OSError, ValueError):  # not there, or no path at all
        return -1, -1
    return state.st_size, state.st_mtime_ns


def file_states(root: Path, listing: Listing, jobs: int | None = None) -> np.ndarray:
    """Return (files, 2) int64, bytes and modification time in ns of each listed file in order; -1 where it is gone.

    Args:
        root: of the data set.
        listing: its files.
        jobs: processes; default: one per core, one in all for fewer than `_MANY` files.
    """
    with StatesPool(root, sum(map(len, listing.values())), jobs) as pool:
        for folder, names in listing.items():
            pool.ask(folder, names)
        return pool.states(listing)


class StatesPool:
    """Asks for the states of files in bare processes, folder by folder.

    Args:
        root: of the data set.
        files: about how many there will be.
        jobs: as of `file_states`.
    """

    def __init__(self, root: Path, files: int, jobs: int | None = None):
        self.root = root.parent if root.is_file() else root  # a data set of one file
        jobs = jobs or usable_cores()
        self.aside = jobs > 1 and files >= _MANY and can_run_aside()
        self.part = min(max(files // (4 * jobs), _LEAST), _MOST)
        self.threads = ThreadPoolExecutor(jobs)  # each waits for a process
        self.found: dict[str, list[tuple[int, Future | np.ndarray]]] = {}  # how many files, their states

    def __enter__(self) -> "StatesPool":
        return self

    def __exit__(self, *error) -> None:
        self.threads.shutdown(cancel_futures=True)

    def ask(self, folder: str, names: Sequence[str]) -> None:
        """Ask for the states of files in a folder, relative to the root."""
        path = f"{self.root}/{folder}"
        if self.aside:
            names = names if isinstance(names, DerivedNames) else DerivedNames(names, ("",))
            parts = names.parts(self.part)
            self.found[folder] = [(len(part), self.threads.submit(_states_aside, path, part)) for part in parts]
        else:
            self.found[folder] = [(len(names), _rows(*states_of(path, names)))]

    def states(self, folders: Iterable[str]) -> np.ndarray:
        """Return those of all files of these folders, as `file_states` does, and forget them."""
        waiting = [part for folder in folders for part in self.found.pop(folder)]
        out, first = np.empty((sum(count for count, _ in waiting), 2), np.int64), 0
        while waiting:  # each part is let go: of AffectNet, all of them once more are 23 MB
            count, part = waiting.pop(0)
            out[first : first + count] = part.result() if isinstance(part, Future) else part
            first += count
        return out


def count_aside(folder: str) -> int:
    """Return `count_names` of a folder, from a process of its own where there can be one."""
    found = _run_aside("count", folder) if can_run_aside() else None
    return count_names(folder) if found is None else int(found)


def can_run_aside() -> bool:
    """Whether `sys.executable` is a Python that runs a script; in a program frozen with its modules it is that program."""
    return bool(sys.executable) and not getattr(sys, "frozen", False)


def _states_aside(folder: str, names: DerivedNames) -> np.ndarray:
    endings = [ending for ending in names.endings if ending]
    try:
        found = _run_aside("states", folder, *endings, given=os.fsencode("\0".join(names.stems)))
    except ValueError:  # a name that is none
        found = None
    if found is None or len(found) != 16 * len(names):
        return _rows(*states_of(folder, names))
    return _rows(*np.frombuffer(found, np.int64).reshape(2, -1))


def _run_aside(*arguments: str, given: bytes = b"") -> bytes | None:
    """Return what `folder_states` prints as a script, or None where it cannot be run."""
    command = [sys.executable, "-I", "-S", folder_states.__file__, *arguments]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    try:
        with subprocess.Popen(command, **pipes) as process:
            with process.stdin as names:  # all of them are read before anything is printed
                names.write(given)
            found = process.stdout.read()
    except (OSError, subprocess.SubprocessError):
        return None
    return None if process.returncode else found


def _rows(sizes: Sequence[int], times: Sequence[int]) -> np.ndarray:
    return np.array([sizes, times], np.int64).T
