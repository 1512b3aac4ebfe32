"""A fast, strict reader of tiny `.npy` files: AffectNet's release has 1.15 million of them.

`numpy.load` parses the header of each file anew, which takes most of its time; the headers of a data set are few, so
here each distinct one is parsed once, and files that share theirs are converted together. Nothing is ever unpickled.
"""

import ast
import math
from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np

_KINDS = "iufUS"  # of NumPy's dtypes: dates, complex and structured ones would pass for numbers
_HEADER = 128  # bytes to which numpy.save pads a small file's header
_LONGEST_HEADER = 10_000  # bytes; deeper nesting than fits would crash the parser


@lru_cache(maxsize=4096)
def _parse_header(header: bytes) -> tuple[np.dtype, tuple[int, ...], bool, int]:
    """Return dtype, shape, Fortran order and number of elements of an .npy header, refusing all but numbers and text."""
    try:
        if len(header) > _LONGEST_HEADER:
            raise ValueError("too long")
        fields = ast.literal_eval(header.decode("latin1"))
        dtype, shape, fortran = np.dtype(fields["descr"]), tuple(fields["shape"]), bool(fields["fortran_order"])
        if any(type(side) is not int or side < 0 for side in shape):
            raise ValueError("bad shape")
        count = math.prod(shape)
    except (ValueError, SyntaxError, KeyError, TypeError, RecursionError, MemoryError, OverflowError) as error:
        raise ValueError("bad .npy header") from error
    if dtype.hasobject:
        raise ValueError("pickled .npy refused")
    if dtype.kind not in _KINDS:
        raise ValueError("neither numbers nor text")
    return dtype, shape, fortran, count


def parse_npy(data: bytes) -> np.ndarray:
    """Return the array in the bytes of an `.npy` file.

    Args:
        data: the whole content of the file, format 1.0 to 3.0.

    Returns:
        The array, read-only.

    Raises:
        ValueError: with one of the reasons "not an .npy file", "truncated .npy", "bad .npy header",
            "pickled .npy refused", "neither numbers nor text".
    """
    dtype, shape, fortran, count, start = _layout(data)
    return np.frombuffer(data, dtype, count, start).reshape(shape, order="F" if fortran else "C")


def _layout(data: bytes) -> tuple[np.dtype, tuple[int, ...], bool, int, int]:
    """Return what the header says and where the numbers begin, after checking that all of them are there."""
    if len(data) < 10 or not data.startswith(b"\x93NUMPY"):
        raise ValueError("truncated .npy" if b"\x93NUMPY".startswith(data[:6]) else "not an .npy file")
    start, width = (10, 2) if data[6] == 1 else (12, 4)
    end = start + int.from_bytes(data[8 : 8 + width], "little")
    if len(data) < end:
        raise ValueError("truncated .npy")
    dtype, shape, fortran, count = _parse_header(data[start:end])
    if len(data) < end + count * dtype.itemsize:
        raise ValueError("truncated .npy")
    return dtype, shape, fortran, count, end


def parse_scalars(files: Sequence[bytes | None]) -> tuple[np.ndarray, dict[int, str]]:
    """Return the one number in each of many `.npy` files, and what is wrong with the others.

    The official release holds 0-d unicode text such as '-0.176846'; other copies hold ints and floats, 0-d or (1,).

    Args:
        files: content of each file, None where there is none.

    Returns:
        (n,) float64, NaN where there is no number; and place -> reason for each file that holds none: those of `parse_npy`,
        or "not one number".
    """
    return _parse_many(files, np.full(len(files), np.nan), _as_scalars)


def parse_landmark_files(files: Sequence[bytes | None]) -> tuple[np.ndarray, dict[int, str]]:
    """Return the 68 landmarks in each of many `.npy` files, and what is wrong with the others.

    Their arrays are (136,) interleaved x, y, or (68, 2); points can lie outside the frame.

    Args:
        files: content of each file, None where there is none.

    Returns:
        (n, 68, 2) float32 pixels, NaN where there are none; and place -> reason for each file that holds none: those of
        `parse_npy`, or "not 68 landmarks", "landmark is not finite".
    """
    return _parse_many(files, np.full((len(files), 68, 2), np.nan, np.float32), _as_landmarks)


def _parse_many(files: Sequence[bytes | None], out: np.ndarray, convert) -> tuple[np.ndarray, dict[int, str]]:
    """Convert files with one header in one step; what does not go that way is converted alone, to know its reason."""
    problems = {}
    for places, table in _tables(files):
        try:
            out[places] = convert(_stack(table))
        except (ValueError, UnicodeError):
            for place in places.tolist():
                try:
                    out[place] = convert(parse_npy(files[place])[None])[0]
                except ValueError as error:
                    problems[place] = str(error)
    return out, problems


def _tables(files: Sequence[bytes | None]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the places of files of one length and one beginning, and their bytes, (n, length) uint8."""
    lengths: dict[int, list[int]] = {}
    for place, data in enumerate(files):
        if data is not None:
            lengths.setdefault(len(data), []).append(place)
    for length, found in lengths.items():
        table = np.frombuffer(b"".join([files[place] for place in found]), np.uint8).reshape(len(found), length)
        places = np.array(found)
        while len(places):
            alike = (table[:, :_HEADER] == table[0, :_HEADER]).all(1)
            if alike.all():
                yield places, table
                break
            yield places[alike], table[alike]
            places, table = places[~alike], table[~alike]


def _stack(table: np.ndarray) -> np.ndarray:
    """Return the arrays of files that are equal in their first `_HEADER` bytes, stacked along a new first axis."""
    dtype, shape, fortran, count, start = _layout(table[0].tobytes())
    if fortran or start > _HEADER:
        raise ValueError("not to be read in one step")
    rows, length = table.shape
    return np.ndarray((rows, count), dtype, table, start, (length, dtype.itemsize)).reshape(rows, *shape)


def _as_scalars(arrays: np.ndarray) -> np.ndarray:
    """(n, ...) with one element each -> (n,) float64."""
    if arrays.size != len(arrays):
        raise ValueError("not one number")
    try:
        return arrays.reshape(-1).astype(np.float64)
    except (TypeError, ValueError) as error:  # UnicodeDecodeError is a ValueError too
        raise ValueError("not one number") from error


def _as_landmarks(arrays: np.ndarray) -> np.ndarray:
    """(n, 136) or (n, 68, 2) -> (n, 68, 2) float32, all finite."""
    if arrays.size != 136 * len(arrays):
        raise ValueError("not 68 landmarks")
    try:
        points = arrays.reshape(-1, 68, 2).astype(np.float32)
    except (TypeError, ValueError) as error:
        raise ValueError("not 68 landmarks") from error
    if not np.isfinite(points).all():
        raise ValueError("landmark is not finite")
    return points
