"""A fast, strict reader of tiny `.npy` files: AffectNet's release has 1.15 million of them.

`numpy.load` parses the header of each file anew, which takes most of its time; the headers of a data set are few, so
here each distinct one is parsed once. Nothing is ever unpickled.
"""

import ast
from functools import lru_cache

import numpy as np


@lru_cache(maxsize=4096)
def _parse_header(header: bytes) -> tuple[np.dtype, tuple[int, ...], bool, int]:
    """Return dtype, shape, Fortran order and number of elements of an .npy header, refusing object arrays."""
    try:
        fields = ast.literal_eval(header.decode("latin1"))
        dtype, shape, fortran = np.dtype(fields["descr"]), tuple(fields["shape"]), bool(fields["fortran_order"])
        count = int(np.prod(shape, dtype=np.int64))
    except (ValueError, SyntaxError, KeyError, TypeError) as error:
        raise ValueError("bad .npy header") from error
    if dtype.hasobject:
        raise ValueError("pickled .npy refused")
    return dtype, shape, fortran, count


def parse_npy(data: bytes) -> np.ndarray:
    """Return the array in the bytes of an `.npy` file.

    Args:
        data: the whole content of the file, format 1.0 to 3.0.

    Returns:
        The array, read-only.

    Raises:
        ValueError: with one of the reasons "not an .npy file", "truncated .npy", "bad .npy header",
            "pickled .npy refused".
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


def parse_scalar(data: bytes) -> float:
    """Return the one number in the bytes of an `.npy` file, whatever way it was written.

    The official release holds 0-d unicode text such as '-0.176846'; other copies hold ints and floats, 0-d or (1,).

    Raises:
        ValueError: as `parse_npy`, or "not one number".
    """
    # numpy.save pads a small file's header to 128 bytes: one look-up tells whether it is the release's text.
    width = _text_width(data[:128])
    try:
        if width and len(data) >= 128 + width:
            return _number(str(data[128 : 128 + width], "utf-32-le").rstrip("\0"))
        dtype, _, _, count, start = _layout(data)
        if count != 1:
            raise ValueError("not one number")
        value = np.frombuffer(data, dtype, 1, start)[0]
    except UnicodeDecodeError as error:
        raise ValueError("not one number") from error
    return _number(value)


def _number(value) -> float:
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise ValueError("not one number") from error


@lru_cache(maxsize=4096)
def _text_width(prefix: bytes) -> int:
    """Return the bytes of the one text of a file that begins with these 128 bytes of header; 0 if it is another kind."""
    if len(prefix) < 128 or prefix[:8] != b"\x93NUMPY\x01\x00" or int.from_bytes(prefix[8:10], "little") != 118:
        return 0
    dtype, _, _, count = _parse_header(prefix[10:])
    return dtype.itemsize if count == 1 and dtype.str.startswith("<U") else 0


def parse_landmarks(data: bytes) -> np.ndarray:
    """Return 68 landmarks from the bytes of an `.npy` file of shape (136,) interleaved x, y or (68, 2).

    Returns:
        (68, 2) float32 in pixels; points can lie outside the frame.

    Raises:
        ValueError: as `parse_npy`, or "not 68 landmarks", "landmark is not finite".
    """
    array = parse_npy(data)
    if array.size != 136:
        raise ValueError("not 68 landmarks")
    try:
        points = array.reshape(68, 2).astype(np.float32)
    except (TypeError, ValueError) as error:
        raise ValueError("not 68 landmarks") from error
    if not np.isfinite(points).all():
        raise ValueError("landmark is not finite")
    return points
