"""The Open Inference Protocol (v2) for the model itself, for KServe's and Triton's clients.

Source: https://github.com/kserve/open-inference-protocol and Triton's binary tensor data extension. Faces go in cut out and
resized, `image` (n, height, width, 3) RGB 0..255 as UINT8 or FP32; `emotion` (n, classes), `valence` and `arousal` (n, 1)
come out as FP32.
"""

import asyncio
import json
from concurrent.futures import Executor

import numpy as np
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response

import fer_keras
from fer_keras.prediction.predictor import Predictor
from fer_keras.server.uploads import Refused

NAME, VERSION = "fer_keras", "1"
_TYPES = {"UINT8": np.dtype("u1"), "FP32": np.dtype("<f4")}
_HEADER = "inference-header-content-length"


def add_inference_protocol(app: FastAPI, predictor: Predictor, pool: Executor) -> None:
    """Add the protocol's routes to a server; inference runs in `pool`."""
    height, width = predictor.image_size

    @app.get("/v2", summary="Server metadata (Open Inference Protocol)")
    async def server() -> dict:
        return {"name": NAME, "version": fer_keras.__version__, "extensions": ["binary_tensor_data"]}

    @app.get("/v2/health/live", summary="Liveness (Open Inference Protocol)")
    async def live() -> dict:
        return {"live": True}

    @app.get("/v2/health/ready", summary="Readiness (Open Inference Protocol)")
    async def ready() -> dict:
        return {"ready": True}

    @app.get("/v2/models/{name}", summary="Model metadata (Open Inference Protocol)")
    @app.get("/v2/models/{name}/versions/{version}", include_in_schema=False)
    async def metadata(name: str, version: str = VERSION):
        known = _unknown(name, version)
        if known:
            return known
        sizes = {"emotion": len(predictor.labels)}
        outputs = [{"name": key, "datatype": "FP32", "shape": [-1, sizes.get(key, 1)]} for key in predictor.outputs]
        image = {"name": "image", "datatype": "UINT8", "shape": [-1, height, width, 3]}
        facts = {"name": NAME, "versions": [VERSION], "platform": predictor.file.engine}
        return facts | {"inputs": [image], "outputs": outputs, "parameters": {"labels": list(predictor.labels)}}

    @app.get("/v2/models/{name}/ready", summary="Model readiness (Open Inference Protocol)")
    @app.get("/v2/models/{name}/versions/{version}/ready", include_in_schema=False)
    async def model_ready(name: str, version: str = VERSION):
        return _unknown(name, version) or {"name": NAME, "ready": True}

    @app.post("/v2/models/{name}/infer", summary="Inference (Open Inference Protocol)")
    @app.post("/v2/models/{name}/versions/{version}/infer", include_in_schema=False)
    async def infer(request: Request, name: str, version: str = VERSION):
        unknown = _unknown(name, version)
        if unknown:
            return unknown
        try:
            header, binary = _split(await request.body(), request.headers.get(_HEADER))
            faces = _faces(header, binary, predictor.image_size)
            wanted = _wanted(header, predictor.outputs)
        except Refused as error:
            return JSONResponse({"error": error.reason}, error.status)
        scores = await asyncio.get_running_loop().run_in_executor(pool, predictor.scores, faces)
        return _answer(header, {key: scores[key].reshape(len(faces), -1) for key in wanted}, wanted)


def _unknown(name: str, version: str) -> JSONResponse | None:
    if (name, version) == (NAME, VERSION):
        return None
    return JSONResponse(
        {"error": f"Unknown model. Expected {NAME}, version {VERSION}. Received: {name}, {version}."}, 404
    )


def _split(body: bytes, length: str | None) -> tuple[dict, bytes]:
    """Return the JSON part and the binary part of a request."""
    if length is not None and not (length.isdigit() and int(length) <= len(body)):
        raise Refused(400, f"Expected Inference-Header-Content-Length within the body. Received: {length}.")
    end = len(body) if length is None else int(length)
    try:
        header = json.loads(body[:end])
    except (ValueError, RecursionError) as error:
        raise Refused(400, f"Expected JSON. Received: {' '.join(str(error).split())[:100]}.") from error
    if not isinstance(header, dict):
        raise Refused(400, "Expected a JSON object.")
    return header, body[end:]


