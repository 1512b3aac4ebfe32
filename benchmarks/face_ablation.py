"""What each part of the recipe `ferplus_faces` gives: face weights, their normalisation, stages, rates by depth, a teacher.

  python benchmarks/face_ablation.py --ferplus ferplus.npz --faces-weights face_resnet.npz OUT
  python benchmarks/face_ablation.py ... OUT --faces 24488 --epochs 20 --cells scratch,recipe

Every cell trains on the same faces of FER+ Training with the recipe's augmentation, optimizer and number of steps, keeps its
last epoch, so that no face chooses anything, and is scored on PublicTest in one view. Cells that are there are not made
again. OUT should not lie in the repository.
"""

import argparse
from pathlib import Path

#: Cell -> what it changes of the recipe. `faces` stands for the file of --faces-weights.
_PLAIN = {"teacher": None, "layer_decay": 1.0}
CELLS = {
    "scratch": {**_PLAIN, "weights": "none"},
    "heads": {**_PLAIN, "trainable_layers": "0", "train_norm": False},
    "folded": {**_PLAIN, "train_norm": False},
    "faces": _PLAIN,
    "stages": {**_PLAIN, "head_epochs": 1, "upper_epochs": 2, "fine_tune_rate": 0.5},
    "decay": {"teacher": None},
    "recipe": {},
}
_TITLES = {
    "scratch": "random weights",
    "heads": "face weights, only the heads train",
    "folded": "face weights, all layers but the normalisation",
    "faces": "face weights, all layers",
    "stages": "the same in stages: heads, 50 upper layers, all at half the rate",
    "decay": "face weights, all layers, lower ones at lower rates",
    "recipe": "the same, taught by `ferplus_compact`: the recipe",
}


def main() -> None:
    """Train what is missing, and print the table."""
    options = _parser().parse_args()
    print("| Training | accuracy | macro F1 |\n|---|---|---|")
    for cell in options.cells.split(","):
        scores = train(cell, options)["emotion"]
        accuracy, macro = (
            f"{score['value']:.3f} ({score['low']:.3f} to {score['high']:.3f})"
            for score in (scores["accuracy"], scores["f1_macro"])
        )
        print(f"| {_TITLES[cell]} | {accuracy} | {macro} |", flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", type=Path, metavar="OUT")
    parser.add_argument("--ferplus", type=Path, required=True)
    parser.add_argument("--faces-weights", type=Path, required=True, help="dlib's .dat, or its arrays in a .npz")
    parser.add_argument("--faces", type=int, default=12_000, help="training faces (default: 12000)")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--cells", default=",".join(CELLS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--mixed-precision", default="none", help="bfloat16 where the processor has it")
    return parser


def train(cell: str, options: argparse.Namespace) -> dict:
    """Return the scores of one cell on PublicTest, trained if it has not been."""
    from fer_keras.evaluation.evaluation_run import evaluate_run
    from fer_keras.recipes import load_recipe
    from fer_keras.runs.bundle import load_bundle
    from fer_keras.training.training_run import train_run

    run = options.output / f"{cell}-{options.faces}-{options.epochs}-{options.seed}"
    if not (run / "bundle.json").is_file():
        settings = {"weights": str(options.faces_weights), **CELLS[cell]}
        recipe = load_recipe("ferplus_faces").replace(
            data_dir=str(options.ferplus), max_samples=options.faces, epochs=options.epochs, monitor="loss",
            mixed_precision=options.mixed_precision, seed=options.seed, output_dir=str(run), **settings,
        )  # fmt: skip
        train_run(recipe, overwrite=True)
    return evaluate_run(load_bundle(run), split="test")[0]


if __name__ == "__main__":
    main()
