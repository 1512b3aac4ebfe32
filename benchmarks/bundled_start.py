"""What starting from the bundled model gives on own folders of few faces, against starting from nothing.

  python benchmarks/bundled_start.py ferplus.npz --output-dir runs/bundled-start

Exports faces of FER+'s PublicTest, which the bundled model was not trained on, as a user's folders: 1,600 to train on, 200 to
choose the epoch on, the others to score. (The bundled model's own epoch was chosen on PublicTest, which favours it a
little.) Then trains one epoch twice, with `--weights bundled` and with `--weights none` and the same backbone, and scores both
and the bundled model as it is: accuracy with its 95 % interval.
"""

import argparse
import time
from pathlib import Path

import cv2
import numpy as np

from fer_keras.bundled import bundled_model
from fer_keras.config.run_config import RunConfig
from fer_keras.data.index import FaceIndex
from fer_keras.data.loading import load_faces
from fer_keras.evaluation.evaluation_run import evaluate_run
from fer_keras.runs.bundle import load_bundle
from fer_keras.training.training_run import train_run

_TRAIN, _CHOOSE = 1600, 200


def export(index: FaceIndex, rows: np.ndarray, folder: Path) -> None:
    """Write faces as PNG files in a folder per emotion."""
    source = index.open_images()
    for row in rows.tolist():
        path = folder / index.labels[index.emotion[row]] / f"{row:05}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), source.load(row)[:, :, 0])


def write_folders(ferplus: str, folder: Path) -> None:
    """Write the user's folders, train, validation and test, unless they are there."""
    if folder.exists():
        return
    public = load_faces("ferplus", ferplus).of_split("validation")
    order = np.random.default_rng(0).permutation(len(public))
    export(public, order[:_TRAIN], folder / "train")
    export(public, order[_TRAIN : _TRAIN + _CHOOSE], folder / "validation")
    export(public, order[_TRAIN + _CHOOSE :], folder / "test")


def main() -> None:
    """Train, score and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ferplus")
    parser.add_argument("--output-dir", default="runs/bundled-start")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument(
        "--learning-rate", type=float, default=1e-4, help="from the bundled model; from nothing it is 0.001"
    )
    args = parser.parse_args()
    root = Path(args.output_dir)
    write_folders(args.ferplus, root / "faces")
    rows, backbone = [], load_bundle(bundled_model()).model
    for weights in ("bundled", "none"):
        config = RunConfig.of(
            data_spec="image_folder", data_dir=str(root / "faces"), output_dir=str(root / weights), weights=weights,
            backbone=backbone.backbone, image_size=backbone.image_size[0], epochs=args.epochs,
            learning_rate=args.learning_rate if weights == "bundled" else 1e-3,
        )  # fmt: skip
        started = time.perf_counter()
        run = train_run(config, overwrite=True)
        rows.append((f"--weights {weights}", time.perf_counter() - started, run))
    rows.append(("the bundled model as it is", 0.0, bundled_model()))
    print("\n| model | accuracy on PublicTest | n | training, s |\n|---|---|---|---|")
    for name, seconds, run in rows:
        place = {
            "data_spec": "image_folder",
            "data_dir": str(root / "faces"),
            "output_dir": str(root / "report" / run.name),
        }
        scores, _ = evaluate_run(load_bundle(run), split="test", overwrite=True, say=print, **place)
        found = scores["emotion"]["accuracy"]
        print(
            f"| {name} | {found['value']:.3f} ({found['low']:.3f} to {found['high']:.3f}) | {found['n']:,} | {seconds:.0f} |"
        )


if __name__ == "__main__":
    main()
