"""The server behind the page for labelling: faces of one selection out, labels of one annotator in.

The standard library's own server: it answers this machine, or those who know the secret path. A label is on the disk, in the
table that training reads, before the page shows the next face; a page alone could keep it in the browser only, from where
clearing the browser's data or another address takes it away, and browsers run no modules from files.
"""

import json
import socket
import sys
import threading
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from pathlib import Path

from fer_keras.config.service import LOOPBACK_NAMES
from fer_keras.drawing.palette import class_colour
from fer_keras.labelling.label_options import QUESTIONS
from fer_keras.labelling.label_table import COLUMNS, SKIPS, Elsewhere, Label, LabelTable
from fer_keras.labels import EMOTIONS, QUADRANTS

_TYPES = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".png": "image/png",
}
_MOST_BYTES = 4096  # of a label
_SECONDS = 30  # until a silent connection is closed
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
#: Files of the page -> package and folder that has them; what both pages share is the exported page's.
_OWN, _SHARED = ("fer_keras.labelling", "label_page"), ("fer_keras.exporters", "web_page")
_FILES = {
    "": (*_OWN, "index.html"),
    "label.css": (*_OWN, "label.css"),
    "page.css": (*_SHARED, "page.css"),
    "icon.svg": (*_SHARED, "icon.svg"),
    "modules/theme.js": (*_SHARED, "modules/theme.js"),
    **{f"modules/{name}.js": (*_OWN, f"modules/{name}.js") for name in ("main", "app", "answer", "board", "store")},
}


@dataclass(frozen=True)
class LabelJob:
    """What one annotator labels.

    Attributes:
        folder: of the selection.
        table: of the labels.
        asked: a key of `QUESTIONS`.
        annotator: name, "" for the only one.
        job_id: equal for equal faces, see `selection_id`.
    """

    folder: Path
    table: LabelTable
    asked: str
    annotator: str
    job_id: str

    def facts(self) -> dict:
        """Return what the page has to know."""
        return {
            "id": f"{self.job_id}/{self.table.path.name}",
            "annotator": self.annotator,
            "file": str(self.table.path),
            "asked": list(QUESTIONS[self.asked]),
            "emotions": list(EMOTIONS),
            "colours": {name: class_colour(name, EMOTIONS) for name in EMOTIONS},
            "skips": list(SKIPS),
            "quadrants": [[*signs, word] for signs, word in QUADRANTS.items()],
            "images": list(self.table.images),
            "labels": [dict(zip(COLUMNS, label.cells(), strict=True)) for label in self.table.labels.values()],
        }


def start_server(job: LabelJob, address: tuple[str, int], secret: str = "") -> ThreadingHTTPServer:
    """Return a server that listens; `serve_forever` lets it answer.

    Args:
        job: what is labelled.
        address: host and port; port 0: any that is free.
        secret: first part of every path, for a server that other machines reach; "": none, and requests must name this
            machine, so that no page of another site gets at it by a name of its own.

    Raises:
        OSError: the port is taken, or the host is not this machine.
    """
    lock = threading.Lock()

    class Handler(_Handler):
        pass

    Handler.job, Handler.secret, Handler.lock = job, secret, lock
    return (_SixServer if ":" in address[0] else _Server)(address, Handler)


