"""The campaign of faults on a few files of each light kind; the whole one is `benchmarks/faults.py`."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]


def campaign(*arguments: str) -> list[list[str]]:
    """Return the cells of the table's rows; the campaign must end well."""
    command = [sys.executable, str(ROOT / "benchmarks" / "faults.py"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1800)
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in done.stdout.splitlines()
        if line.startswith(("| mutated", "| killed", "| full"))
    ]
    assert done.returncode == 0 and rows, done.stdout[-3000:] + done.stderr[-1000:]
    return rows


@pytest.mark.slow
def test_mutated_files_are_right_or_one_line():
    kinds = "image,npy,npz,csv,parquet,toml,bundle,h5,keras,onnx,tflite,flips"
    rows = campaign("--only", kinds, "--files", "40", "--flips", "4")
    assert len(rows) == 11 and all(row[4:8] == ["0"] * 4 for row in rows)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs fork")
def test_commands_go_on_after_kills_and_full_disks():
    rows = campaign("--only", "kills,disks", "--kills", "2", "--disks", "2")
    assert len(rows) == 8 and all(row[4:8] == ["0"] * 4 for row in rows)
    assert all(row[1:3] == ["2", "2"] for row in rows[:4])


@pytest.mark.skipif(sys.platform == "win32", reason="needs fork")
def test_moments_of_kills_follow_lines_and_steps(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import random

    from fault_commands import COMMANDS
    from fault_kills import Clock

    lines = [(2.0, "faces"), (10.0, "epoch 1/3"), (11.0, "epoch 2/3"), (12.0, "epoch 3/3"), (13.0, "report")]
    clock = Clock(COMMANDS["train"], lines, 15.0)
    drawn = [clock.draw(random.Random(seed), after_a_step=False) for seed in range(200)]
    times = [0.0, *(time for time, _ in lines)]
    assert all(0 <= times[count] + seconds <= 15 for count, seconds in drawn)
    assert {count for count, _ in drawn} == {0, 1, 2, 3, 4, 5}
    after = [clock.draw(random.Random(seed), after_a_step=True) for seed in range(200)]
    assert {count for count, _ in after} == {2, 3, 4, 5} and all(seconds <= 2 for _, seconds in after)


def test_results_are_equal_but_for_the_last_digits(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    from fault_commands import differences

    found = {"weights": np.array([0.1, np.nan]), "text": "a", "names": np.array(["x"], object)}
    assert not differences(found, found | {"weights": np.array([0.1 + 1e-7, np.nan])})
    for name, value in {"weights": np.array([0.2, 1.0]), "text": "b", "names": np.array(["y"], object)}.items():
        assert differences(found, found | {name: value}).startswith(f"{name}: ")
    assert differences(found, found | {"more": "x"}) and differences(found | {"more": "x"}, found)


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
