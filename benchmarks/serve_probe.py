"""Hostile requests at a server, one line each: what was sent, what came back, whether that is right.

  python benchmarks/serve_probe.py
  python benchmarks/serve_probe.py --model out/ --only body

Starts `python -m fer_keras.serve` on 127.0.0.1 with its defaults, but for the largest body (4 MB), and talks to nothing else.
Silent and slow connections are watched for 30 seconds. Ends with status 1 if a line is not right.
"""

import argparse
import concurrent.futures
import contextlib
import http.client
import json
import os
import socket
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from serve_soak import encoded, form, free_port, resident, wait_for

INFER = "/v2/models/fer_keras/infer"
MULTIPART = "multipart/form-data; boundary=soak7d1b"
JSON = "application/json"


def ask(
    port: int, path: str, body: bytes = b"", headers: dict | None = None, method: str = "POST"
) -> tuple[int, bytes]:
    """Send one request; return status and content, or (0, reason)."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read()
    except OSError as error:
        return 0, type(error).__name__.encode()
    finally:
        connection.close()


def raw(port: int, data: bytes, wait: float = 5.0) -> bytes:
    """Send bytes; return what comes back until the server closes, or for `wait` seconds."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.settimeout(wait)
        found = b""
        try:
            connection.sendall(data)
            while part := connection.recv(65536):
                found += part
        except OSError:
            pass
    return found


def image_input(height: int, **changes) -> dict:
    """A good input of one face, with changes."""
    shape = [1, height, height, 3]
    return {"name": "image", "datatype": "UINT8", "shape": shape, "data": [0] * (height * height * 3)} | changes


def bodies(height: int) -> Iterator[tuple[str, bytes, dict]]:
    """Yield (what, body, headers) of inference requests that must get a status of 400 to 499."""

    def body(**changes) -> bytes:
        return json.dumps({"inputs": [image_input(height, **changes)]}).encode()

    def whole(**changes) -> bytes:
        return json.dumps({"inputs": [image_input(height)]} | changes).encode()

    count = height * height * 3
    digits, deep = b"9" * 4299, b"[" * 100_000
    yield "datatype is a list", body(datatype=["UINT8"]), {}
    yield "datatype is an object", body(datatype={}), {}
    yield "parameters of the input are a list", body(parameters=[1]), {}
    yield "parameters of the input are text", body(parameters="binary"), {}
    yield "parameters of the request are a list", whole(parameters=[1]), {}
    yield "parameters of an output are text", whole(outputs=[{"name": "emotion", "parameters": "x"}]), {}
    yield "name of an output is a list", whole(outputs=[{"name": ["emotion"]}]), {}
    yield "outputs are an object", whole(outputs={"name": "emotion"}), {}
    yield "size of 2**63 faces", body(shape=[2**63, height, height, 3]), {}
    yield "size of 2**62 faces", body(shape=[2**62, height, height, 3]), {}
    yield "size of 10**30 faces", body(shape=[10**30, height, height, 3]), {}
    yield "data with a number of 4,299 digits", whole().replace(b"[0, 0", b"[" + digits + b", 0"), {}
    yield "data with 1e999", whole().replace(b"[0, 0", b"[1e999, 0"), {}
    yield "data with NaN", whole().replace(b"[0, 0", b"[NaN, 0"), {}
    yield "shape with 4,299 digits", whole().replace(b"[1, ", b"[" + digits + b", "), {}
    yield "id with a lone surrogate", whole(id="\ud800"), {}
    yield "output with a lone surrogate", whole(outputs=[{"name": "\ud800"}]), {}
    yield "name with a lone surrogate", body(name="\ud800"), {}
    yield "data as text of digits", body(data=["0"] * count), {}
    yield "data as booleans", body(data=[True] * count), {}
    yield "data is an object", body(data={"a": 1}), {}
    yield "data nested unevenly", body(data=[[0, 0], [0]]), {}
    yield "shape with a boolean", body(shape=[True, height, height, 3]), {}
    yield "binary size is text", body(parameters={"binary_data_size": "0"}, data=None), {}
    yield "binary size is a boolean", body(parameters={"binary_data_size": True}, data=None), {}
    yield "binary size is negative", body(parameters={"binary_data_size": -1}, data=None), {}
    yield "header length is a superscript two", whole(), {"Inference-Header-Content-Length": "²".encode("latin-1")}
    yield "header length of 5,000 digits", whole(), {"Inference-Header-Content-Length": "9" * 5000}
    yield "header length is negative", whole(), {"Inference-Header-Content-Length": "-1"}
    yield "100,000 brackets", deep, {}
    yield "no UTF-8", b'{"inputs": "\xff"}', {}
    yield "UTF-16", whole().decode().encode("utf-16"), {}
    yield "empty", b"", {}


def probe_bodies(port: int) -> Iterator[tuple[str, str, bool]]:
    """Yield (what, answer, right) of inference requests."""
    facts = json.loads(ask(port, "/v2/models/fer_keras", method="GET")[1])
    height = facts["inputs"][0]["shape"][1]
    for what, body, headers in bodies(height):
        status, _ = ask(port, INFER, body, {"Content-Type": JSON, **headers})
        yield f"/v2 body: {what}", str(status), 400 <= status < 500


