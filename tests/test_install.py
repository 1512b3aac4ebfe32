"""The package as a user installs it: a wheel used from another directory, the oldest versions it claims, reading alone."""

import configparser
import json
import os
import re
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OLDEST = (
    "tensorflow==2.18.0",
    "keras==3.8.0",
    "onnxruntime==1.20.1",
    "tf2onnx==1.17.0",
    "onnx==1.17.0",
    "protobuf==4.25.8",
    "platformdirs==3.0.0",
)


def environment(directory: Path, *requirements: str) -> Path:
    """Make a virtual environment in which pip installs `requirements`; return its Python."""
    venv.create(directory, with_pip=True)
    python = directory / "bin" / "python"
    pip_install(python, *requirements)
    return python


def pip_install(python: Path, *arguments: str) -> None:
    command = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *arguments]
    subprocess.run(command, check=True)


def requirements_of(text: str) -> dict[str, str]:
    """Return the bounds by package of lines of requirements, without comments."""
    lines = [line.split("#")[0].strip() for line in text.splitlines()]
    return dict(re.match(r"([\w\[\]-]+)(.*)", line).groups() for line in lines if line)


def declared(section: str = "options", option: str = "install_requires") -> dict[str, str]:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    return requirements_of(setup[section][option])


def test_what_reading_alone_needs_has_the_bounds_of_setup_cfg():
    base = declared()
    for name, bounds in requirements_of((ROOT / "requirements-reading.txt").read_text()).items():
        assert bounds == base[name.removesuffix("-headless")], name


def test_the_docker_image_installs_what_reading_and_the_server_need():
    text = (ROOT / "Dockerfile").read_text()
    assert "-r requirements-reading.txt" in text
    assert requirements_of("\n".join(re.findall(r'"(\S+[<>]\S+)"', text))) == declared(
        "options.extras_require", "serve"
    )


@pytest.mark.slow
def test_reading_alone_works_without_tensorflow(tmp_path, astronaut):
    import cv2

    cv2.imwrite(str(tmp_path / "astronaut.png"), astronaut[:, :, ::-1])
    python = environment(tmp_path / "env", "-r", str(ROOT / "requirements-reading.txt"))
    pip_install(python, "--no-deps", str(ROOT))
    assert run(python, tmp_path, "fer_keras.predict", "astronaut.png").startswith("astronaut.png: happy")
    run(python, tmp_path, "fer_keras.predict", "astronaut.png", "--output", "rows.json", "--annotate", "seen")
    assert json.loads((tmp_path / "rows.json").read_text()) and (tmp_path / "seen" / "astronaut.png").is_file()
    more = [python, "-m", "fer_keras.predict", "astronaut.png", "--overview", "overview"]
    done = subprocess.run(more, cwd=tmp_path, env={**os.environ, "PYTHONPATH": ""}, capture_output=True, text=True)
    assert done.returncode == 2 and "error: this needs matplotlib, which is not installed" in done.stderr
    installed = run(python, tmp_path, "pip", "list", "--format", "freeze")
    assert not re.search(r"^(tensorflow|keras|onnx|pyarrow)=", installed, re.MULTILINE)


def run(python: Path, cwd: Path, *args: str) -> str:
    """Run a module of the package in `cwd`, outside the repository, and return what it prints."""
    variables = {**os.environ, "FER_KERAS_CACHE": str(cwd / "cache"), "PYTHONPATH": ""}
    done = subprocess.run([python, "-m", *args], cwd=cwd, env=variables, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout


def demo_commands() -> list[list[str]]:
    """Return the arguments of Python's -m in the Makefile's `demo`, which is what README promises."""
    recipe = (ROOT / "Makefile").read_text().split("\ndemo:")[1].split("\n\n")[0].replace("\\\n", " ")
    return [line.split("-m ", 1)[1].split() for line in recipe.splitlines() if "-m " in line]


@pytest.mark.slow
@pytest.mark.parametrize("requirements", [(), OLDEST], ids=["newest", "oldest"])
def test_the_demo_runs_from_an_installed_package(tmp_path, requirements):
    python = environment(tmp_path / "env", str(ROOT), *requirements)
    (tmp_path / "work").mkdir()
    run(python, tmp_path / "work", "pip", "check")
    *_, out = [run(python, tmp_path / "work", *command) for command in demo_commands()]
    scores = json.loads((tmp_path / "work/runs/demo/evaluations/synthetic-test/metrics.json").read_text())["scores"]
    assert scores["emotion"]["accuracy"]["value"] > 0.9
    assert scores["valence"]["ccc"]["value"] > 0.8 and scores["arousal"]["ccc"]["value"] > 0.8
    assert "report:" in out
    versions = json.loads((tmp_path / "work/runs/demo/bundle.json").read_text())["versions"]
    installed = run(python, tmp_path / "work", "pip", "list", "--format=freeze").split()
    assert set(requirements) <= set(installed)
    assert {f"{name}=={versions[name]}" for name in ("tensorflow", "keras")} <= set(installed)


@pytest.mark.slow
def test_the_wheel_holds_the_data_specs_and_the_bundled_model(tmp_path):
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(tmp_path), str(ROOT)]
    subprocess.run(build, check=True)
    import zipfile

    names = zipfile.ZipFile(next(tmp_path.glob("*.whl"))).namelist()
    assert {f"fer_keras/data_specs/{path.name}" for path in (ROOT / "data_specs").glob("*.toml")} <= set(names)
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "fer_keras").rglob("*.py")}
    assert modules <= set(names)
    shipped = {path.name for path in (ROOT / "saved_models" / "ferplus_compact").iterdir()} - {"model.h5"}
    assert {f"fer_keras/saved_models/ferplus_compact/{name}" for name in shipped} <= set(names)
    assert next(tmp_path.glob("*.whl")).stat().st_size < 60e6
