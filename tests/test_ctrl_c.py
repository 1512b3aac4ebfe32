"""Ctrl-C ends a command in one line with status 130, also while its modules are still being imported."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
#: A module of this name on the path stands for the one that is imported; it interrupts its own import.
INTERRUPT = "import os, signal; os.kill(os.getpid(), signal.SIGINT)\nimport time; time.sleep(5)\n"


def take_ctrl_c() -> None:
    """Let a child take Ctrl-C, which it ignores where the tests run in the background of a shell."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize("module", ["argparse", "difflib", "tomllib", "cv2", "onnxruntime"])
@pytest.mark.parametrize("command", ["fer_keras.predict", "fer_keras"])
def test_an_interrupted_import_is_one_line(tmp_path, module, command):
    (tmp_path / f"{module}.py").write_text(INTERRUPT)
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}", "PYTHONWARNINGS": ""}
    arguments = ["predict"] if command == "fer_keras" else []
    picture = str(ROOT / "docs" / "astronaut.jpg")
    line = [sys.executable, "-m", command, *arguments, picture, "--faces", "whole"]
    done = subprocess.run(line, capture_output=True, text=True, env=environment, timeout=60, preexec_fn=take_ctrl_c)
    assert (done.returncode, done.stderr, done.stdout) == (130, "stopped by the user\n", "")


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_other_programs_keep_their_own_ctrl_c():
    code = "import signal, fer_keras; print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        preexec_fn=take_ctrl_c,
    )
    assert done.stdout == "True\n"
