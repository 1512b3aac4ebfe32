"""The one table of model formats and of the engines that run them; help, errors and commands take their lists from it.

A new format is one file in `exporters/` and one line of `FORMATS`, a new engine one file in `runtimes/` and one line of
`ENGINES`. Both name their code by path, so that nothing is imported before it is used.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from fer_keras.hints import nearest

_FLOAT32, _FLOAT16 = 1e-4, 5e-3


@dataclass(frozen=True)
class Engine:
    """A program that runs model files.

    Attributes:
        runtime: "module:class" in `fer_keras.runtimes`.
        package: module that must be importable.
        suffixes: of its files; empty where its model is a folder.
        install: what to ask pip for.
        providers: whether it has ONNX Runtime's providers, see `fer_keras.runtimes.providers`.
        framework: whether it is a framework for training, which takes seconds to load.
    """

    runtime: str
    package: str
    suffixes: tuple[str, ...]
    install: str
    providers: bool = False
    framework: bool = False

    @property
    def installed(self) -> bool:
        """Whether its package is there; it is not imported."""
        return find_spec(self.package) is not None

    def load(self) -> type:
        """Import the runtime's module, and with it the engine, and return the class."""
        return _load("runtimes", self.runtime)


@dataclass(frozen=True)
class Format:
    """A kind of file or folder that holds a model.

    Attributes:
        file: its name in a run or an output directory.
        engine: key of `ENGINES`.
        exporter: "module:function" in `fer_keras.exporters`; (ExportSource, path) -> facts for the bundle, writes the file.
        tolerance: largest difference of any output from Keras, or None for a quantised format, which is judged by the
            accuracy it loses.
        writers: modules that must be importable to write it, besides the engine's package.
        calibrated: whether writing it needs faces of the training split.
        model: of a folder whose engine runs one file in it, that file.
        parts: "module:function" in `fer_keras.exporters`; (ExportOptions) -> None, finds or fetches what it is made of.
        named_only: whether "all" leaves it out.
    """

    file: str
    engine: str
    exporter: str
    tolerance: float | None = None
    writers: tuple[str, ...] = ()
    calibrated: bool = False
    model: str = ""
    parts: str = ""
    named_only: bool = False

    @property
    def quantised(self) -> bool:
        """Whether it computes in whole numbers, so that accuracy and not difference judges it."""
        return self.tolerance is None

    @property
    def folder(self) -> bool:
        """Whether it is a folder of files."""
        return not Path(self.file).suffix

    def model_path(self, path: Path) -> Path:
        """Return what the engine runs of a file or folder of this format."""
        return path / self.model if self.model else path

    def check_parts(self, options) -> None:
        """Find or fetch what an export is made of besides the model.

        Raises:
            FileNotFoundError, ValueError: it is not there.
        """
        if self.parts:
            _load("exporters", self.parts)(options)

    def load_exporter(self) -> Callable:
        """Import the exporter's module and return its function."""
        return _load("exporters", self.exporter)


#: What is asked for in place of an engine where speed decides, see `fer_keras.prediction.fastest`.
FASTEST = "fastest"
#: Of several engines for a kind of file the first one runs it where none is named.
ENGINES: dict[str, Engine] = {
    "onnx": Engine("onnx_runtime:OnnxRuntime", "onnxruntime", (".onnx",), "onnxruntime", providers=True),
    "litert": Engine("litert_runtime:LiteRTRuntime", "ai_edge_litert", (".tflite",), "fer_keras[litert]"),
    "saved_model": Engine("saved_model_runtime:SavedModelRuntime", "tensorflow", (), "fer_keras", framework=True),
    "keras": Engine("keras_runtime:KerasRuntime", "keras", (".keras", ".h5"), "fer_keras", framework=True),
    "torch": Engine("torch_runtime:TorchRuntime", "torch", (".pt2",), "fer_keras[torch]", framework=True),
    "openvino": Engine("openvino_runtime:OpenVINORuntime", "openvino", (".onnx",), "fer_keras[openvino]"),
}

_TF, _ONNX = ("tensorflow",), ("tensorflow", "tf2onnx", "onnx")
#: What the base install has.
_BASE = {"keras", "onnxruntime", *_ONNX}