def _faces(header: dict, binary: bytes, image_size: tuple[int, int]) -> np.ndarray:
    inputs = header.get("inputs")
    if not (isinstance(inputs, list) and len(inputs) == 1 and isinstance(inputs[0], dict)):
        raise Refused(400, "Expected one input.")
    image = inputs[0]
    shape, kind = image.get("shape"), image.get("datatype")
    right = isinstance(shape, list) and len(shape) == 4 and all(type(side) is int and side > 0 for side in shape)
    if image.get("name") != "image" or kind not in _TYPES or not right or tuple(shape[1:]) != (*image_size, 3):
        raise Refused(
            400,
            f"Expected input image, UINT8 or FP32, shape [n, {image_size[0]}, {image_size[1]}, 3]. Received: "
            f"{str(image.get('name'))[:50]}, {str(kind)[:20]}, {str(shape)[:50]}.",
        )
    values = _values(image, binary, _TYPES[kind])
    if values.size != int(np.prod(shape)):
        raise Refused(400, f"Expected {int(np.prod(shape)):,} values. Received: {values.size:,}.")
    if kind == "FP32":
        if not np.isfinite(values).all() or (values.size and (values.min() < 0 or values.max() > 255)):
            raise Refused(400, "Expected values from 0 to 255.")
        values = np.round(values).astype(np.uint8)
    return values.reshape(shape)


def _values(image: dict, binary: bytes, dtype: np.dtype) -> np.ndarray:
    size = (image.get("parameters") or {}).get("binary_data_size")
    if size is not None:
        if size != len(binary) or len(binary) % dtype.itemsize:
            raise Refused(400, f"Expected {size} bytes of binary data. Received: {len(binary)}.")
        return np.frombuffer(binary, dtype)
    try:
        values = np.asarray(image.get("data"), np.float64).reshape(-1)
    except (ValueError, TypeError) as error:
        raise Refused(400, "Expected data as numbers, nested alike or flat.") from error
    if not np.isfinite(values).all() or (values.size and (values.min() < 0 or values.max() > 255)):
        raise Refused(400, "Expected values from 0 to 255.")
    return values.astype(dtype)


def _wanted(header: dict, known: tuple[str, ...]) -> dict[str, bool]:
    """Return the outputs that a request names, or all, and whether each is wanted as binary data."""
    everything = bool((header.get("parameters") or {}).get("binary_data_output"))
    asked = header.get("outputs")
    if not asked:
        return dict.fromkeys(known, everything)
    wanted = {}
    for output in asked if isinstance(asked, list) else [None]:
        name = output.get("name") if isinstance(output, dict) else None
        if name not in known:
            raise Refused(400, f"Expected outputs of {', '.join(known)}. Received: {str(name)[:50]}.")
        wanted[name] = bool((output.get("parameters") or {}).get("binary_data", everything))
    return wanted


def _answer(header: dict, scores: dict[str, np.ndarray], binary: dict[str, bool]) -> Response:
    outputs, parts = [], []
    for name, values in scores.items():
        output = {"name": name, "datatype": "FP32", "shape": list(values.shape)}
        if binary[name]:
            parts.append(np.ascontiguousarray(values, "<f4").tobytes())
            outputs.append(output | {"parameters": {"binary_data_size": len(parts[-1])}})
        else:
            outputs.append(output | {"data": [float(value) for value in values.reshape(-1)]})
    facts = {"model_name": NAME, "model_version": VERSION, "outputs": outputs}
    facts |= {"id": str(header["id"])[:200]} if "id" in header else {}
    if not parts:
        return JSONResponse(facts)
    head = json.dumps(facts).encode()
    headers = {"Inference-Header-Content-Length": str(len(head))}
    return Response(head + b"".join(parts), media_type="application/octet-stream", headers=headers)
