"""The commands that `faults.py` kills or leaves without a disk: what they read, how they start again, what is equal afterwards."""

import functools
import io
import shutil
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import fault_processes
import numpy as np

_TOLERANCE = 1e-5  # between the floats of two trainings


@dataclass(frozen=True)
class Trial:
    """A command that is broken off.

    Attributes:
        module: its name in `fer_keras`.
        prepare: (folder) -> None, makes what the command reads.
        arguments: (folder) -> arguments, as first given.
        again: what is added to go on or to start again.
        result: (folder) -> what equal results have equal, arrays and texts by name.
        step: how lines begin that end a step, an epoch say; half of the kills come after such a line.
    """

    module: str
    prepare: Callable[[Path], None]
    arguments: Callable[[Path], list[str]]
    again: list[str]
    result: Callable[[Path], dict]
    step: tuple[str, ...] = ()

    def steps(self, lines: list[tuple[float, str]]) -> list[int]:
        """Return the places of the lines that end a step."""
        return [place for place, (_, line) in enumerate(lines) if self.step and line.startswith(self.step)]


def differences(found: dict, expected: dict) -> str:
    """Name what differs between two results."""
    names = [name for name in sorted(found | expected) if not _same(found.get(name), expected.get(name))]
    return ", ".join(f"{name}: {found.get(name)!r:.80} where {expected.get(name)!r:.80}" for name in names[:3])


def _same(one, other) -> bool:
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray) and one.dtype.kind == "f":
        return one.shape == other.shape and np.allclose(one, other, rtol=0, atol=_TOLERANCE, equal_nan=True)
    return one is not None and type(one) is type(other) and np.array_equal(one, other)


def _leftovers(folder: Path) -> str:
    """Name the temporary files, locks and journals that a command must not leave."""
    return " ".join(
        sorted(path.name for path in folder.rglob("*") if path.name.startswith(".") or path.suffix == ".journal")
    )


def _faces(folder: Path) -> None:
    """Write 96 faces with labels as arrays."""
    from fer_keras.labels import EMOTIONS
    from fer_keras.readers.arrays import save_arrays

    folder.mkdir()
    rng, count = np.random.default_rng(0), 96
    save_arrays(
        folder / "faces.npz",
        rng.integers(0, 256, (count, 32, 32, 3), np.uint8),
        emotion=[EMOTIONS[number % 8] for number in range(count)],
        valence=rng.uniform(-1, 1, count),
        arousal=rng.uniform(-1, 1, count),
        split=["validation" if number % 3 == 2 else "train" for number in range(count)],
    )


def _data(folder: Path) -> list[str]:
    return ["--data-spec", "arrays", "--data-dir", str(folder / "faces.npz")]


def _train(folder: Path) -> list[str]:
    flags = ["--epochs", "8", "--image-size", "32", "--backbone", "tiny", "--batch-size", "16", "--outputs", "emotion"]
    return [*_data(folder), *flags, "--output-dir", str(folder / "run")]


def _trained(folder: Path) -> dict:
    """The weights of a run's model and its predictions."""
    import h5py
    import pyarrow.parquet as pq

    found: dict = {"leftovers": _leftovers(folder)}
    with zipfile.ZipFile(folder / "run" / "model.keras") as archive:
        weights = io.BytesIO(archive.read("model.weights.h5"))
    with h5py.File(weights, "r") as file:
        file.visititems(
            lambda name, item: found.update({name: np.asarray(item[()])} if isinstance(item, h5py.Dataset) else {})
        )
    table = pq.read_table(folder / "run" / "predictions.parquet")
    return found | {name: np.asarray(table.column(name).to_numpy(zero_copy_only=False)) for name in table.column_names}


def _pictures(folder: Path) -> None:
    (folder / "pictures").mkdir(parents=True)
    for number in range(400):
        rng = np.random.default_rng(number)
        cv2.imwrite(str(folder / "pictures" / f"{number:03}.png"), rng.integers(0, 256, (100, 100, 3), np.uint8))


def _predict(folder: Path) -> list[str]:
    flags = ["--faces", "whole", "--batch-size", "4", "--threads", "1"]
    return [str(folder / "pictures"), *flags, "--output", str(folder / "out.csv")]


def _table(folder: Path) -> dict:
    text = (folder / "out.csv").read_text(encoding="utf-8").replace(str(folder), "")
    return {"table": text, "leftovers": _leftovers(folder)}


@functools.cache
def _tiny_run() -> tempfile.TemporaryDirectory:
    from fault_seeds import write_tiny_run

    folder = tempfile.TemporaryDirectory()
    fault_processes.call(write_tiny_run, Path(folder.name) / "run")
    return folder


def _model(folder: Path) -> None:
    """Write a run with a tiny model of random weights, the same each time, beside the faces."""
    _faces(folder)
    shutil.copytree(Path(_tiny_run().name) / "run", folder / "run")


def _export(folder: Path) -> list[str]:
    flags = ["--formats", "onnx,h5", "--samples", "8", "--force"]
    return ["--model", str(folder / "run"), "--output-dir", str(folder / "out"), *flags]


def _exports(folder: Path) -> dict:
    """What each export answers for a face, its SHA-256 checked, and the formats that the bundle names."""
    from fer_keras import Predictor, load_bundle

    face = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    found = {"formats": sorted(load_bundle(folder / "out").exports), "leftovers": _leftovers(folder)}
    scores = Predictor.load(folder / "out" / "model.onnx", threads=1).scores(face[None])
    found |= {name: np.asarray(values) for name, values in scores.items()}
    found["model.h5"] = (folder / "out" / "model.h5").stat().st_size
    return found


def _prepare(folder: Path) -> list[str]:
    return [*_data(folder), "--image-size", "32", "--output-dir", str(folder / "set")]


def _shards(folder: Path) -> dict:
    found = {path.name: path.read_bytes() for path in sorted((folder / "set").rglob("*.tfrecord*"))}
    return found | {"leftovers": _leftovers(folder)}


#: Command -> how it is started, broken off and continued.
COMMANDS = {
    "predict": Trial("predict", _pictures, _predict, ["--resume"], _table),
    "prepare": Trial("prepare", _faces, _prepare, [], _shards),
    "train": Trial("train", _faces, _train, ["--resume"], _trained, step=("epoch ",)),
    "export": Trial("export", _model, _export, [], _exports, step=("onnx ", "h5 ")),
}