#: In the order in which a bundle's files are preferred for reading: float formats first, then quantised ones, whose outputs
#: differ. ONNX Runtime stands before LiteRT though they are equals: with `ferplus_compact` both differ from Keras by about
#: 1e-6 on 3,396 faces (`export`), and take 5.1 and 4.3 ms of processor time for 1 face, 49 and 51 ms for 16, 0.52 and 0.42 s
#: to the first face (`benchmarks/predict_start.py --threads 1`). ONNX Runtime runs the calls of several threads side by side,
#: LiteRT's interpreter one at a time, and the ONNX file that is bundled serves programs in other languages too. Its telemetry
#: is turned off. LiteRT is 20 MB smaller and needs a package of its own.
FORMATS: dict[str, Format] = {
    "onnx": Format("model.onnx", "onnx", "onnx_graph:export_onnx", _FLOAT32, _ONNX),
    "tflite": Format("model.tflite", "litert", "tflite:export_tflite", _FLOAT32, _TF),
    "tflite-fp16": Format("model-fp16.tflite", "litert", "tflite:export_tflite_float16", _FLOAT16, _TF),
    "onnx-fp16": Format("model-fp16.onnx", "onnx", "onnx_graph:export_onnx_float16", _FLOAT16, _ONNX),
    "saved_model": Format("saved_model", "saved_model", "saved_model:export_saved_model", _FLOAT32),
    "keras": Format("model.keras", "keras", "keras_writer:export_keras", _FLOAT32),
    "h5": Format("model.h5", "keras", "keras_writer:export_h5", _FLOAT32),
    "torch": Format("model.pt2", "torch", "torch_program:export_torch", _FLOAT32, ("keras",)),
    "web": Format(
        "web", "onnx", "web:export_web", _FLOAT32, _ONNX, model="model.onnx", parts="web:check_web", named_only=True
    ),
    "onnx-int8": Format("model-int8.onnx", "onnx", "onnx_graph:export_onnx_int8", None, _ONNX, calibrated=True),
    "openvino-int8": Format(
        "model-int8-openvino.onnx",
        "openvino",
        "openvino_int8:export_openvino_int8",
        None,
        (*_ONNX, "nncf"),
        calibrated=True,
    ),
    "tflite-int8": Format("model-int8.tflite", "litert", "tflite:export_tflite_int8", None, _TF, calibrated=True),
    "tflite-dynamic": Format("model-dynamic.tflite", "litert", "tflite:export_tflite_dynamic", None, _TF),
    "web-int8": Format(
        "web-int8",
        "onnx",
        "web:export_web_int8",
        None,
        _ONNX,
        calibrated=True,
        model="model.onnx",
        parts="web:check_web",
        named_only=True,
    ),
}


def engine_of(path: str | Path) -> str:
    """Return the engine that runs a model file where none is named, by what the file is called.

    Raises:
        ValueError: no engine runs such a file.

    Example:
        >>> engine_of("out/model-int8.tflite")
        'litert'
    """
    return engines_of(path)[0]


def engines_of(path: str | Path) -> list[str]:
    """Return the engines that can run a model file, by what the file is called.

    Raises:
        ValueError: none can.

    Example:
        >>> engines_of("out/model.onnx")
        ['onnx', 'openvino']
    """
    path = Path(path)
    if path.is_dir() and (path / "saved_model.pb").is_file():
        return ["saved_model"]
    found = [name for name, engine in ENGINES.items() if path.suffix.lower() in engine.suffixes]
    if found:
        return found
    known = dict.fromkeys(suffix for engine in ENGINES.values() for suffix in engine.suffixes)
    raise ValueError(f"Expected a model file ({', '.join(known)}) or a SavedModel's folder. Received: {path}.")


def parse_formats(text: str) -> tuple[str, ...]:
    """Return the formats that a comma-separated list names, in its order; "all" is every one that can be written here,
    without those that are written by name only because a part of them comes from the network.

    Raises:
        ValueError: an unknown format (the nearest known one is named), none at all, or a missing package.

    Example:
        >>> parse_formats("h5, keras")
        ('h5', 'keras')
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    if names == ["all"]:
        return tuple(name for name, kind in FORMATS.items() if not kind.named_only and not missing_packages(name))
    if not names:
        raise ValueError(f"--formats expects some of {', '.join(FORMATS)}, or all. Received: {text!r}.")
    for name in names:
        if name not in FORMATS:
            hint = nearest(name, [*FORMATS, "all"])
            raise ValueError(f"Unknown format. Expected some of {', '.join(FORMATS)}. Received: {name!r}.{hint}")
        if missing_packages(name):
            raise ValueError(f"Format {name} {install_hint(name)}")
    return tuple(dict.fromkeys(names))


def missing_packages(name: str) -> list[str]:
    """Return the packages that writing a format needs and that are not installed here."""
    needed = (*FORMATS[name].writers, ENGINES[FORMATS[name].engine].package)
    return [package for package in needed if find_spec(package) is None]


def install_hint(name: str) -> str:
    """Return what a format lacks here and what installs it."""
    missing, engine = missing_packages(name), ENGINES[FORMATS[name].engine]
    wanted = engine.install if set(missing) - _BASE and "[" in engine.install else "fer_keras"
    return f'needs {", ".join(missing)}, not installed here. Install it with: pip install "{wanted}"'


def _load(room: str, path: str):
    module, _, name = path.partition(":")
    return getattr(import_module(f"fer_keras.{room}.{module}"), name)
