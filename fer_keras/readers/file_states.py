"""Size and time of many files: what tells whether a data set has changed. Light, since processes import it for this alone."""

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

#: folder, relative to the data set's root -> names of its files, in an order that depends on the names alone
Listing = dict[str, Sequence[str]]

_CHUNK = 20_000  # files per task
_MANY = 200_000  # files from which on processes are worth their start


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
    """Give what to put before names in a folder, and the `dir_fd` to open them with.

    Where the system can, it looks the folder up once, not for each file; a folder that is not there shows at the first file.
    """
    try:
        descriptor = os.open(folder, os.O_RDONLY) if {os.open, os.stat} <= os.supports_dir_fd else None
    except OSError:
        descriptor = None
    if descriptor is None:
        yield f"{folder}/", None
        return
    try:
        yield "", descriptor
    finally:
        os.close(descriptor)


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
    if root.is_file():  # a data set of one file
        root = root.parent
    tasks = [(f"{root}/{folder}", part) for folder, names in listing.items() for part in _parts(names)]
    if jobs == 1 or sum(map(len, listing.values())) < _MANY:
        found = [_folder_states(*task) for task in tasks]
    else:
        from joblib import Parallel, delayed

        found = Parallel(n_jobs=jobs or -1)(delayed(_folder_states)(*task) for task in tasks)
    return np.concatenate([np.empty((0, 2), np.int64), *found])


def _parts(names: Sequence[str]) -> Iterator[Sequence[str]]:
    if isinstance(names, DerivedNames):
        yield from names.parts(_CHUNK)
        return
    for start in range(0, len(names), _CHUNK):
        yield names[start : start + _CHUNK]


def _folder_states(folder: str, names: Sequence[str]) -> np.ndarray:
    sizes, times, stat = [], [], os.stat
    with entered(folder) as (before, dir_fd):
        for name in names:
            try:
                state = stat(before + name, dir_fd=dir_fd)
            except (OSError, ValueError):
                sizes.append(-1)
                times.append(-1)
            else:
                sizes.append(state.st_size)
                times.append(state.st_mtime_ns)
    return np.array([sizes, times], np.int64).T
