"""Connections of the server: so many at a time, each with limits of time, whatever its client does or leaves out.

uvicorn limits the time between requests only. A client that opens a connection and says nothing, sends its headers a byte at a
time or does not read its answers would be kept for ever.
"""

import json

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from fer_keras.server.limits import Limits

#: Seconds that a new connection has before it makes way for another; headers come right behind a connection.
_GRACE = 0.2
#: Seconds that a connection has after an answer: time for its client to read it and send more.
_REST = 2.0
#: Bytes a second; a client that sends more is not waited for.
_SLOW = 1000
#: Seconds between the time at which a request is given up and the end of its connection: time to send the reason.
_SLACK = 2.0
_REASON = json.dumps({"detail": "Too many connections. Try again later."}).encode()
_BUSY = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nRetry-After: 1\r\nConnection: close\r\n"
    b"Content-Length: %d\r\n\r\n%s" % (len(_REASON), _REASON)
)


class GuardedConnection(H11Protocol):
    """A connection of uvicorn's that is limited; make the class to give to uvicorn by `guarded`."""

    limits = Limits()
    _refused = False
    _alarm = None
    _patience = None

    def connection_made(self, transport) -> None:
        """Take a new connection, in place of one that waits for its client where there are too many."""
        self._begin(_GRACE)
        if len(self.connections) >= self.limits.connections and not self._make_way():
            self._refused, self.transport = True, transport
            transport.write(_BUSY)
            transport.close()
            return
        super().connection_made(transport)
        self._set_alarm()

    def connection_lost(self, exc) -> None:
        """Forget the connection."""
        for timer in (self._alarm, self._patience):
            if timer is not None:
                timer.cancel()
        if not self._refused:
            super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes of the client; bytes that uvicorn stumbles over end the connection."""
        before = self._answering
        self._received += len(data)
        try:
            super().data_received(data)
        except h11.LocalProtocolError:  # such as a broken body after its answer has begun
            self.transport.abort()
        if self._answering and not before:
            self._since = self.loop.time()
            self._set_alarm()

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        self._begin(_REST)
        super().on_response_complete()
        self._set_alarm()

    def _begin(self, grace: float) -> None:
        """Count what the client sends from now on, and leave it in peace for a while.

        A timer ends that, not a look at the clock: after it the loop has looked for what the client sent, however busy the
        machine is.
        """
        self._since, self._received, self._in_peace = self.loop.time(), 0, True
        if self._patience is not None:
            self._patience.cancel()
        self._patience = self.loop.call_later(grace, self._end_peace)

    def _end_peace(self) -> None:
        self._in_peace = False

    @property
    def _answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _set_alarm(self) -> None:
        """End the connection after the time of what it does now: wait for headers, or have a request answered."""
        if self._alarm is not None:
            self._alarm.cancel()
        seconds = self.limits.seconds + _SLACK if self._answering else self.limits.header_seconds
        # An orderly end would wait for a client that does not read.
        self._alarm = self.loop.call_later(seconds, self.transport.abort)

    def _make_way(self) -> bool:
        """End the connection whose client sends least, if one is waited for; one without headers goes before all others."""
        now = self.loop.time()
        waiting = [other for other in self.connections if other._is_slow(now)]
        if not waiting:
            return False
        slowest = min(waiting, key=lambda other: (other._answering, other._rate(now), other._since))
        self.connections.discard(slowest)
        slowest.transport.abort()
        return True

    def _rate(self, now: float) -> float:
        return self._received / max(now - self._since, 1e-3)

    def _is_slow(self, now: float) -> bool:
        """Return whether the connection waits for its client, beyond the time that it has, and gets little of it."""
        waits = not self._answering or (self.cycle.more_body and not self.flow.read_paused)
        return waits and not self._in_peace and self._rate(now) < _SLOW


def guarded(limits: Limits) -> type[GuardedConnection]:
    """Return the class of connections for `uvicorn.run(http=...)`."""
    return type("LimitedConnection", (GuardedConnection,), {"limits": limits})


def check_open_files(connections: int) -> None:
    """Refuse more connections than this process may open files.

    Raises:
        ValueError: too many.
    """
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most != resource.RLIM_INFINITY and connections > most - 50:
        raise ValueError(
            f"--max-connections expects at most {most - 50}, for this process may open {most} files. Received: {connections}. "
            "Raise that limit by ulimit -n."
        )
