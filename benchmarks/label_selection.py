"""Whether choosing the faces to label pays: accuracy on FER+ against the number of labels, by random, margin and `select`.

  python benchmarks/label_selection.py ferplus.npz --weights face_resnet.npz --output-dir runs/label-selection

Labels are hidden. A net trained to tell people apart, which has seen no label of an emotion, gives the features of every face
once, into a file. On them a softmax regression is fitted to the labels known so far, which it takes to ask for the next ones:
250 random faces first, then up to 500, 1000, 2000. Faces to label are of Training alone; PublicTest is scored and chooses
nothing: features and the strength of the regression's penalty were fixed before it was first scored.

Prints one table: mean accuracy and macro F1 over seeds, with the gain over random (95 %, bootstrap over the scored faces).
"""

import argparse
import warnings
from pathlib import Path

import numpy as np

from fer_keras.files import write_atomic
from fer_keras.labelling.doubt import margin
from fer_keras.labelling.spreading import choose_faces
from fer_keras.metrics.intervals import percentiles, wilson_interval
from fer_keras.metrics.reference import f1_macro

SIZES = (250, 500, 1000, 2000)
METHODS = ("random", "margin", "select")
_PENALTY = 0.01  # C of scikit-learn
_BATCH = 256


def load_features(args) -> dict[str, np.ndarray]:
    """Return features (n, d), emotion (n,) and split (n,) of Training and PublicTest, from the file where it is there."""
    path = Path(args.output_dir) / f"features-{args.image_size}.npz"
    if not path.exists():
        arrays = compute_features(args)
        write_atomic(path, lambda place: np.savez(place, **arrays))
    with np.load(path, allow_pickle=False) as arrays:
        return dict(arrays)


def compute_features(args) -> dict[str, np.ndarray]:
    """Read every face by the net: the mean of its last map, and of the one at half its depth."""
    import keras

    from fer_keras.data.loading import load_faces
    from fer_keras.models.build import build_model
    from fer_keras.preprocessing import crop_face

    index = load_faces("ferplus", args.data)
    index = index.take(np.isin(index.split, ("train", "validation")))
    model = build_model("face_resnet", args.image_size, ("emotion",), weights=args.weights)
    middle = keras.layers.GlobalAveragePooling2D()(model.get_layer(args.middle).output)
    net = keras.Model(model.input, [model.get_layer("pool").output, middle])
    source, side = index.open_images(), (args.image_size, args.image_size)
    found = []
    for start in range(0, len(index), _BATCH):
        faces = np.stack([crop_face(source.load(row), side) for row in range(start, min(start + _BATCH, len(index)))])
        found.append([np.asarray(part) for part in net(faces.astype(np.float32), training=False)])
        print(f"{start + len(faces):,} of {len(index):,} faces", flush=True)
    top, middle = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return {"top": top, "middle": middle, "emotion": index.emotion, "split": index.split}


class Simulation:
    """Hidden labels, asked for in rounds.

    Args:
        arrays: see `load_features`.
    """

    def __init__(self, arrays: dict[str, np.ndarray]):
        inputs = np.concatenate([arrays["top"], arrays["middle"]], axis=1).astype(np.float64)
        self.pool, self.scored = (np.flatnonzero(arrays["split"] == split) for split in ("train", "validation"))
        self.emotion, self.features = arrays["emotion"], arrays["top"]
        mean, deviation = inputs[self.pool].mean(axis=0), inputs[self.pool].std(axis=0)
        self.inputs = (inputs - mean) / np.where(deviation > 0, deviation, 1)

    def run(self, method: str, seed: int) -> np.ndarray:
        """Return the answers (sizes, scored faces) of the regressions fitted to 250, 500, ... labels."""
        order = np.random.default_rng(seed).permutation(self.pool)
        labelled = order[: SIZES[0]]
        models = [self._fit(labelled)]
        for size in SIZES[1:]:
            left = order[~np.isin(order, labelled)]
            labelled = np.concatenate([labelled, self._ask(method, models[-1], left, size - len(labelled))])
            models.append(self._fit(labelled))
        return np.array([model.predict(self.inputs[self.scored]) for model in models])

    def _fit(self, rows: np.ndarray):
        from sklearn.linear_model import LogisticRegression

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return LogisticRegression(C=_PENALTY, max_iter=200).fit(self.inputs[rows], self.emotion[rows])

    def _ask(self, method: str, model, left: np.ndarray, count: int) -> np.ndarray:
        """Return the faces to label next, of those left."""
        if method == "random":
            return left[:count]
        doubt = margin(model.predict_proba(self.inputs[left]))
        return left[choose_faces(doubt, self.features[left] if method == "select" else None, count)[0]]


