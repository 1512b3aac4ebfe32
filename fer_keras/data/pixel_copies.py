"""Faces of equal pixels in files of different bytes: the same picture as PNG and BMP, or saved again by another program.

Files are told apart by the hash of their bytes, which costs nothing. Only faces that could be copies of each other are decoded:
those of one size whose bytes differ, the smaller pictures first, until `BUDGET` pixels are spent. It is done once: the
hashes are kept in the cache folder.
"""

import contextlib
import hashlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import cv2
import numpy as np

from fer_keras.data.index import FaceIndex
from fer_keras.files import cache_folder, write_atomic
from fer_keras.readers.rows import content_hash

#: Pixels that are decoded at most to find copies; 40,000 faces of 224 px, or 870,000 of 48.
BUDGET = 2_000_000_000
#: What is noted of the faces that were too many to be decoded.
NOT_COMPARED = "face not compared with others by its pixels, for time (inspect --decode-all compares all)"

_CHUNK = 256  # faces per task
#: What reading a damaged `.npy` file raises.
_DAMAGED = (OSError, ValueError, EOFError, SyntaxError, MemoryError, SystemError)


def pixel_contents(index: FaceIndex, budget: float = BUDGET) -> tuple[np.ndarray, int]:
    """Return texts by which faces of equal pixels are equal, whatever files they are in.

    Args:
        index: of faces in files, in arrays, or both.
        budget: pixels to decode at most.

    Returns:
        (n,) text: `index.content`, with the faces of equal pixels given the content of the first of them; and how many faces
        were left out for want of budget.
    """
    rows, left = _candidates(index, budget)
    contents = index.content.astype(object)
    first: dict[str, str] = {}
    for row, pixels in zip(rows.tolist(), pixel_hashes(index, rows), strict=True):
        if pixels:
            contents[row] = first.setdefault(pixels, contents[row])
    return contents.astype(str), left


def pixel_hashes(index: FaceIndex, rows: np.ndarray) -> list[str]:
    """Return the hash of each face's pixels, grey ones as one channel; "" for one that cannot be read. Kept in the cache."""
    if not len(rows):
        return []
    path = cache_folder() / "pixels" / f"{_key(index, rows)}.npy"
    with contextlib.suppress(*_DAMAGED):
        kept = np.load(path, allow_pickle=False)
        if kept.shape == rows.shape and kept.dtype.kind == "U":
            return kept.tolist()
    from joblib import Parallel, delayed

    source = index.open_images()
    chunks = [rows[start : start + _CHUNK] for start in range(0, len(rows), _CHUNK)]
    found = Parallel(n_jobs=-1, prefer="threads", require="sharedmem")(
        delayed(_hash_faces)(source, index, chunk.tolist()) for chunk in chunks
    )
    hashes = [text for chunk in found for text in chunk]
    _keep(path, hashes)
    return hashes


def _hash_faces(source, index: FaceIndex, rows: list[int]) -> list[str]:
    return [str(index.content[row]) if not index.path[row] else _hash_face(source, row) for row in rows]


def _hash_face(source, row: int) -> str:
    try:
        image = source.load(row)
    except (ValueError, OSError):
        return ""
    grey = bool((image == image[..., :1]).all())
    return content_hash((image[..., 0] if grey else image).tobytes())  # as readers hash the faces in arrays


def _candidates(index: FaceIndex, budget: float) -> tuple[np.ndarray, int]:
    """Return the faces to decode, and how many there would be more."""
    taken, left, spent = [], 0, 0
    for pixels, rows in sorted(_alike(index), key=lambda group: group[0] * len(group[1])):
        if spent + pixels * len(rows) > budget:
            kept = _of_several_formats(index, rows)
            left += len(rows) - len(kept)
            rows = kept
            if spent + pixels * len(rows) > budget:
                left += len(rows)
                continue
        spent += pixels * len(rows)
        taken.append(rows)
    return np.sort(np.concatenate([*taken, np.empty(0, np.int64)])), left


def _alike(index: FaceIndex) -> Iterator[tuple[int, np.ndarray]]:
    """Yield the pixels of a picture, and the faces of pictures of that size with different contents, some of them in files."""
    extents = np.sort(index.extent, axis=1)  # a turned copy has height and width the other way round
    boxes = np.zeros(len(index), np.int64)
    if index.face_box is not None:
        sides = (index.face_box[:, 2:] - index.face_box[:, :2]).max(1)
        boxes = np.nan_to_num(sides).round().astype(np.int64)
        extents = np.where(boxes[:, None] > 0, 0, extents)
    keys, group = np.unique(np.column_stack([extents, boxes]), axis=0, return_inverse=True)
    order = np.argsort(group.reshape(-1), kind="stable")
    for number, rows in zip(*_runs(group.reshape(-1)[order], order), strict=True):
        known = index.content[rows] != ""
        in_files = index.path[rows] != ""
        rows = rows[known]
        if in_files[known].any() and keys[number].any() and len(set(index.content[rows].tolist())) > 1:
            pictures = index.extent[rows].astype(np.int64).prod(1)
            yield int(pictures.mean()), rows


def _runs(values: np.ndarray, order: np.ndarray) -> tuple[list[int], list[np.ndarray]]:
    """Return each value of a sorted array, and the part of `order` that belongs to it."""
    starts = np.flatnonzero(np.r_[True, values[1:] != values[:-1]]) if len(values) else np.empty(0, np.int64)
    return values[starts].tolist(), np.split(order, starts[1:]) if len(values) else []


def _of_several_formats(index: FaceIndex, rows: np.ndarray) -> np.ndarray:
    """Return the rows if their files are of several formats by their suffixes, of one format none: copies in it are rare."""
    suffixes = {PurePosixPath(path).suffix.lower().replace("jpeg", "jpg") for path in index.path[rows].tolist()}
    return rows if len(suffixes) > 1 else rows[:0]


def _key(index: FaceIndex, rows: np.ndarray) -> str:
    """Return a hash of what decides the pixels: the contents, and the decoder."""
    digest = hashlib.blake2b(f"1 {cv2.__version__}\n".encode(), digest_size=16)
    digest.update("\n".join(index.content[rows].tolist()).encode())
    return digest.hexdigest()


def _keep(path: Path, hashes: list[str]) -> None:
    def write(temporary: Path) -> None:
        with open(temporary, "wb") as file:
            np.save(file, np.array(hashes, "U32"))

    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, write)
