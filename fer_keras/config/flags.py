"""Command-line flags made from settings, and settings made from the flags that were given."""

import argparse
import dataclasses
from typing import TypeVar

from fer_keras.config.settings import accepted_types, choices_of, flag_of, is_group, settings_of
from fer_keras.hints import nearest

T = TypeVar("T")


def add_flags(parser: argparse.ArgumentParser, kind: type, *, leave_out: tuple[str, ...] = ()) -> None:
    """Add one flag for every setting; a flag that is not given stays out of the parsed arguments.

    Args:
        parser: gets the flags; each group of a configuration is a group of the help.
        kind: a group of settings, or a configuration of groups.
        leave_out: names of settings that this command does not offer.
    """
    sections: dict[str, argparse._ActionsContainer] = {"": parser}
    for group, item in settings_of(kind):
        if item.name in leave_out:
            continue
        if group not in sections:
            sections[group] = parser.add_argument_group(group)
        _add_flag(sections[group], item)


def _add_flag(section, item: dataclasses.Field) -> None:
    text = item.metadata["help"] + _default_shown(item.default)
    options = {"dest": item.name, "default": argparse.SUPPRESS, "help": text.replace("%", "%%")}
    kind = accepted_types(item)[0]
    if kind is bool:
        action = "store_true" if item.metadata["switch"] else argparse.BooleanOptionalAction
        section.add_argument(flag_of(item), action=action, **options)
        return
    section.add_argument(flag_of(item), type=kind, metavar=item.metadata["metavar"] or _values_shown(item), **options)


def _default_shown(default) -> str:
    """Return what help says of a default; nothing where there is none, or where a switch is off."""
    if default is None or default is False or default == "":
        return ""
    shown = "on" if default is True else f"{default:g}" if isinstance(default, float) else default
    return f" (default: {shown})"


def _values_shown(item: dataclasses.Field) -> str:
    choices = choices_of(item)
    return "{" + ",".join(choices) + "}" if choices else accepted_types(item)[0].__name__.upper()


def given_flags(args: argparse.Namespace, kind: type) -> dict:
    """Return the settings that were given on the command line, with their values, by name."""
    names = {item.name for _, item in settings_of(kind)}
    return {name: value for name, value in vars(args).items() if name in names}


def settings_from(args: argparse.Namespace, kind: type[T], **others) -> T:
    """Return a group of settings, or a configuration of groups, with the flags that were given over the defaults.

    Args:
        args: parsed arguments.
        kind: the dataclass to make.
        **others: values that this command decides itself, by name.

    Raises:
        ValueError: a value outside its choices or its range.
    """
    return build_settings(kind, {**given_flags(args, kind), **others})


def build_settings(kind: type[T], values: dict, base: T | None = None, source: str = "settings") -> T:
    """Return a group, or a configuration of groups, with values given by the names of settings over those of `base`.

    Args:
        kind: the dataclass to make.
        values: by name, whatever the group.
        base: what the values do not say; default: the defaults.
        source: what an error calls the values, such as the file they are from.

    Raises:
        ValueError: a name that is no setting (the nearest that is one is named), or a bad value.
    """
    _check_names(kind, values, source)
    base = base if base is not None else kind()
    changes = {}
    for item in dataclasses.fields(kind):
        if is_group(item):
            own = {inner.name for inner in dataclasses.fields(item.type)} & values.keys()
            changes[item.name] = dataclasses.replace(getattr(base, item.name), **{name: values[name] for name in own})
        elif item.name in values:
            changes[item.name] = values[item.name]
    return dataclasses.replace(base, **changes)


def _check_names(kind: type, values: dict, source: str) -> None:
    names = [item.name for _, item in settings_of(kind)]
    for name in values:
        if name not in names:
            groups = [item.name for item in dataclasses.fields(kind) if is_group(item)]
            raise ValueError(f"Unknown key {name!r} in {source}.{nearest(name, [*names, *groups])}")


def flat_values(settings) -> dict:
    """Return every setting of a group, or of a configuration of groups, by name."""
    found = {}
    for group, item in settings_of(type(settings)):
        found[item.name] = getattr(getattr(settings, group) if group else settings, item.name)
    return found
