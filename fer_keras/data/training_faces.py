"""The faces that a model was trained on, as short hashes that lie in its run: so an evaluation can tell which ones it knew.

A face has two hashes: of its file's bytes, and of its pixels (see `pixel_hashes`), which finds the same picture in another
file. Both are cut to 64 bits: among 300,000 faces two different ones share one by chance in less than 1 of 100 million
evaluations. No picture can be made from them.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fer_keras.data.index import FaceIndex
from fer_keras.data.pixel_copies import BUDGET, pixel_hashes
from fer_keras.files import write_atomic
from fer_keras.readers.array_file import load_arrays

_FORMAT = 1


@dataclass(frozen=True)
class Ancestor:
    """A model whose weights another one started from, directly or through others.

    Attributes:
        name: of the bundled model, or the path that `--weights` had.
        sets: names of the data sets that it was trained on.
        faces: how many training faces it had, or None where it keeps no index of them.
        pixels: whether their pixels are known too.
    """

    name: str
    sets: tuple[str, ...] = ()
    faces: int | None = None
    pixels: bool = False


@dataclass(frozen=True)
class TrainingFaces:
    """The faces that a model and those it started from were trained on.

    Attributes:
        hashes: (n,) uint64, sorted, each once: of files and pixels together.
        faces: how many training faces the model itself had.
        pixels: whether those of the pixels of the model's own faces are among them.
        ancestors: the models that it started from.
    """

    hashes: np.ndarray
    faces: int
    pixels: bool = True
    ancestors: tuple[Ancestor, ...] = ()

    @property
    def by_pixels(self) -> bool:
        """Whether the pixels of all training faces are known whose files are."""
        return self.pixels and all(one.pixels for one in self.ancestors if one.faces is not None)

    def known(self, index: FaceIndex) -> np.ndarray:
        """Return (n,) bool: which faces of an index are among these, by the bytes of their files or by their pixels.

        Pixels are compared unless that means decoding more than `BUDGET`.
        """
        found = self._holds(short_hashes(index.content.tolist()))
        rest = np.flatnonzero(~found)
        if len(rest) and affordable(index, rest):
            found[rest] = self._holds(short_hashes(pixel_hashes(index, rest)))
        return found

    def _holds(self, hashes: np.ndarray) -> np.ndarray:
        if not len(self.hashes):
            return np.zeros(len(hashes), bool)
        places = np.searchsorted(self.hashes, hashes).clip(max=len(self.hashes) - 1)
        return (self.hashes[places] == hashes) & (hashes != 0)

    def joined(self, other: "TrainingFaces", ancestor: Ancestor | None = None) -> "TrainingFaces":
        """Return these faces and those of another model, which becomes an ancestor if one is given."""
        more = (*([ancestor] if ancestor else []), *other.ancestors)
        return TrainingFaces(
            np.union1d(self.hashes, other.hashes),
            self.faces,
            self.pixels,
            tuple(dict.fromkeys((*self.ancestors, *more))),
        )


def hash_faces(index: FaceIndex, *, pixels: bool) -> TrainingFaces:
    """Return the hashes of an index's faces.

    Args:
        index: the training faces.
        pixels: hash their pixels too, unless that means decoding more than `BUDGET`. Those of images in arrays are known
            already, and cost nothing.
    """
    rows = np.arange(len(index))
    decoded = pixels and affordable(index, rows)
    hashes = [short_hashes(index.content.tolist())]
    if decoded:
        hashes.append(short_hashes(pixel_hashes(index, rows)))
    found = np.unique(np.concatenate(hashes))
    return TrainingFaces(found[found != 0], len(index), decoded)


def short_hashes(texts: Iterable[str]) -> np.ndarray:
    """Return the first 64 bits of hashes in hex, (n,) uint64; 0 for "".

    Example:
        >>> short_hashes(["00000000000000ff" + 16 * "0", ""]).tolist()
        [255, 0]
    """
    return np.array([int(text[:16] or "0", 16) for text in texts], np.uint64)


def affordable(index: FaceIndex, rows: np.ndarray) -> bool:
    """Return whether the pixels of some faces can be hashed without decoding more than `BUDGET`."""
    files = rows[index.path[rows] != ""]
    return int(np.maximum(index.extent[files].astype(np.int64).prod(1), 1).sum()) <= BUDGET


def write_training_faces(path: Path, faces: TrainingFaces) -> None:
    """Write the hashes to a file, 8 bytes each, atomically."""
    facts = {
        "format": _FORMAT,
        "faces": faces.faces,
        "pixels": faces.pixels,
        "ancestors": [vars(ancestor) for ancestor in faces.ancestors],
    }

    def write(temporary: Path) -> None:
        with open(temporary, "wb") as file:
            np.savez(file, hashes=faces.hashes, facts=np.array(json.dumps(facts)))

    write_atomic(path, write)


def read_training_faces(path: Path) -> TrainingFaces | None:
    """Return the hashes that `write_training_faces` wrote, or None if there is no such file.

    Raises:
        ValueError: a file that cannot be read, or of a newer format.
    """
    if not path.exists():
        return None
    try:
        arrays = load_arrays(path, "hashes and facts", "index")
        hashes, facts = arrays["hashes"], json.loads(str(arrays["facts"]))
        if facts["format"] != _FORMAT or hashes.dtype != np.uint64 or hashes.ndim != 1:
            raise ValueError(f"format {facts['format']}")
        ancestors = tuple(Ancestor(**{**one, "sets": tuple(one["sets"])}) for one in facts["ancestors"])
        return TrainingFaces(hashes, int(facts["faces"]), bool(facts["pixels"]), ancestors)
    except Exception as error:  # foreign facts make all kinds of errors
        raise ValueError(
            f"Expected an index of training faces of format {_FORMAT}. Received: {path}, {error}. Remove the file; "
            "evaluations then cannot tell which faces the model was trained on."
        ) from error