def probe_browser(port: int) -> Iterator[tuple[str, str, bool]]:
    """Yield what pages of other sites can do in a browser on this machine."""
    status, _ = ask(port, "/health", headers={"Host": "attacker.example"}, method="GET")
    yield "Host: attacker.example", str(status), status == 400
    face = encoded(np.zeros((60, 60, 3), np.uint8), ".png")
    cross = {"Content-Type": MULTIPART, "Origin": "https://attacker.example", "Sec-Fetch-Site": "cross-site"}
    one = form(face).replace(b'"images"', b'"image"')
    status, _ = ask(port, "/faces", one, cross)
    yield "form of another site", str(status), status == 403
    status, _ = ask(port, "/faces", face, {"Origin": "null"})
    yield "script of a sandboxed page (Origin: null)", str(status), status == 403
    status, _ = ask(port, "/faces", one, {"Content-Type": MULTIPART, "Origin": f"http://127.0.0.1:{port}"})
    yield "form of the server's own page", str(status), status == 200
    page = ask(port, "/docs", method="GET")[1]
    yield "/docs loads from other servers", str(b"//cdn" in page or b"https://" in page), b"https://" not in page


def probe_wire(port: int) -> Iterator[tuple[str, str, bool]]:
    """Yield what odd HTTP gets."""
    face = encoded(np.zeros((60, 60, 3), np.uint8), ".png")
    status, _ = ask(port, "/faces", zlib.compress(face), {"Content-Encoding": "deflate"})
    yield "Content-Encoding: deflate", str(status), status == 415
    status, _ = ask(port, "/faces", form(face), {"Content-Type": f"{MULTIPART}; charset=undefined"})
    yield "form of charset undefined", str(status), 400 <= status < 500
    head = b"POST /health HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    smuggled = b"0\r\n\r\nGET /version HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    both = raw(port, head + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n" + smuggled, 2)
    yield "Content-Length beside Transfer-Encoding", f"{both.count(b'HTTP/1.1')} answers", both.count(b"HTTP/1.1") == 1
    two = raw(port, head + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef", 2)
    yield "two lengths", two[9:12].decode() or "closed", two[9:12] == b"400"
    odd = raw(port, head + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", 2)
    yield "unknown Transfer-Encoding", odd[9:12].decode() or "closed", odd[9:12] in (b"400", b"501")
    long = raw(port, b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"a" * 200_000, 5)
    yield "200 kB of headers", long[9:12].decode() or "closed", long[9:12] in (b"400", b"431", b"")


def _images(count: int, megapixels: float) -> list[bytes]:
    """JPEG files of one colour of that many megapixels."""
    side = int((megapixels * 1e6) ** 0.5)
    return [cv2.imencode(".jpg", np.zeros((side, side), np.uint8))[1].tobytes()] * count


def png_of(megapixels: float) -> bytes:
    """A small, whole PNG of that many megapixels."""
    side = int((megapixels * 1e6) ** 0.5)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    rows = zlib.compress(bytes(side * (3 * side + 1)), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def probe_size(port: int) -> Iterator[tuple[str, str, bool]]:
    """Yield what requests of much work get."""
    for what, files in (
        ("form of 33 images", _images(33, 0.1)),
        ("form of 32 images of 20 megapixels", [png_of(20)] * 32),
    ):
        started = time.perf_counter()
        status, _ = ask(port, "/faces/batch", form(*files), {"Content-Type": MULTIPART})
        took = time.perf_counter() - started
        yield what, f"{status} in {took:.1f} s", status == 413 and took < 2
    facts = json.loads(ask(port, "/v2/models/fer_keras", method="GET")[1])
    height = facts["inputs"][0]["shape"][1]
    count = 3_900_000 // (height * height * 3)
    head = json.dumps({"inputs": [image_input(height, shape=[count, height, height, 3], data=None)]}).replace(
        '"data": null', f'"parameters": {{"binary_data_size": {count * height * height * 3}}}'
    )
    started = time.perf_counter()
    body = head.encode() + bytes(count * height * height * 3)
    status, _ = ask(port, INFER, body, {"Inference-Header-Content-Length": str(len(head))})
    yield f"{count:,} faces in one tensor", f"{status} in {time.perf_counter() - started:.1f} s", status in (200, 413)


def highest_memory(pid: int, work) -> tuple[float, object]:
    """Return by how many MB a process's resident memory rose at most while work was done, and what the work returned."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")  # forgets the peak so far
    before = resident(pid)
    result = work()
    return resident(pid, "VmHWM") - before, result


def at_a_time(count: int, port: int, path: str, body: bytes) -> list[int]:
    """Send one request `count` times at once; return the statuses that came back, each once."""
    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        answers = [pool.submit(ask, port, path, body) for _ in range(count)]
        return sorted({answer.result()[0] for answer in answers})


def probe_memory(port: int, pid: int) -> Iterator[tuple[str, str, bool]]:
    """Yield how much memory large requests at a time take."""
    from skimage.data import astronaut

    lists = b'{"inputs": [' + b",".join([b"[]"] * 1_300_000) + b"]}"
    rose, statuses = highest_memory(pid, lambda: at_a_time(8, port, INFER, lists))
    yield "8 bodies of 1.3 million lists at a time", f"{statuses}, {rose:+.0f} MB", rose < 500
    objects = b'{"inputs": [' + b",".join([b"{}"] * 1_300_000) + b"]}"
    rose, statuses = highest_memory(pid, lambda: at_a_time(8, port, INFER, objects))
    yield "8 bodies of 1.3 million objects at a time", f"{statuses}, {rose:+.0f} MB", rose < 500
    portrait = cv2.resize(astronaut()[20:230, 118:328], (6200, 6200))
    jpeg = cv2.imencode(".jpg", portrait[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 40])[1].tobytes()
    rose, statuses = highest_memory(pid, lambda: at_a_time(64, port, "/faces", jpeg))
    yield "64 portraits of 38 megapixels at a time", f"{statuses}, {rose:+.0f} MB", rose < 1500
    bomb = cv2.imencode(".jpg", np.zeros((16000, 16000), np.uint8), [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes()
    rose, statuses = highest_memory(pid, lambda: at_a_time(4, port, "/faces", bomb))
    yield "4 progressive JPEGs of 256 megapixels at a time", f"{statuses}, {rose:+.0f} MB", rose < 500


def still_open(connections: list[socket.socket]) -> int:
    """Return how many connections the server has not closed."""
    count = 0
    for connection in connections:
        try:
            connection.setblocking(False)
            while connection.recv(65536):
                pass
        except BlockingIOError:
            count += 1
        except OSError:
            pass
    return count


def probe_silence(port: int, pid: int) -> Iterator[tuple[str, str, bool]]:
    """Yield what becomes of connections that say nothing, or little at a time."""
    for what, start in (
        ("say nothing", b""),
        ("send a header a second", b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n"),
    ):
        connections = [socket.create_connection(("127.0.0.1", port)) for _ in range(150)]
        for connection in connections:
            connection.sendall(start)
        time.sleep(1.5)
        held = len(os.listdir(f"/proc/{pid}/fd"))
        started = time.perf_counter()
        good = ask(port, "/health", method="GET")[0]
        took = time.perf_counter() - started
        for second in range(30):
            for connection in connections if start else []:
                with contextlib.suppress(OSError):
                    connection.send(f"X-{second}: 1\r\n".encode())
            time.sleep(1)
        left = still_open(connections)
        for connection in connections:
            connection.close()
        yield (
            f"150 connections that {what}",
            f"{held} files open, good request {good} in {took:.2f} s, {left} open after 30 s",
            good == 200 and left == 0 and held < 150,
        )


def probe_readers(port: int, pid: int) -> Iterator[tuple[str, str, bool]]:
    """Yield what becomes of clients that do not read their answers."""
    connections = []
    for _ in range(20):
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        connection.connect(("127.0.0.1", port))
        connection.setblocking(False)
        connections.append(connection)
    request = b"GET /openapi.json HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 1000
    before = resident(pid)
    for connection in connections:
        with contextlib.suppress(OSError):
            connection.send(request)
    started = time.monotonic()
    # Answers fill the buffers of the system first, which takes a busy machine a while; then the time of a request begins.
    while (left := sockets(port)) and time.monotonic() - started < 90:
        time.sleep(1)
    yield (
        "20 clients that read nothing, 1,000 requests each",
        f"{left} open after {time.monotonic() - started:.0f} s, {resident(pid) - before:+.0f} MB",
        left == 0,
    )
    for connection in connections:
        connection.close()


def sockets(port: int) -> int:
    """Return how many connections a port of this machine has established."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(int(line[1].split(":")[1], 16) == port and line[3] == "01" for line in lines)


def main() -> int:
    """Start the server, send everything, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="default: the bundled model")
    parser.add_argument("--only", help="probes whose name contains this")
    args = parser.parse_args()
    port = free_port()
    command = [sys.executable, "-m", "fer_keras.serve", "--port", str(port), "--max-megabytes", "4"]
    command += ["--model", args.model] if args.model else []
    probes = {
        "body": lambda: probe_bodies(port),
        "browser": lambda: probe_browser(port),
        "wire": lambda: probe_wire(port),
        "size": lambda: probe_size(port),
        "memory": lambda: probe_memory(port, server.pid),
        "silence": lambda: probe_silence(port, server.pid),
        "readers": lambda: probe_readers(port, server.pid),
    }
    server = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    wrong = 0
    try:
        wait_for(port, server)
        print("| Sent | Answer | Right |\n|---|---|---|", flush=True)
        for name, probe in probes.items():
            for what, answer, right in probe() if args.only is None or args.only in name else []:
                wrong += not right
                print(f"| {what} | {answer} | {'yes' if right else 'NO'} |", flush=True)
            if server.poll() is not None:
                raise SystemExit(f"the server ended with status {server.returncode} during {name}")
    finally:
        server.terminate()
        server.wait(30)
    print(f"\nnot right: {wrong}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
