"""The Open Inference Protocol (v2) for the model itself, for KServe's and Triton's clients.

Source: https://github.com/kserve/open-inference-protocol and Triton's binary tensor data extension. Faces go in cut out and
resized, `image` (n, height, width, 3) RGB 0..255 as UINT8 or FP32; `emotion` (n, classes), `valence` and `arousal` (n, 1)
come out as FP32.
"""

import asyncio
import json
from concurrent.futures import Executor
from typing import Annotated

import numpy as np
from fastapi import FastAPI, Path, Request
from fastapi.responses import JSONResponse, Response

import fer_keras
from fer_keras.prediction.predictor import Predictor
from fer_keras.server.inference_request import (
    InferRequest,
    json_length,
    read_faces,
    read_request,
    request_schema,
    wanted_outputs,
)
from fer_keras.server.limits import JSON_FACTOR, Limits
from fer_keras.server.room import Room
from fer_keras.server.uploads import Refused

NAME, VERSION = "fer_keras", "1"
#: What is in an address: any other is answered with 404, in the protocol's words.
_Name = Annotated[str, Path(json_schema_extra={"enum": [NAME]})]
_HEADER = "inference-header-content-length"
#: Faces given to the model at a time; a request that was given up ends after such a part.
_PART = 64
_SAID = {"content": {"application/json": {"schema": {"type": "object", "properties": {"error": {"type": "string"}}}}}}
_UNKNOWN = {404: {"description": "another model or version", **_SAID}}
_REASONS = {
    400: {"description": "not as the protocol says", **_SAID},
    413: {"description": "too many bytes or faces", **_SAID},
    415: {"description": "Content-Encoding", **_SAID},
    503: {"description": "overloaded, or it took too long", **_SAID},
}


class Inference:
    """Answers requests for the model's outputs, within the room of all requests.

    Args:
        predictor: the model.
        limits: of a request.
        room: of all requests.
        pool: where requests are read and the model runs.
    """

    def __init__(self, predictor: Predictor, limits: Limits, room: Room, pool: Executor):
        self._predictor, self._limits, self._room, self._pool = predictor, limits, room, pool

    async def answer(self, body: bytes, header: str | None) -> Response:
        """Return the answer to a request.

        Args:
            body: JSON, and binary data after it.
            header: Inference-Header-Content-Length.

        Raises:
            Refused: it is not as the protocol says, or has too many faces.
        """
        length = json_length(header, len(body))
        async with self._room.work.holding(JSON_FACTOR * length + 8 * (len(body) - length)):
            request, faces = await self._run(self._read, body, length)
            wanted = wanted_outputs(request, self._predictor.outputs)
            parts = [
                await self._run(self._predictor.scores, faces[at : at + _PART]) for at in range(0, len(faces), _PART)
            ]
        scores = {key: np.concatenate([part[key] for part in parts]).reshape(len(faces), -1) for key in wanted}
        return _answer(request, scores, wanted)

    def _read(self, body: bytes, length: int) -> tuple[InferRequest, np.ndarray]:
        request = read_request(body[:length], self._predictor.image_size)
        image = request.inputs[0]
        if image.shape[0] > self._limits.faces:
            raise Refused(413, f"Expected at most {self._limits.faces:,} faces. Received: {image.shape[0]:,}.")
        faces = read_faces(image, body[length:])
        image.data = None
        return request, faces

    async def _run(self, work, *arguments):
        return await asyncio.get_running_loop().run_in_executor(self._pool, work, *arguments)


def add_inference_protocol(app: FastAPI, predictor: Predictor, inference: Inference) -> None:
    """Add the protocol's routes to a server."""

    @app.get("/v2", summary="Server metadata (Open Inference Protocol)")
    async def server() -> dict:
        return {"name": NAME, "version": fer_keras.__version__, "extensions": ["binary_tensor_data"]}

    @app.get("/v2/health/live", summary="Liveness (Open Inference Protocol)")
    async def live() -> dict:
        return {"live": True}

    @app.get("/v2/health/ready", summary="Readiness (Open Inference Protocol)")
    async def ready() -> dict:
        return {"ready": True}

    @app.get("/v2/models/{name}", summary="Model metadata (Open Inference Protocol)", responses=_UNKNOWN)
    @app.get("/v2/models/{name}/versions/{version}", include_in_schema=False)
    async def metadata(name: _Name, version: str = VERSION):
        return _unknown(name, version) or _metadata(predictor)

    @app.get("/v2/models/{name}/ready", summary="Model readiness (Open Inference Protocol)", responses=_UNKNOWN)
    @app.get("/v2/models/{name}/versions/{version}/ready", include_in_schema=False)
    async def model_ready(name: _Name, version: str = VERSION):
        return _unknown(name, version) or {"name": NAME, "ready": True}

    body = {"required": True, "content": {"application/json": {"schema": request_schema(predictor.image_size)}}}

    @app.post(
        "/v2/models/{name}/infer",
        summary="Inference (Open Inference Protocol)",
        openapi_extra={"requestBody": body},
        responses=_UNKNOWN | _REASONS,
    )
    @app.post("/v2/models/{name}/versions/{version}/infer", include_in_schema=False)
    async def infer(request: Request, name: _Name, version: str = VERSION):
        return _unknown(name, version) or await inference.answer(await request.body(), request.headers.get(_HEADER))


def _metadata(predictor: Predictor) -> dict:
    sizes = {"emotion": len(predictor.labels)}
    outputs = [{"name": key, "datatype": "FP32", "shape": [-1, sizes.get(key, 1)]} for key in predictor.outputs]
    image = {"name": "image", "datatype": "UINT8", "shape": [-1, *predictor.image_size, 3]}
    facts = {"name": NAME, "versions": [VERSION], "platform": predictor.file.engine}
    return facts | {"inputs": [image], "outputs": outputs, "parameters": {"labels": list(predictor.labels)}}


def _unknown(name: str, version: str) -> JSONResponse | None:
    if (name, version) == (NAME, VERSION):
        return None
    received = f"{name[:50]}, {version[:50]}"
    return JSONResponse({"error": f"Unknown model. Expected {NAME}, version {VERSION}. Received: {received}."}, 404)


def _answer(request: InferRequest, scores: dict[str, np.ndarray], binary: dict[str, bool]) -> Response:
    outputs, parts = [], []
    for name, values in scores.items():
        output = {"name": name, "datatype": "FP32", "shape": list(values.shape)}
        if binary[name]:
            parts.append(np.ascontiguousarray(values, "<f4").tobytes())
            outputs.append(output | {"parameters": {"binary_data_size": len(parts[-1])}})
        else:
            outputs.append(output | {"data": [float(value) for value in values.reshape(-1)]})
    facts = {"model_name": NAME, "model_version": VERSION, "outputs": outputs}
    facts |= {"id": str(request.id)} if request.id is not None else {}
    if not parts:
        return JSONResponse(facts)
    head = json.dumps(facts).encode()
    headers = {"Inference-Header-Content-Length": str(len(head))}
    return Response(head + b"".join(parts), media_type="application/octet-stream", headers=headers)
