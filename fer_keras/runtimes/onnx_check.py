"""Checks of an ONNX file before ONNX Runtime opens it: standard operators only, and every weight inside the file.

ONNX Runtime opens the files that an ONNX file names, and the bundle's SHA-256 does not cover them. The file is protocol
buffers, read here without the package onnx, which reading faces does not need; weights are skipped unread.
"""

import mmap
from collections.abc import Iterator
from pathlib import Path

_DOMAINS = {"", "ai.onnx", "ai.onnx.ml", "com.microsoft"}
#: Operators of these domains that name files.
_REACHING = {"EPContext", "PyOp"}
_DEEPEST = 32
#: Of each kind of message the fields that are messages, by number: of a model, graph, function, node, attribute and tensor.
_INSIDE = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
}
_OP_TYPE, _DOMAIN, _EXTERNAL, _FUNCTION_NAME, _FUNCTION_DOMAIN = 4, 7, 13, 1, 10


def check_onnx(path: Path) -> None:
    """Refuse an ONNX file that names other files or operators that no ONNX Runtime has by itself.

    Args:
        path: of the .onnx file.

    Raises:
        ValueError: such a file, or one that is no whole ONNX file.
    """
    try:
        with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            operators, functions, external = _look_through(data)
    except (ValueError, IndexError, OSError) as error:
        raise ValueError(f"{path} is not a whole ONNX file: {error or 'it ends early'}.") from error
    if external:
        raise ValueError(
            f"{path} is refused: its weights lie in other files. Expected a model with its weights inside."
        )
    own = {f"{domain}.{name}" for domain, name in operators - functions if domain not in _DOMAINS or name in _REACHING}
    if own:
        raise ValueError(
            f"{path} is refused: it has custom operators ({', '.join(sorted(own)[:8])}). Expected standard ones only."
        )


def _look_through(data) -> tuple[set, set, bool]:
    """Return the operators that nodes use, those that functions of the file define, and whether weights lie outside."""
    operators, functions, external, found = set(), set(), False, False
    waiting = [("model", 0, len(data), 0)]
    while waiting:
        kind, start, end, depth = waiting.pop()
        if depth > _DEEPEST:
            raise ValueError("its graphs are nested too deeply")
        texts = {}
        for number, wire, low, high in _fields(data, start, end):
            inner = _INSIDE.get(kind, {}).get(number)
            if inner and wire == 2:
                waiting.append((inner, low, high, depth + 1))
                found |= inner == "graph"
            elif kind in ("node", "function") and wire == 2:
                texts[number] = data[low:high].decode("utf-8", "replace")
            external |= kind == "tensor" and number == _EXTERNAL
        if kind == "node":
            operators.add((texts.get(_DOMAIN, ""), texts.get(_OP_TYPE, "")))
        elif kind == "function":
            functions.add((texts.get(_FUNCTION_DOMAIN, ""), texts.get(_FUNCTION_NAME, "")))
    if not found:
        raise ValueError("it has no graph")
    return operators, functions, external


def _fields(data, at: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield number, wire type, start and end of each field of a message."""
    while at < end:
        key, at = _varint(data, at, end)
        wire, low = key & 7, at
        if wire == 0:
            _, at = _varint(data, at, end)
        elif wire == 2:
            length, low = _varint(data, at, end)
            at = low + length
        elif wire in (1, 5):
            at += 8 if wire == 1 else 4
        else:
            raise ValueError("it is no protocol buffer")
        if at > end:
            raise ValueError("it ends early")
        yield key >> 3, wire, low, at


def _varint(data, at: int, end: int) -> tuple[int, int]:
    value = shift = 0
    while at < end and shift < 70:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
    raise ValueError("it ends early")
