"""The package as a user installs it: a wheel used from another directory, and the oldest versions it claims. All slow."""

import json
import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OLDEST = ("tensorflow==2.18.0", "keras==3.8.0")

pytestmark = pytest.mark.slow


def environment(directory: Path, *requirements: str) -> Path:
    """Make a virtual environment with the package and `requirements`; return its Python."""
    venv.create(directory, with_pip=True)
    python = directory / "bin" / "python"
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*install, str(ROOT), *requirements], check=True)
    return python


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


@pytest.mark.parametrize("requirements", [(), OLDEST], ids=["newest", "oldest"])
def test_the_demo_runs_from_an_installed_package(tmp_path, requirements):
    python = environment(tmp_path / "env", *requirements)
    (tmp_path / "work").mkdir()
    run(python, tmp_path / "work", "pip", "check")
    *_, out = [run(python, tmp_path / "work", *command) for command in demo_commands()]
    scores = json.loads((tmp_path / "work/runs/demo/evaluations/synthetic-test/metrics.json").read_text())["scores"]
    assert scores["emotion"]["accuracy"]["value"] > 0.9
    assert scores["valence"]["ccc"]["value"] > 0.8 and scores["arousal"]["ccc"]["value"] > 0.8
    assert "report:" in out
    versions = json.loads((tmp_path / "work/runs/demo/bundle.json").read_text())["versions"]
    for requirement in requirements:
        name, _, version = requirement.partition("==")
        assert versions[name] == version


def test_the_wheel_holds_the_data_specs_and_the_model_in_the_box(tmp_path):
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(tmp_path), str(ROOT)]
    subprocess.run(build, check=True)
    import zipfile

    names = zipfile.ZipFile(next(tmp_path.glob("*.whl"))).namelist()
    assert {f"fer_keras/data_specs/{path.name}" for path in (ROOT / "data_specs").glob("*.toml")} <= set(names)
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "fer_keras").rglob("*.py")}
    assert modules <= set(names)
    shipped = {path.name for path in (ROOT / "saved_models" / "ferplus_compact").iterdir()}
    assert {f"fer_keras/saved_models/ferplus_compact/{name}" for name in shipped} <= set(names)
