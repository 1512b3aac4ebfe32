"""Settings: dataclasses whose fields know their help, choices and range; flags, TOML and checks are made from them.

A group of settings is a frozen dataclass that inherits from `Settings`; each field is made by `setting`. A configuration is
a dataclass whose fields are groups. The name of a field is its key in TOML and, with `--` before it and dashes in it, its
flag on a command line, so names are unique within a configuration.
"""

import argparse
import contextlib
import dataclasses
import types
import typing
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Self, TypeVar

from fer_keras.hints import nearest

T = TypeVar("T")
_LARGEST = 2**63  # of whole numbers in TOML, and more than any setting means

Choices = Sequence[str] | Callable[[], Sequence[str]]


def setting(
    default,
    help: str,
    *,
    choices: Choices | None = None,
    low=None,
    high=None,
    above=None,
    below=None,
    flag: str | None = None,
    metavar=None,
    switch: bool = False,
):
    """Return a dataclass field with what flags, help and checks need.

    Args:
        default: its value where nothing is given; None means that something else decides, and `help` says what.
        help: one line for `--help`, without the default, which is added.
        choices: the values allowed, or a function that returns them, for tables that are not to be imported early.
        low, high: the smallest and the largest number allowed, both included.
        above, below: limits that a number may come near and not reach.
        flag: name of the flag where it is not made from the field's name, such as "--faces".
        metavar: what stands for the value in help; default: the choices or the type.
        switch: whether the flag of a truth value only turns it on, without a --no- form; for what no file can set.
    """
    metadata = {"help": help, "choices": choices, "flag": flag, "metavar": metavar, "switch": switch}
    limits = {"low": low, "high": high, "above": above, "below": below}
    return field(default=default, metadata={**metadata, **limits})


def setting_like(kind: type, name: str, **changes):
    """Return a field like a setting of another group, so that its default, range and help stand once.

    Args:
        kind: the other group.
        name: of its setting.
        **changes: other values for arguments of `setting`.
    """
    item = kind.__dataclass_fields__[name]
    return setting(**{"default": item.default, **item.metadata, **changes})


@dataclass(frozen=True)
class Settings:
    """A group of settings; making one checks every value.

    Raises:
        ValueError: a value of the wrong type, outside its choices or outside its range; the flag is named.
    """

    def __post_init__(self):
        for item in dataclasses.fields(self):
            check_value(item, getattr(self, item.name))

    @classmethod
    def of(cls, first, **settings) -> Self:
        """Return a group: `first` itself, or one whose first setting it is, with other settings over it.

        So a function can take a whole group or, for callers who have none, the setting that matters most and keywords.
        """
        group = first if isinstance(first, cls) else cls(first)
        return dataclasses.replace(group, **settings)


@contextlib.contextmanager
def named_as_arguments(kind: type) -> Iterator[None]:
    """Let errors inside name a setting as Python calls it, `min_confidence`, in place of the flag of the commands."""
    try:
        yield
    except ValueError as error:
        for _, item in settings_of(kind):
            flag, text = flag_of(item), str(error)
            if text.startswith(f"{flag} "):
                raise ValueError(item.name + text.removeprefix(flag)) from error
        raise


def is_group(item: dataclasses.Field) -> bool:
    """Return whether a field of a configuration holds a group of settings."""
    return isinstance(item.type, type) and issubclass(item.type, Settings)


def settings_of(kind: type) -> Iterator[tuple[str, dataclasses.Field]]:
    """Yield (name of the group, field) for every setting of a group or of a configuration of groups, in order.

    The name is "" for the settings of a lone group.
    """
    for item in dataclasses.fields(kind):
        if is_group(item):
            yield from ((item.name, inner) for inner in dataclasses.fields(item.type))
        else:
            yield "", item


def flag_of(item: dataclasses.Field) -> str:
    """Return the command-line flag of a setting: `batch_size` -> `--batch-size`."""
    return item.metadata["flag"] or flag_name(item.name)


def flag_name(key: str) -> str:
    """Return the flag that is made from a key.

    Example:
        >>> flag_name("batch_size")
        '--batch-size'
    """
    return "--" + key.replace("_", "-")


def accepted_types(item: dataclasses.Field) -> tuple[type, ...]:
    """Return the types that a setting takes."""
    return typing.get_args(item.type) if isinstance(item.type, types.UnionType) else (item.type,)


def choices_of(item: dataclasses.Field) -> tuple[str, ...] | None:
    """Return the values that a setting may have, or None where its range or type decides."""
    choices = item.metadata["choices"]
    return None if choices is None else tuple(choices() if callable(choices) else choices)


def check_value(item: dataclasses.Field, value) -> None:
    """Refuse a value that a setting cannot have.

    Raises:
        ValueError: a value of the wrong type, outside the choices or outside the range.
    """
    _check_type(item, value)
    if value is not None and item.metadata["choices"] is not None:
        _check_choice(item, value)
    _check_range(item, value)


def _check_type(item: dataclasses.Field, value) -> None:
    accepted = accepted_types(item)
    if float in accepted and isinstance(value, int) and not isinstance(value, bool):
        return
    if not isinstance(value, accepted) or (isinstance(value, bool) and bool not in accepted):
        names = " or ".join("nothing" if kind is type(None) else kind.__name__ for kind in accepted)
        raise ValueError(f"{flag_of(item)} expects {names}. Received: {value!r}.")


def _check_choice(item: dataclasses.Field, value) -> None:
    choices = choices_of(item)
    if value not in choices:
        hint = nearest(str(value), choices)
        raise ValueError(f"{flag_of(item)} expects one of {', '.join(choices)}. Received: {value!r}.{hint}")


def _check_range(item: dataclasses.Field, value) -> None:
    low, high, above, below = (item.metadata[name] for name in ("low", "high", "above", "below"))
    if value is None or isinstance(value, (str, bool)):
        return
    inside = abs(value) < _LARGEST  # NaN is not
    inside &= (low is None or value >= low) and (high is None or value <= high)
    inside &= (above is None or value > above) and (below is None or value < below)
    if not inside:
        raise ValueError(f"{flag_of(item)} expects {_limits(low, high, above, below)}. Received: {value!r}.")


def _limits(low, high, above, below) -> str:
    """Say in words which numbers are allowed."""
    if low is not None and high is not None:
        return f"a number from {low} to {high}"
    least = f"at least {low}" if low is not None else f"more than {above}" if above is not None else ""
    most = f"at most {high}" if high is not None else f"less than {below}" if below is not None else ""
    return " and ".join(filter(None, (least, most))) or "a finite number"


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
