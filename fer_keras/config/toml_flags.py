"""A configuration as TOML and as flags; a key that does not exist is an error that names the nearest one that does."""

import argparse
import dataclasses
import tomllib
from pathlib import Path

import tomli_w

from fer_keras.config.fields import TrainConfig, accepted_types, config_keys, flag_name
from fer_keras.hints import nearest


def config_from_mapping(mapping: dict, base: TrainConfig | None = None, source: str = "configuration") -> TrainConfig:
    """Return a configuration with the values of `mapping` over those of `base`.

    Args:
        mapping: keys of `TrainConfig`, flat or inside tables named after the groups (`[data]`, `[model]`, ...).
        base: what the mapping does not say; default: the defaults.
        source: what to call the mapping in an error.

    Raises:
        ValueError: an unknown key or table (the nearest known one is named) or a bad value.

    Example:
        >>> config_from_mapping({"epochs": 3, "model": {"backbone": "resnet50"}}).backbone
        'resnet50'
    """
    keys = config_keys()
    groups = {item.metadata["group"] for item in keys.values()}
    values = {}
    for key, value in mapping.items():
        entries = value if key in groups and isinstance(value, dict) else {key: value}
        for name, entry in entries.items():
            if name not in keys:
                raise ValueError(f"Unknown key {name!r} in {source}.{nearest(name, [*keys, *groups])}")
            values[name] = entry
    return dataclasses.replace(base or TrainConfig(), **values)


def load_config(path: str | Path, base: TrainConfig | None = None) -> TrainConfig:
    """Read a configuration from a TOML file such as `run.toml` or a run's `config.toml`.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not TOML, an unknown key or a bad value.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"No configuration file there. Expected a TOML file. Received: {path}.")
    try:
        mapping = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not a TOML file: {error}.") from error
    return config_from_mapping(mapping, base, source=str(path))


def dump_config(config: TrainConfig) -> str:
    """Return the configuration as TOML, one table a group; keys without a value are left out."""
    tables: dict[str, dict] = {}
    for name, item in config_keys().items():
        value = getattr(config, name)
        if value is not None:
            tables.setdefault(item.metadata["group"], {})[name] = value
    return tomli_w.dumps(tables)


def add_config_flags(parser: argparse.ArgumentParser) -> None:
    """Add one flag for every configuration key; flags not given stay out of the parsed arguments."""
    groups = {}
    for name, item in config_keys().items():
        group = item.metadata["group"]
        if group not in groups:
            groups[group] = parser.add_argument_group(group)
        text = item.metadata["help"] + ("" if item.default is None else f" (default: {item.default})")
        options = {"dest": name, "default": argparse.SUPPRESS, "help": text.replace("%", "%%")}
        kind = accepted_types(item)[0]
        if kind is bool:
            groups[group].add_argument(flag_name(name), action=argparse.BooleanOptionalAction, **options)
        else:
            metavar = (
                "{" + ",".join(item.metadata["choices"]) + "}" if item.metadata["choices"] else kind.__name__.upper()
            )
            groups[group].add_argument(flag_name(name), type=kind, metavar=metavar, **options)


def given_flags(args: argparse.Namespace) -> dict:
    """Return the configuration keys that were given on the command line, with their values."""
    keys = config_keys()
    return {name: value for name, value in vars(args).items() if name in keys}
