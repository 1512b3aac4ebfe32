"""The faces of a FER+ archive in the other layouts that the package reads, for comparing layouts and trying recipes.

  python benchmarks/layouts.py ferplus.npz OUT --layout class_folders
  python benchmarks/layouts.py ferplus.npz OUT --layout fer2013_csv --labels original
  python benchmarks/layouts.py ferplus.npz OUT --layout affectnet_npy --most 2000

Pictures are written as grey PNG, so every layout holds the same pixels. Labels are FER+'s majority, or FER2013's original
ones, mapped by name; faces without one are left out and counted. AffectNet's layout wants valence and arousal: they are
the circumplex coordinates of the votes or of the label, derived and not measured.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from fer_keras.data.circumplex import CIRCUMPLEX
from fer_keras.labels import canonical_emotion
from fer_keras.readers.ferplus import label_from_votes
from fer_keras.readers.spec import load_spec

ORIGINAL = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")  # the archive's codes, not Kaggle's
USAGES = ("Training", "PublicTest", "PrivateTest")
SPLITS = {"Training": "train", "PublicTest": "validation", "PrivateTest": "test"}


@dataclass(frozen=True)
class Faces:
    """Faces with a label each.

    Attributes:
        images: (n, 48, 48) uint8, grey.
        emotions: (n,) names of the package.
        usages: (n,) Training, PublicTest or PrivateTest.
        votes: (n, 10) uint8, in the order of the ferplus spec's vote_names.
        names: (n,) file names, unique.
    """

    images: np.ndarray
    emotions: np.ndarray
    usages: np.ndarray
    votes: np.ndarray
    names: np.ndarray

    def take(self, rows: np.ndarray) -> "Faces":
        """Return the faces of these rows."""
        return Faces(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))

    def __len__(self) -> int:
        return len(self.names)


def read_faces(archive: Path, labels: str = "majority", most: int | None = None, seed: int = 0) -> Faces:
    """Return the faces of an archive that have a label.

    Args:
        archive: an .npz as the `ferplus` spec describes; for original labels with `fer2013_label` too.
        labels: majority (of the FER+ votes) or original (FER2013's own seven).
        most: keep at most this many, drawn at random.
        seed: of that draw.
    """
    with np.load(archive, allow_pickle=False) as arrays:
        images, votes, usage, names = (arrays[key] for key in ("images", "votes", "usage", "image_name"))
        codes = arrays["fer2013_label"] if labels == "original" else None
    emotions = _majorities(votes) if codes is None else _originals(codes)
    names = np.array([f"{row:05}-{name.decode()}" for row, name in enumerate(names)])  # a few names repeat
    faces = Faces(images, emotions, np.array(USAGES)[usage], votes, names)
    rows = np.flatnonzero(emotions != "")
    print(f"{len(faces):,} faces, {len(faces) - len(rows):,} left out that have no {labels} label")
    if most is not None and most < len(rows):
        rows = np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))
    return faces.take(rows)


def _majorities(votes: np.ndarray) -> np.ndarray:
    spec = load_spec("ferplus")
    names = spec.options["vote_names"]
    winners = (label_from_votes(row.astype(int), names)[0] for row in votes)
    return np.array([spec.labels.get(name, "") for name in winners])


def _originals(codes: np.ndarray) -> np.ndarray:
    names = np.array([canonical_emotion(name) for name in ORIGINAL] + [""])  # the last one for -1
    return names[codes]


def write_class_folders(faces: Faces, folder: Path) -> Path:
    """Write `<split>/<emotion>/*.png`, as `image_folder` reads it."""
    for number in range(len(faces)):
        place = folder / SPLITS[faces.usages[number]] / faces.emotions[number]
        _write_picture(place / faces.names[number], faces.images[number])
    return folder


def write_fer2013_csv(faces: Faces, folder: Path) -> Path:
    """Write Kaggle's `fer2013.csv`; contempt, for which it has no code, is left out."""
    codes = {emotion: code for code, emotion in load_spec("fer2013").labels.items()}
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "fer2013.csv", "w", encoding="utf-8") as file:
        file.write("emotion,pixels,Usage\n")
        for emotion, image, usage in zip(faces.emotions, faces.images, faces.usages, strict=True):
            if emotion in codes:
                file.write(f"{codes[emotion]},{' '.join(map(str, image.ravel().tolist()))},{usage}\n")
    return folder / "fer2013.csv"


def write_ferplus_folders(faces: Faces, folder: Path) -> Path:
    """Write FER2013Train/, FER2013Valid/ and FER2013Test/ with a label.csv each, as the FER+ tools do."""
    lines: dict[str, list[str]] = {}
    for number, usage in enumerate(faces.usages):
        place = load_spec("ferplus").options["folders"][usage]
        _write_picture(folder / place / faces.names[number], faces.images[number])
        votes = ",".join(map(str, faces.votes[number]))
        lines.setdefault(place, []).append(f'{faces.names[number]},"(0, 0, 48, 48)",{votes}\n')
    for place, text in lines.items():
        (folder / place / "label.csv").write_text("".join(text), encoding="utf-8")
    return folder


def write_affectnet_npy(faces: Faces, folder: Path) -> Path:
    """Write train_set/ and val_set/ with images/ and annotations/; valence and arousal are derived, without landmarks."""
    codes = {emotion: code for code, emotion in load_spec("affectnet").labels.items()}
    for number, name in enumerate(faces.names):
        place = folder / ("train_set" if faces.usages[number] == "Training" else "val_set")
        _write_picture(place / "images" / name, faces.images[number])
        (place / "annotations").mkdir(exist_ok=True)
        valence, arousal = _derived_axes(faces.emotions[number], faces.votes[number])
        stem = str(place / "annotations" / Path(name).stem)
        for suffix, value in (("exp", codes[faces.emotions[number]]), ("val", valence), ("aro", arousal)):
            np.save(f"{stem}_{suffix}.npy", np.array(f"{value}"))  # numbers as text, as in the release
    return folder


def _derived_axes(emotion: str, votes: np.ndarray) -> tuple[float, float]:
    """The expectation of the coordinates under the votes for emotions, or those of the label where nobody voted so."""
    spec = load_spec("ferplus")
    names = [spec.labels.get(name) for name in spec.options["vote_names"]]
    shares = [(CIRCUMPLEX[name], float(count)) for name, count in zip(names, votes, strict=True) if name and count > 1]
    shares = shares or [(CIRCUMPLEX[emotion], 1.0)]
    total = sum(share for _, share in shares)
    valence, arousal = (sum(place[axis] * share for place, share in shares) / total for axis in (0, 1))
    return round(valence, 6), round(arousal, 6)


def _write_picture(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(".png", image)[1].tobytes())


#: Layout -> (faces, folder) -> what to give as --data-dir.
LAYOUTS: dict[str, Callable[[Faces, Path], Path]] = {
    "class_folders": write_class_folders,
    "fer2013_csv": write_fer2013_csv,
    "ferplus_folders": write_ferplus_folders,
    "affectnet_npy": write_affectnet_npy,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive", type=Path)
    parser.add_argument(
        "output", type=Path, help="folder to write into; outside the repository, for the faces are not ours"
    )
    parser.add_argument("--layout", choices=LAYOUTS, default="class_folders")
    parser.add_argument("--labels", choices=("majority", "original"), default="majority")
    parser.add_argument("--most", type=int, help="at most this many faces, drawn at random")
    args = parser.parse_args()
    faces = read_faces(args.archive, args.labels, args.most)
    print(f"{len(faces):,} faces: {LAYOUTS[args.layout](faces, args.output)}")


if __name__ == "__main__":
    main()
