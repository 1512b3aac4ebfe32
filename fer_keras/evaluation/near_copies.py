"""Faces of one split that look like a face of another: saved again with loss, resized, brightened or mirrored copies.

Equal pixels are dropped before training; these are only reported, since two photos of a moment can look as alike.
"""

from dataclasses import dataclass, field

import cv2
import numpy as np
from joblib import Parallel, delayed

from fer_keras.data.index import FaceIndex
from fer_keras.data.pixel_copies import BUDGET

#: Correlation of two faces' thumbnails from which on they count as copies. Of 3,579 PublicTest faces of FER2013 374 reach it
#: against the 28,561 training faces, all of them copies where they were looked at; the median face reaches 0.79. Of copies of
#: 400 faces 99 % reach it at JPEG quality 20, half the size or other noise, fewer where they are cropped closer.
ALIKE = 0.98

_SIDE = 16  # pixels of a thumbnail
_BLOCK = 4096  # faces compared at once
_CHUNK = 256  # faces decoded per task
_PAIRS = 20  # pairs that are named


@dataclass(frozen=True)
class NearCopies:
    """What was found.

    Attributes:
        compared: faces that were decoded.
        left: faces that were not, for time.
        faces: faces of validation and test that look like a face of a split that counts less.
        pairs: (face, the face it looks like, correlation) of the first of them, as split/id.
        unreadable: row -> reason of each face that could not be decoded.
    """

    compared: int = 0
    left: int = 0
    faces: int = 0
    pairs: tuple[tuple[str, str, float], ...] = ()
    unreadable: dict[int, str] = field(default_factory=dict)


def find_near_copies(index: FaceIndex, every_face: bool = False, alike: float = ALIKE) -> NearCopies:
    """Compare the faces of each split with those of the splits that count less: test with validation and training.

    Args:
        index: with splits assigned.
        every_face: whatever it costs; default: none where all together have more than `BUDGET` pixels.
        alike: see `ALIKE`.
    """
    cost = float(np.maximum(index.extent.astype(np.float64).prod(1), 1).sum())
    if cost > BUDGET and not every_face:
        return NearCopies(left=len(index))
    faces, unreadable = thumbnails(index)
    known = faces.any(1)
    found: list[tuple[str, str, float]] = []
    for name, below in (("validation", ["train"]), ("test", ["train", "validation"])):
        rows = np.flatnonzero((index.split == name) & known)
        others = np.flatnonzero(np.isin(index.split, below) & known)
        if not len(others):
            continue
        best, score = _nearest(faces[rows], faces[others])
        for row, at, value in zip(rows.tolist(), best.tolist(), score.tolist(), strict=True):
            if value >= alike:
                found.append((_name(index, row), _name(index, int(others[at])), round(value, 4)))
    found.sort(key=lambda pair: -pair[2])
    return NearCopies(len(index) - len(unreadable), 0, len(found), tuple(found[:_PAIRS]), unreadable)


def _name(index: FaceIndex, row: int) -> str:
    return f"{index.split[row]}/{index.id[row]}"


def thumbnails(index: FaceIndex) -> tuple[np.ndarray, dict[int, str]]:
    """Return each face as (256,) float32 of mean 0 and length 1, and the rows that cannot be read with the reason.

    A face that cannot be read or is of one shade has zeros.
    """
    source, unreadable = index.open_images(), {}
    chunks = [range(start, min(start + _CHUNK, len(index))) for start in range(0, len(index), _CHUNK)]
    found = Parallel(n_jobs=-1, prefer="threads", require="sharedmem")(
        delayed(_shrink)(source, chunk, unreadable) for chunk in chunks
    )
    return np.concatenate(found) if found else np.zeros((0, _SIDE * _SIDE), np.float32), unreadable


def _shrink(source, rows: range, unreadable: dict[int, str]) -> np.ndarray:
    out = np.zeros((len(rows), _SIDE * _SIDE), np.float32)
    for place, row in enumerate(rows):
        try:
            grey = cv2.cvtColor(source.load(row), cv2.COLOR_RGB2GRAY)
        except (ValueError, OSError) as error:
            unreadable[row] = str(error)
            continue
        small = cv2.resize(grey.astype(np.float32), (_SIDE, _SIDE), interpolation=cv2.INTER_AREA).reshape(-1)
        small -= small.mean()
        length = np.linalg.norm(small)
        if length > _SIDE:  # an even grey is like every other
            out[place] = small / length
    return out


def _nearest(faces: np.ndarray, others: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return for each face the place of the most similar of the others, mirrored or not, and the correlation with it."""
    best, score = np.zeros(len(faces), np.int64), np.full(len(faces), -1.0, np.float32)
    mirrored = faces.reshape(-1, _SIDE, _SIDE)[:, :, ::-1].reshape(faces.shape)
    for start in range(0, len(others), _BLOCK):
        block = others[start : start + _BLOCK].T
        for first in range(0, len(faces), _BLOCK):
            part = slice(first, first + _BLOCK)
            values = np.maximum(faces[part] @ block, mirrored[part] @ block)
            at = values.argmax(1)
            top = values[np.arange(len(at)), at]
            better = top > score[part]
            best[part] = np.where(better, at + start, best[part])
            score[part] = np.where(better, top, score[part])
    return best, score
