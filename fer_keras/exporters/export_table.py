"""The table of export formats: what each file is called, which program runs it, and how equal it must be.

A new format is one file with its export function and one entry of `EXPORTERS`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec

from fer_keras.exporters.keras_writer import export_h5, export_keras
from fer_keras.exporters.onnx_graph import export_onnx, export_onnx_int8
from fer_keras.exporters.saved_model import export_saved_model
from fer_keras.exporters.tflite import (
    export_tflite,
    export_tflite_dynamic,
    export_tflite_float16,
    export_tflite_int8,
)
from fer_keras.exporters.torch_program import export_torch
from fer_keras.hints import nearest

_FLOAT32, _FLOAT16 = 1e-4, 5e-3


@dataclass(frozen=True)
class Exporter:
    """How a model becomes a file of one format.

    Attributes:
        file: name of the file or folder in the output directory.
        export: (ExportSource, path) -> facts for the bundle; writes the file.
        engine: key of `fer_keras.runtimes.runtime_table.RUNTIMES` that runs it.
        tolerance: largest difference of any output from Keras, or None for a quantised format: that one is judged by
            the accuracy it loses.
        packages: modules that must be importable to write and to run it.
        extra: the extra of setup.cfg that installs them.
        calibrated: whether it needs faces of the training split.
    """

    file: str
    export: Callable
    engine: str
    tolerance: float | None
    packages: tuple[str, ...] = ()
    extra: str | None = None
    calibrated: bool = False

    @property
    def quantised(self) -> bool:
        """Whether it computes in whole numbers, so that accuracy and not difference judges it."""
        return self.tolerance is None


def _tflite(file: str, export: Callable, tolerance: float | None = None, calibrated: bool = False) -> Exporter:
    return Exporter(file, export, "litert", tolerance, ("ai_edge_litert",), "litert", calibrated)


def _onnx(file: str, export: Callable, tolerance: float | None = None, calibrated: bool = False) -> Exporter:
    return Exporter(file, export, "onnx", tolerance, ("tf2onnx", "onnx", "onnxruntime"), "onnx", calibrated)


EXPORTERS = {
    "h5": Exporter("model.h5", export_h5, "keras", _FLOAT32),
    "keras": Exporter("model.keras", export_keras, "keras", _FLOAT32),
    "saved_model": Exporter("saved_model", export_saved_model, "saved_model", _FLOAT32),
    "tflite": _tflite("model.tflite", export_tflite, _FLOAT32),
    "tflite-fp16": _tflite("model-fp16.tflite", export_tflite_float16, _FLOAT16),
    "tflite-dynamic": _tflite("model-dynamic.tflite", export_tflite_dynamic),
    "tflite-int8": _tflite("model-int8.tflite", export_tflite_int8, calibrated=True),
    "onnx": _onnx("model.onnx", export_onnx, _FLOAT32),
    "onnx-int8": _onnx("model-int8.onnx", export_onnx_int8, calibrated=True),
    "torch": Exporter("model.pt2", export_torch, "torch", _FLOAT32, ("torch",), "torch"),
}


def parse_formats(text: str) -> tuple[str, ...]:
    """Return the formats that a comma-separated list names, in its order; "all" is every one that can be written here.

    Raises:
        ValueError: an unknown format (the nearest known one is named), none at all, or a missing package.

    Example:
        >>> parse_formats("h5, keras")
        ('h5', 'keras')
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    if names == ["all"]:
        return tuple(name for name in EXPORTERS if not missing_packages(name))
    if not names:
        raise ValueError(f"--formats expects some of {', '.join(EXPORTERS)}, or all. Received: {text!r}.")
    for name in names:
        if name not in EXPORTERS:
            hint = nearest(name, [*EXPORTERS, "all"])
            raise ValueError(f"Unknown format. Expected some of {', '.join(EXPORTERS)}. Received: {name!r}.{hint}")
        if missing_packages(name):
            raise ValueError(f"Format {name} {install_hint(name)}")
    return tuple(dict.fromkeys(names))


def missing_packages(name: str) -> list[str]:
    """Return the packages that a format needs and that are not installed here."""
    return [package for package in EXPORTERS[name].packages if find_spec(package) is None]


def install_hint(name: str) -> str:
    """Return what a format lacks here and which extra brings it."""
    missing = ", ".join(missing_packages(name))
    return f'needs {missing}, not installed here. Install it with: pip install "fer_keras[{EXPORTERS[name].extra}]"'
