"""Connections are limited in number and time, whatever their clients do or leave out."""

import contextlib
import http.client
import socket
import time

import pytest

pytest.importorskip("uvicorn")

from starlette.applications import Starlette  # noqa: E402 - after the skip
from starlette.requests import ClientDisconnect, Request  # noqa: E402
from starlette.responses import PlainTextResponse, Response  # noqa: E402
from starlette.routing import Route  # noqa: E402

from fer_keras import serve  # noqa: E402
from fer_keras.server.connections import check_open_files  # noqa: E402
from fer_keras.server.limits import Limits  # noqa: E402

HEAD = b"POST /echo HTTP/1.1\r\nHost: a\r\n"


@pytest.fixture
def app():
    """An application that returns what it gets, much of it, or what stands in its way."""

    async def echo(request: Request) -> Response:
        with contextlib.suppress(ClientDisconnect):
            return PlainTextResponse(await request.body())
        return Response()

    async def much(request: Request) -> Response:
        return Response(bytes(30_000_000))

    return Starlette(routes=[Route("/echo", echo, methods=["POST"]), Route("/much", much)])


def connect(port: int, data: bytes = b"") -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port))
    connection.settimeout(10)
    connection.sendall(data)
    return connection


def ask(port: int, body: bytes = b"hello") -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    with contextlib.closing(connection):
        connection.request("POST", "/echo", body)
        answer = connection.getresponse()
        return answer.status, answer.read()


def seconds_until_closed(connection: socket.socket) -> float:
    started = time.monotonic()
    with contextlib.suppress(ConnectionResetError):
        while connection.recv(65536):
            pass
    connection.close()
    return time.monotonic() - started


def test_a_connection_that_sends_no_headers_ends(app, serve_app):
    with serve_app(app, Limits(header_seconds=0.5)) as port:
        assert seconds_until_closed(connect(port)) == pytest.approx(0.5, abs=0.4)
        assert seconds_until_closed(connect(port, HEAD)) == pytest.approx(0.5, abs=0.4)
        slow = connect(port)
        with pytest.raises(OSError):
            for number in range(40):
                slow.sendall(HEAD[number : number + 1])
                time.sleep(0.05)
        # After an answer the next request's headers have the same time.
        kept = connect(port, HEAD + b"Content-Length: 1\r\n\r\nx")
        assert b"200 OK" in kept.recv(65536)
        kept.sendall(HEAD[:9])
        assert seconds_until_closed(kept) < 1.5
        assert ask(port) == (200, b"hello")


def test_a_body_that_does_not_come_and_an_answer_that_is_not_read_end(app, serve_app, monkeypatch):
    monkeypatch.setattr("fer_keras.server.connections._SLACK", 0.1)
    with serve_app(app, Limits(seconds=0.5, header_seconds=0.6)) as port:
        assert seconds_until_closed(connect(port, HEAD + b"Content-Length: 9\r\n\r\nx")) == pytest.approx(0.6, abs=0.4)
        deaf = connect(port, b"GET /much HTTP/1.1\r\nHost: a\r\n\r\n")
        time.sleep(1.5)
        received = 0
        with contextlib.suppress(ConnectionResetError):
            while part := deaf.recv(1 << 20):
                received += len(part)
        assert received < 20_000_000, "the rest is given up"
        deaf.close()


def test_silent_connections_make_way(app, serve_app, monkeypatch):
    monkeypatch.setattr("fer_keras.server.connections._GRACE", 0.1)
    with serve_app(app, Limits(connections=4, header_seconds=20)) as port:
        silent = [connect(port) for _ in range(3)] + [connect(port, HEAD + b"Content-Length: 9\r\n\r\nx")]
        time.sleep(0.3)
        for _ in range(3):  # a silent one goes first, the one that waits for a body last
            assert ask(port) == (200, b"hello")
        assert sum(seconds_until_closed(connection) < 1 for connection in silent[:1]) == 1
        silent[3].sendall(b"23456789")
        silent[3].shutdown(socket.SHUT_WR)
        assert b"".join(iter(lambda: silent[3].recv(65536), b"")).endswith(b"x23456789")
        for connection in silent:
            connection.close()


def test_an_upload_in_progress_does_not_make_way(app, serve_app):
    body = bytes(200_000)
    with serve_app(app, Limits(connections=3)) as port:
        upload = connect(port, HEAD + b"Content-Length: 200000\r\n\r\n" + body[:150_000])
        slow = [connect(port, HEAD + b"Content-Length: 9\r\n\r\nx") for _ in range(2)]
        time.sleep(0.5)
        for _ in range(5):
            assert ask(port) == (200, b"hello")
        upload.sendall(body[150_000:])
        received = upload.recv(65536)
        assert received.startswith(b"HTTP/1.1 200 OK")
        for connection in (upload, *slow):
            connection.close()


def test_too_many_at_a_moment_are_told(app, serve_app):
    with serve_app(app, Limits(connections=3)) as port:
        connections = [connect(port) for _ in range(3)]  # younger than the time that each of them has
        late = connect(port)
        answer = late.recv(65536)
        assert answer.startswith(b"HTTP/1.1 503 ") and b"Retry-After" in answer and b"Too many connections" in answer
        for connection in (*connections, late):
            connection.close()
        time.sleep(0.1)
        assert ask(port) == (200, b"hello")


def test_what_uvicorn_stumbles_over_ends_one_connection_only(app, serve_app):
    with serve_app(app, Limits(header_seconds=2)) as port:
        broken = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
        for data in (
            broken + b"zz\r\n",
            broken + b"5\r\nhello\r\n0\r\n\r\nzz\r\n\r\n",
            b"\0" * 99 + b"\r\n\r\n",
            HEAD * 9000,
        ):
            seconds_until_closed(connect(port, data[:60000]))
            assert ask(port) == (200, b"hello")


def test_no_more_connections_than_open_files(capsys, monkeypatch):
    resource = pytest.importorskip("resource")
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (256, 256))
    check_open_files(200)
    assert serve.main(["--max-connections", "300"]) == 2
    assert "--max-connections expects at most 206" in capsys.readouterr().err