def cell(args, simulation: Simulation, method: str, seed: int) -> np.ndarray:
    """Return the answers of one method and seed, from its file where it is there: a killed benchmark goes on."""
    path = Path(args.output_dir) / f"{method}-{args.image_size}-seed{seed}.npy"
    if not path.exists():
        found = simulation.run(method, seed)
        write_atomic(path, lambda place: np.save(place, found))
        print(f"{method}, seed {seed}", flush=True)
    return np.load(path, allow_pickle=False)


def table(answers: dict[str, np.ndarray], truth: np.ndarray) -> str:
    """Return the table.

    Args:
        answers: method -> (seeds, sizes, faces).
        truth: (faces,).
    """
    right = {method: values == truth for method, values in answers.items()}
    head = [f"{method}, macro F1" if part else method for method in METHODS for part in (0, 1)]
    lines = [f"| labels | {' | '.join(head)} | margin - random | select - random |", "|---:|" + "---|" * 8]
    for place, size in enumerate(SIZES):
        cells = []
        for method in METHODS:
            shares = right[method][:, place].mean(axis=1)
            f1 = np.mean([f1_macro(truth, values[place]) for values in answers[method]])
            low, high = wilson_interval(round(shares.mean() * len(truth)), len(truth))
            cells += [f"{shares.mean():.3f} ({low:.3f} to {high:.3f})", f"{f1:.3f}"]
        cells += [_gain(right[method][:, place], right["random"][:, place]) for method in METHODS[1:]]
        lines.append(f"| {size:,} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _gain(right: np.ndarray, base: np.ndarray) -> str:
    """Return the gain (seeds, faces) over a base: mean, bootstrap over faces, lowest and highest seed."""
    each = (right.astype(float) - base).mean(axis=1)
    faces = (right.astype(float) - base).mean(axis=0)
    rng = np.random.default_rng(0)
    drawn = np.array([faces[rng.integers(0, len(faces), len(faces))].mean() for _ in range(1000)])
    low, high = percentiles(drawn, 0.95)
    return f"{each.mean():+.3f} ({low:+.3f} to {high:+.3f}; seeds {each.min():+.3f} to {each.max():+.3f})"


def main() -> None:
    """Read the features, run the simulation, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", help="ferplus.npz or the folder of FER+")
    parser.add_argument("--weights", default="faces", help="of face_resnet: a file, or faces for the installed ones")
    parser.add_argument("--output-dir", default="runs/label-selection")
    parser.add_argument("--image-size", type=int, default=80)
    parser.add_argument("--middle", default="face_resnet_block09_relu2", help="layer at half the net's depth")
    parser.add_argument("--seeds", type=int, default=3)
    args = parser.parse_args()
    Path(args.output_dir).mkdir(parents=True, exist_ok=True)
    simulation = Simulation(load_features(args))
    answers = {
        method: np.array([cell(args, simulation, method, seed) for seed in range(args.seeds)]) for method in METHODS
    }
    truth = simulation.emotion[simulation.scored]
    print(f"\n{len(simulation.pool):,} faces to choose from, {len(truth):,} scored\n\n{table(answers, truth)}")


if __name__ == "__main__":
    main()
