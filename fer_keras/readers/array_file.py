"""Arrays in `.npz` files: plain numbers and text only. Python objects are never unpickled, and nobody is told how to."""

import math
import os
import sys
import zipfile
from pathlib import Path

import numpy as np


def load_arrays(path: Path, expected: str, what: str = "arrays") -> dict[str, np.ndarray]:
    """Return every array of an `.npz` file by its name.

    Args:
        path: of the file.
        expected: which arrays it should hold, for the errors.
        what: what the file is, for the errors.

    Raises:
        ValueError: another file, a damaged one, or one with Python objects in it.
    """
    want = f"Expected an .npz with {expected}."
    try:
        _check_sizes(path)
        found = np.load(path, allow_pickle=False)
        if isinstance(found, np.ndarray):
            raise _Bare(found)
        with found as arrays:
            return {name: _checked(name, arrays[name]) for name in arrays.files}
    except _Bare as error:
        raise ValueError(
            f"Unreadable {what} {path}: a single array, {error.array.shape} {error.array.dtype}, without labels. {want}"
            + (" Write one with fer_keras.readers.arrays.save_arrays." if what == "arrays" else "")
        ) from None
    except Exception as error:  # zipfile, its decompressors and NumPy's parser of headers raise many kinds
        raise ValueError(f"Unreadable {what} {path}: {_reason(error)}. {want}") from error


def _check_sizes(path: Path) -> None:
    """Refuse arrays that announce more numbers than their file has, or more bytes than this machine's memory.

    Raises:
        ValueError: the first such array is named.
    """
    with open(path, "rb") as file:
        if file.read(2) != b"PK":
            return
    total, most = 0, memory_bytes()
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            with archive.open(member) as file:
                announced = _announced_bytes(file)
            total += member.file_size
            if announced is not None and announced > member.file_size:
                raise ValueError(f"{member.filename} announces {announced:,} bytes and has {member.file_size:,}")
            if total > most:
                raise ValueError(f"{member.filename} unfolds into more than this machine's memory, {most / 1e9:.0f} GB")


def _checked(name: str, values) -> np.ndarray:
    """Return an array; NumPy gives the bytes of a member that is none, and takes any number for a letter.

    Raises:
        ValueError: such a member.
    """
    if not isinstance(values, np.ndarray):
        raise ValueError(f"{name} is no array")
    if values.dtype.kind == "U" and values.size and values.dtype.itemsize:
        codes = np.ascontiguousarray(values).reshape(-1).view(np.uint32)
        codes = codes if values.dtype.isnative else codes.byteswap()
        if int(codes.max()) > sys.maxunicode:
            raise ValueError(f"{name} holds text that is none")
    return values


def _announced_bytes(file) -> int | None:
    """Return the size of the array that the header of an `.npy` file announces, or None where `numpy` is to tell."""
    try:
        version = np.lib.format.read_magic(file)
        read = {1: np.lib.format.read_array_header_1_0, 2: np.lib.format.read_array_header_2_0}.get(version[0])
        shape, _, dtype = read(file) if read else ((), False, np.dtype("u1"))
    except Exception:  # as in `load_arrays`
        return None
    if any(side < 0 for side in shape):
        raise ValueError(f"an array of the shape {shape}")
    return math.prod(shape) * dtype.itemsize


def memory_bytes() -> int:
    """Return this machine's memory in bytes, or a terabyte where the system does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 10**12


class _Bare(Exception):
    """A `.npy` file: one array, no names."""

    def __init__(self, array: np.ndarray):
        super().__init__()
        self.array = array


def _reason(error: BaseException) -> str:
    text = " ".join(str(error).split())
    if "pickle" in text.lower():
        return "it holds Python objects or is no file of arrays; only plain arrays of numbers and text are read"
    return text[:200] or type(error).__name__
