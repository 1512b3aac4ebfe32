"""Groups of settings: checked when made, turned into flags, and made from the flags that were given."""

from dataclasses import dataclass, field

import pytest

from fer_keras.cli import Parser
from fer_keras.config.run_config import OptimizerConfig, TrainingConfig
from fer_keras.config.settings import (
    Settings,
    add_flags,
    build_settings,
    flat_values,
    setting,
    settings_from,
    settings_of,
)


@dataclass(frozen=True)
class Colour(Settings):
    hue: float = setting(0.5, "share of the circle", low=0, high=1)
    name: str = setting("red", "of the colour", choices=lambda: ("red", "green"), flag="--colour")
    strong: bool = setting(False, "whether it is strong")


@dataclass(frozen=True)
class Size(Settings):
    side: int | None = setting(None, "in pixels; default: the picture's", low=1)


@dataclass(frozen=True)
class Picture:
    colour: Colour = field(default_factory=Colour)
    size: Size = field(default_factory=Size)


def parsed(*argv):
    parser = Parser(prog="picture")
    add_flags(parser, Picture)
    return parser.parse_args(list(argv))


def test_flags_that_are_given_stand_over_the_defaults_of_their_group():
    picture = settings_from(parsed("--colour", "green", "--strong", "--side", "3"), Picture)
    assert picture == Picture(Colour(0.5, "green", True), Size(3))
    assert settings_from(parsed(), Picture) == Picture()


def test_a_group_alone_takes_its_own_flags_and_what_the_command_decides():
    args = parsed("--hue", "1", "--side", "3")
    assert settings_from(args, Size) == Size(3)
    assert settings_from(args, Colour, strong=True) == Colour(1.0, "red", True)


@pytest.mark.parametrize(
    "values, message",
    [
        ({"hue": 2}, "--hue expects a number from 0 to 1. Received: 2"),
        ({"hue": True}, "--hue expects float"),
        ({"hue": "1"}, "--hue expects float"),
        ({"name": "greem"}, "--colour expects one of red, green. Received: 'greem'. Did you mean 'green'"),
        ({"side": 0}, "--side expects at least 1"),
    ],
)
def test_a_bad_value_names_its_flag(values, message):
    with pytest.raises(ValueError, match=message):
        build_settings(Picture, values)


def test_values_by_name_and_back():
    picture = build_settings(Picture, {"side": 4, "hue": 0.25})
    assert flat_values(picture) == {"hue": 0.25, "name": "red", "strong": False, "side": 4}
    assert build_settings(Picture, flat_values(picture)) == picture
    assert [group for group, _ in settings_of(Picture)] == ["colour", "colour", "colour", "size"]


def test_help_shows_choices_and_defaults(capsys):
    with pytest.raises(SystemExit):
        parsed("--help")
    text = " ".join(capsys.readouterr().out.split())
    assert "--colour {red,green} of the colour (default: red)" in text
    assert "in pixels; default: the picture's" in text and "(default: None)" not in text


@pytest.mark.parametrize("value", [10**400, -(10**400), float("nan"), float("inf")])
def test_numbers_that_are_none_are_one_line(value):
    for kind, name in ((OptimizerConfig, "learning_rate"), (TrainingConfig, "epochs")):
        if kind is TrainingConfig and isinstance(value, float):
            continue
        with pytest.raises(ValueError, match="--.* expects"):
            kind(**{name: value})
