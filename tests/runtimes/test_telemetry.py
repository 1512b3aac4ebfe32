"""ONNX Runtime collects and sends nothing, whatever the caller did first, and leaves no file of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

MODEL = Path(__file__).parents[2] / "saved_models" / "ferplus_compact" / "model.onnx"

#: ONNX Runtime collects nothing on a continuous integration server, where this test would prove nothing.
SERVERS = ("CI", "TF_BUILD", "GITHUB_ACTIONS", "JENKINS_URL", "BUILD_ID", "GITLAB_CI", "TRAVIS", "CIRCLECI")
READ = """
import os, numpy as np
from fer_keras import Predictor
Predictor.load(MODEL).read(np.zeros((64, 64, 3), np.uint8))
assert os.environ["ORT_DISABLE_TELEMETRY"] == "1"
"""


def left_by(code: str, home: Path, **environment: str) -> set[str]:
    """Run code in a process of its own with a home of its own and return the files that it left there."""
    variables = {name: value for name, value in os.environ.items() if name not in (*SERVERS, "ORT_DISABLE_TELEMETRY")}
    variables |= {"HOME": str(home), "XDG_CACHE_HOME": str(home / ".cache"), "PYTHONPATH": os.pathsep.join(sys.path)}
    code = code.replace("MODEL", repr(str(MODEL)))
    done = subprocess.run([sys.executable, "-c", code], env=variables | environment, capture_output=True, text=True)
    assert done.returncode == 0 and not done.stderr, done.stderr
    return {path.relative_to(home).as_posix() for path in home.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    "before",
    ["", "import fer_keras\nimport onnxruntime\nonnxruntime.get_device()", "import os, fer_keras\nos.environ.clear()"],
)
def test_reading_a_face_leaves_nothing_in_the_home_folder(before, tmp_path):
    assert left_by(before + READ, tmp_path) == set()


def test_the_caller_s_own_setting_does_not_turn_it_on(tmp_path):
    assert left_by(READ, tmp_path, ORT_DISABLE_TELEMETRY="0") == set()
