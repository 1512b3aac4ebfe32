"""A server that finds and reads faces: images in, JSON out; health, version, metrics, limits.

Answers stay on this machine: nothing is stored, logged or sent on.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from fastapi import FastAPI, Request
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import PlainTextResponse, RedirectResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartParser

import fer_keras
from fer_keras.faces.face_reader import FaceReader
from fer_keras.server.batching import Batcher, Overloaded
from fer_keras.server.gate import Gate, Metrics, problem
from fer_keras.server.inference_protocol import add_inference_protocol
from fer_keras.server.uploads import Limits, Refused, decode_upload

_IMAGE = {"schema": {"type": "string", "format": "binary"}}
_BODY = {
    "requestBody": {"required": True, "content": {"image/jpeg": _IMAGE, "image/png": _IMAGE, "image/webp": _IMAGE}}
}
_FORM = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {"type": "object", "properties": {"images": {"type": "array", "items": _IMAGE["schema"]}}}
            }
        },
    }
}
_REASONS = {
    413: {"description": "too many bytes or pixels"},
    415: {"description": "no JPEG, PNG or WebP"},
    422: {"description": "unreadable"},
    503: {"description": "overloaded, or it took too long"},
}


def build_app(
    reader: FaceReader, limits: Limits | None = None, wait: float = 0.004, *, origins: Sequence[str] = ()
) -> FastAPI:
    """Return the server as an ASGI application.

    Args:
        reader: finds and reads.
        limits: of a request.
        wait: seconds to wait for further requests to answer together.
        origins: of web pages whose scripts may read the answers, such as https://example.org, or "*"; default: none.
    """
    limits, metrics = limits or Limits(), Metrics()
    MultiPartParser.spool_max_size = limits.bytes  # uploads stay in memory, never in a temporary file
    workers = ThreadPoolExecutor(2, "decoder")
    batcher = Batcher(
        lambda jobs: reader.read_found(*map(list, zip(*jobs, strict=True))),
        most=16,
        wait=wait,
        observe=metrics.batches.observe,
    )

    @contextlib.asynccontextmanager
    async def lifespan(app):
        batcher.start()
        yield
        await batcher.close()
        workers.shutdown(wait=True)

    def find(data: bytes) -> tuple:
        image, divisor = decode_upload(data, limits)
        return image, reader.finder.find(image), divisor

    async def answer(data: bytes) -> dict:
        image, found, divisor = await asyncio.get_running_loop().run_in_executor(workers, find, data)
        readings = await batcher.submit((image, found)) if found else []
        metrics.faces.inc(len(readings))
        width, height = image.shape[1] * divisor, image.shape[0] * divisor
        return {"width": width, "height": height, "faces": [_plain(reading, divisor) for reading in readings]}

    app = FastAPI(
        title="fer_keras", version=fer_keras.__version__, lifespan=lifespan, description=__doc__.split("\n\n")[0]
    )
    app.add_middleware(Gate, limits=limits, metrics=metrics)
    if origins:
        app.add_middleware(
            CORSMiddleware, allow_origins=list(origins), allow_methods=["GET", "POST"], allow_headers=["*"]
        )
    app.state.metrics = metrics
    _add_handlers(app)
    _add_faces(app, answer, limits)
    _add_facts(app, reader, limits, metrics)
    add_inference_protocol(app, reader.predictor, workers)
    return app


def _add_handlers(app: FastAPI) -> None:
    @app.exception_handler(Refused)
    async def refused(request: Request, error: Refused):
        return problem(error.status, error.reason)

    @app.exception_handler(Overloaded)
    async def overloaded(request: Request, error: Overloaded):
        return problem(503, str(error))


def _add_faces(app: FastAPI, answer, limits: Limits) -> None:
    @app.post("/faces", openapi_extra=_BODY, responses=_REASONS, summary="Read the faces of one image")
    async def faces(request: Request) -> dict:
        """Send the bytes of a JPEG, PNG or WebP as the body, or as `image` or `file` of a form.

        Boxes are x0, y0, x1, y1 in pixels of the image as sent."""
        if _kind(request) == "multipart/form-data":
            files = await _files(request, "image", "file")
            if len(files) != 1:
                raise Refused(
                    422, f"Expected one file named image or file. Received: {len(files)}. Use /faces/batch for many."
                )
            return await answer(files[0][1])
        if not _kind(request).startswith("image/") and _kind(request) not in ("", "application/octet-stream"):
            raise Refused(415, f"Expected an image or a form. Received: {_kind(request)}.")
        return await answer(await request.body())

    @app.post("/faces/batch", openapi_extra=_FORM, responses=_REASONS, summary="Read the faces of several images")
    async def batch(request: Request) -> dict:
        """Send a form with files named `images`. An image that cannot be read has status and error, and stops no other."""
        if _kind(request) != "multipart/form-data":
            raise Refused(415, f"Expected a form with files named images. Received: {_kind(request) or 'nothing'}.")
        files = await _files(request, "images")
        if not files:
            raise Refused(422, "Expected files named images. Received: none.")
        if len(files) > limits.images:
            raise Refused(413, f"Expected at most {limits.images} images. Received: {len(files)}.")

        async def one(name: str, data: bytes) -> dict:
            try:
                return {"name": name, **await answer(data)}
            except Refused as error:
                return {"name": name, "status": error.status, "error": error.reason, "faces": []}

        return {"images": await asyncio.gather(*(one(name, data) for name, data in files))}


def _add_facts(app: FastAPI, reader: FaceReader, limits: Limits, metrics: Metrics) -> None:
    predictor = reader.predictor

    @app.get("/", include_in_schema=False)
    async def start() -> RedirectResponse:
        return RedirectResponse("docs")

    @app.get("/health", summary="Whether the server answers")
    async def health() -> dict:
        return {"status": "ok"}

    @app.get("/version", summary="Which package, model and detector answer")
    async def version() -> dict:
        bundle = predictor.bundle
        return {
            "fer_keras": fer_keras.__version__,
            "model": {
                "backbone": bundle.model.backbone,
                "created": bundle.created,
                "format": predictor.file.format,
            },
            "labels": list(predictor.labels),
            "outputs": list(predictor.outputs),
            "image_size": list(predictor.image_size),
            "detector": reader.finder.settings(),
            "limits": {"megabytes": limits.megabytes, "megapixels": limits.megapixels, "images": limits.images},
        }

    @app.get("/metrics", summary="Counts for Prometheus", response_class=PlainTextResponse)
    async def counted() -> PlainTextResponse:
        return PlainTextResponse(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)


def _kind(request: Request) -> str:
    return request.headers.get("content-type", "").split(";")[0].strip().lower()


async def _files(request: Request, *names: str) -> list[tuple[str, bytes]]:
    try:
        form = await request.form(max_files=1000, max_fields=100)
    except HTTPException as error:  # how Starlette says that a form cannot be parsed
        raise Refused(422, f"Unreadable form: {error.detail}") from error
    files = [value for key, value in form.multi_items() if key in names and isinstance(value, UploadFile)]
    return [(file.filename or "", await file.read()) for file in files]


def _plain(reading, divisor: int = 1) -> dict:
    """Return a reading for JSON: numbers rounded, marks as a list, the box in pixels of the image that was sent."""
    facts = reading.to_dict()
    numbers = {name: round(value, 6) for name, value in facts.items() if isinstance(value, float)}
    shares = {name: round(share, 6) for name, share in (reading.probabilities or {}).items()} or None
    box = [round(value * divisor, 2) for value in reading.face_box]
    return {**facts, **numbers, "face_box": box, "probabilities": shares, "marks": list(reading.marks)}
