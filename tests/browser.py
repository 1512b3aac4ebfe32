"""A real Chromium for tests and benchmarks, driven through its DevTools protocol over a pipe, and a static host beside it."""

import base64
import contextlib
import functools
import http.server
import itertools
import json
import os
import shutil
import subprocess
import threading
import time
from pathlib import Path

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


class StaticHost:
    """A plain HTTP server of one folder that remembers what it was asked.

    Attributes:
        address: of the folder, with a slash at its end.
        requests: "METHOD path" in order.
    """

    def __init__(self, folder: Path):
        self.requests: list[str] = []
        remembered = self.requests

        class Handler(http.server.SimpleHTTPRequestHandler):
            def log_request(self, *_):
                remembered.append(f"{self.command} {self.path}")

        handler = functools.partial(Handler, directory=str(folder))
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.address = f"http://localhost:{self._server.server_port}/"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()


class Browser:
    """One headless Chromium with one tab.

    Args:
        profile: an empty folder for what it keeps.
        flags: more of its command line.
    """

    def __init__(self, profile: Path, *flags: str):
        read_commands, self._commands = os.pipe()
        self._answers, write_answers = os.pipe()
        command = [
            CHROMIUM,
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--remote-debugging-pipe",
            "--no-first-run",
        ]
        command += [f"--user-data-dir={profile}", "--disable-background-networking", *flags, "about:blank"]
        # The browser reads commands from descriptor 3 and answers on 4.
        script = f'exec 3<&{read_commands} 4>&{write_answers}; exec "$@"'
        self._process = subprocess.Popen(
            ["bash", "-c", script, "bash", *command],
            pass_fds=(read_commands, write_answers),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(read_commands)
        os.close(write_answers)
        self._numbers, self._rest, self.events = itertools.count(1), b"", []
        targets = self.call("Target.getTargets", session=False)["targetInfos"]
        target = next(entry["targetId"] for entry in targets if entry["type"] == "page")
        self._session = None
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, *, session: bool = True, **arguments) -> dict:
        """Send a command of the protocol and return its answer; events that come before it go to `events`."""
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": arguments}
        if session and getattr(self, "_session", None):
            message["sessionId"] = self._session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        while True:
            found = self._next()
            if found.get("id") == number:
                if "error" in found:
                    raise RuntimeError(f"{method}: {found['error']}")
                return found["result"]
            self.events.append(found)

    def _next(self) -> dict:
        while b"\0" not in self._rest:
            part = os.read(self._answers, 1 << 20)
            if not part:
                raise RuntimeError("The browser has ended.")
            self._rest += part
        message, _, self._rest = self._rest.partition(b"\0")
        return json.loads(message)

    def open(self, address: str) -> None:
        """Go to an address."""
        self.call("Page.navigate", url=address)

    def ask(self, code: str):
        """Return the value of JavaScript in the page; promises are waited for."""
        found = self.call("Runtime.evaluate", expression=code, awaitPromise=True, returnByValue=True, userGesture=True)
        if "exceptionDetails" in found:
            raise RuntimeError(found["exceptionDetails"].get("exception", {}).get("description", str(found)))
        return found["result"].get("value")

    def wait(self, code: str, seconds: float = 60):
        """Wait until JavaScript gives something true, and return it."""
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            try:
                if found := self.ask(code):
                    return found
            except RuntimeError as error:  # between two documents
                if "ended" in str(error):
                    raise
            time.sleep(0.1)
        raise TimeoutError(
            f"{code} was not true in {seconds} s. The page says: {self.ask('document.body.innerText')[:500]}"
        )

    def choose_files(self, selector: str, *paths: Path) -> None:
        """Put files into a file chooser."""
        document = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=document, selector=selector)["nodeId"]
        self.call("DOM.setFileInputFiles", nodeId=node, files=[str(path) for path in paths])

    def screenshot(self, path: Path) -> None:
        """Save what the tab shows as PNG."""
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))

    def size(self, width: int, height: int, mobile: bool = False) -> None:
        """Give the tab another size."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=mobile)

    def messages(self) -> list[str]:
        """Return the errors and warnings that the console got so far."""
        found = []
        for event in self.events:
            entry = event.get("params", {}).get("entry", {})
            if event.get("method") == "Log.entryAdded" and entry.get("level") in ("error", "warning"):
                found.append(f"{entry['level']}: {entry['text']} {entry.get('url', '')}")
            if event.get("method") == "Runtime.consoleAPICalled" and event["params"]["type"] in ("error", "warning"):
                found.append(
                    " ".join(str(each.get("value", each.get("description"))) for each in event["params"]["args"])
                )
            if event.get("method") == "Runtime.exceptionThrown":
                found.append(str(event["params"]["exceptionDetails"].get("exception", {}).get("description")))
        return found

    def close(self) -> None:
        """End this browser."""
        with contextlib.suppress(RuntimeError, OSError):
            self.call("Browser.close", session=False)
        self._process.wait(20)
        os.close(self._commands)
        os.close(self._answers)
