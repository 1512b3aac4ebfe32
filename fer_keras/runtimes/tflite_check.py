"""Checks of a TensorFlow Lite file before LiteRT opens it: builtin operators only, and every weight inside the file.

The file is a FlatBuffer: tables whose fields are found through a list of offsets. Two of the model's fields are read here.
"""

import struct
from pathlib import Path

_IDENTIFIER = b"TFL3"
_OPERATOR_CODES, _CUSTOM_CODE, _EXTERNAL_GROUPS, _EXTERNAL_BUFFERS = 1, 1, 8, 9


def check_tflite(path: Path) -> None:
    """Refuse a TensorFlow Lite file with custom operators or with weights in other files.

    Args:
        path: of the .tflite file.

    Raises:
        ValueError: such a file, or one that is no whole TensorFlow Lite file.
    """
    data = path.read_bytes()
    if data[4:8] != _IDENTIFIER:  # a damaged file must not be mapped
        raise ValueError(f"{path} is not a TensorFlow Lite file: its identifier TFL3 is missing.")
    try:
        model = _pointed(data, 0)
        custom = [_text(data, place) for table in _tables(data, model) if (place := _field(data, table, _CUSTOM_CODE))]
        outside = _field(data, model, _EXTERNAL_GROUPS) or _field(data, model, _EXTERNAL_BUFFERS)
    except (struct.error, ValueError) as error:
        raise ValueError(f"{path} is not a whole TensorFlow Lite file: it ends early.") from error
    if any(custom):
        raise ValueError(
            f"{path} is refused: it has custom operators ({', '.join(sorted(filter(None, custom)))[:200]}). Expected builtin "
            "ones only."
        )
    if outside:
        raise ValueError(
            f"{path} is refused: its weights lie in other files. Expected a model with its weights inside."
        )


def _tables(data: bytes, model: int) -> list[int]:
    """Return the places of a model's operator codes."""
    place = _field(data, model, _OPERATOR_CODES)
    if not place:
        return []
    vector = _pointed(data, place)
    (count,) = struct.unpack_from("<I", data, vector)
    if count > len(data) // 4:
        raise ValueError
    return [_pointed(data, vector + 4 + 4 * number) for number in range(count)]


def _field(data: bytes, table: int, number: int) -> int:
    """Return the place of a table's field, or 0 where the table lacks it."""
    (back,) = struct.unpack_from("<i", data, table)
    vtable, entry = table - back, 4 + 2 * number
    if vtable < 0:
        raise ValueError
    (size,) = struct.unpack_from("<H", data, vtable)
    if entry + 2 > size:
        return 0
    (offset,) = struct.unpack_from("<H", data, vtable + entry)
    return table + offset if offset else 0


def _pointed(data: bytes, place: int) -> int:
    """Return the place that an offset at a place points to."""
    return place + struct.unpack_from("<I", data, place)[0]


def _text(data: bytes, place: int) -> str:
    start = _pointed(data, place)
    (length,) = struct.unpack_from("<I", data, start)
    return data[start + 4 : start + 4 + min(length, 100)].decode("utf-8", "replace")
