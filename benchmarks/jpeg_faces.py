"""What `prepare --image-format jpeg` saves and changes: bytes against PNG, grey levels, and answers of the bundled model.

  python benchmarks/jpeg_faces.py --ferplus ferplus.npz

Faces are drawn ones of 48 and 224 pixels, as many of each as --faces says, and, where its archive is given, FER+'s PublicTest.
Differences are over all channels of all pixels, of 255, after decoding as training decodes.
"""

import argparse
import tempfile
from pathlib import Path

import cv2
import numpy as np

from fer_keras import Predictor
from fer_keras.batches.image_format import ImageFormat
from fer_keras.batches.loader import FaceLoader
from fer_keras.data.loading import load_index
from fer_keras.preprocessing import crop_face, decode_image
from fer_keras.readers.spec import load_spec
from fer_keras.synthetic.dataset import write_synthetic


def drawn_faces(count: int, size: int) -> np.ndarray:
    """Return drawn faces, (count, size, size, 3) uint8 RGB."""
    with tempfile.TemporaryDirectory() as scratch:
        root = write_synthetic(Path(scratch) / "set", train=count, val=8, size=size)
        index = load_index(load_spec("affectnet"), root, Path(scratch) / "cache").of_split("train")
        return FaceLoader(index.open_images(), (size, size)).load(np.arange(len(index)))[0]


def public_test(archive: str) -> np.ndarray:
    """Return the faces of FER+'s PublicTest, (n, 48, 48, 3) uint8 RGB."""
    index = load_index(load_spec("ferplus"), archive).of_split("validation")
    return FaceLoader(index.open_images(), (48, 48)).load(np.arange(len(index)))[0]


def line(name: str, faces: np.ndarray, quality: int, predictor: Predictor | None) -> str:
    """Return a row of the table: JPEG's share of PNG's bytes, grey levels changed, answers changed."""
    png = sum(len(cv2.imencode(".png", face[:, :, ::-1])[1]) for face in faces)
    encoded = [ImageFormat("jpeg", quality).encoded(face) for face in faces]
    decoded = np.stack([decode_image(data) for data in encoded])
    change = np.abs(decoded.astype(np.int16) - faces)
    cells = [
        name,
        f"{len(faces):,}",
        quality,
        f"{sum(map(len, encoded)) / png:.2f}",
        f"{change.mean():.2f}",
        change.max(),
    ]
    return " | ".join(map(str, [*cells, f"{answers_changed(predictor, faces, decoded):,}" if predictor else ""]))


def answers_changed(predictor: Predictor, faces: np.ndarray, decoded: np.ndarray) -> int:
    """Return how many faces the model gives another emotion once they were JPEG."""
    both = [[crop_face(face, predictor.image_size) for face in images] for images in (faces, decoded)]
    before, after = (predictor.scores(np.stack(images))["emotion"].argmax(1) for images in both)
    return int((before != after).sum())


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=int, default=400, help="drawn ones of each size (default: 400)")
    parser.add_argument("--ferplus", metavar="NPZ", help="archive of FER+")
    args = parser.parse_args()
    sets = {f"drawn {size} px": drawn_faces(args.faces, size) for size in (48, 224)}
    print("faces | n | quality | of PNG's bytes | mean change | largest | other answers")
    for name, faces in sets.items():
        print(*(line(name, faces, quality, None) for quality in (95, 90)), sep="\n", flush=True)
    if args.ferplus:
        faces, predictor = public_test(args.ferplus), Predictor.load()
        print(*(line("FER+ PublicTest", faces, quality, predictor) for quality in (95, 90)), sep="\n")


if __name__ == "__main__":
    main()
