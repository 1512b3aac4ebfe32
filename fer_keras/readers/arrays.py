"""Reader `arrays`: a small data set as arrays in one `.npz`, such as a notebook makes, and the function that writes it."""

import zipfile
from pathlib import Path

import numpy as np

from fer_keras.files import write_atomic
from fer_keras.labels import AXES, known_emotion
from fer_keras.readers.rows import ArrayImages, Listing, RawRows, Row, content_hash, file_states
from fer_keras.readers.spec import DataSpec

_SHAPES = {
    "images": "(n, height, width) or (n, height, width, 3) uint8, grey or RGB",
    "emotion": "(n,) names of emotions, empty where there is none",
    "valence": "(n,) numbers in -1..1, NaN where there is none",
    "arousal": "(n,) numbers in -1..1, NaN where there is none",
    "split": "(n,) train, validation or test",
    "id": "(n,) names, each once in its split",
    "landmarks": "(n, 68, 2) pixels",
}


def save_arrays(path: str | Path, images: np.ndarray, **labels) -> Path:
    """Write faces and labels to a `.npz` that `--data-spec arrays --data-dir FILE` reads.

    Args:
        path: of the file.
        images: (n, height, width) or (n, height, width, 3) uint8, grey or RGB.
        **labels: any of emotion, valence, arousal, split, id, landmarks, each with one entry a face. Without `split`
            training takes a share of the faces for validation and for test.

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
    """List the one file.

    Raises:
        ValueError: `root` is no file.
    """
    if not root.is_file():
        raise ValueError(f"{spec.name} expects --data-dir to be an .npz file. Received: {root}.")
    return {".": [root.name]}


def read_rows(spec: DataSpec, root: Path, listing: Listing, jobs: int | None = None) -> RawRows:
    """Read every face with its labels.

    Raises:
        ValueError: a damaged file, or one that lacks an array of the spec's targets.
    """
    states, arrays = file_states(root, listing), _read(root)
    missing = [name for name in spec.targets if name not in arrays]
    if missing:
        raise ValueError(
            f"{root} holds no {', '.join(missing)}. Received: {', '.join(arrays)}. For fewer labels name them in targets "
            "of a copy of the data spec, or give arrays of empty entries."
        )
    return RawRows([_row(arrays, number) for number in range(len(arrays["images"]))], states, {}, spec.emotions)


def open_images(root: Path, paths, positions) -> ArrayImages:
    """Return the source of the images."""
    return ArrayImages(_read(root)["images"], positions)


def _read(path: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as found:
            arrays = {name: found[name] for name in found.files}
    except (ValueError, OSError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} is not an .npz of plain arrays: {error}.") from error
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
        label=known_emotion(_text(arrays, "emotion", number)) or None,
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
    return value.decode() if isinstance(value, bytes) else str(value)
