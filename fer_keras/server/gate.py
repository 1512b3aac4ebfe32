"""What every request to the server passes: who sends it is checked, its bytes and time are bounded, it is counted."""

import asyncio
import time

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse

from fer_keras.server.access import Door
from fer_keras.server.limits import Limits
from fer_keras.server.room import Body, Room
from fer_keras.server.uploads import Refused

#: Where in ASGI's scope the time stands, of the event loop's clock, at which a request is given up.
DEADLINE = "fer_keras.deadline"
#: Counted as the status where a client ended its connection before it had sent its request.
_GONE = 499


class Metrics:
    """What a server counts, for Prometheus."""

    def __init__(self):
        self.registry = CollectorRegistry()
        common = {"registry": self.registry}
        self.requests = Counter(
            "fer_keras_requests_total", "Requests by route and status", ["route", "status"], **common
        )
        self.seconds = Histogram("fer_keras_request_seconds", "Seconds a request took", ["route"], **common)
        self.faces = Counter("fer_keras_faces_total", "Faces read", **common)
        self.batches = Histogram(
            "fer_keras_batch_images", "Images answered together", buckets=(1, 2, 4, 8, 16, 32, 64), **common
        )
        self.active = Gauge("fer_keras_requests_active", "Requests being answered", **common)


class Gate:
    """ASGI middleware: checks who sends, bounds a request's bytes and time, counts it, and says refusals in JSON.

    Args:
        app: the next application.
        limits: of a request.
        metrics: counts.
        room: for the bodies of all requests.
        door: who may come in.
    """

    def __init__(self, app, limits: Limits, metrics: Metrics, *, room: Room, door: Door):
        self._app, self._limits, self._metrics, self._room, self._door = app, limits, metrics, room, door

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        started, status = time.perf_counter(), []
        scope[DEADLINE] = asyncio.get_running_loop().time() + self._limits.seconds

        async def sending(message):
            if message["type"] == "http.response.start":
                status.append(message["status"])
            await send(message)

        self._metrics.active.inc()
        try:
            async with asyncio.timeout_at(scope[DEADLINE]):
                await self._checked(scope, receive, sending)
        except TimeoutError:
            if not status:  # else a part of the answer is sent already
                reason = f"The request took longer than {self._limits.seconds:g} s."
                await problem(Refused(503, reason), scope)(scope, receive, sending)
        except ClientDisconnect:  # nobody waits for an answer, and a log needs no traceback of it
            status.append(_GONE)
        finally:
            self._metrics.active.dec()
            route = getattr(scope.get("route"), "path", "other")
            self._metrics.requests.labels(route, str(status[0] if status else 500)).inc()
            self._metrics.seconds.labels(route).observe(time.perf_counter() - started)

    async def _checked(self, scope, receive, send) -> None:
        body = Body(self._room)

        async def counting():
            message = await receive()
            count = len(message.get("body", b""))
            if body.size + count > self._limits.bytes:
                raise self._too_large()
            if not body.add(count):
                raise Refused(503, "Too many bytes of other requests wait. Try again later.")
            return message

        try:
            self._door.check(scope)
            self._check_headers(dict(scope["headers"]))
            await self._app(scope, counting, send)
        except Refused as error:  # of the head, or raised while the body was read
            await problem(error, scope)(scope, receive, send)
        finally:
            body.close()

    def _check_headers(self, headers: dict[bytes, bytes]) -> None:
        """Refuse what would not be read as it was meant."""
        if b"content-length" in headers and b"transfer-encoding" in headers:
            raise Refused(400, "Expected Content-Length or Transfer-Encoding. Received: both.")
        encoding = headers.get(b"content-encoding", b"").decode("latin-1").strip().lower()
        if encoding not in ("", "identity"):
            raise Refused(415, f"Expected a body without Content-Encoding. Received: {encoding[:50]}.")
        announced = headers.get(b"content-length", b"0")
        # 20 digits: a longer number is too large whatever it is, and Python reads no number of 5,000.
        if not announced.isdigit() or len(announced) > 20 or int(announced) > self._limits.bytes:
            raise self._too_large()

    def _too_large(self) -> Refused:
        return Refused(413, f"Expected at most {self._limits.megabytes:g} MB.")


def problem(refused: Refused, scope) -> JSONResponse:
    """Return the answer that says why a request is not answered otherwise, in the words of the protocol that it speaks.

    The rest of a body is left to the server, which reads it away for a while: a client that sends first and reads afterwards
    would not see the reason if its connection were closed at once.
    """
    headers = {503: {"Retry-After": "1"}, 401: {"WWW-Authenticate": "Bearer"}, 400: {"Connection": "close"}}
    key = "error" if scope["path"].startswith("/v2") else "detail"
    return JSONResponse({key: refused.reason}, refused.status, headers.get(refused.status))
