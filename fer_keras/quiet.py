"""Keeps the start-up notes of TensorFlow, CUDA, LiteRT and ONNX Runtime off the screen, ONNX Runtime's telemetry off, and
TensorFlow's oneDNN kernels on.

`import fer_keras` calls `set_up`. TensorFlow's C++ code logs to file descriptor 2 before any setting of its own is read, so
its first import runs with that descriptor behind a filter of known lines; all other lines, errors among them, come through.
TF_CPP_MIN_LOG_LEVEL=0 in the environment shows everything.
"""

import contextlib
import importlib.machinery
import os
import sys

#: Lines that TensorFlow writes while it starts though nothing is wrong: notes (level I of both of its log formats) and
#: what a machine without a CUDA driver, or a build that registers its CUDA plugins twice, makes it call an error.
STARTUP_NOTES = (
    r"^WARNING: All log messages before absl::InitializeLog\(\) is called",
    r"^I[0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2}",
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:.]+: I ",
    r"^To enable the following instructions:",
    r"failed call to cuInit: .*UNKNOWN ERROR \(303\)",
    r"Unable to register cu[A-Z]+ factory",
    r"computation placer already registered",
)


def set_up() -> None:
    """Set what the libraries read from the environment, and have TensorFlow's first import filtered.

    ORT_DISABLE_TELEMETRY is always set to 1, whatever it was: since 1.29 ONNX Runtime sends usage data without it.
    TF_CPP_MIN_LOG_LEVEL is set to 2, errors only, unless it is set already.
    """
    disable_telemetry()
    enable_onednn()
    if os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2") != "0" and "tensorflow" not in sys.modules:
        sys.meta_path.insert(0, _FirstImport())


def disable_telemetry() -> None:
    """Keep ONNX Runtime from collecting and sending usage data; it reads the variable when it is imported."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"


def enable_onednn() -> None:
    """Have TensorFlow use oneDNN's kernels on 64-bit x86 Linux, unless TF_ENABLE_ONEDNN_OPTS is set already.

    By itself it uses them only on processors with AVX-512 VNNI or newer. On those with AVX2 alone a training step without
    them takes up to twice the processor time (docs/speed.md has the figures). Results differ by float32 rounding. On other
    systems TensorFlow decides: nothing was measured there.
    """
    if sys.platform == "linux" and os.uname().machine == "x86_64":
        os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")


@contextlib.contextmanager
def without_openvino_telemetry():
    """Keep Intel's telemetry out of what is imported in the block: OpenVINO and NNCF then take stubs that send nothing.

    Reading a model does not use it, but converting and quantising would send to Google Analytics without asking.
    """
    name = "openvino_telemetry"
    before = sys.modules.get(name)
    sys.modules[name] = None  # type: ignore[assignment]  # makes its import fail as if it were not installed
    try:
        yield
    finally:
        if before is None:
            sys.modules.pop(name, None)
        else:
            sys.modules[name] = before


@contextlib.contextmanager
def quiet(*descriptors: int):
    """Discard what is written to file descriptors while the block runs, by C++ libraries too; exceptions come out.

    Args:
        *descriptors: 1 for standard output, 2 for standard error; default: both. One that is closed is left alone.
    """
    saved = {number: copy for number in descriptors or (1, 2) if (copy := _copy(number)) is not None}
    _flush()
    try:
        with open(os.devnull, "wb") as void:
            for number in saved:
                os.dup2(void.fileno(), number)
        yield
    finally:
        _restore(saved)


@contextlib.contextmanager
def without_startup_notes():
    """Leave `STARTUP_NOTES` out of what is written to file descriptor 2 while the block runs.

    The filter is grep, a process of its own, so that the last words of a crash come through as well. Without grep, as on
    Windows, nothing is filtered.
    """
    import shutil
    import subprocess

    grep, stderr = shutil.which("grep"), _copy(2)
    if grep is None or stderr is None:
        yield
        return
    command = [grep, "-a", "-v", "-E", "|".join(STARTUP_NOTES)]
    filtering = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=stderr, env={**os.environ, "LC_ALL": "C"})
    _flush()
    os.dup2(filtering.stdin.fileno(), 2)
    filtering.stdin.close()
    try:
        yield
    finally:
        _restore({2: stderr})
        with contextlib.suppress(subprocess.TimeoutExpired):  # a program started meanwhile may still write to it
            filtering.wait(timeout=1)


class _FirstImport:
    """A finder that has the first import of TensorFlow run `without_startup_notes`."""

    def find_spec(self, name: str, path=None, target=None):
        spec = importlib.machinery.PathFinder.find_spec(name, path) if name == "tensorflow" else None
        if spec is None or not hasattr(spec.loader, "exec_module"):
            return None
        loader, load = spec.loader, spec.loader.exec_module

        def exec_module(module):
            del loader.exec_module
            with without_startup_notes():
                load(module)
                _look_for_gpus(module)

        loader.exec_module = exec_module
        return spec


def _look_for_gpus(tensorflow) -> None:
    """Without a CUDA driver, have TensorFlow find that out now, while its line about it is filtered."""
    import ctypes

    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        with contextlib.suppress(Exception):  # an error here comes again where TensorFlow is used
            if sys.platform == "linux" and tensorflow.test.is_built_with_cuda():
                tensorflow.config.list_physical_devices("GPU")


def _copy(descriptor: int) -> int | None:
    try:
        return os.dup(descriptor)
    except OSError:  # a process without standard output or error
        return None


def _restore(saved: dict[int, int]) -> None:
    _flush()
    for number, copy in saved.items():
        os.dup2(copy, number)
        os.close(copy)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, ValueError, OSError):  # no stream, or a closed one
            stream.flush()
