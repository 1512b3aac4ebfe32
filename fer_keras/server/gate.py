"""What every request to the server passes: its bytes and time are bounded, it is counted, refusals are said in JSON."""

import asyncio
import time

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from starlette.responses import JSONResponse

from fer_keras.server.uploads import Limits, Refused


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
    """ASGI middleware: bounds a request's bytes and time, counts it, and says refusals in JSON.

    Args:
        app: the next application.
        limits: of a request.
        metrics: counts.
    """

    def __init__(self, app, limits: Limits, metrics: Metrics):
        self._app, self._limits, self._metrics = app, limits, metrics

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        started, status = time.perf_counter(), []

        async def sending(message):
            if message["type"] == "http.response.start":
                status.append(message["status"])
            await send(message)

        self._metrics.active.inc()
        try:
            async with asyncio.timeout(self._limits.seconds):
                await self._bounded(scope, receive, sending)
        except TimeoutError:
            reason = f"The request took longer than {self._limits.seconds:g} s."
            if not status:  # else a part of the answer is sent already
                await problem(503, reason)(scope, receive, sending)
        finally:
            self._metrics.active.dec()
            route = getattr(scope.get("route"), "path", "other")
            self._metrics.requests.labels(route, str(status[0] if status else 500)).inc()
            self._metrics.seconds.labels(route).observe(time.perf_counter() - started)

    async def _bounded(self, scope, receive, send) -> None:
        most, taken = self._limits.bytes, 0
        too_large = Refused(413, f"Expected at most {self._limits.megabytes:g} MB.")
        announced = dict(scope["headers"]).get(b"content-length", b"0")
        if not announced.isdigit() or int(announced) > most:
            return await problem(413, too_large.reason)(scope, receive, send)

        async def counting():
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > most:
                raise too_large
            return message

        try:
            await self._app(scope, counting, send)
        except Refused as error:  # raised while the body was read
            await problem(error.status, error.reason)(scope, receive, send)


def problem(status: int, reason: str) -> JSONResponse:
    """Return the answer that says why a request is not answered otherwise."""
    headers = {"Retry-After": "1"} if status == 503 else {}
    return JSONResponse({"detail": reason}, status, headers | ({"Connection": "close"} if status == 413 else {}))
