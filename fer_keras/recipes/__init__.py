"""Training recipes: one TOML file each, with keys of `RunConfig`, opening with the command that runs it."""

from importlib import resources
from pathlib import Path

from fer_keras.config.config_file import load_config
from fer_keras.config.run_config import RunConfig
from fer_keras.hints import nearest


def recipe_names() -> list[str]:
    """Return the names of the recipes that come with the package, sorted.

    Example:
        >>> "ferplus_compact" in recipe_names()
        True
    """
    return sorted(path.name.removesuffix(".toml") for path in _folder().iterdir() if path.name.endswith(".toml"))


def load_recipe(name: str | Path) -> RunConfig:
    """Read a recipe by name (`ferplus_compact`) or by the path of its TOML file.

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: no recipe has that name (the nearest one is named), or the file has an unknown key or a bad value.

    Example:
        >>> load_recipe("ferplus_compact").model.backbone
        'compact'
    """
    text = str(name)
    if text in recipe_names():
        with resources.as_file(_folder() / f"{text}.toml") as path:
            return load_config(path)
    if text.endswith(".toml"):
        return load_config(text)
    raise ValueError(
        f"Unknown recipe. Expected one of {', '.join(recipe_names())} or the path of a .toml file. "
        f"Received: {text!r}.{nearest(text, recipe_names())}"
    )


def _folder():
    return resources.files("fer_keras.recipes")
