"""A request of the Open Inference Protocol: its JSON against a schema, its faces as an array."""

import itertools
import math
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fer_keras.server.uploads import Refused

_TYPES = {"UINT8": np.dtype("u1"), "FP32": np.dtype("<f4")}
_Name = Annotated[str, Field(max_length=200)]
_Count = Annotated[int, Field(ge=0, le=2**53)]
_Side = Annotated[int, Field(ge=1, le=2**31 - 1)]
#: Depth of [n, height, width, 3].
_AXES = 4
#: Digits of a length in a header.
_MOST_DIGITS = 15


class _Part(BaseModel):
    """A part of a request; text and truth values are no numbers here, keys that are not known are left alone."""

    model_config = ConfigDict(strict=True, extra="ignore")


class InputParameters(_Part):
    """How an input is sent."""

    binary_data_size: _Count | None = Field(None, description="bytes after the JSON, in place of data")


class OutputParameters(_Part):
    """How an output is wanted."""

    binary_data: bool | None = None


class RequestParameters(_Part):
    """How all outputs are wanted."""

    binary_data_output: bool | None = None


class InferInput(_Part):
    """Faces that are cut out and resized, RGB 0 to 255."""

    name: Literal["image"]
    datatype: Literal["UINT8", "FP32"]
    shape: Annotated[list[_Side], Field(min_length=_AXES, max_length=_AXES, description="[n, height, width, 3]")]
    parameters: InputParameters | None = None
    data: list[Any] | None = Field(None, description="numbers from 0 to 255, flat or nested as the shape")


class InferOutput(_Part):
    """An output that is wanted."""

    name: _Name
    parameters: OutputParameters | None = None


class InferRequest(_Part):
    """A request for the model's outputs."""

    id: _Name | Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None
    parameters: RequestParameters | None = None
    inputs: list[InferInput] = Field(max_length=16)
    outputs: list[InferOutput] | None = Field(None, max_length=16)


def json_length(header: str | None, body: int) -> int:
    """Return how many bytes of a body are JSON.

    Args:
        header: Inference-Header-Content-Length; None: all of the body.
        body: its size.

    Raises:
        Refused: no number, or beyond the body.
    """
    if header is None:
        return body
    digits = header.isascii() and header.isdigit() and len(header) <= _MOST_DIGITS  # "²" is a digit for isdigit
    if not digits or int(header) > body:
        raise Refused(400, f"Expected Inference-Header-Content-Length within the body. Received: {header[:20]}.")
    return int(header)


def read_request(text: bytes, image_size: tuple[int, int]) -> InferRequest:
    """Return a request whose one input has the right name, type and shape.

    Raises:
        Refused: 400, with what was expected.
    """
    # The envelope has a handful of objects; millions of empty ones would take thirty times their bytes.
    if text.count(b"{") > 100:
        raise Refused(400, "Expected at most 100 objects.")
    if text.count(b"[") > 100 + len(text) // 6:
        raise Refused(400, "Expected data as numbers, nested alike or flat.")
    try:
        request = InferRequest.model_validate_json(text)
    except ValidationError as error:
        raise Refused(400, _reason(error, image_size)) from error
    if len(request.inputs) != 1:
        raise Refused(400, "Expected one input.")
    if tuple(request.inputs[0].shape[1:]) != (*image_size, 3):
        raise Refused(400, _expected_input(image_size) + f" Received: shape {request.inputs[0].shape}.")
    return request


def _reason(error: ValidationError, image_size: tuple[int, int]) -> str:
    """Say in one line what a request lacks; what was sent is shown only where it is short."""
    first = error.errors(include_url=False, include_context=False)[0]
    place, message = [str(part)[:50] for part in first["loc"]], first["msg"][:200]
    if first["type"] == "json_invalid":
        return f"Expected JSON. {message}."
    if not place:
        return "Expected a JSON object."
    shown = f" Received: {first['input']!r}." if isinstance(first["input"], (str, bool)) else ""
    if place[0] == "inputs" and place[2:3] in (["name"], ["datatype"], ["shape"]):
        return f"{_expected_input(image_size)} {'.'.join(place)}: {message}.{shown[:100]}"
    if place == ["inputs"]:
        return f"Expected one input. inputs: {message}."
    return f"{'.'.join(place)}: {message}.{shown[:100]}"


