"""A run's configuration as a TOML file: one table for each group of settings."""

import dataclasses
import tomllib
from pathlib import Path

import tomli_w

from fer_keras.cli import one_line
from fer_keras.config.run_config import RunConfig
from fer_keras.config.settings import build_settings


def config_from_mapping(mapping: dict, base: RunConfig | None = None, source: str = "configuration") -> RunConfig:
    """Return a configuration with the values of `mapping` over those of `base`.

    Args:
        mapping: names of settings, either flat or inside tables named after the groups (`[data]`, `[model]`, ...).
        base: the values that the mapping does not give; default: the defaults.
        source: what an error calls the mapping.

    Raises:
        ValueError: an unknown key or table (the nearest known one is named) or a bad value.

    Example:
        >>> config_from_mapping({"epochs": 3, "model": {"backbone": "resnet50"}}).model.backbone
        'resnet50'
    """
    groups = {item.name for item in dataclasses.fields(RunConfig)}
    values = {}
    for key, value in mapping.items():
        values.update(value if key in groups and isinstance(value, dict) else {key: value})
    return build_settings(RunConfig, values, base, source)


def load_config(path: str | Path, base: RunConfig | None = None) -> RunConfig:
    """Read a configuration from a TOML file such as `run.toml` or a run's `config.toml`.

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: the file is not TOML, or has an unknown key or a bad value.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"No configuration file there. Expected a TOML file. Received: {path}.")
    try:
        mapping = tomllib.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not a TOML file: {one_line(error)}.") from error
    return config_from_mapping(mapping, base, source=str(path))


def dump_config(config: RunConfig) -> str:
    """Return the configuration as TOML, one table for each group; settings that are None are left out."""
    tables = {
        group: {name: value for name, value in settings.items() if value is not None}
        for group, settings in dataclasses.asdict(config).items()
    }
    return tomli_w.dumps(tables)
