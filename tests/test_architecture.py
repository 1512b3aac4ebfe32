"""The shape of the house: imports run one way, the light parts load nothing heavy."""

import ast
import graphlib
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "fer_keras"

#: Modules and rooms in the order in which things flow; a file imports from its own stage or earlier ones.
STAGES = [
    {"__init__", "ctrl_c", "lazy", "quiet"},
    {"concordance", "cores", "hints", "labels"},
    {"bundled", "cli", "fetching", "files", "formats"},
    {"config", "recipes"},
    {"beam"},
    {"decoding", "image_headers", "preprocessing", "views"},
    {"synthetic"},
    {"readers"},
    {"data"},
    {"batches"},
    {"losses", "models"},
    {"metrics"},
    {"drawing"},
    {"report"},
    {"runs"},
    {"evaluation"},
    {"training"},
    {"runtimes"},
    {"prediction"},
    {"faces"},
    {"exporters"},  # the page that is exported finds faces as `faces` does
    {"video"},
    {"jobs"},
    {"labelling"},
    {"server", "page"},
    {"train", "evaluate", "compare", "inspect", "export", "predict", "webcam", "serve", "app", "prepare", "download"}
    | {"select", "label", "agreement"},
    {"__main__"},
]
RANK = {name: rank for rank, names in enumerate(STAGES) for name in names}


def package_files() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def imported(path: Path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", package_files(), ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_imports_run_from_earlier_stages_to_later_ones(path):
    room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    assert room in RANK, f"{room} has no stage in this test"
    for name in imported(path):
        if name.startswith("fer_keras."):
            other = name.split(".")[1]
            assert RANK.get(other, 0) <= RANK[room], f"{path.name} ({room}) imports {name}"


#: Methods whose parameters Keras decides.
KERAS_METHODS = {"compute_loss"}


def crowded_calls(path: Path):
    """Yield the calls that pass more than five arguments by position; OpenCV's drawing calls may."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and len(node.args) > 5 and not ast.unparse(node.func).startswith("cv2."):
            yield f"line {node.lineno}: {ast.unparse(node.func)} gets {len(node.args)} arguments by position"


def crowded_functions(path: Path):
    """Yield the functions that take more than four arguments by position."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef) and node.name not in KERAS_METHODS:
            names = [argument.arg for argument in (*node.args.posonlyargs, *node.args.args)]
            count = len(names) - (names[:1] in (["self"], ["cls"]))
            if count > 4:
                yield f"line {node.lineno}: {node.name} takes {count} arguments by position"


@pytest.mark.parametrize("path", package_files(), ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_settings_go_as_a_group_or_by_name(path):
    found = [*crowded_calls(path), *crowded_functions(path)]
    assert not found, found


def test_no_modules_import_each_other_in_a_circle():
    """Not even inside functions, where Python would let them."""
    names = {path: ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts) for path in package_files()}
    names = {path: name.removesuffix(".__init__") for path, name in names.items()}
    known = set(names.values()) - {"fer_keras"}
    imports = {name: known.intersection(imported(path)) - {name} for path, name in names.items()}
    graphlib.TopologicalSorter(imports).prepare()  # raises CycleError, which names the circle


@pytest.mark.parametrize("path", package_files(), ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_models_metrics_and_losses_are_plain_keras(path):
    if path.relative_to(PACKAGE).parts[0] in {"models", "metrics", "losses.py", "labels.py", "report"}:
        assert not any(name.split(".")[0] == "tensorflow" for name in imported(path))
    assert "tf.keras" not in path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "module, heavy",
    [
        ("fer_keras", "tensorflow keras numpy cv2 matplotlib pyarrow"),
        ("fer_keras.metrics", "tensorflow keras numpy"),
        ("fer_keras.models", "tensorflow keras numpy"),
        ("fer_keras.drawing.palette", "numpy cv2 matplotlib"),
        ("fer_keras.faces.detectors", "numpy cv2"),
        ("fer_keras.faces.face_reader", "tensorflow keras matplotlib pyarrow sklearn PIL onnxruntime pandas"),
        ("fer_keras.data.loading", "tensorflow keras matplotlib pyarrow joblib"),
        ("fer_keras.report.page", "tensorflow keras matplotlib.pyplot"),
        ("fer_keras.train", "tensorflow keras matplotlib numpy"),
        ("fer_keras.evaluate", "tensorflow keras matplotlib"),
        ("fer_keras.predict", "tensorflow keras matplotlib cv2 pyarrow"),
        ("fer_keras.webcam", "tensorflow keras matplotlib cv2 pyarrow"),
        ("fer_keras.serve", "tensorflow keras matplotlib cv2 pyarrow fastapi"),
        ("fer_keras.app", "tensorflow keras matplotlib cv2 pyarrow streamlit"),
        ("fer_keras.jobs.picture_run", "tensorflow keras matplotlib pyarrow sklearn joblib"),
        ("fer_keras.video.window", "tensorflow keras matplotlib pyarrow sklearn joblib"),
        ("fer_keras.predict", "tensorflow keras matplotlib pyarrow cv2 numpy sklearn"),
        ("fer_keras.select", "tensorflow keras matplotlib pyarrow cv2 numpy sklearn"),
        ("fer_keras.label", "tensorflow keras matplotlib pyarrow cv2 numpy sklearn"),
        ("fer_keras.agreement", "tensorflow keras matplotlib pyarrow cv2 numpy sklearn"),
        (
            "fer_keras.prediction.predictor",
            "tensorflow keras matplotlib pyarrow sklearn PIL onnxruntime ai_edge_litert",
        ),
    ],
)
def test_importing_loads_nothing_heavy(module, heavy):
    code = f"import sys, {module}; print([name for name in {heavy.split()} if name in sys.modules])"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )


