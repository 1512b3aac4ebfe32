"""Arrays in `.npz` files: plain numbers and text only. Python objects are never unpickled, and nobody is told how to."""

import zlib
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

_ERRORS = (ValueError, OSError, EOFError, AttributeError, KeyError, TypeError, SyntaxError, NotImplementedError)


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
        found = np.load(path, allow_pickle=False)
        if isinstance(found, np.ndarray):
            raise _Bare(found)
        with found as arrays:
            return {name: arrays[name] for name in arrays.files}
    except _Bare as error:
        raise ValueError(
            f"Unreadable {what} {path}: a single array, {error.array.shape} {error.array.dtype}, without labels. {want}"
            + (" Write one with fer_keras.readers.arrays.save_arrays." if what == "arrays" else "")
        ) from None
    except (*_ERRORS, BadZipFile, zlib.error, MemoryError, OverflowError, RecursionError) as error:
        raise ValueError(f"Unreadable {what} {path}: {_reason(error)}. {want}") from error


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
