"""Reader `arrays`: a small data set as arrays in one `.npz`, such as a notebook makes, and the function that writes it."""

from pathlib import Path

import numpy as np

from fer_keras.files import write_atomic
from fer_keras.labels import AXES
from fer_keras.readers.array_file import load_arrays
from fer_keras.readers.file_states import Listing, file_states
from fer_keras.readers.names import find_splits, unknown_split
from fer_keras.readers.outside import LayoutListing
from fer_keras.readers.rows import ArrayImages, RawRows, Row, content_hash
from fer_keras.readers.spec import DataSpec

_SHAPES = {
    "images": "(n, height, width) or (n, height, width, 3) uint8, grey or RGB",
    "emotion": "(n,) names of emotions, empty where there is none",
    "valence": "(n,) numbers in -1..1 (or the spec's va_range), NaN where there is none",
    "arousal": "(n,) numbers in -1..1 (or the spec's va_range), NaN where there is none",
    "split": "(n,) train, validation or test, or words for them such as val",
    "id": "(n,) names, each once in its split",
    "landmarks": "(n, 68, 2) pixels",
}


def save_arrays(path: str | Path, images: np.ndarray, **labels) -> Path:
    """Write faces and labels to a `.npz` that `--data-spec arrays --data-dir FILE` reads.

    Args:
        path: of the file.
        images: (n, height, width) or (n, height, width, 3) uint8, grey or RGB.
        **labels: any of emotion, valence, arousal, split, id, landmarks, each with one entry per face. Without `split`
            training holds out a share of the faces for validation and for test.

    Raises:
        ValueError: arrays of other names, types or lengths.

    Example:
        save_arrays("faces.npz", images, emotion=["happy", "sad"], valence=[0.8, -0.6])
    """
    arrays = {"images": np.asarray(images), **{name: np.asarray(values) for name, values in labels.items()}}
    _check(arrays)

    def write(temporary: Path) -> None:
        with open(temporary, "wb") as file:
            np.savez_compressed(file, **arrays)

    return write_atomic(Path(path), write)


def list_files(spec: DataSpec, root: Path) -> Listing:
    """List the one file: `root`, or the only .npz in it.

    Raises:
        ValueError: no such file.
    """
    return LayoutListing({".": [_file(root).name]})


def _file(root: Path) -> Path:
    found = [root] if root.is_file() else sorted(root.glob("*.npz"))
    if len(found) != 1:
        names = ", ".join(path.name for path in found[:6]) or "none"
        raise ValueError(
            f"Expected --data-dir to be an .npz file, or a folder with one. Received: {root} with {names}."
        )
    return found[0]


def read_rows(spec: DataSpec, root: Path, listing: Listing, jobs: int | None = None) -> RawRows:
    """Read every face with its labels.

    Raises:
        ValueError: a damaged file, or one that lacks an array of the spec's targets.
    """
    states, arrays = file_states(root, listing), _read(_file(root))
    missing = [name for name in spec.targets if name not in arrays]
    if missing:
        raise ValueError(
            f"{root} holds no {', '.join(missing)}. Received: {', '.join(arrays)}. For fewer labels name them in targets "
            "of a copy of the data spec, or give arrays of empty entries."
        )
    rows = [_row(arrays, number) for number in range(len(arrays["images"]))]
    splits = find_splits([row.split for row in rows], spec)
    for row in rows:
        found = splits[row.split]
        row.fatal = unknown_split(row.split) if found is None else None
        row.split = found or ""
    return RawRows(rows, states, labels=spec.emotions)


def open_images(root: Path, paths, positions) -> ArrayImages:
    """Return the source of the images."""
    return ArrayImages(_read(_file(root))["images"], positions)


def _read(path: Path) -> dict[str, np.ndarray]:
    arrays = load_arrays(path, f"images and any of {', '.join(name for name in _SHAPES if name != 'images')}")
    _check(arrays)
    return arrays


def _check(arrays: dict[str, np.ndarray]) -> None:
    unknown = [name for name in arrays if name not in _SHAPES]
    if unknown or "images" not in arrays:
        raise ValueError(
            f"Arrays of faces expect images and any of {', '.join(_SHAPES)}. Received: {', '.join(arrays)}."
        )
    images = arrays["images"]
    grey = images.ndim == 3
    if images.dtype != np.uint8 or not (grey or (images.ndim == 4 and images.shape[3] == 3)):
        raise ValueError(f"images expects {_SHAPES['images']}. Received: {images.shape} {images.dtype}.")
    for name, values in arrays.items():
        shape = (len(images), 68, 2) if name == "landmarks" else (len(images),)
        kinds = "US" if name in ("emotion", "split", "id") else "fiu"
        if name != "images" and (values.shape != shape or values.dtype.kind not in kinds):
            raise ValueError(f"{name} expects {_SHAPES[name]}. Received: {values.shape} {values.dtype}.")


def _row(arrays: dict[str, np.ndarray], number: int) -> Row:
    image = arrays["images"][number]
    row = Row(
        _text(arrays, "split", number),
        _text(arrays, "id", number) or str(number),
        label=_text(arrays, "emotion", number) or None,
        content=content_hash(image.tobytes()),
        extent=image.shape[:2],
        position=number,
    )
    for axis in AXES:
        if axis in arrays:
            setattr(row, axis, float(arrays[axis][number]))
    if "landmarks" in arrays:
        row.landmarks = arrays["landmarks"][number].astype(np.float32)
    return row


def _text(arrays: dict[str, np.ndarray], name: str, number: int) -> str:
    value = arrays[name][number] if name in arrays else ""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
