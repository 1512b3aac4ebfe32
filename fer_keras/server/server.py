"""A server that finds and reads faces: images in, JSON out; health, version, metrics, limits.

Answers stay on this machine: nothing is stored, logged or sent on.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from fastapi import Depends, FastAPI, Request
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import HTMLResponse, PlainTextResponse, RedirectResponse
from fastapi.security import HTTPBearer
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

import fer_keras
from fer_keras.faces.face_reader import FaceReader
from fer_keras.server.access import Door
from fer_keras.server.batching import Batcher, Overloaded
from fer_keras.server.forms import form_files
from fer_keras.server.gate import DEADLINE, Gate, Metrics, problem
from fer_keras.server.inference_protocol import Inference, add_inference_protocol
from fer_keras.server.limits import Limits
from fer_keras.server.room import Room
from fer_keras.server.start_page import PAGE_HEADERS, start_page
from fer_keras.server.uploads import Refused, Upload, check_upload

_IMAGE = {"type": "string", "format": "binary"}
_IMAGES = {"type": "array", "items": _IMAGE, "minItems": 1}


def _form(name: str, schema: dict) -> dict:
    return {"multipart/form-data": {"schema": {"type": "object", "properties": {name: schema}, "required": [name]}}}


_KINDS = {kind: {"schema": _IMAGE} for kind in ("image/jpeg", "image/png", "image/webp")}
_BODY = {"requestBody": {"required": True, "content": {**_KINDS, **_form("image", _IMAGE)}}}
_FORM = {"requestBody": {"required": True, "content": _form("images", _IMAGES)}}
_SAID = {"content": {"application/json": {"schema": {"type": "object", "properties": {"detail": {"type": "string"}}}}}}
_REASONS = {
    400: {"description": "not as HTTP says, or another host", **_SAID},
    401: {"description": "no token, or a wrong one", **_SAID},
    403: {"description": "sent by a page of another site", **_SAID},
    413: {"description": "too many bytes or pixels", **_SAID},
    415: {"description": "no JPEG, PNG or WebP", **_SAID},
    422: {"description": "unreadable", **_SAID},
    503: {"description": "overloaded, or it took too long", **_SAID},
}
#: Of its time, what an image of a batch may take; the rest is for the answer.
_SHARE = 0.9


def build_app(
    reader: FaceReader,
    limits: Limits | None = None,
    wait: float = 0.004,
    *,
    origins: Sequence[str] = (),
    hosts: Sequence[str] | None = None,
    token: str | None = None,
) -> FastAPI:
    """Return the server as an ASGI application.

    Connections are not its business: see `fer_keras.server.connections`.

    Args:
        reader: finds and reads.
        limits: of a request, and of all together.
        wait: seconds to wait for further requests to answer together.
        origins: of web pages whose scripts may send images and read the answers, such as https://example.org, or "*";
            default: none.
        hosts: names that requests may ask for, without ports; default: any.
        token: that requests must bring as `Authorization: Bearer`; default: none.
    """
    limits, metrics = limits or Limits(), Metrics()
    room, workers = Room(limits), ThreadPoolExecutor(2, "decoder")
    answers = Answers(reader, limits, metrics, wait=wait, workers=workers, room=room)

    @contextlib.asynccontextmanager
    async def lifespan(app):
        answers.start()
        yield
        await answers.close()
        workers.shutdown(wait=True)

    app = FastAPI(
        title="fer_keras",
        version=fer_keras.__version__,
        lifespan=lifespan,
        description=__doc__.split("\n\n")[0],
        docs_url=None,  # those pages load scripts from elsewhere; see start_page
        redoc_url=None,
    )
    app.add_middleware(Gate, limits=limits, metrics=metrics, room=room, door=Door(hosts, origins, token))
    if origins:
        app.add_middleware(
            CORSMiddleware, allow_origins=list(origins), allow_methods=["GET", "POST"], allow_headers=["*"]
        )
    app.state.metrics, app.state.room = metrics, room
    if token is not None:  # for openapi.json; the gate checks
        app.router.dependencies.append(Depends(HTTPBearer(auto_error=False)))
    _add_handlers(app)
    _add_faces(app, answers, limits)
    _add_facts(app, reader, limits, metrics)
    _add_pages(app, closed=token is not None)
    add_inference_protocol(app, reader.predictor, Inference(reader.predictor, limits, room, workers))
    return app


class Answers:
    """Reads the faces of uploads: decoded by workers, read in batches, within the room of all requests.

    Args:
        reader: finds and reads.
        limits: of a request.
        metrics: counts.
        wait: seconds to wait for further requests to answer together.
        workers: decode and find.
        room: of all requests.
    """

    def __init__(
        self,
        reader: FaceReader,
        limits: Limits,
        metrics: Metrics,
        *,
        wait: float,
        workers: ThreadPoolExecutor,
        room: Room,
    ):
        self.limits, self.room = limits, room
        self._reader, self._metrics, self._workers = reader, metrics, workers
        self._batcher = Batcher(
            lambda jobs: reader.read_found(*map(list, zip(*jobs, strict=True))),
            most=16,
            wait=wait,
            queue=limits.places,
            observe=metrics.batches.observe,
        )
        self.start: Callable[[], None] = self._batcher.start
        self.close = self._batcher.close

    def check(self, data: bytes) -> Upload:
        """Look at the header of an image; see `check_upload`."""
        return check_upload(data, self.limits)

    async def read(self, upload: Upload) -> dict:
        """Return the answer for one image; hold a place of the room meanwhile."""
        async with self.room.work.holding(upload.memory):
            loop = asyncio.get_running_loop()
            image, found = await loop.run_in_executor(self._workers, self._find, upload)
            readings = await self._batcher.submit((image, found)) if found else []
        self._metrics.faces.inc(len(readings))
        width, height = image.shape[1] * upload.divisor, image.shape[0] * upload.divisor
        return {"width": width, "height": height, "faces": [_plain(reading, upload.divisor) for reading in readings]}

    def _find(self, upload: Upload) -> tuple:
        image = upload.decode()
        return image, self._reader.finder.find(image)


def _add_handlers(app: FastAPI) -> None:
    @app.exception_handler(Refused)
    async def refused(request: Request, error: Refused):
        return problem(error, request.scope)

    @app.exception_handler(Overloaded)
    async def overloaded(request: Request, error: Overloaded):
        return problem(Refused(503, str(error)), request.scope)


def _add_faces(app: FastAPI, answers: Answers, limits: Limits) -> None:
    @app.post("/faces", openapi_extra=_BODY, responses=_REASONS, summary="Read the faces of one image")
    async def faces(request: Request) -> dict:
        """Send the bytes of a JPEG, PNG or WebP as the body, or as `image` or `file` of a form.

        Boxes are x0, y0, x1, y1 in pixels of the image as sent."""
        data = await _one_image(request, limits)
        with answers.room.places(1):
            return await answers.read(answers.check(data))

    @app.post("/faces/batch", openapi_extra=_FORM, responses=_REASONS, summary="Read the faces of several images")
    async def batch(request: Request) -> dict:
        """Send a form with files named `images`. An image that cannot be read, or not in time, has status and error, and
        stops no other."""
        if _kind(request) != "multipart/form-data":
            raise Refused(415, f"Expected a form with files named images. Received: {_kind(request) or 'nothing'}.")
        files = await form_files(request, ("images",), limits)
        if not files:
            raise Refused(422, "Expected files named images. Received: none.")
        started = asyncio.get_running_loop().time()
        deadline = started + _SHARE * (request.scope[DEADLINE] - started)
        with answers.room.places(len(files)):
            return {"images": await _answer_all(answers, files, deadline)}


async def _one_image(request: Request, limits: Limits) -> bytes:
    """Return the image of a request: its body, or the one file of its form."""
    if _kind(request) == "multipart/form-data":
        files = await form_files(request, ("image", "file"), limits)
        if len(files) != 1:
            reason = f"Expected one file named image or file. Received: {len(files)}. Use /faces/batch for many."
            raise Refused(422, reason)
        return files[0][1]
    if not _kind(request).startswith("image/") and _kind(request) not in ("", "application/octet-stream"):
        raise Refused(415, f"Expected an image or a form. Received: {_kind(request)[:100]}.")
    return await request.body()


async def _answer_all(answers: Answers, files: list[tuple[str, bytes]], deadline: float) -> list[dict]:
    """Return an answer per file. All headers are looked at before anything is decoded, so that too much is refused unread."""
    checked = [_checked(answers, data) for _, data in files]
    total = sum(upload.megapixels for upload in checked if isinstance(upload, Upload))
    if total > answers.limits.batch_megapixels:
        most = f"{answers.limits.batch_megapixels:g}"
        raise Refused(413, f"Expected at most {most} megapixels in all images together. Received: {total:.0f}.")

    async def one(name: str, upload: Upload | Refused) -> dict:
        try:
            if isinstance(upload, Refused):
                raise upload
            async with asyncio.timeout_at(deadline):
                return {"name": name, **await answers.read(upload)}
        except Refused as error:
            return {"name": name, "status": error.status, "error": error.reason, "faces": []}
        except TimeoutError:
            return {"name": name, "status": 503, "error": "There was no time left for this image.", "faces": []}

    names = [name for name, _ in files]
    return await asyncio.gather(*(one(name, upload) for name, upload in zip(names, checked, strict=True)))


def _checked(answers: Answers, data: bytes) -> Upload | Refused:
    try:
        return answers.check(data)
    except Refused as error:
        return error


def _add_facts(app: FastAPI, reader: FaceReader, limits: Limits, metrics: Metrics) -> None:
    predictor = reader.predictor

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


def _add_pages(app: FastAPI, closed: bool) -> None:
    @app.get("/", include_in_schema=False)
    async def start() -> RedirectResponse:
        return RedirectResponse("docs")

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return HTMLResponse(start_page(app.openapi(), closed), headers=PAGE_HEADERS)


def _kind(request: Request) -> str:
    return request.headers.get("content-type", "").split(";")[0].strip().lower()


def _plain(reading, divisor: int = 1) -> dict:
    """Return a reading for JSON: numbers rounded, marks as a list, the box in pixels of the image that was sent."""
    facts = reading.to_dict()
    numbers = {name: round(value, 6) for name, value in facts.items() if isinstance(value, float)}
    shares = {name: round(share, 6) for name, share in (reading.probabilities or {}).items()} or None
    box = [round(value * divisor, 2) for value in reading.face_box]
    return {**facts, **numbers, "face_box": box, "probabilities": shares, "marks": list(reading.marks)}
