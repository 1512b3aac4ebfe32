"""Opening Keras model files (.keras, .h5): the one function that does, after a check that nothing in the file runs."""

import json
import zipfile
from pathlib import Path

import keras

from fer_keras.cli import one_line
from fer_keras.models.keras_config import foreign_object

_HDF5 = b"\x89HDF\r\n\x1a\n"
_MEMBERS = {"metadata.json", "config.json", "model.weights.h5"}
_LARGEST_CONFIG = 100_000_000
#: Arrays may take this many times the bytes of the file, compressed weights, and these bytes in a small file.
_INFLATION, _SMALL = 20, 100_000_000


def load_keras_model(path: str | Path) -> keras.Model:
    """Load a Keras model, not compiled, from a file that contains nothing but Keras's own layers and numbers.

    Args:
        path: of the .keras or .h5 file.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not a complete Keras model; or one that is refused before Keras opens it, because it has Lambda layers or
            other code, objects of other packages, layers that read files, or weights that lie in other files.
    """
    path = Path(path)
    check_keras_file(path)
    try:
        return keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises many kinds
        raise ValueError(f"{path} cannot be loaded, it may be truncated: {one_line(error)}.") from error


def check_keras_file(path: Path) -> None:
    """Refuse a file that is not a Keras model or that contains more than Keras's own layers and numbers.

    Args, Raises: those of `load_keras_model`.
    """
    if not path.is_file():
        raise FileNotFoundError(f"No Keras model there. Expected a .keras or .h5 file: {path}.")
    with open(path, "rb") as file:
        start = file.read(8)
    if start.startswith(b"PK"):
        config = _keras_config(path)
    elif start == _HDF5:
        config = _hdf5_config(path)
    else:
        raise ValueError(f"{path} is not a Keras model file: neither a .keras archive nor HDF5.")
    if not isinstance(config, dict):
        raise ValueError(f"{path} is not a Keras model file: its configuration is not an object.")
    # How the model was compiled is not read; it may name losses of fer_keras. Models inside this one are compiled.
    found = foreign_object({key: value for key, value in config.items() if key != "compile_config"})
    if found:
        raise ValueError(
            f"{path} is refused: it brings code of its own ({found}). Expected a model of Keras's own layers."
        )


def check_weights_file(path: Path) -> None:
    """Refuse an HDF5 file of weights alone that is damaged or whose arrays lie in other files.

    Raises:
        ValueError: such a file.
    """
    import h5py

    try:
        with h5py.File(path, "r") as file:
            _check_arrays(file, path)
    except (OSError, RuntimeError, KeyError) as error:
        raise ValueError(f"{path} is not a whole HDF5 file: {one_line(error)}.") from error


def _keras_config(path: Path):
    import h5py

    try:
        with zipfile.ZipFile(path) as archive:
            sizes = {member.filename: member.file_size for member in archive.infolist()}
            others = sorted(set(sizes) - _MEMBERS)
            if others:
                raise ValueError(f"expected {', '.join(sorted(_MEMBERS))}, received {others[0]!r} too")
            if sizes.get("config.json", 0) > _LARGEST_CONFIG or sum(sizes.values()) > _most_bytes(path):
                raise ValueError("it unfolds into far more bytes than it has")
            config = json.loads(archive.read("config.json"))
            with archive.open("model.weights.h5") as weights, h5py.File(weights, "r") as file:
                _check_arrays(file, path)
            return config
    except Exception as error:  # zipfile, its decompressors, h5py and JSON raise many kinds
        raise ValueError(f"{path} is not a whole .keras file: {one_line(error)}.") from error


def _hdf5_config(path: Path):
    import h5py

    try:
        with h5py.File(path, "r") as file:
            text = file.attrs.get("model_config")
            _check_arrays(file, path)
        config = None if text is None else json.loads(text)
    except Exception as error:  # h5py and JSON raise many kinds
        raise ValueError(f"{path} is not a whole HDF5 file: {one_line(error)}.") from error
    if text is None:
        raise ValueError(f"{path} holds weights without a model. Expected a whole model's .h5 file.")
    return config


def _check_arrays(file, path: Path) -> None:
    """Refuse links to other files, arrays that lie in other files, and arrays far larger than the file.

    Raises:
        ValueError: the first of these is named.
    """
    import h5py

    waiting, total, seen = [file], 0, set()
    while waiting:
        group = waiting.pop()
        for name in group:
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise ValueError(f"{group.name}/{name} is a link, where an array or a group was expected")
            entry = group[name]
            if isinstance(entry, h5py.Group):
                if entry.id not in seen:
                    seen.add(entry.id)
                    waiting.append(entry)
            elif not isinstance(entry, h5py.Dataset) or entry.external or entry.is_virtual:
                raise ValueError(f"{entry.name} lies in another file, where an array was expected")
            else:
                total += entry.nbytes
    if total > _most_bytes(path):
        raise ValueError(f"it announces arrays of {total:,} bytes, far more than it has")


def _most_bytes(path: Path) -> int:
    return max(_SMALL, _INFLATION * path.stat().st_size)
