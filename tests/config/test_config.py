"""The configuration: types, ranges, unknown keys, TOML round trip, flags."""

import dataclasses

import pytest

from fer_keras.cli import Parser
from fer_keras.config.fields import TrainConfig
from fer_keras.config.toml_flags import add_config_flags, config_from_mapping, dump_config, given_flags, load_config


def test_round_trip_through_toml(tmp_path):
    config = TrainConfig(epochs=3, data_dir='some where/"quoted"', image_size=48, flip=False, learning_rate=1e-5)
    (tmp_path / "run.toml").write_text(dump_config(config))
    assert load_config(tmp_path / "run.toml") == config


def test_flat_and_grouped_keys_mean_the_same():
    assert config_from_mapping({"epochs": 2}) == config_from_mapping({"training": {"epochs": 2}})


@pytest.mark.parametrize(
    "mapping, message",
    [
        ({"epoch": 3}, "Unknown key 'epoch'.*Did you mean 'epochs'"),
        ({"modell": {"backbone": "small"}}, "Unknown key 'modell'.*'model'"),
        ({"epochs": "3"}, "--epochs expects int"),
        ({"epochs": 0}, "--epochs expects at least 1"),
        ({"flip": 1}, "--flip expects bool"),
        ({"epochs": True}, "--epochs expects int"),
        ({"balance": "weigth"}, "Did you mean 'weight'"),
        ({"dropout": float("nan")}, "--dropout expects a number from 0 to 0.95"),
    ],
)
def test_bad_values_name_the_flag_and_the_remedy(mapping, message):
    with pytest.raises(ValueError, match=message):
        config_from_mapping(mapping)


def test_a_file_that_is_missing_or_no_toml(tmp_path):
    with pytest.raises(FileNotFoundError, match="nothing.toml"):
        load_config(tmp_path / "nothing.toml")
    (tmp_path / "bad.toml").write_text("epochs = = 3")
    with pytest.raises(ValueError, match="is not a TOML file"):
        load_config(tmp_path / "bad.toml")


def test_every_key_has_a_flag_that_is_kept_apart_from_the_defaults():
    parser = Parser(prog="train")
    add_config_flags(parser)
    assert given_flags(parser.parse_args([])) == {}
    given = given_flags(parser.parse_args(["--no-flip", "--epochs", "7", "--data-dir", "x", "--learning-rate", "1e-4"]))
    assert given == {"flip": False, "epochs": 7, "data_dir": "x", "learning_rate": 1e-4}
    flags = {flag for action in parser._actions for flag in action.option_strings}
    assert all("--" + item.name.replace("_", "-") in flags for item in dataclasses.fields(TrainConfig))


def test_an_unknown_flag_names_the_nearest_and_exits_2(capsys):
    parser = Parser(prog="train")
    add_config_flags(parser)
    with pytest.raises(SystemExit) as stop:
        parser.parse_args(["--batchsize", "3"])
    assert stop.value.code == 2
    assert "--batch-size" in capsys.readouterr().err
