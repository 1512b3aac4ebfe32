"""Faces by row number: decoded, cropped by the one geometry rule, cached, unreadable ones marked and counted."""

import os
import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from fer_keras.config.run_config import CACHES
from fer_keras.cores import usable_cores
from fer_keras.preprocessing import GEOMETRY, crop_face

_ALIGNMENT = 64  # bytes; of TensorFlow's tensors
_MEMORY_SHARE = 0.25  # of the machine's memory that `auto` may fill


class FaceLoader:
    """Gives batches of faces by row, the same pixels for training, evaluation and inspection.

    Args:
        source: has `load(row)` -> (height, width, 3) uint8 RGB, and `len`.
        image_size: (height, width) of the loaded faces.
        cache: memory (of this process), disk (a file that later runs use too), none, or auto: memory if the faces fill
            at most a quarter of the machine's, else none.
        cache_path: file of the disk cache, without suffix; its name must contain the data's fingerprint.

    Attributes:
        unreadable: row -> reason for every image that could not be read so far.
    """

    def __init__(self, source, image_size: tuple[int, int], cache: str = "none", cache_path: str | Path | None = None):
        if cache not in CACHES:
            raise ValueError(f"cache expects one of {', '.join(CACHES)}. Received: {cache!r}.")
        self.source, self.image_size = source, tuple(image_size)
        self.unreadable: dict[int, str] = {}
        shape = (len(source), *self.image_size, 3)
        if cache == "auto":
            cache = "memory" if np.prod(shape, dtype=np.int64) <= _MEMORY_SHARE * machine_memory() else "none"
        self.cache = cache
        self._faces, self._filled = _open_cache(cache, shape, cache_path)
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self.source)

    def load(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the faces of some rows.

        Args:
            rows: (b,) row numbers.

        Returns:
            (b, height, width, 3) uint8 RGB, and (b,) bool: False where the image could not be read (its face is black).
        """
        faces, given = empty_faces((len(rows), *self.image_size, 3)), self.each(rows)
        for place in range(len(rows)):
            faces[place] = next(given)
        return faces, self.readable(rows)

    def each(self, rows: np.ndarray) -> Iterator[np.ndarray]:
        """Yield the face of each row where it lies, in an array of its own or in the cache: not to be written to.

        No face is kept here, so that the next one is decoded to the memory of one that is done with.
        """
        for row in np.asarray(rows).tolist():
            yield self._face(row)

    def readable(self, rows: np.ndarray) -> np.ndarray:
        """Return (b,) bool: False for the rows that could not be read so far."""
        return np.array([row not in self.unreadable for row in np.asarray(rows).tolist()], bool)

    def fill(self, workers: int | None = None) -> None:
        """Read every face into the cache.

        Args:
            workers: threads; default: one per core.

        Raises:
            ValueError: the loader has no cache.
        """
        if self._filled is None:
            raise ValueError("fill expects a loader with a cache. Received: cache='none'.")
        with ThreadPoolExecutor(workers or usable_cores()) as pool:
            deque(pool.map(self._face, range(len(self))), maxlen=0)

    def _face(self, row: int) -> np.ndarray:
        """Return the face of a row; a black one where it cannot be read."""
        if row in self.unreadable:
            return np.zeros((*self.image_size, 3), np.uint8)
        if self._filled is not None and self._filled[row]:
            return self._faces[row]
        try:
            face = crop_face(self.source.load(row), self.image_size)
        except (ValueError, OSError) as error:
            with self._lock:
                self.unreadable[row] = str(error)
            return self._face(row)
        if self._filled is not None:
            self._faces[row] = face
            self._filled[row] = (
                True  # set after the face: a kill between the two costs one more decode, not a wrong face
            )
        return face


def empty_faces(shape: tuple[int, ...], dtype=np.uint8) -> np.ndarray:
    """Return an array to be written to, at an address from which TensorFlow takes it over without a copy."""
    size = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
    room = np.empty(size + _ALIGNMENT, np.uint8)
    first = -room.ctypes.data % _ALIGNMENT
    return room[first : first + size].view(dtype).reshape(shape)


def _open_cache(cache: str, shape: tuple[int, ...], path):
    if cache == "none":
        return None, None
    if cache == "memory":
        return np.zeros(shape, np.uint8), np.zeros(shape[0], bool)
    if path is None:
        raise ValueError("cache='disk' expects a cache_path. Received: None.")
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    stem = f"{path.name}-{shape[1]}x{shape[2]}-g{GEOMETRY['version']}"
    return (
        _open_map(path.with_name(stem + ".faces"), np.uint8, shape),
        _open_map(path.with_name(stem + ".filled"), bool, shape[:1]),
    )


def _open_map(path: Path, dtype, shape: tuple[int, ...]) -> np.memmap:
    size = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
    fits = path.exists() and path.stat().st_size == size
    return np.memmap(path, dtype, mode="r+" if fits else "w+", shape=shape)


def machine_memory() -> int:
    """Return this machine's memory in bytes; 8 GiB if the system does not report it."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return 8 << 30