@pytest.mark.parametrize("name", ["fer_keras", "fer_keras.metrics", "fer_keras.models"])
def test_every_name_that_a_package_offers_is_there_and_hides_no_module(name):
    package = import_module(name)
    folder = Path(package.__file__).parent
    for offered in package.__all__:
        assert getattr(package, offered) is not None and offered in dir(package)
        assert not (folder / f"{offered}.py").exists() and not (folder / offered).exists()
    with pytest.raises(AttributeError, match=f"module '{name}' has no attribute 'nothing'"):
        package.nothing  # noqa: B018


def test_every_streaming_metric_is_offered():
    from fer_keras import metrics

    for entry in metrics.METRICS.values():
        kind = entry.load_streaming()
        assert kind is None or getattr(metrics, kind.__name__) is kind


def test_tensorflow_is_loaded_where_it_is_needed_only():
    """Training, evaluation and prediction run on JAX and PyTorch where TensorFlow is not installed."""
    at_import = {
        path.relative_to(PACKAGE).as_posix()
        for path in package_files()
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, (ast.Import, ast.ImportFrom))
        and any(
            name.split(".")[0] == "tensorflow"
            for name in [*(alias.name for alias in node.names), getattr(node, "module", "") or ""]
        )
    }
    assert at_import == {"training/sam.py", "runtimes/saved_model_runtime.py"}


def test_onnx_runtime_is_imported_in_one_place_only():
    """There its telemetry is turned off first; the benchmark that runs without fer_keras does so itself."""
    importing = {
        path.relative_to(PACKAGE.parent).as_posix()
        for folder in ("fer_keras", "benchmarks", "tests", "notebooks")
        for path in (PACKAGE.parent / folder).rglob("*")
        if path.suffix in (".py", ".ipynb")
        and re.search(r'^[\s"]*(import|from) onnxruntime\b', path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert importing == {"fer_keras/runtimes/onnx_runtime.py", "benchmarks/foreign/run_model.py"}


_START = """
import contextlib, io, sys
from fer_keras import predict
with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
    predict.main(["--help"])
helped = set(sys.modules)
import numpy as np
from fer_keras import FaceReader
FaceReader.load(engine="onnx", faces="haar").read(np.zeros((99, 99, 3), np.uint8))
print(len(helped), len(sys.modules), *({"numpy", "cv2", "onnxruntime"} & helped))
"""


def test_help_and_the_first_face_import_little():
    """147 and 416 modules on Python 3.11, most of them Python's own and NumPy's, are what makes the start fast."""
    done = subprocess.run([sys.executable, "-c", _START], capture_output=True, text=True, check=True)
    helped, read, *heavy = done.stdout.split()
    assert not heavy and int(helped) < 220 and int(read) < 550
