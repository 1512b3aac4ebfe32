"""Kills for `faults.py`: a command is killed at a random moment and continued; its result must be that of an unbroken run."""

import hashlib
import io
import random
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from fault_worker import HANG, LINE, RIGHT, TRACEBACK, WRONG

_ROOT = Path(__file__).parents[1]
_LONGEST = 1800.0  # seconds of a command that nobody kills


@dataclass(frozen=True)
class Trial:
    """A command that is killed.

    Attributes:
        prepare: (folder) -> None, makes what the command reads.
        command: (folder) -> arguments of Python, as first given.
        again: what is added to go on or to start again.
        result: (folder) -> a text that is equal for equal results.
    """

    prepare: Callable[[Path], None]
    command: Callable[[Path], list[str]]
    again: list[str]
    result: Callable[[Path], str]


def run_trials(trial: Trial, count: int) -> list[tuple[str, str]]:
    """Return the outcome of each kill. The moments are drawn evenly over the time of an unbroken run."""
    with tempfile.TemporaryDirectory() as place:
        whole = Path(place) / "whole"
        whole.mkdir()
        trial.prepare(whole)
        started = time.monotonic()
        done = _run(trial.command(whole))
        if done.returncode:
            return [(TRACEBACK, f"the unbroken run failed: {done.stderr[-300:]}")]
        seconds, expected = time.monotonic() - started, trial.result(whole)
        return [_try(trial, Path(place) / str(number), seconds, expected, number) for number in range(count)]


def _try(trial: Trial, folder: Path, seconds: float, expected: str, number: int) -> tuple[str, str]:
    folder.mkdir()
    trial.prepare(folder)
    moment = random.Random(number).uniform(0.0, seconds)
    child = subprocess.Popen(
        [sys.executable, *trial.command(folder)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        child.wait(moment)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
    where = f"killed after {moment:.1f} of {seconds:.1f} s"
    try:
        done = _run([*trial.command(folder), *trial.again])
        if done.returncode:
            outcome = TRACEBACK if "Traceback" in done.stderr else LINE
            return (outcome if outcome == TRACEBACK else WRONG), f"{where}: {done.stderr[-300:]}"
        found = trial.result(folder)
        return (RIGHT, "") if found == expected else (WRONG, f"{where}: {found} where {expected} was expected")
    except subprocess.TimeoutExpired:
        return HANG, where
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run(arguments: list[str]) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, timeout=_LONGEST)


def _no_files(folder: Path) -> None:
    """Drawn faces need none."""


def _train(folder: Path) -> list[str]:
    flags = ["--epochs", "3", "--max-samples", "200", "--image-size", "32", "--backbone", "small", "--batch-size", "32"]
    return ["-m", "fer_keras.train", *flags, "--output-dir", str(folder / "run")]


def _weights(folder: Path) -> str:
    """The weights of a run's model, and whether its directory holds leftovers."""

    import h5py

    digest = hashlib.sha256()

    def add(name: str, item) -> None:
        if isinstance(item, h5py.Dataset):
            digest.update(item[()].tobytes())

    with zipfile.ZipFile(folder / "run" / "model.keras") as archive:
        weights = io.BytesIO(archive.read("model.weights.h5"))
    with h5py.File(weights, "r") as file:
        file.visititems(add)
    return digest.hexdigest()[:12] + _leftovers(folder)


def _leftovers(folder: Path) -> str:
    found = sorted(
        path.name for path in folder.rglob("*") if path.name.startswith(".") or path.name.endswith(".journal")
    )
    return f" and leftovers {found}" if found else ""


def _pictures(folder: Path) -> None:
    (folder / "pictures").mkdir()
    for number in range(400):
        rng = np.random.default_rng(number)
        cv2.imwrite(str(folder / "pictures" / f"{number:03}.png"), rng.integers(0, 256, (200, 200, 3), np.uint8))


def _predict(folder: Path) -> list[str]:
    flags = ["--faces", "whole", "--batch-size", "4", "--threads", "1"]
    return ["-m", "fer_keras.predict", str(folder / "pictures"), *flags, "--output", str(folder / "out.csv")]


def _table(folder: Path) -> str:
    text = (folder / "out.csv").read_text(encoding="utf-8").replace(str(folder), "")
    return hashlib.sha256(text.encode()).hexdigest()[:12] + _leftovers(folder)


def _bundled(folder: Path) -> None:
    shutil.copytree(
        _ROOT / "saved_models" / "ferplus_compact", folder / "run", ignore=shutil.ignore_patterns("*.tflite")
    )


def _export(folder: Path) -> list[str]:
    flags = ["--formats", "tflite,onnx", "--samples", "20", "--data-spec", "synthetic", "--split", "validation"]
    return ["-m", "fer_keras.export", "--model", str(folder / "run"), "--output-dir", str(folder / "out"), *flags]


def _exports(folder: Path) -> str:
    """The exports that answer as the bundled model does, each checked against its SHA-256."""
    code = (
        "import sys, numpy as np\nfrom fer_keras import Predictor\n"
        "face = np.random.default_rng(0).integers(0, 256, (48, 48, 3), np.uint8)\n"
        "for file in ('model.tflite', 'model.onnx'):\n"
        "    reading = Predictor.load(sys.argv[1] + '/' + file).read(face)\n"
        "    print(file, reading.emotion, f'{reading.valence:.2f}' if reading.valence is not None else '')\n"
    )
    done = _run(["-c", code, str(folder / "out")])
    return " ".join(done.stdout.split()) + done.stderr[-200:] + _leftovers(folder)


def _prepare(folder: Path) -> list[str]:
    return [
        "-m",
        "fer_keras.prepare",
        "--data-spec",
        "synthetic",
        "--image-size",
        "32",
        "--output-dir",
        str(folder / "set"),
    ]


def _shards(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted((folder / "set").rglob("*.tfrecord*")):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:12] + _leftovers(folder)


#: Command -> how it is killed and continued.
COMMANDS = {
    "train": Trial(_no_files, _train, ["--resume"], _weights),
    "predict": Trial(_pictures, _predict, ["--resume"], _table),
    "export": Trial(_bundled, _export, [], _exports),
    "prepare": Trial(_no_files, _prepare, [], _shards),
}
