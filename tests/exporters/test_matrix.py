"""Every export of the small backbone run by its own real runtime in a fresh environment without fer_keras."""

import importlib.util
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "export_matrix.py"


@pytest.mark.slow
def test_every_export_runs_in_its_own_environment(tmp_path, capsys):
    spec = importlib.util.spec_from_file_location("export_matrix", SCRIPT)
    matrix = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = matrix  # dataclasses look their module up
    spec.loader.exec_module(matrix)
    status = matrix.main(["--backbones", "small", "--work-dir", str(tmp_path), "--output", str(tmp_path / "table.md")])
    table = (tmp_path / "table.md").read_text()
    assert status == 0, capsys.readouterr().out[-3000:]
    for entry in matrix.ENVIRONMENTS.values():
        for name in entry.formats:
            assert f"| small | {name} |" in table
    assert "failed" not in table
