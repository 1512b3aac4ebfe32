"""Reading faces uses no network and leaves nothing in the home folder, whatever runs the model.

Each test runs in a process that the kernel ends at its first socket; see `sealed`.
"""

import importlib.util
from pathlib import Path

import cv2
import pytest
from sealed import files_in, run_sealed

from fer_keras.formats import ENGINES, missing_packages

#: What Keras and matplotlib, which it loads, write for themselves; the privacy page names it. Nothing else may be written.
_LEFT = (".keras/keras.json", ".cache/matplotlib/fontlist")
_READ = """
import numpy as np
from fer_keras import Predictor
for engine in {engines!r}:
    readings = Predictor.load({model!r}, engine).read([np.full((64, 64, 3), value, np.uint8) for value in (0, 99)])
    assert len(readings) == 2
"""
#: ONNX Runtime's telemetry asked for a name after nine seconds (1.32.0).
_LONG = """
import sys, time
from pathlib import Path
from fer_keras.predict import main
end, round = time.monotonic() + 12, 0
while time.monotonic() < end:
    round += 1
    out = Path({out!r}) / f"{{round}}.csv"
    assert main([{photos!r}, "--faces", "haar", "--engine", "onnx", "--output", str(out)]) == 0
    time.sleep(1)
"""


def ends_well(done) -> None:
    """Check that a sealed process has not tried to use a network, and was watched."""
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-3000:]
    assert done.stdout.startswith("sealed by")


def test_a_long_predict_uses_no_network_and_leaves_nothing(astronaut, tmp_path):
    photos, out, home = tmp_path / "photos", tmp_path / "out", tmp_path / "home"
    for folder in (photos, out, home):
        folder.mkdir()
    cv2.imwrite(str(photos / "astronaut.png"), astronaut[:, :, ::-1])
    ends_well(run_sealed(_LONG.format(photos=str(photos), out=str(out)), home))
    assert files_in(home) == set()
    assert len(list(out.glob("*.csv"))) > 1


#: Engines that share a process, since TensorFlow takes longest to import.
_TOGETHER = [("keras", "saved_model")]


@pytest.mark.parametrize(
    "engines", [*_TOGETHER, *((name,) for name in ENGINES if name not in ("torch", *_TOGETHER[0]))], ids="-".join
)
def test_every_engine_reads_without_network(engines, model_files, tmp_path):
    installed = [name for name in engines if ENGINES[name].installed]
    if not installed:
        pytest.skip(f"needs {' or '.join(ENGINES[name].package for name in engines)}")
    ends_well(run_sealed(_READ.format(model=str(model_files), engines=installed), tmp_path))
    allowed = _LEFT if engines in _TOGETHER else ()
    assert all(path.startswith(allowed) for path in files_in(tmp_path)), files_in(tmp_path)


_TORCH = """
import torch
class Net(torch.nn.Module):
    def forward(self, image):
        mean = image.mean(dim=(1, 2)) / 255
        return {{"emotion": torch.softmax(mean @ torch.eye(3, 4), 1), "valence": mean[:, :1], "arousal": mean[:, 1:2]}}
size = torch.export.Dim("n", min=1, max=99)
program = torch.export.export(Net(), (torch.zeros(2, 32, 32, 3),), dynamic_shapes=({{0: size}},))
torch.export.save(program, {path!r})
from pathlib import Path
from fer_keras.runtimes.torch_runtime import TorchRuntime
import numpy as np
assert TorchRuntime(Path({path!r}), 1).run(np.zeros((2, 32, 32, 3), np.uint8))["emotion"].shape == (2, 4)
"""


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="needs torch")
def test_pytorch_reads_without_network(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    ends_well(run_sealed(_TORCH.format(path=str(tmp_path / "model.pt2")), home))


@pytest.mark.slow
def test_training_evaluating_and_exporting_use_no_network(tmp_path):
    home, run = tmp_path / "home", tmp_path / "run"
    home.mkdir()
    formats = ["onnx", "tflite", "saved_model"] + ["openvino-int8"] * (not missing_packages("openvino-int8"))
    code = f"""
from fer_keras import evaluate, export, train
assert train.main("--data-spec synthetic --backbone small --image-size 48 --epochs 1 --output-dir {run}".split()) == 0
assert evaluate.main("--model {run} --split test".split()) == 0
assert export.main("--model {run} --formats {",".join(formats)} --output-dir {tmp_path / "out"}".split()) == 0
"""
    ends_well(run_sealed(code, home, FER_KERAS_CACHE=str(tmp_path / "cache")))
    assert all(path.startswith(_LEFT) for path in files_in(home)), files_in(home)


@pytest.mark.slow
def test_the_seal_sees_what_onnx_runtime_would_send(tmp_path):
    """Without it, the tests above would prove nothing; skips with versions of ONNX Runtime that send nothing."""
    model = Path(__file__).parents[2] / "saved_models" / "ferplus_compact" / "model.onnx"
    code = f"""
import importlib, time
runtime = importlib.import_module("onnxruntime")
session = runtime.InferenceSession({str(model)!r}, providers=["CPUExecutionProvider"])
time.sleep(40)
"""
    done = run_sealed(code, tmp_path)
    if done.returncode == 0 and not files_in(tmp_path):
        pytest.skip("this ONNX Runtime collects nothing")
    assert done.returncode != 0 and any("Microsoft" in path for path in files_in(tmp_path))
