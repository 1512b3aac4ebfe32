"""Whole files for `faults.py` to damage, one folder per kind, and the campaign of flipped bytes; run in a process of its own.

python benchmarks/fault_seeds.py write FOLDER
python benchmarks/fault_seeds.py flip FOLDER COUNT
"""

import json
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np
from fault_worker import CRASH, LINE, RIGHT, TRACEBACK, WRONG

_ROOT = Path(__file__).parents[1]


def in_child(folder: Path, task: str, *more: str) -> None:
    """Do a task of this file in a process of its own, so that TensorFlow's memory is not the campaign's."""
    subprocess.run([sys.executable, __file__, task, str(folder), *more], check=True, stderr=subprocess.DEVNULL)


def write_seeds(folder: Path) -> None:
    """Write some whole files of each kind."""
    rng = np.random.default_rng(0)
    faces = [cv2.resize(rng.integers(0, 256, (12, 12, 3), np.uint8), (48, 48)) for _ in range(12)]
    for kind in ("image", "npy", "npz", "csv", "parquet", "toml", "bundle", "h5", "keras", "onnx", "tflite", "run"):
        (folder / kind).mkdir(parents=True)
    for suffix in (".jpg", ".png", ".webp", ".bmp", ".tif", ".gif", ".jp2", ".ppm"):
        cv2.imwrite(str(folder / "image" / f"face{suffix}"), faces[0])
    np.save(folder / "npy" / "text.npy", np.array("-0.176846"))
    np.save(folder / "npy" / "number.npy", np.array([0.25]))
    np.save(folder / "npy" / "landmarks.npy", rng.random((68, 2)))
    _write_tables(folder, faces)
    for name in ("affectnet", "ferplus", "rafdb"):
        shutil.copy(_ROOT / "data_specs" / f"{name}.toml", folder / "toml")
    from fer_keras.config.config_file import dump_config
    from fer_keras.config.run_config import RunConfig

    (folder / "toml" / "config.toml").write_text(dump_config(RunConfig()), encoding="utf-8")
    _write_model(folder)


def _write_tables(folder: Path, faces: list[np.ndarray]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from fer_keras.readers.arrays import save_arrays

    count, names = len(faces), ("happy", "sad", "neutral", "anger")
    emotions = [names[number % 4] for number in range(count)]
    values = [round(number / count - 0.5, 3) for number in range(count)]
    save_arrays(folder / "npz" / "faces.npz", np.stack(faces), emotion=emotions, valence=values, arousal=values)
    np.savez(folder / "npz" / "stored.npz", images=np.stack(faces), emotion=emotions, valence=values, arousal=values)
    (folder / "csv" / "pictures").mkdir()
    lines = ["image,emotion,valence,arousal,split"]
    for number, face in enumerate(faces):
        cv2.imwrite(str(folder / "csv" / "pictures" / f"{number}.png"), face)
        split = "validation" if number % 4 == 3 else "train"
        lines.append(f"pictures/{number}.png,{emotions[number]},{values[number]},{-values[number]},{split}")
    (folder / "csv" / "faces.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    cells = [{"bytes": cv2.imencode(".png", face)[1].tobytes(), "path": None} for face in faces]
    table = pa.table({"image": cells, "emotion": emotions, "valence": values, "arousal": values})
    pq.write_table(table, folder / "parquet" / "faces.parquet")


def write_tiny_run(run: Path) -> Path:
    """Write a model of a few thousand random weights and its bundle into a folder; return the folder."""
    from dataclasses import replace

    import keras

    from fer_keras.config.run_config import ModelConfig
    from fer_keras.labels import EMOTIONS
    from fer_keras.models.heads import build_heads
    from fer_keras.runs.bundle import Bundle, describe_model
    from fer_keras.runs.file_hashes import hash_file

    run.mkdir(exist_ok=True)
    image = keras.Input((32, 32, 3), name="image")
    features = keras.layers.Conv2D(8, 8, 8, activation="relu", name="convolution")(
        keras.layers.Rescaling(1 / 255)(image)
    )
    outputs = build_heads(features, ("emotion", "valence", "arousal"), len(EMOTIONS), ModelConfig(dropout=0.0))
    model = keras.Model(image, outputs)
    model.save(run / "model.keras")
    described = describe_model(model, "tiny", EMOTIONS, ("emotion", "valence", "arousal"))
    bundle = Bundle(run, replace(described, sha256=hash_file(run / "model.keras")))
    bundle.save()
    return run


def _write_model(folder: Path) -> None:
    """Export the tiny model to every format, through the package."""
    from fer_keras.exporters.export_run import ExportOptions, export_run
    from fer_keras.runs.bundle import load_bundle

    run = folder / "run"
    write_tiny_run(run)
    export_run(load_bundle(run), ("onnx", "tflite", "h5", "saved_model"), options=ExportOptions(samples=8, force=True))
    for kind, file in (("bundle", "bundle.json"), ("h5", "model.h5"), ("keras", "model.keras")):
        shutil.copy(run / file, folder / kind)
    for kind, file in (("onnx", "model.onnx"), ("tflite", "model.tflite")):
        shutil.copy(run / file, folder / kind)


def flip(folder: Path, count: int) -> None:
    """Flip bytes of each file of the exported bundle, read a face, and print the outcome as JSON lines."""
    files = ["model.onnx", "model.tflite", "model.h5", "model.keras", "saved_model", "bundle.json"]
    face = cv2.imread(str(folder / "image" / "face.png"))[:, :, ::-1].copy()
    clean = {file: _answer(folder / "run", file, face) for file in files}
    for file in files:
        for number in range(count):
            with tempfile.TemporaryDirectory() as scratch:
                run = Path(shutil.copytree(folder / "run", Path(scratch) / "run"))
                _damage(run / file, random.Random(f"{file}-{number}"))
                print(json.dumps([file, *_outcome(run, file, face, clean[file])]), flush=True)


def _damage(path: Path, rng: random.Random) -> None:
    files = (
        sorted(entry for entry in path.rglob("*") if entry.is_file() and entry.stat().st_size)
        if path.is_dir()
        else [path]
    )
    target = rng.choice(files)
    content = bytearray(target.read_bytes())
    for _ in range(rng.choice((1, 1, 8, 200))):
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    target.write_bytes(content)


def _answer(run: Path, file: str, face: np.ndarray) -> dict:
    from fer_keras.prediction.predictor import Predictor

    reading = Predictor.load(run if file == "bundle.json" else run / file, threads=1).read(face)
    return {"probabilities": reading.probabilities, "valence": reading.valence, "arousal": reading.arousal}


def _outcome(run: Path, file: str, face: np.ndarray, clean: dict) -> tuple[str, str]:
    try:
        found = _answer(run, file, face)
    except (ValueError, OSError, MemoryError) as error:
        return LINE, str(error)[:200]
    except Exception as error:
        return TRACEBACK, f"{type(error).__name__}: {error}"[:300]
    return (RIGHT, "") if found == clean else (WRONG, f"{found} where {clean} was expected"[:300])


if __name__ == "__main__":
    sys.path.insert(0, str(_ROOT))
    if sys.argv[1] == "write":
        write_seeds(Path(sys.argv[2]))
    elif sys.argv[1] == "flip":
        flip(Path(sys.argv[2]), int(sys.argv[3]))
    else:
        sys.exit(CRASH)
