"""`python -m fer_keras.app`: the server of the page ends with the command, however that ends, and frees its port."""

import os
import signal
import socket
import subprocess
import sys
import time

import pytest

_SERVER = """
import socket, sys, time
port = next(int(word.split("=")[1]) for word in sys.argv if word.startswith("--server.port="))
server = socket.create_server(("127.0.0.1", port))
while True:
    server.accept()[0].close()
"""


@pytest.fixture
def environment(tmp_path) -> dict[str, str]:
    """Variables by which a package `streamlit` is found that is no more than a server."""
    for name in ("streamlit", "streamlit_webrtc"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("")
    (tmp_path / "streamlit" / "__main__.py").write_text(_SERVER)
    paths = [str(tmp_path), *filter(None, sys.path)]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def becomes(expected: bool, port: int) -> bool:
    """Wait until a port is listened to, or no longer; return whether that came."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if listens(port) == expected:
            return True
        time.sleep(0.05)
    return False


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda how: how.name)
def test_the_port_is_free_when_the_command_has_ended(environment, how):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "fer_keras.app", "--port", str(port)]
    with subprocess.Popen(
        command, env=environment, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # shells let background jobs ignore it
    ) as process:  # fmt: skip
        try:
            assert becomes(True, port), process.kill() or process.stderr.read()
            os.kill(process.pid, how)
            process.wait(20)
            assert becomes(False, port)
        finally:
            process.kill()
        assert f"http://127.0.0.1:{port}" in process.stderr.read()
