"""Memory stays flat over ten thousand predictions, whatever the engine."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "predict_memory.py"


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize("engine", ["litert", "onnx", "saved_model", "keras"])
def test_memory_is_flat_over_ten_thousand_predictions(model_files, engine):
    command = [sys.executable, str(SCRIPT), "--model", str(model_files), "--count", "10000", "--watch", engine]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    marks = dict(json.loads(done.stdout))
    assert sorted(marks) == list(range(1000, 10001, 1000))
    # What the first thousands allocate once is kept; a leak of half a kilobyte a prediction would show.
    assert max(marks[count] for count in range(7000, 10001, 1000)) - marks[3000] < 3, marks
