"""Every recipe of an earlier system run once, briefly, on FER+ faces in the layout that it expects.

  python benchmarks/recipes.py ferplus.npz OUT
  python benchmarks/recipes.py ferplus.npz OUT --recipes emotion4_cnn,fer2013_resnet18 --faces 2000 --epochs 5

Each is trained from the start (no ImageNet weights), scored on its test split (on validation, which chose its epoch, where
the archive has no PrivateTest), exported to .h5 and ONNX and asked about one face. Runs this short say that a recipe works,
not how good it is. OUT gets the faces and the runs, and should not lie in the repository. AffectNet's layout has valence and
arousal derived from the votes, not measured.
"""

import argparse
import json
from pathlib import Path

from layouts import read_faces, write_affectnet_npy, write_class_folders, write_fer2013_csv

#: Recipe -> layout, and what its system's parameters are known to be, if they are.
RECIPES = {
    "affectnet_resnet50": ("affectnet_npy", ""),
    "affectnet_efficientnetb1": ("affectnet_npy", ""),
    "affectnet_efficientnetb2": ("affectnet_npy", ""),
    "affectnet_densenet121": ("affectnet_npy", ""),
    "multitask_resnet18": ("affectnet_npy", "about 11.7 M"),
    "multitask_mobilenetv2": ("affectnet_npy", ""),
    "emotion_cnn_gray224": ("class_folders", "100,352 values flattened"),
    "fer2013_resnet18": ("fer2013_csv", "about 11.7 M"),
    "emotion4_cnn": ("class_folders", ""),
}
_WRITERS = {
    "affectnet_npy": write_affectnet_npy,
    "class_folders": write_class_folders,
    "fer2013_csv": write_fer2013_csv,
}


def run_recipe(name: str, data: Path, output: Path, options: argparse.Namespace) -> list[str]:
    """Train, evaluate, export and ask one recipe's model; return its row of the table."""
    from fer_keras.evaluation.evaluation_run import evaluate_run
    from fer_keras.exporters.export_run import ExportOptions, export_run
    from fer_keras.recipes import load_recipe
    from fer_keras.runs.bundle import load_bundle
    from fer_keras.training.training_run import train_run

    recipe = load_recipe(name)
    side = min(recipe.data.image_size or options.side, options.side) if options.side else recipe.data.image_size
    if RECIPES[name][1].endswith("flattened"):
        side = recipe.data.image_size  # another would be another net
    changed = {"data_dir": str(data), "output_dir": str(output), "weights": "none", "trainable_layers": "all"}
    changed |= {"max_samples": options.faces, "epochs": options.epochs, "image_size": side}
    bundle = load_bundle(train_run(recipe.replace(**changed), overwrite=True))
    split = "test" if "test" in bundle.data.splits else "validation"
    scores, _ = evaluate_run(bundle, split=split)
    accuracy = scores["emotion"]["accuracy"]
    exports = export_run(bundle, ("h5", "onnx"), options=ExportOptions(samples=options.parity_faces))
    training = bundle.data.splits["train"]
    return [
        name,
        f"{bundle.model.parameters:,}",
        RECIPES[name][1] or "not given",
        str(side),
        f"{min(options.faces, training):,}",
        str(options.epochs),
        f"{accuracy['value']:.3f} ({accuracy['low']:.3f} to {accuracy['high']:.3f})",
        f"{scores['emotion']['n']:,} of {split}",
        *map(_told, exports),
        _ask(output),
    ]


def _told(result) -> str:
    from fer_keras.exporters.export_lines import largest_difference

    return f"{result.verdict}, {largest_difference(result.entry.parity):.1e}" if result.entry else result.verdict


def _ask(run: Path) -> str:
    """Read the face of scikit-image's astronaut, whose box is known."""
    from skimage import data

    from fer_keras.prediction.predictor import Predictor

    reading = Predictor.load(run, "onnx").read(data.astronaut(), face_box=(175, 75, 275, 195))
    return f"{reading.emotion} {reading.confidence:.2f}"


def main() -> None:
    """Run the command line; see the module's text."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--recipes", default=",".join(RECIPES), help="with commas between; default: all")
    parser.add_argument("--most", type=int, default=3000, help="faces written, all splits together (default: 3000)")
    parser.add_argument("--faces", type=int, default=1000, help="training faces (default: 1000)")
    parser.add_argument("--epochs", type=int, default=3, help="(default: 3)")
    parser.add_argument("--side", type=int, help="a smaller side than the recipe's, but for nets that flatten")
    parser.add_argument("--parity-faces", type=int, default=64, help="faces that exports are compared on (default: 64)")
    options = parser.parse_args()
    titles = [
        "recipe",
        "parameters",
        "its system has",
        "px",
        "training faces",
        "epochs",
        "accuracy (95 %)",
        "n",
        "h5",
        "onnx",
        "astronaut",
    ]
    rows = [titles, ["---"] * len(titles)]
    for name in options.recipes.split(","):
        layout = RECIPES[name][0]
        place = options.output / "faces" / layout
        if not place.exists():
            faces = read_faces(options.archive, "original" if layout == "fer2013_csv" else "majority", options.most)
            _WRITERS[layout](faces, place)
        data = place / "fer2013.csv" if layout == "fer2013_csv" else place
        rows.append(run_recipe(name, data, options.output / name, options))
        (options.output / "rows.json").write_text(json.dumps(rows[2:], indent=1))  # what is done survives a stop
    print("\n".join(f"| {' | '.join(row)} |" for row in rows))


if __name__ == "__main__":
    main()
