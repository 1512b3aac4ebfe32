"""What each part of the recipe affectnet_sota does on FER+ faces: all parts, each left out, each alone, none.

  python benchmarks/sota_ablation.py ferplus.npz --output-dir runs/ablation

Trains the small backbone at 48 px from scratch, on a fixed subset of FER+'s training faces, with valence and arousal derived
from the votes. The best epoch is chosen on other training faces; scores are of all of PublicTest, which chooses nothing.
The output directory gets one file per cell, and a cell that has one is not trained again: a killed benchmark continues.
The table is printed from those files.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np

from fer_keras.config.run_config import DataConfig, RunConfig
from fer_keras.files import write_json

#: part -> what switches it on
PARTS = {
    "balanced sampling": {"balance": "sample"},
    "random MSE and 1-CCC": {"va_loss": "random_mse_ccc"},
    "axis stage": {"va_epochs": 1, "va_rate": 0.5},
    "erasing": {"erasing": 0.25},
    "mixup and CutMix": {"mixup": 0.2, "cutmix": 1.0},
    "SAM": {"sam": 0.05},
    "EMA": {"ema": 0.97},
    "layer decay": {"layer_decay": 0.9},
}
SCORES = ("accuracy", "f1_macro", "valence_ccc", "arousal_ccc")
_TITLES = ("accuracy", "macro F1", "valence CCC", "arousal CCC")
_CHOOSING = 600  # training faces set aside to choose the best epoch on


def cells(alone: bool) -> dict[str, dict]:
    """Return cell name -> its options, the recipe and the plain run first."""
    every = {key: value for options in PARTS.values() for key, value in options.items()}
    found = {"all parts": every, "no part": {}}
    for part, options in PARTS.items():
        found[f"without {part}"] = {key: value for key, value in every.items() if key not in options}
    if alone:
        found.update({f"only {part}": options for part, options in PARTS.items()})
    return found


class Faces:
    """FER+ faces for every cell: the same subset to train on, others to choose on, PublicTest to score."""

    def __init__(self, path: str, count: int):
        from fer_keras.batches.inputs import open_split
        from fer_keras.data.loading import load_faces, training_index

        index = load_faces("ferplus", path, derive_va="circumplex")
        both = training_index(index, DataConfig(max_samples=count + _CHOOSING))
        order = np.random.default_rng(0).permutation(len(both))

        def opened(part, labels="majority"):
            return open_split(part, (48, 48), part.spec.targets, label_mode=labels, cache="memory")

        self.train = opened(both.take(np.sort(order[:count])), "soft")
        self.choosing = opened(both.take(np.sort(order[count:])))
        self.scored = opened(index.of_split("validation"))


def train_cell(faces: Faces, config: RunConfig, run: Path) -> dict:
    """Train one cell and return its scores on PublicTest with their intervals, and what it took."""
    import keras

    from fer_keras.runs.run_directory import open_run
    from fer_keras.training.machine import set_up
    from fer_keras.training.trainer import Trainer

    keras.backend.clear_session()
    set_up(config.training.seed)
    open_run(config, resume=False, overwrite=True)
    trainer = Trainer(config, faces.train, faces.choosing)
    started = time.perf_counter()
    model = trainer.fit()
    seconds = round(time.perf_counter() - started, 1)
    images = faces.scored.loader.load(np.arange(len(faces.scored.loader)))[0]
    predicted = model.predict(images.astype("float32"), batch_size=256, verbose=0)
    np.savez(run / "predictions.npz", **predicted)
    return {**_scored(faces, predicted), "seconds": seconds, "epoch": trainer.state.best_epoch}


def _scored(faces: Faces, predicted: dict) -> dict:
    from fer_keras.metrics.axis_reference import ccc
    from fer_keras.metrics.intervals import bootstrap_axis_intervals, bootstrap_f1_macro_interval, wilson_interval
    from fer_keras.metrics.reference import confusion_matrix, f1_macro

    truth, guess = faces.scored.index.emotion, predicted["emotion"].argmax(1)
    matrix = confusion_matrix(truth, guess, predicted["emotion"].shape[1])
    right = int(np.trace(matrix))
    found = {
        "accuracy": [right / len(truth), *wilson_interval(right, len(truth))],
        "f1_macro": [f1_macro(truth, guess), *bootstrap_f1_macro_interval(matrix)],
    }
    for axis in ("valence", "arousal"):
        pair = getattr(faces.scored.index, axis), predicted[axis][:, 0]
        found[f"{axis}_ccc"] = [float(ccc(*pair)), *bootstrap_axis_intervals(*pair)["ccc"]]
    return {"n": len(truth), **found}


def run_cells(args) -> None:
    """Train the cells that have no file yet, seed by seed, until the time is up."""
    started, faces = time.perf_counter(), None
    base = RunConfig.of(
        data_spec="ferplus",
        data_dir=args.data,
        derive_va="circumplex",
        label_mode="soft",
        image_size=48,
        backbone="small",
        weights="none",
        epochs=args.epochs,
        batch_size=32,
        optimizer="adamw",
        learning_rate=2e-3,
        weight_decay=0.05,
        schedule="cosine",
        warmup_epochs=0.5,
        early_stopping=0,
        monitor="val_emotion_accuracy",
        va_monitor="val_loss",
    )
    for seed in range(args.seeds):
        for name, options in cells(args.alone).items():
            path = _file(args, name, seed)
            if path.exists() or time.perf_counter() - started > 60 * args.minutes:
                continue
            faces = faces or Faces(args.data, args.faces)
            config = base.replace(seed=seed, output_dir=str(path.with_suffix("")), **options)
            result = train_cell(faces, config, path.with_suffix(""))
            write_json(path, {"cell": name, "seed": seed, "faces": args.faces, "epochs": args.epochs, **result})
            print(f"{name}, seed {seed}: {result['accuracy'][0]:.3f} in {result['seconds']:.0f} s", flush=True)


def _file(args, name: str, seed: int) -> Path:
    stem = f"{name.replace(' ', '_')}-{args.faces}x{args.epochs}-seed{seed}.json"
    return Path(args.output_dir) / stem


def table(args) -> str:
    """Return the table of the cells that have files: mean over seeds, spread over seeds, interval over faces."""
    lines = [f"| cell | seeds | {' | '.join(_TITLES)} | s a run |", "|---|---:|" + "---|" * len(SCORES) + "---:|"]
    for name in cells(args.alone):
        paths = [path for seed in range(args.seeds) if (path := _file(args, name, seed)).exists()]
        found = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
        if found:
            entries = [_entry(np.array([result[score] for result in found])) for score in SCORES]
            seconds = np.mean([result["seconds"] for result in found])
            lines.append(f"| {name} | {len(found)} | {' | '.join(entries)} | {seconds:.0f} |")
    return "\n".join(lines)


def _entry(rows: np.ndarray) -> str:
    """One score: mean over seeds, mean ends of the intervals over faces, and lowest to highest seed."""
    value, low, high = rows.mean(0)
    spread = f"; seeds {rows[:, 0].min():.3f} to {rows[:, 0].max():.3f}" if len(rows) > 1 else ""
    return f"{value:.3f} ({low:.3f} to {high:.3f}{spread})"


def main() -> None:
    """Train what is missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", help="ferplus.npz or the folder of FER+")
    parser.add_argument("--output-dir", default="runs/ablation")
    parser.add_argument("--faces", type=int, default=8000, help="training faces, the same for every cell")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--minutes", type=float, default=600, help="start no cell after so long")
    parser.add_argument("--alone", action="store_true", help="also each part alone")
    args = parser.parse_args()
    Path(args.output_dir).mkdir(parents=True, exist_ok=True)
    run_cells(args)
    print(table(args))


if __name__ == "__main__":
    main()
