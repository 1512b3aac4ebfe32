"""The notebooks: stripped, defining nothing, and each executed from start to end on drawn faces."""

import ast
import os
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat", reason="needs nbclient and ipykernel, of the extra 'test'")
nbclient = pytest.importorskip("nbclient", reason="needs nbclient and ipykernel, of the extra 'test'")
pytest.importorskip("ipykernel", reason="needs ipykernel, of the extra 'test'")

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))

#: What the tests put after a notebook's settings: `{faces}` is a small drawn set.
SMALL = {
    "1_data_exploration": 'data_dir = "{faces}"',
    "2_training_colab": 'data_dir = "{faces}"; epochs, image_size, batch_size, max_samples = 1, 32, 16, 48',
    "3_evaluation": 'data_dir = "{faces}"; epochs, image_size, max_samples = 1, 32, 48',
    "4_inference": "",
    "5_comparing_architectures": 'data_dir = "{faces}"; epochs, image_size, max_samples, repeats = 1, 32, 48, 2',
}
FAST = {"1_data_exploration"}


def read(path: Path):
    return nbformat.read(path, as_version=4)


def plain(source: str) -> str:
    """A cell's Python: magics are no syntax, so their lines become statements that do nothing."""
    lines = source.splitlines()
    return "\n".join(
        f"{line[: len(line) - len(line.lstrip())]}pass" if line.lstrip()[:1] in ("%", "!") else line for line in lines
    )


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_stripped_and_defines_nothing(path):
    notebook = read(path)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(not cell.outputs and cell.execution_count is None for cell in code), "strip the outputs"
    assert [cell.metadata.get("tags") for cell in code if cell.metadata.get("tags")] == [["parameters"]]
    for cell in code:
        nodes = list(ast.walk(ast.parse(plain(cell.source))))
        assert not any(isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Lambda) for node in nodes), cell.source
        assert len(cell.source.splitlines()) <= 20, "a small cell"


def test_every_notebook_is_executed():
    assert {path.stem for path in NOTEBOOKS} == set(SMALL)


@pytest.mark.parametrize("name", [pytest.param(name, marks=() if name in FAST else pytest.mark.slow) for name in SMALL])
def test_a_notebook_runs_from_start_to_end(name, faces_dir, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    notebook = read(ROOT / "notebooks" / f"{name}.ipynb")
    settings = next(place for place, cell in enumerate(notebook.cells) if cell.metadata.get("tags") == ["parameters"])
    notebook.cells.insert(settings + 1, nbformat.v4.new_code_cell(SMALL[name].format(faces=faces_dir)))
    client = nbclient.NotebookClient(
        notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert any("image/png" in output.get("data", {}) for output in outputs), "it shows something"
