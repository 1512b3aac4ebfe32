"""How faces are read from a detector's boxes, beside whole pictures that FER2013's makers cut.

  FER_KERAS_YUNET=face_detection_yunet_2026may.onnx python benchmarks/detector_crops.py ferplus.npz
  python benchmarks/detector_crops.py ferplus.npz --split train --faces 2000 --detectors haar

Each picture is a face of 48 px. Of those in which the detector finds one, it prints how much larger the picture is than the
detector's own box and how much lower its centre lies (in heights of the box; medians), and how often the emotion is right:
read from the whole picture, from the box as it is, and from the box framed as `predict` frames it (`Detector.frame`). A box
that reaches the picture's edge was stopped by it, so that YuNet's, which fill the picture, look a little smaller than they
would be in a photo. `Detector.frame` was chosen on train.
"""

import argparse

import numpy as np

from fer_keras.bundled import bundled_model, model_folder
from fer_keras.config.run_config import RunConfig
from fer_keras.data.loading import load_faces
from fer_keras.faces.detection import DetectedFace
from fer_keras.faces.finder import PHOTO_SIDE, FaceFinder, FinderOptions
from fer_keras.metrics.intervals import wilson_interval
from fer_keras.prediction.predictor import Predictor
from fer_keras.preprocessing import crop_face, square_box


def read_pictures(archive: str, split: str, most: int | None) -> tuple[list[np.ndarray], np.ndarray]:
    """Return pictures (48, 48, 3) uint8 RGB and the numbers of their emotions; a random part where there are more than `most`."""
    config = RunConfig.of(data_spec="ferplus_public_test", data_dir=archive, validation_fraction=0.08)
    index = load_faces(config.data).of_split(split)
    rows = np.random.default_rng(0).permutation(len(index.id))[:most]
    images = index.open_images()
    return [crop_face(images.load(row), (48, 48)) for row in rows.tolist()], np.asarray(index.emotion)[rows]


def find_largest(finder: FaceFinder, picture: np.ndarray) -> DetectedFace | None:
    """Return the largest face of a picture, with the detector's own box."""
    return max(finder.detect(picture, PHOTO_SIDE), key=lambda face: face.side, default=None)


def relation(box, side: int) -> tuple[float, float]:
    """Return the picture's side over the box's, and how much lower its centre lies, in sides of the box."""
    left, top, right, bottom = square_box(box, (1, 1))
    return side / (right - left), (side / 2 - (top + bottom) / 2) / (right - left)


def main() -> None:
    """Print one row for each detector."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("ferplus")
    parser.add_argument("--model", default=str(bundled_model()), help="default: the bundled model")
    parser.add_argument("--split", default="test", choices=("train", "validation", "test"))
    parser.add_argument("--faces", type=int, help="default: all")
    parser.add_argument("--detectors", default="yunet,haar")
    options = parser.parse_args()
    pictures, emotions = read_pictures(options.ferplus, options.split, options.faces)
    reader = Predictor.load(model_folder(options.model))
    print("| Detector | found | larger | lower | whole picture | its box | framed |\n|---|---|---|---|---|---|---|")
    for name in options.detectors.split(","):
        finder = FaceFinder(FinderOptions(detector=name))
        found = [find_largest(finder, picture) for picture in pictures]
        rows = [row for row, face in enumerate(found) if face]
        larger, lower = np.median([relation(found[row].face_box, pictures[row].shape[0]) for row in rows], axis=0)
        whole = [(0, 0, 48, 48)] * len(rows)
        framed = [found[row].framed(*finder.detector.frame).face_box for row in rows]
        cells = [
            _right(reader, [pictures[row] for row in rows], boxes, emotions[rows])
            for boxes in (whole, [found[row].face_box for row in rows], framed)
        ]
        start = f"| {name} | {len(rows):,} of {len(pictures):,} | {larger:.2f} | {lower:.3f} |"
        print(start + "".join(f" {cell} |" for cell in cells), flush=True)


def _right(reader: Predictor, pictures: list, boxes: list, emotions: np.ndarray) -> str:
    readings = reader.read_faces(pictures, [[box] for box in boxes])
    right = sum(
        reader.labels.index(face.emotion) == emotion for (face,), emotion in zip(readings, emotions, strict=True)
    )
    low, high = wilson_interval(right, len(emotions))
    return f"{right / len(emotions):.3f} ({low:.3f} to {high:.3f})"


if __name__ == "__main__":
    main()
