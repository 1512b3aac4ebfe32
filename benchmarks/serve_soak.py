"""Clients at a server for some minutes, a fifth of their requests malformed: errors on good requests, and memory.

  python benchmarks/serve_soak.py --model out/ --engine onnx --minutes 10 --clients 4
  python benchmarks/serve_soak.py --model out/ --clients 2 --hostile 2

Starts `python -m fer_keras.serve` on 127.0.0.1 and talks to nothing else. Good requests send scikit-image's astronaut in
several sizes, alone and as a batch of three, and must get their faces; malformed ones (no image, cut images, decompression
bombs, too many bytes, wrong kinds, broken forms, broken tensors) must get the status that says why. Prints counts, latency
and the server's resident memory over time; ends with status 1 if anything was answered otherwise. With `--hostile`, others
hold 150 connections that say little or nothing, and send what is made to break a server (`hostile_clients.py`): they must be
refused, and the good requests get their answers all the same.
"""

import argparse
import contextlib
import http.client
import json
import socket
import statistics
import struct
import subprocess
import sys
import threading
import time
import zlib
from collections import Counter
from pathlib import Path
from random import Random

import cv2
import numpy as np
from hostile_clients import Attacker, Holder

BOUNDARY = "soak7d1b"


def encoded(image: np.ndarray, suffix: str) -> bytes:
    """Encode an RGB image."""
    return cv2.imencode(suffix, np.ascontiguousarray(image[:, :, ::-1]))[1].tobytes()


def bomb() -> bytes:
    """A small PNG whose header announces 900 megapixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 30000, 30000, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(9))) + chunk(b"IEND", b"")


def form(*files: bytes) -> bytes:
    """A form with files named images."""
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="images"; filename="a"\r\n\r\n'.encode()
    return b"".join(head + data + b"\r\n" for data in files) + f"--{BOUNDARY}--\r\n".encode()


def requests() -> tuple[list, list]:
    """Good and malformed requests: (path, body, content type, expected status, expected faces)."""
    from skimage.data import astronaut

    face = astronaut()
    sizes = [cv2.resize(face, (side, side), interpolation=cv2.INTER_AREA) for side in (200, 320, 512)]
    files = [encoded(image, suffix) for image in sizes for suffix in (".jpg", ".png")]
    multipart = f"multipart/form-data; boundary={BOUNDARY}"
    good = [("/faces", data, "image/jpeg", 200, 1) for data in files]
    good.append(("/faces/batch", form(*files[:3]), multipart, 200, 3))
    whole = files[-2]
    bad = [
        ("/faces", b"", "image/png", 422, 0),
        ("/faces", b"no image at all", "image/png", 415, 0),
        ("/faces", whole[: len(whole) // 2], "image/jpeg", 422, 0),
        ("/faces", files[-1][:-99], "image/png", 422, 0),
        ("/faces", bomb(), "image/png", 413, 0),
        ("/faces", bytes(3_000_000), "image/png", 413, 0),
        ("/faces", b"{}", "application/json", 415, 0),
        ("/faces", b"--x", "multipart/form-data; boundary=y", 422, 0),
        ("/faces/batch", whole, "image/jpeg", 415, 0),
        ("/v2/models/fer_keras/infer", b'{"inputs": [{"name": "image"}]}', "application/json", 400, 0),
        ("/nowhere", b"", "text/plain", 404, 0),
    ]
    return good, bad


class Client(threading.Thread):
    """Sends requests until told to stop; counts what came back."""

    def __init__(self, port: int, seed: int, pause: float, stop: threading.Event):
        super().__init__(daemon=True)
        self.port, self.random, self.pause, self.stop_event = port, Random(seed), pause, stop
        self.counts: Counter = Counter()
        self.seconds: list[float] = []
        self.wrong: list[str] = []

    def run(self) -> None:
        good, bad = requests()
        while not self.stop_event.is_set():
            malformed = self.random.random() < 0.2
            self.ask(*self.random.choice(bad if malformed else good), malformed=malformed)
            self.stop_event.wait(self.random.uniform(0, 2 * self.pause))

    def ask(self, path: str, body: bytes, kind: str, status: int, faces: int, malformed: bool) -> None:
        """Send one request on a connection of its own."""
        started, name = time.perf_counter(), "malformed" if malformed else "good"
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            # The server may refuse while the body is on its way; its answer may still be read.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                connection.request("POST", path, body, {"Content-Type": kind})
            answer = connection.getresponse()
            content = answer.read()
            right = answer.status == status
            if right and not malformed:
                found = json.loads(content)
                right = sum(len(image["faces"]) for image in found.get("images", [found])) == faces
            outcome = str(answer.status)
        except OSError as error:
            # A refusal of too many bytes may close the connection before the client has read it.
            right, content, outcome = malformed and status == 413 and len(body) > 1e6, b"", type(error).__name__
        finally:
            connection.close()
        self.counts[name, outcome] += 1
        if not malformed:
            self.seconds.append(time.perf_counter() - started)
        if not right:
            self.wrong.append(f"{name} {path} {len(body)} bytes: expected {status}, got {outcome} {content[:200]!r}")


def resident(pid: int, which: str = "VmRSS") -> float:
    """Resident memory of a process in MB, now or, by VmHWM, at its highest."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(which)) / 1024