def _expected_input(image_size: tuple[int, int]) -> str:
    return f"Expected input image, UINT8 or FP32, shape [n, {image_size[0]}, {image_size[1]}, 3]."


def read_faces(image: InferInput, binary: bytes) -> np.ndarray:
    """Return the faces of an input as uint8.

    Args:
        image: the input.
        binary: the bytes after the JSON.

    Raises:
        Refused: another number of values, or values that are none from 0 to 255.
    """
    size = image.parameters and image.parameters.binary_data_size
    count, dtype = math.prod(image.shape), _TYPES[image.datatype]  # Python's integers do not overflow
    if size is not None:
        if size != len(binary):
            raise Refused(400, f"Expected {size} bytes of binary data. Received: {len(binary)}.")
        if size != count * dtype.itemsize:
            raise Refused(
                400, f"Expected {count:,} values, {count * dtype.itemsize:,} bytes. Received: {size:,} bytes."
            )
        values = np.frombuffer(binary, dtype)
    else:
        values = _numbers(image.data, count).astype(dtype)
    if dtype.kind == "f":
        _check_range(values)
        values = np.round(values).astype(np.uint8)
    return values.reshape(image.shape)


def _numbers(data: list | None, count: int) -> np.ndarray:
    """Return data that is flat or nested as float64."""
    kinds = _kinds(data or [])
    for _ in range(_AXES - 1):
        if kinds == {list} and len(set(map(len, data))) == 1:
            data = list(itertools.chain.from_iterable(data))
            kinds = _kinds(data)
    if not data or not kinds <= {int, float}:
        raise Refused(400, "Expected data as numbers, nested alike or flat.")
    if len(data) != count:
        raise Refused(400, f"Expected {count:,} values. Received: {len(data):,}.")
    try:
        values = np.asarray(data, np.float64)
    except OverflowError as error:
        raise Refused(400, "Expected values from 0 to 255.") from error
    _check_range(values)
    return values


def _kinds(data: list) -> set[type]:
    return set(map(type, data))  # a truth value is an int for isinstance, not here


def _check_range(values: np.ndarray) -> None:
    if not np.isfinite(values).all() or values.min() < 0 or values.max() > 255:
        raise Refused(400, "Expected values from 0 to 255.")


def wanted_outputs(request: InferRequest, known: tuple[str, ...]) -> dict[str, bool]:
    """Return the outputs that a request names, or all, and whether each is wanted as binary data.

    Raises:
        Refused: an output that the model does not have.
    """
    everything = bool(request.parameters and request.parameters.binary_data_output)
    if not request.outputs:
        return dict.fromkeys(known, everything)
    wanted = {}
    for output in request.outputs:
        if output.name not in known:
            raise Refused(400, f"Expected outputs of {', '.join(known)}. Received: {output.name[:50]}.")
        binary = output.parameters and output.parameters.binary_data
        wanted[output.name] = everything if binary is None else binary
    return wanted


def request_schema(image_size: tuple[int, int]) -> dict:
    """Return the schema of a request for OpenAPI, with every part in its place, for faces of this size."""
    schema = InferRequest.model_json_schema()
    shape = schema["$defs"]["InferInput"]["properties"]["shape"]
    shape["prefixItems"] = [{"type": "integer", "minimum": 1}, *({"const": side} for side in (*image_size, 3))]
    parts = schema.pop("$defs")

    def whole(node):
        if isinstance(node, dict):
            return (
                whole(parts[node["$ref"].split("/")[-1]]) if "$ref" in node else {k: whole(v) for k, v in node.items()}
            )
        return [whole(value) for value in node] if isinstance(node, list) else node

    return whole(schema)
