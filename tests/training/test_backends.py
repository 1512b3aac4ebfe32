"""A run trained on one of Keras's backends answers alike on the others.

In an environment without TensorFlow these tests also show that a run does without it.
"""

import importlib.util
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from test_strategy import command, train

from fer_keras.runs.bundle import load_bundle
from fer_keras.runtimes.runtime import load_runtime

BACKENDS = [name for name in ("tensorflow", "jax", "torch") if importlib.util.find_spec(name)]
ANSWER = """
import sys
import numpy as np
from fer_keras.runtimes.runtime import load_runtime
np.savez(sys.argv[3], **load_runtime(sys.argv[1] + "/model.keras").run(np.load(sys.argv[2])))
"""


def answers(run, faces, backend, place) -> dict[str, np.ndarray]:
    """Return a run's outputs for faces, computed on a backend: by a process of its own, if this one has another."""
    if backend == keras.backend.backend():
        return load_runtime(run / "model.keras").run(np.load(faces))
    subprocess.run(
        [sys.executable, "-c", ANSWER, run, faces, place], env={**os.environ, "KERAS_BACKEND": backend}, check=True
    )
    with np.load(place) as arrays:
        return dict(arrays)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_run_trained_on_one_backend_answers_alike_on_the_others(backend, faces_dir, tmp_path):
    run = tmp_path / "run"
    options = ["--epochs", 1, "--rotation", 10, "--dropout", 0.3, "--mixup", 0.2, "--optimizer", "adamw"]
    said = train(command(faces_dir, run, 1, *options), backend)
    assert "emotion accuracy" in said
    assert set(load_bundle(run).versions) >= {"keras", backend}
    faces = tmp_path / "faces.npy"
    np.save(faces, np.random.default_rng(0).integers(0, 256, (7, 32, 32, 3)).astype(np.uint8))
    found = {other: answers(run, faces, other, tmp_path / f"{other}.npz") for other in BACKENDS}
    for other in BACKENDS:
        for name, values in found[backend].items():
            assert found[other][name] == pytest.approx(values, abs=1e-5), (other, name)
    assert {name: values.shape[0] for name, values in found[backend].items()} == dict.fromkeys(found[backend], 7)


@pytest.mark.skipif(keras.backend.backend() == "tensorflow", reason="needs KERAS_BACKEND=jax or torch")
def test_what_tensorflow_alone_can_do_is_refused_before_the_first_epoch(faces_dir, tmp_path):
    from fer_keras.train import main

    flags = command(faces_dir, tmp_path / "run", 1, "--sam", 0.05)[3:]
    assert main(flags) != 0
