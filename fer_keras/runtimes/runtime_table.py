"""The table of runtimes, and loading a model file with the right one."""

import importlib
import importlib.util
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fer_keras.hints import nearest

if TYPE_CHECKING:
    from fer_keras.runtimes.base import Runtime


@dataclass(frozen=True)
class RuntimeEntry:
    """A runtime by name; its module, and with it the package behind it, is imported when a file is loaded.

    Attributes:
        module: under `fer_keras.runtimes`.
        name: of its class.
        package: what must be installed.
        suffixes: of its files; empty for folders.
        install: what to ask pip for.
    """

    module: str
    name: str
    package: str
    suffixes: tuple[str, ...]
    install: str

    @property
    def installed(self) -> bool:
        """Whether its package is there, without importing it."""
        return importlib.util.find_spec(self.package) is not None


RUNTIMES: dict[str, RuntimeEntry] = {
    "keras": RuntimeEntry("keras_runtime", "KerasRuntime", "keras", (".keras", ".h5"), "fer_keras"),
    "saved_model": RuntimeEntry("saved_model_runtime", "SavedModelRuntime", "tensorflow", (), "fer_keras"),
    "litert": RuntimeEntry("litert_runtime", "LiteRTRuntime", "ai_edge_litert", (".tflite",), "fer_keras[litert]"),
    "onnx": RuntimeEntry("onnx_runtime", "OnnxRuntime", "onnxruntime", (".onnx",), "fer_keras[onnx]"),
    "torch": RuntimeEntry("torch_runtime", "TorchRuntime", "torch", (".pt2",), "fer_keras[torch]"),
}


def load_runtime(path: str | Path, engine: str | None = None, threads: int | None = None) -> "Runtime":
    """Load a model file so that it can be run; nothing from the file is executed but the model's own layers.

    Args:
        path: a .keras, .h5, .tflite or .onnx file, or a SavedModel's folder.
        engine: a key of `RUNTIMES`; default: the one for that kind of file.
        threads: how many a call may use; default: as many as this process has cores.

    Raises:
        FileNotFoundError: nothing there.
        ValueError: an unknown kind of file, a damaged or unsuitable one, or a runtime that is not installed.
    """
    path = Path(path)
    kind = runtime_of(path)
    if engine is not None and engine != kind:
        if engine not in RUNTIMES:
            hint = nearest(engine, RUNTIMES)
            raise ValueError(f"engine expects one of {', '.join(RUNTIMES)}. Received: {engine!r}.{hint}")
        raise ValueError(f"engine {engine} cannot run {path}. Expected {kind} for such a file.")
    if not path.exists():
        raise FileNotFoundError(f"No model file there. Received: {path}.")
    if threads is not None and threads < 1:
        raise ValueError(f"threads expects at least 1. Received: {threads}.")
    entry = RUNTIMES[kind]
    if not entry.installed:
        raise ValueError(f'{path} needs {entry.package}, which is not installed: pip install "{entry.install}".')
    module = importlib.import_module(f"fer_keras.runtimes.{entry.module}")
    return getattr(module, entry.name)(path, threads or _cores())


def runtime_of(path: str | Path) -> str:
    """Return the runtime for a model file by what the file is called.

    Raises:
        ValueError: no runtime for such a file.

    Example:
        >>> runtime_of("out/model-int8.tflite")
        'litert'
    """
    path = Path(path)
    if path.is_dir() and (path / "saved_model.pb").is_file():
        return "saved_model"
    for name, entry in RUNTIMES.items():
        if path.suffix.lower() in entry.suffixes:
            return name
    known = [suffix for entry in RUNTIMES.values() for suffix in entry.suffixes]
    raise ValueError(f"Expected a model file ({', '.join(known)}) or a SavedModel's folder. Received: {path}.")


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