class _Server(ThreadingHTTPServer):
    def handle_error(self, request, client_address) -> None:
        """Say nothing of browsers that went away in the middle of an answer."""
        if not isinstance(sys.exc_info()[1], (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)


class _SixServer(_Server):
    address_family = socket.AF_INET6


class _Refused(Exception):
    def __init__(self, status: int, reason: str):
        super().__init__(reason)
        self.status, self.reason = status, reason


class _Handler(BaseHTTPRequestHandler):
    """Answers one request; the names of its methods are the standard library's."""

    job: LabelJob
    secret: str
    lock: threading.Lock
    protocol_version, server_version, sys_version, timeout = "HTTP/1.1", "fer_keras", "", _SECONDS

    def do_GET(self) -> None:  # noqa: N802
        self._answer(self._get)

    def do_PUT(self) -> None:  # noqa: N802
        self._answer(self._put)

    def do_DELETE(self) -> None:  # noqa: N802
        self._answer(self._delete)

    def log_message(self, *_) -> None:
        """Say nothing: the terminal shows where the page is."""

    def _answer(self, work: Callable[[str], tuple[str, bytes]]) -> None:
        status, kind = 200, "application/json"
        try:
            kind, content = work(self._path())
        except _Refused as refused:
            status, content = refused.status, _json({"error": refused.reason})
            self.close_connection = True  # a body may not have been read
        except OSError as error:
            status, content = 500, _json({"error": f"The label could not be written: {error.strerror or error}."})
        self.send_response(status)
        headers = {
            "Content-Type": f"{kind}; charset=utf-8" if kind != "image/png" else kind,
            "Content-Length": str(len(content)),
            "Content-Security-Policy": _POLICY,
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cache-Control": "no-store",
        }
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def _path(self) -> str:
        """Return the path without its secret, of a request that may come in."""
        host = urllib.parse.urlsplit(f"//{self.headers.get('Host', '')}").hostname or ""
        if not self.secret and host not in (*LOOPBACK_NAMES, self.server.server_address[0]):
            raise _Refused(400, "Unknown host.")
        origin = self.headers.get("Origin")
        if self.command != "GET" and origin and origin.partition("://")[2] != self.headers.get("Host"):
            raise _Refused(403, "A page of another site sent this.")
        path = urllib.parse.unquote(urllib.parse.urlsplit(self.path).path)
        start = f"/{self.secret}/" if self.secret else "/"
        if not path.startswith(start):
            raise _Refused(404, "Nothing is here.")
        return path.removeprefix(start)

    def _get(self, path: str) -> tuple[str, bytes]:
        if path == "job.json":
            with self.lock:
                return "application/json", _json(self.job.facts())
        if path in self.job.table.images:
            return "image/png", (self.job.folder / path).read_bytes()
        if path not in _FILES:
            raise _Refused(404, "Nothing is here.")
        package, *parts = _FILES[path]
        file = resources.files(package).joinpath(*parts)
        return _TYPES[Path(parts[-1]).suffix], file.read_bytes()

    def _put(self, path: str) -> tuple[str, bytes]:
        image = self._image(path)
        if self.headers.get_content_type() != "application/json":  # another site's page cannot send this unasked
            raise _Refused(415, "Expected application/json.")
        try:
            values = json.loads(self._body())
            if not isinstance(values, dict):
                raise ValueError("Expected an object.")
            self._change(lambda: self.job.table.put(Label.of(image, values)))
        except ValueError as error:  # JSON's own is one
            raise _Refused(422, " ".join(str(error).split())) from error
        return "application/json", _json({"labelled": len(self.job.table.labels)})

    def _delete(self, path: str) -> tuple[str, bytes]:
        image = self._image(path)
        self._change(lambda: self.job.table.remove(image))
        return "application/json", _json({"labelled": len(self.job.table.labels)})

    def _change(self, change: Callable[[], None]) -> None:
        with self.lock:
            try:
                change()
            except Elsewhere as error:
                raise _Refused(409, str(error)) from error

    def _image(self, path: str) -> str:
        image = path.removeprefix("labels/")
        if image == path or image not in self.job.table.images:
            raise _Refused(404, "No face of that name.")
        return image

    def _body(self) -> bytes:
        length = self.headers.get("Content-Length", "")
        if not length.isascii() or not length.isdecimal() or int(length) > _MOST_BYTES:
            raise _Refused(413, f"Expected at most {_MOST_BYTES} bytes.")
        return self.rfile.read(int(length))


def _json(value) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()
