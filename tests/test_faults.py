"""The campaign of faults on a few files of each light kind; the whole one is `benchmarks/faults.py`."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def campaign(*arguments: str) -> list[list[str]]:
    """Return the cells of the table's rows; the campaign must end well."""
    command = [sys.executable, str(ROOT / "benchmarks" / "faults.py"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900)
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in done.stdout.splitlines()
        if line.startswith("| m")
    ]
    assert done.returncode == 0 and rows, done.stdout[-3000:] + done.stderr[-1000:]
    return rows


@pytest.mark.slow
def test_mutated_files_are_right_or_one_line():
    kinds = "image,npy,npz,csv,parquet,toml,bundle,h5,keras,onnx,tflite,flips"
    rows = campaign("--only", kinds, "--files", "40", "--flips", "4")
    assert len(rows) == 11 and all(row[4:8] == ["0"] * 4 for row in rows)


def test_mutations_are_the_same_for_the_same_seed(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    from fault_worker import mutated

    data = b"image,emotion\na.png,happy\n" * 20
    for kind in ("csv", "image"):
        found = [mutated(data, kind, seed) for seed in range(50)]
        assert found == [mutated(data, kind, seed) for seed in range(50)]
        assert len(set(found)) > 45 and data not in found[:5]


def test_outcomes_are_told_apart(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import fault_worker

    def failing(error):
        def opener(path):
            raise error

        return opener

    cases = {"right": lambda path: None, "one line": failing(ValueError("x")), "traceback": failing(KeyError("x"))}
    cases["wrong answer"] = failing(AssertionError())
    for outcome, opener in cases.items():
        monkeypatch.setitem(fault_worker.OPENERS, "image", opener)
        assert fault_worker.try_file("image", tmp_path)[0] == outcome
