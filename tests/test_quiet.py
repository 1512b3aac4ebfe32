"""Notes of libraries stay off the screen, errors do not, and ONNX Runtime's telemetry is off."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fer_keras.quiet import quiet

NOTES = """WARNING: All log messages before absl::InitializeLog() is called are written to STDERR
I0000 00:00:1795707718.620435   12738 cudart_stub.cc:31] Could not find cuda drivers on your machine, GPU will not be used.
2025-09-17 14:44:05.157831: I external/local_xla/xla/tsl/cuda/cudart_stub.cc:32] Could not find cuda drivers.
I0000 00:00:1795707891.538547   16055 cpu_feature_guard.cc:227] This TensorFlow binary is optimized to use CPU instructions.
To enable the following instructions: AVX2 FMA, in other operations, rebuild TensorFlow with the appropriate compiler flags.
E0000 00:00:1795707781.825580   12738 cuda_platform.cc:52] failed call to cuInit: INTERNAL: CUDA error: UNKNOWN ERROR (303)
E0000 00:00:1758131045.203198 3722035 cuda_dnn.cc:8579] Unable to register cuDNN factory: Attempting to register factory
W0000 00:00:1758131045.228611 3722035 computation_placer.cc:177] computation placer already registered. Please check linkage
"""
ERRORS = """E0000 00:00:1795707781.825580   12738 cuda_platform.cc:52] failed call to cuInit: CUDA_ERROR_SYSTEM (803)
F0000 00:00:1795707781.825580   12738 cpu_feature_guard.cc:39] The TensorFlow library was compiled to use AVX instructions.
"""


def start(tmp_path: Path, ending: str = "", **environment: str) -> subprocess.CompletedProcess:
    """Import fer_keras and then a TensorFlow that writes notes and errors to file descriptor 2."""
    package = tmp_path / "tensorflow"
    package.mkdir()
    (package / "__init__.py").write_text(
        f"import os\nos.write(2, {(NOTES + ERRORS).encode()!r})\n{ending}\n"
        "class test:\n    is_built_with_cuda = staticmethod(lambda: False)\n"
    )
    code = (
        "import fer_keras, tensorflow, os, sys, inspect;"
        "print('python', file=sys.stderr); os.write(2, b'I0000 00:00:1 later\\n'); inspect.getsource(tensorflow)"
    )
    variables = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    variables |= {"PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path]), **environment}
    return subprocess.run([sys.executable, "-c", code], env=variables, capture_output=True, text=True)


def test_tensorflow_s_first_import_keeps_its_errors_and_loses_its_notes(tmp_path):
    done = start(tmp_path)
    assert done.returncode == 0 and done.stderr == ERRORS + "python\nI0000 00:00:1 later\n"


def test_the_last_words_of_a_crash_come_through(tmp_path):
    done = start(tmp_path, "os.abort()")
    assert done.returncode != 0 and done.stderr.startswith(ERRORS)


def test_an_import_that_fails_says_why(tmp_path):
    done = start(tmp_path, "raise ImportError('libcudart is broken')")
    assert done.returncode == 1 and "libcudart is broken" in done.stderr and "cudart_stub" not in done.stderr


def test_the_user_may_see_everything(tmp_path):
    assert NOTES + ERRORS in start(tmp_path, TF_CPP_MIN_LOG_LEVEL="0").stderr


@pytest.mark.skipif(sys.platform != "linux" or os.uname().machine != "x86_64", reason="TensorFlow decides elsewhere")
@pytest.mark.parametrize("given, used", [({}, "1"), ({"TF_ENABLE_ONEDNN_OPTS": "0"}, "0")])
def test_onednn_is_on_unless_the_user_says_otherwise(given, used):
    variables = {name: value for name, value in os.environ.items() if name != "TF_ENABLE_ONEDNN_OPTS"}
    code = "import fer_keras, os; print(os.environ['TF_ENABLE_ONEDNN_OPTS'])"
    done = subprocess.run([sys.executable, "-c", code], env={**variables, **given}, capture_output=True, text=True)
    assert done.stdout.strip() == used and done.stderr == ""


def test_quiet_discards_output_and_lets_exceptions_out(capfd):
    with pytest.raises(ZeroDivisionError), quiet():
        os.write(1, b"out")
        os.write(2, b"err")
        print(1 / 0)
    with quiet(2):
        os.write(1, b"kept")
        os.write(2, b"err")
    os.write(2, b"again")
    assert capfd.readouterr() == ("kept", "again")


def test_training_writes_nothing_foreign(faces_dir, tmp_path):
    code = "import sys, fer_keras, tiny_run; tiny_run.add_tiny(); from fer_keras.train import main; sys.exit(main(sys.argv[1:]))"
    flags = [
        "--data-dir",
        str(faces_dir),
        "--output-dir",
        str(tmp_path / "run"),
        "--backbone",
        "tiny",
        "--image-size",
        "32",
    ]
    flags += ["--epochs", "1", "--max-samples", "64", "--batch-size", "16"]
    variables = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    variables["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    done = subprocess.run([sys.executable, "-c", code, *flags], env=variables, capture_output=True, text=True)
    assert done.returncode == 0 and done.stderr == ""
