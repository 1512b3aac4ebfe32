"""The models that come with the package, by name: what is read with where no model is named, and what training can start from."""

from importlib import resources
from pathlib import Path

from fer_keras.hints import nearest

#: Folders of saved_models/.
BUNDLED = ("ferplus_faces", "ferplus_compact")
#: What stands for the default in `--weights`.
DEFAULT = "bundled"
#: Other names of bundled models -> their folders.
ALIASES = {DEFAULT: "ferplus_faces", "accurate": "ferplus_faces", "fast": "ferplus_compact"}


def is_bundled(name: str) -> bool:
    """Return whether a name is that of a bundled model, or stands for one.

    Example:
        >>> is_bundled("fast"), is_bundled("ferplus_compact"), is_bundled("runs/mine")
        (True, True, False)
    """
    return name in bundled_names()


def bundled_names() -> tuple[str, ...]:
    """Return every name by which a bundled model is known, as commands list them.

    Example:
        >>> bundled_names()
        ('bundled', 'accurate', 'fast', 'ferplus_faces', 'ferplus_compact')
    """
    return (*ALIASES, *BUNDLED)


def model_folder(name: str | Path) -> Path:
    """Return what a command's model names: a path, or a bundled model's folder; a file or folder of that name counts more."""
    path = Path(name).expanduser()
    return bundled_model(str(name)) if is_bundled(str(name)) and not path.exists() else path


def comes_with_the_package(folder: Path) -> bool:
    """Return whether a folder is that of a bundled model."""
    return folder.name in BUNDLED and folder.resolve() == _folder(folder.name).resolve()


def bundled_model(name: str = DEFAULT) -> Path:
    """Return the folder of a bundled model.

    Args:
        name: one of `bundled_names`; "bundled" is the default.

    Raises:
        ValueError: no bundled model of that name.
        FileNotFoundError: this installation does not have it.
    """
    if not is_bundled(name):
        known = bundled_names()
        raise ValueError(f"Expected a bundled model: {', '.join(known)}. Received: {name!r}.{nearest(name, known)}")
    name = ALIASES.get(name, name)
    folder = _folder(name)
    if not folder.is_dir():
        raise FileNotFoundError(
            f"This installation does not have the bundled model ({name}). Name another model, or install fer_keras again."
        )
    return folder


def _folder(name: str) -> Path:
    # As data_specs/: installed inside the package, at the top of the repository in a source tree.
    installed = Path(str(resources.files("fer_keras"))) / "saved_models" / name
    return installed if installed.is_dir() else Path(__file__).parents[1] / "saved_models" / name
