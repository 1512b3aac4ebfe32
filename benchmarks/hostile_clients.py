"""Clients that mean a server no good, for `serve_soak.py`: they hold connections, and send what no good client would."""

import contextlib
import json
import socket
import threading
from collections import Counter
from random import Random

#: Connections that are held at a time; the server takes 100 in all.
SILENT = 150
_NEW_PER_SECOND = 40


class Holder(threading.Thread):
    """Holds connections that say nothing, send a header a second, or send a body a byte a second; opens new ones for those
    that the server ends."""

    def __init__(self, port: int, stop: threading.Event):
        super().__init__(daemon=True)
        self.port, self.stop_event = port, stop
        self.counts: Counter = Counter()

    def run(self) -> None:
        kinds = {"silent": b"", "slow headers": b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n", "slow body": _head(10_000)}
        held: list[tuple[str, socket.socket]] = []
        number = 0
        while not self.stop_event.wait(1 / _NEW_PER_SECOND):
            number += 1
            if len(held) < SILENT:
                kind = list(kinds)[number % len(kinds)]
                with contextlib.suppress(OSError):
                    connection = socket.create_connection(("127.0.0.1", self.port), timeout=5)
                    held.append((kind, connection))
                    self.counts[kind] += 1
                    connection.sendall(kinds[kind])
            if number % _NEW_PER_SECOND == 0:
                held = [pair for pair in held if self.goes_on(*pair)]
        for _, connection in held:
            connection.close()

    @staticmethod
    def goes_on(kind: str, connection: socket.socket) -> bool:
        """Send a little more; return whether the server still holds the connection."""
        try:
            connection.setblocking(False)
            connection.send({"silent": b"", "slow headers": b"X: 1\r\n", "slow body": b"x"}[kind])
            while connection.recv(4096):
                pass
        except BlockingIOError:
            return True
        except OSError:
            pass
        connection.close()
        return False


class Attacker(threading.Thread):
    """Sends one bad thing after another, each on a connection of its own; anything but a refusal is wrong."""

    def __init__(self, port: int, seed: int, stop: threading.Event):
        super().__init__(daemon=True)
        self.port, self.random, self.stop_event = port, Random(seed), stop
        self.counts: Counter = Counter()
        self.wrong: list[str] = []

    def run(self) -> None:
        messages = attacks()
        while not self.stop_event.wait(self.random.uniform(0.02, 0.2)):
            name, data = self.random.choice(messages)
            status = self.send(data)
            self.counts[name, status] += 1
            if not (status == "closed" or "400" <= status < "500" or status == "503"):
                self.wrong.append(f"{name}: {status}")

    def send(self, data: bytes) -> str:
        """Return the status that comes back, or "closed"."""
        found = b""
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=30) as connection:
            with contextlib.suppress(OSError):
                connection.sendall(data)
            while b"\r\n" not in found and (part := connection.recv(4096)):
                found += part
        return found[9:12].decode("latin-1") or "closed"


def _head(length: int, path: str = "/faces", *headers: str, host: str = "127.0.0.1") -> bytes:
    lines = [f"POST {path} HTTP/1.1", f"Host: {host}", f"Content-Length: {length}", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def attacks() -> list[tuple[str, bytes]]:
    """Return (name, bytes) of messages that a server has to refuse."""
    infer = "/v2/models/fer_keras/infer"
    bodies = {
        "unhashable datatype": b'{"inputs": [{"name": "image", "datatype": [], "shape": [1, 2, 2, 3]}]}',
        "parameters of wrong type": b'{"inputs": [], "parameters": 1}',
        "size past int64": json.dumps(
            {"inputs": [{"name": "image", "datatype": "UINT8", "shape": [2**63, 2, 2, 3]}]}
        ).encode(),
        "4,299 digits": b'{"id": ' + b"9" * 4299 + b"}",
        "lone surrogate": b'{"id": "\\ud800", "inputs": []}',
        "a million lists": b'{"inputs": [' + b",".join([b"[]"] * 600_000) + b"]}",
        "a million objects": b'{"inputs": [' + b",".join([b"{}"] * 600_000) + b"]}",
        "deep": b"[" * 500_000,
    }
    found = [(name, _head(len(body), infer) + body) for name, body in bodies.items()]
    found.append(("superscript two", _head(2, infer, "Inference-Header-Content-Length: \xb2") + b"{}"))
    found.append(("another host", _head(1, host="attacker.example") + b"x"))
    found.append(("another origin", _head(1, "/faces", "Origin: https://attacker.example") + b"x"))
    found.append(
        ("two lengths", b"POST /faces HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx")
    )
    both = b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n"
    found.append(("length and chunks", b"POST /faces HTTP/1.1\r\nHost: 127.0.0.1\r\n" + both))
    found.append(("encoded", _head(1, "/faces", "Content-Encoding: gzip") + b"x"))
    found.append(("no HTTP", b"\x16\x03\x01" + bytes(300) + b"\r\n\r\n"))
    found.append(("long headers", b"GET / HTTP/1.1\r\nX: " + b"x" * 200_000))
    found.append(
        ("broken chunks", b"POST /faces HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")
    )
    return found
