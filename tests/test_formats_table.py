"""The one table: each line names code, engine, packages and extra that exist, and the commands' help lists all of it."""

import ast
import configparser
import re
from pathlib import Path

import pytest

from fer_keras import export, formats, predict
from fer_keras.formats import ENGINES, FORMATS, engines_of, install_hint, missing_packages, parse_formats

ROOT = Path(__file__).parents[1]


def functions_and_classes(room: str, module: str) -> set[str]:
    tree = ast.parse((ROOT / "fer_keras" / room / f"{module}.py").read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, (ast.FunctionDef, ast.ClassDef))}


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_names_a_function_and_a_file_that_its_engine_runs(name, tmp_path):
    module, _, function = FORMATS[name].exporter.partition(":")
    assert function in functions_and_classes("exporters", module)
    path = tmp_path / FORMATS[name].file
    if not path.suffix:
        path.mkdir()
        (path / "saved_model.pb").touch()
    assert FORMATS[name].engine in engines_of(FORMATS[name].model_path(path))
    assert [other for other, entry in FORMATS.items() if entry.file == path.name] == [name]


@pytest.mark.parametrize("name", ENGINES)
def test_an_engine_names_a_class_and_an_extra_that_exist(name):
    module, _, runtime = ENGINES[name].runtime.partition(":")
    assert runtime in functions_and_classes("runtimes", module)
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    extra = re.search(r"\[(\w+)\]", ENGINES[name].install)
    assert extra is None or setup["options.extras_require"][extra[1]].strip()


def test_float_formats_are_read_before_quantised_ones():
    quantised = [entry.quantised for entry in FORMATS.values()]
    assert quantised == sorted(quantised)


def test_help_lists_every_format_and_engine():
    text = export.build_parser().format_help()
    assert all(re.search(rf"\b{name}[,\s]", text) for name in FORMATS)
    text = predict.build_parser().format_help()
    assert all(re.search(rf"\b{name}[,)\s]", text) for name in (*ENGINES, *FORMATS))


def test_a_missing_package_names_what_installs_it(monkeypatch):
    monkeypatch.setattr(formats, "find_spec", lambda name: None if name in ("tf2onnx", "ai_edge_litert") else object())
    assert missing_packages("onnx") == ["tf2onnx"] and missing_packages("tflite") == ["ai_edge_litert"]
    with pytest.raises(ValueError, match=r'Format onnx needs tf2onnx, .*pip install "fer_keras"$'):
        parse_formats("h5,onnx")
    assert install_hint("tflite").endswith('pip install "fer_keras[litert]"')
    assert parse_formats("all") == tuple(
        name for name in FORMATS if not name.startswith(("onnx", "openvino", "tflite", "web"))
    ) and parse_formats("h5,keras,h5") == ("h5", "keras")
