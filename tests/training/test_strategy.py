"""Several devices and several machines train the weights that one device trains."""

import contextlib
import importlib.util
import io
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest

from fer_keras.losses import AxisCCC, AxisMSE, sums_over_replicas
from fer_keras.train import main
from fer_keras.training.checkpoint import read_facts
from fer_keras.training.strategy import check_batch, open_strategy

RUNNER = Path(__file__).parents[1] / "tiny_run.py"
#: Nothing random but the order, which is a function of the seed: parts of a batch are changed with seeds of their own.
STILL = ["--rotation=0", "--zoom=0", "--shift=0", "--no-flip", "--brightness=0", "--contrast=0", "--dropout=0"]
BACKENDS = [name for name in ("tensorflow", "jax") if importlib.util.find_spec(name)]
needs_jax = pytest.mark.skipif("jax" not in BACKENDS, reason="needs jax")


def command(faces_dir, run, devices=1, *more) -> list[str]:
    flags = ["--data-spec", "affectnet", "--data-dir", faces_dir, "--output-dir", run, "--backbone", "tiny"]
    flags += ["--epochs", 2, "--batch-size", 16, "--outputs", "emotion,valence", "--va-loss", "mse_ccc"]
    # Adam would blow up the rounding in gradients that are zero, such as those of biases before a normalisation.
    flags += ["--optimizer", "sgd", "--learning-rate", 0.02, "--monitor", "loss", "--ema", 0.9, *STILL, *more]
    return [sys.executable, str(RUNNER), str(devices), *map(str, flags)]


def start(arguments, backend) -> subprocess.Popen:
    return subprocess.Popen(
        arguments,
        env={**os.environ, "KERAS_BACKEND": backend},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def train(arguments, backend) -> str:
    """Run a command and return what it said: here, if this process has the backend and one device is enough."""
    if backend == keras.backend.backend() and arguments[2] == "1":
        said = io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            assert main(arguments[3:]) == 0, said.getvalue()[-3000:]
        return said.getvalue()
    process = start(arguments, backend)
    said = process.communicate(timeout=600)[0]
    assert process.returncode == 0, said[-3000:]
    return said


def weights(run) -> list[np.ndarray]:
    return keras.models.load_model(run / "model.keras", compile=False).get_weights()


def assert_same_weights(one, other, tolerance=2e-6):
    for mine, theirs in zip(weights(one), weights(other), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=0, atol=tolerance)


@pytest.fixture(scope="module")
def alone(faces_dir, tmp_path_factory):
    """Runs on one device, by backend."""
    runs = {}

    def run(backend):
        if backend not in runs:
            runs[backend] = tmp_path_factory.mktemp(backend) / "one"
            train(command(faces_dir, runs[backend]), backend)
        return runs[backend]

    return run


@pytest.mark.parametrize("backend", BACKENDS)
def test_two_devices_train_the_weights_of_one(backend, alone, faces_dir, tmp_path):
    said = train(command(faces_dir, tmp_path / "two", 2, "--strategy", "mirrored"), backend)
    assert "has one device" not in said
    assert_same_weights(alone(backend), tmp_path / "two")


@needs_jax
def test_two_machines_train_the_weights_of_one(alone, faces_dir, tmp_path):
    run = tmp_path / "two"
    first, second = (start(part, "jax") for part in machines(faces_dir, run))
    said = [process.communicate(timeout=600)[0] for process in (first, second)]
    assert (first.returncode, second.returncode) == (0, 0), said
    assert_same_weights(alone("jax"), run)
    assert "the first machine evaluates" in said[1]


@needs_jax
@pytest.mark.slow
def test_a_killed_machine_ends_the_run_with_a_clear_error_and_resume_goes_on(faces_dir, tmp_path):
    run, unbroken, epochs = tmp_path / "two", tmp_path / "unbroken", ["--epochs", 12]
    first, second = (start(part, "jax") for part in machines(faces_dir, run, *epochs))
    wait_for(run / "checkpoint" / "state.npz", first)
    second.kill()
    said = first.communicate(timeout=300)[0]
    assert first.returncode > 0 and "with --resume on every machine" in said.splitlines()[-1], said[-3000:]
    assert read_facts(run / "checkpoint" / "state.npz")["state"]["epoch"] < 12
    for parts in (
        [[*part, "--resume"] for part in machines(faces_dir, run, *epochs)],
        machines(faces_dir, unbroken, *epochs),
    ):
        processes = [start(part, "jax") for part in parts]
        said = [process.communicate(timeout=600)[0] for process in processes]
        assert [process.returncode for process in processes] == [0, 0], said
    assert_same_weights(unbroken, run, 0.0)


@pytest.mark.parametrize(("deed", "said"), [("os.abort()", True), ("1 / 0", False), ("pass", False)])
def test_last_words_are_said_by_a_process_that_is_ended_from_below(deed, said):
    code = f"import os\nfrom fer_keras.training.strategy import last_words\nwith last_words('gone'):\n    {deed}"
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert process.stderr.endswith("gone\n") == said


def machines(faces_dir, run, *more) -> list[list[str]]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]},127.0.0.1"
    return [command(faces_dir, run, 1, "--machines", address, "--machine", place, *more) for place in (0, 1)]


def wait_for(path: Path, process) -> None:
    deadline = time.monotonic() + 300
    while not path.exists():
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()[0][-3000:]
        time.sleep(0.1)


@pytest.mark.parametrize("loss", [AxisMSE(), AxisCCC(0.5)])
def test_a_loss_over_parts_of_a_batch_is_that_of_the_whole(loss):
    rng = np.random.default_rng(0)
    truth, guess = rng.uniform(-1, 1, (2, 12, 1)).astype(np.float32)
    weight = np.array([0, 1] * 3 + [1] * 6, np.float32)
    sums: list[list[float]] = []

    def part(rows, add):
        with sums_over_replicas(add, 2):
            return float(loss(truth[rows], guess[rows], weight[rows]))

    # What two replicas would see, one after the other: each sum is met by the other part's, which the whole batch tells.
    halves, whole = (slice(0, 5), slice(5, 12)), slice(0, 12)
    with sums_over_replicas(lambda value: sums.append(value) or value, 1):
        expected = float(loss(truth[whole], guess[whole], weight[whole]))
    for rows in halves:
        told = iter(sums)
        assert part(rows, lambda _, told=told: next(told)) == pytest.approx(expected / 2, abs=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("none", "10.0.0.1:1,10.0.0.2", 0), "expects Keras's JAX backend"),
        (("none", None, 1), "--machine expects --machines"),
    ],
)
def test_what_a_strategy_cannot_do_is_refused(arguments, message, monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "tensorflow")
    with pytest.raises(ValueError, match=message):
        open_strategy(*arguments)


def test_a_batch_that_cannot_be_shared_out_is_refused():
    check_batch(8, 2)
    with pytest.raises(ValueError, match="multiple of the 2 devices"):
        check_batch(7, 2)


@pytest.mark.parametrize("machines", ["10.0.0.1:8476", "10.0.0.1,10.0.0.2", "10.0.0.1:8476,"])
def test_addresses_that_cannot_be_used_are_refused(machines, monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(ValueError, match="the first machine's address with a port"):
        open_strategy("none", machines, 0)
