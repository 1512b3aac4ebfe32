"""The page sends no usage statistics and asks no server on the internet, however it is started."""

import configparser
import importlib.util
import os
import socket
import subprocess
import sys
import time
import tomllib
import urllib.request
from pathlib import Path

import pytest

from fer_keras import app

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "fer_keras" / "page" / "streamlit_app.py"
CONFIG = PAGE.parent / ".streamlit" / "config.toml"
needs_streamlit = pytest.mark.skipif(importlib.util.find_spec("streamlit") is None, reason="needs fer_keras[app]")

#: Streamlit as a user starts it, in a process that notes whom it asks for; the tests have no network.
_NOTING = """
import sys
def note(event, arguments):
    if event in ("socket.getaddrinfo", "urllib.Request"):
        print("ASKED", event, arguments[0], file=sys.stderr, flush=True)
sys.addaudithook(note)
import runpy
sys.argv = ["streamlit", *sys.argv[2:]] if sys.argv[1] == "streamlit" else sys.argv[1:]
runpy.run_module(sys.argv[0] if sys.argv[0] == "streamlit" else "fer_keras.page.streamlit_server",
                 run_name="__main__", alter_sys=True)
"""


def test_the_page_s_own_settings_are_installed_and_turn_statistics_off():
    settings = tomllib.loads(CONFIG.read_text(encoding="utf-8"))
    assert settings["browser"]["gatherUsageStats"] is False and settings["server"]["address"] == "127.0.0.1"
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    assert setup["options.package_data"]["fer_keras.page"] == ".streamlit/config.toml"


def test_the_command_turns_statistics_off():
    config = app.PageConfig()
    assert "--browser.gatherUsageStats=false" in app._command(config, ["model"])


@needs_streamlit
def test_streamlit_reads_those_settings_beside_the_page(tmp_path):
    (tmp_path / ".streamlit").mkdir()
    (tmp_path / ".streamlit" / "config.toml").write_text("[browser]\ngatherUsageStats = true\n")
    code = f"""
from streamlit import config
config._main_script_path = {str(PAGE)!r}
config.get_config_options(force_reparse=True)
print(config.get_option("browser.gatherUsageStats"), config.get_option("server.address"))
"""
    home = {**os.environ, "HOME": str(tmp_path)}  # the user's own settings say otherwise
    done = subprocess.run([sys.executable, "-c", code], env=home, cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.split() == ["False", "127.0.0.1"], done.stderr[-2000:]


@needs_streamlit
@pytest.mark.parametrize(
    "start",
    [
        ("streamlit", "run", str(PAGE)),
        ("page", "run", str(PAGE), "--server.headless=true", "--server.address=0.0.0.0"),
    ],
    ids=["by streamlit run", "by the command, for all addresses"],
)
def test_the_server_of_the_page_asks_nobody(start, tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {
        **os.environ,
        "HOME": str(tmp_path),
        "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), *sys.path])),
    }
    command = [sys.executable, "-c", _NOTING, *start, f"--server.port={port}"]
    log = tmp_path / "log"
    with open(log, "w") as file, subprocess.Popen(command, env=environment, stdout=file, stderr=file) as server:
        try:
            assert answers(port, server), log.read_text()
        finally:
            server.terminate()
            server.wait(20)
    asked = {line.split()[2] for line in log.read_text().splitlines() if line.startswith("ASKED")}
    assert asked <= {"127.0.0.1", "0.0.0.0", "localhost", socket.gethostname()}, asked


def answers(port: int, server: subprocess.Popen) -> bool:
    """Wait for Streamlit's health page, with a name that it does not know."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}/_stcore/health", headers={"Origin": "http://other.test"})
    for _ in range(100):
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                time.sleep(1)
                return answer.status == 200
        except OSError:
            if server.poll() is not None:
                return False
            time.sleep(0.2)
    return False