def free_port() -> int:
    """Return a port of this machine that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port: int, server: subprocess.Popen) -> None:
    """Wait until the server answers."""
    for _ in range(300):
        if server.poll() is not None:
            raise SystemExit("the server ended")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.2)
    raise SystemExit("the server does not answer")


def watch(args, server: subprocess.Popen, clients: list[Client]) -> list[tuple[float, float]]:
    """Print counts and memory now and then; return (minutes, MB)."""
    memory, started = [], time.monotonic()
    shown = 0
    while (minutes := (time.monotonic() - started) / 60) < args.minutes and server.poll() is None:
        memory.append((minutes, resident(server.pid)))
        if minutes >= shown:
            done = sum(sum(client.counts.values()) for client in clients)
            print(f"{minutes:4.1f} min: {done:,} requests, {memory[-1][1]:.0f} MB", flush=True)
            shown += max(1, args.minutes / 10)
        time.sleep(5)
    return memory


def report(clients: list[Client], memory: list[tuple[float, float]], alive: bool) -> bool:
    """Print what came out; return whether all is well."""
    counts = sum((client.counts for client in clients), Counter())
    seconds = sorted(second for client in clients for second in client.seconds)
    wrong = [line for client in clients for line in client.wrong]
    for name in ("good", "malformed"):
        parts = {outcome: count for (kind, outcome), count in counts.items() if kind == name}
        print(f"{name}: {sum(parts.values()):,} requests, {dict(sorted(parts.items()))}")
    print(f"answered otherwise than expected: {len(wrong)}")
    print("\n".join(wrong[:10]))
    print(f"good requests: median {statistics.median(seconds):.3f} s, 95 % {seconds[int(0.95 * len(seconds))]:.3f} s")
    last = memory[-1][0]
    settled = [pair for pair in memory if pair[0] >= 0.2 * last]
    slope = np.polyfit(*zip(*settled, strict=True), 1)[0]
    print(
        f"memory: {settled[0][1]:.0f} MB after a fifth of the time, {memory[-1][1]:.0f} MB at the end, {slope:+.2f} MB/min"
    )
    return alive and not wrong


def report_hostile(attackers: list[Attacker], holders: list[Holder]) -> int:
    """Print what hostile clients sent and got; return how much was answered otherwise than by a refusal."""
    held = sum((holder.counts for holder in holders), Counter())
    sent = sum((attacker.counts for attacker in attackers), Counter())
    wrong = [line for attacker in attackers for line in attacker.wrong]
    for kind, count in sorted(held.items()):
        print(f"hostile: {count:,} connections, {kind}")
    statuses = Counter()
    for (_, status), count in sent.items():
        statuses[status] += count
    if attackers:
        print(f"hostile: {sum(sent.values()):,} messages, {dict(sorted(statuses.items()))}")
        print(f"hostile messages that were not refused: {len(wrong)}")
        print("\n".join(wrong[:10]))
    return len(wrong)


def main() -> int:
    """Start the server and its clients, watch, report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--engine", default="onnx")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument(
        "--hostile", type=int, default=0, help="clients that mean no good, beside one that holds connections"
    )
    parser.add_argument("--pause", type=float, default=0.1, help="seconds between a client's requests, on average")
    args = parser.parse_args()
    if not (0 < args.minutes <= 60 and 1 <= args.clients <= 32):
        parser.error("--minutes up to 60, --clients up to 32")
    port = free_port()
    command = [sys.executable, "-m", "fer_keras.serve", "--model", args.model, "--engine", args.engine]
    server = subprocess.Popen([*command, "--port", str(port), "--max-megabytes", "2"])
    stop = threading.Event()
    clients = [Client(port, seed, args.pause, stop) for seed in range(args.clients)]
    attackers = [Attacker(port, seed, stop) for seed in range(args.hostile)]
    holders = [Holder(port, stop)] if args.hostile else []
    try:
        wait_for(port, server)
        for client in (*holders, *attackers, *clients):
            client.start()
        memory = watch(args, server, clients)
        stop.set()
        for client in (*clients, *attackers, *holders):
            client.join(60)
        well = report(clients, memory, server.poll() is None) and not report_hostile(attackers, holders)
    finally:
        stop.set()
        server.terminate()
        server.wait(20)
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
