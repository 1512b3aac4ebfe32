"""How much a start from weights trained on faces gives where there are few faces: recipe `few_faces` on parts of FER+.

  python benchmarks/small_data.py --ferplus ferplus.npz --faces-weights face_resnet.npz --imagenet-weights mobilenet.h5 OUT
  python benchmarks/small_data.py ... OUT --sizes 500 --nets small,face_resnet

Each net trains on the same faces of Training with the recipe's augmentation, optimizer and number of steps, keeps its last
epoch, so that no further face chooses anything, and is scored on PublicTest in one view. Runs that are there are not made
again. OUT should not lie in the repository.
"""

import argparse
from pathlib import Path

#: Name -> backbone, side in pixels, learning rate, and the flag with its weights, if it has any.
NETS = {
    "face_resnet": ("face_resnet", 96, 1e-3, "faces_weights"),
    "mobilenetv2": ("mobilenetv2", 96, 1e-3, "imagenet_weights"),
    "compact": ("compact", 64, 2e-3, None),
    "small": ("small", 48, 2e-3, None),
}
_FACES_SEEN = {500: 15_000, 2_000: 40_000}
_MOST_SEEN = 200_000


def main() -> None:
    """Train what is missing, and print the table."""
    options = _parser().parse_args()
    sizes = [int(size) for size in options.sizes.split(",")]
    print(
        "| Net | start | " + " | ".join(f"{size:,} faces" for size in sizes) + " |\n" + "|---" * (2 + len(sizes)) + "|"
    )
    for name in options.nets.split(","):
        weights = getattr(options, NETS[name][3]) if NETS[name][3] else None
        cells = [_cell(train(name, size, weights, options)) for size in sizes]
        start = {"faces_weights": "faces", "imagenet_weights": "ImageNet", None: "random"}[NETS[name][3]]
        print(f"| `{NETS[name][0]}`, {NETS[name][1]} px | {start} | " + " | ".join(cells) + " |", flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", type=Path, metavar="OUT")
    parser.add_argument("--ferplus", type=Path, required=True)
    parser.add_argument("--faces-weights", type=Path, required=True, help="dlib's .dat, or its arrays in a .npz")
    parser.add_argument("--imagenet-weights", type=Path, required=True, help="MobileNetV2 without its top")
    parser.add_argument("--sizes", default="500,2000", help="numbers of training faces")
    parser.add_argument("--nets", default=",".join(NETS))
    parser.add_argument("--seed", type=int, default=0)
    return parser


def train(name: str, size: int, weights: Path | None, options: argparse.Namespace) -> dict:
    """Return the scores of one net on PublicTest, trained if it has not been."""
    from fer_keras.evaluation.evaluation_run import evaluate_run
    from fer_keras.recipes import load_recipe
    from fer_keras.runs.bundle import load_bundle
    from fer_keras.training.training_run import train_run

    backbone, side, rate, _ = NETS[name]
    run = options.output / f"{name}-{size}-{options.seed}"
    if not (run / "bundle.json").is_file():
        epochs = max(_FACES_SEEN.get(size, _MOST_SEEN) // size, 1)
        recipe = load_recipe("few_faces").replace(
            data_spec="ferplus_public_test", data_dir=str(options.ferplus), validation_fraction=0.08, max_samples=size,
            backbone=backbone, image_size=side, weights=str(weights or "none"), learning_rate=rate, outputs="emotion",
            train_norm=weights is None or name == "face_resnet", layer_decay=0.9 if weights else 1.0,
            epochs=epochs, monitor="loss", seed=options.seed, output_dir=str(run),
        )  # fmt: skip
        train_run(recipe, overwrite=True)
    return evaluate_run(load_bundle(run), split="test")[0]


def _cell(scores: dict) -> str:
    accuracy, macro = scores["emotion"]["accuracy"], scores["emotion"]["f1_macro"]
    return f"{accuracy['value']:.3f} ({accuracy['low']:.3f} to {accuracy['high']:.3f}), F1 {macro['value']:.2f}"


if __name__ == "__main__":
    main()
