"""Checks of a Keras file before Keras opens it: that it is complete and that it would run no code of its own."""

import json
import zipfile
from pathlib import Path

_HDF5 = b"\x89HDF\r\n\x1a\n"
#: Layers whose configuration is code.
_PROGRAMS = {"Lambda", "__lambda__", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer"}


def check_keras_file(path: Path) -> None:
    """Refuse a file that is not a Keras model or that contains code.

    Keras's safe mode refuses such code too, but not in every version for every file (`.h5` before 3.11).

    Raises:
        ValueError: not a complete Keras model, or one with code of its own.
    """
    with open(path, "rb") as file:
        start = file.read(8)
    if start.startswith(b"PK"):
        config = _keras_config(path)
    elif start == _HDF5:
        config = _hdf5_config(path)
    else:
        raise ValueError(f"{path} is not a Keras model file: neither a .keras archive nor HDF5.")
    found = _foreign(config.get("config", {}))
    if found:
        raise ValueError(
            f"{path} is refused: it brings code of its own ({found}). Expected a model of Keras's own layers."
        )


def _keras_config(path: Path) -> dict:
    try:
        with zipfile.ZipFile(path) as archive:
            return json.loads(archive.read("config.json"))
    except (zipfile.BadZipFile, KeyError, ValueError, EOFError) as error:
        raise ValueError(f"{path} is not a whole .keras file: {error}.") from error


def _hdf5_config(path: Path) -> dict:
    import h5py

    try:
        with h5py.File(path, "r") as file:
            return json.loads(file.attrs["model_config"])
    except KeyError as error:
        raise ValueError(f"{path} holds weights without a model. Expected a whole model's .h5 file.") from error
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} is not a whole HDF5 file: {error}.") from error


def _foreign(node) -> str | None:
    """Return the name of the first object in a model's configuration that is not Keras's own, or None."""
    if isinstance(node, dict):
        module, name = node.get("module"), node.get("class_name")
        if isinstance(name, str):
            if name in _PROGRAMS:
                return name
            if isinstance(module, str) and module.split(".")[0] not in ("keras", "builtins"):
                return f"{module}.{name}"
            if name == "function" and module == "builtins" and node.get("registered_name") != "function":
                return f"function {node.get('config')}"
        return next((found for found in map(_foreign, node.values()) if found), None)
    if isinstance(node, list):
        return next((found for found in map(_foreign, node) if found), None)
    return None
