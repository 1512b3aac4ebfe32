"""The models that come with the package, by name: what is read with where no model is named, and what training can start from."""

from importlib import resources
from pathlib import Path

from fer_keras.hints import nearest

#: Folders of saved_models/, the default first.
BUNDLED = ("ferplus_compact",)
#: What stands for the default in `--weights`.
DEFAULT = "bundled"


def is_bundled(name: str) -> bool:
    """Return whether a name is that of a bundled model, or stands for the default one.

    Example:
        >>> is_bundled("bundled"), is_bundled("ferplus_compact"), is_bundled("runs/mine")
        (True, True, False)
    """
    return name in (DEFAULT, *BUNDLED)


def bundled_model(name: str = DEFAULT) -> Path:
    """Return the folder of a bundled model.

    Args:
        name: one of `BUNDLED`, or "bundled": the default.

    Raises:
        ValueError: no bundled model of that name.
        FileNotFoundError: this installation does not have it.
    """
    if not is_bundled(name):
        known = (DEFAULT, *BUNDLED)
        raise ValueError(f"Expected a bundled model: {', '.join(known)}. Received: {name!r}.{nearest(name, known)}")
    name = BUNDLED[0] if name == DEFAULT else name
    # As data_specs/: installed inside the package, at the top of the repository in a source tree.
    installed = Path(str(resources.files("fer_keras"))) / "saved_models" / name
    folder = installed if installed.is_dir() else Path(__file__).parents[1] / "saved_models" / name
    if not folder.is_dir():
        raise FileNotFoundError(
            f"This installation does not have the bundled model ({name}). Name another model, or install fer_keras again."
        )
    return folder
