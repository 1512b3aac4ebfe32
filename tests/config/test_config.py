"""The configuration: types, ranges, unknown keys, TOML round trip, flags."""

import pytest

from fer_keras.cli import Parser
from fer_keras.config.config_file import config_from_mapping, dump_config, load_config
from fer_keras.config.run_config import ModelConfig, RunConfig
from fer_keras.config.settings import add_flags, flat_values, given_flags


def test_round_trip_through_toml(tmp_path):
    config = RunConfig.of(epochs=3, data_dir='some where/"quoted"', image_size=48, flip=False, learning_rate=1e-5)
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
    add_flags(parser, RunConfig)
    assert given_flags(parser.parse_args([]), RunConfig) == {}
    args = parser.parse_args(["--no-flip", "--epochs", "7", "--data-dir", "x", "--learning-rate", "1e-4"])
    assert given_flags(args, RunConfig) == {"flip": False, "epochs": 7, "data_dir": "x", "learning_rate": 1e-4}
    flags = {flag for action in parser._actions for flag in action.option_strings}
    assert all("--" + name.replace("_", "-") in flags for name in flat_values(RunConfig()))


def test_an_unknown_flag_names_the_nearest_and_exits_2(capsys):
    parser = Parser(prog="train")
    add_flags(parser, RunConfig)
    with pytest.raises(SystemExit) as stop:
        parser.parse_args(["--batchsize", "3"])
    assert stop.value.code == 2
    assert "--batch-size" in capsys.readouterr().err


def test_values_go_to_their_group_and_the_others_stay():
    config = RunConfig.of(epochs=3, optimizer="sgd", backbone="tiny").replace(epochs=5, data_spec="ferplus")
    assert (config.training.epochs, config.optimizer.optimizer, config.data.data_spec) == (5, "sgd", "ferplus")
    assert config.model == ModelConfig("tiny") and config.loss == RunConfig().loss
    with pytest.raises(ValueError, match="Unknown key 'epoch'.*Did you mean 'epochs'"):
        config.replace(epoch=3)


def test_a_file_of_the_last_version_is_read(tmp_path):
    """Every table and key that it wrote; what it did not know yet has its default."""
    (tmp_path / "config.toml").write_text(
        '[data]\ndata_spec = "synthetic"\nimage_size = 48\n[augment]\nrotation = 15.0\nflip = true\n[model]\n'
        'backbone = "small"\nhead_units = "256"\n[loss]\nva_loss = "mse"\n[optimizer]\noptimizer = "adamw"\n'
        'learning_rate = 0.002\n[training]\nepochs = 9\noutput_dir = "runs/demo"\n'
    )
    config = load_config(tmp_path / "config.toml")
    expected = {"image_size": 48, "optimizer": "adamw", "learning_rate": 0.002, "epochs": 9, "output_dir": "runs/demo"}
    assert config == RunConfig.of(**expected)
    assert config_from_mapping(flat_values(config)) == config, "a bundle keeps them flat"


@pytest.mark.parametrize(
    "values, message",
    [
        ({"trainable_layers": "-3"}, "--trainable-layers expects a number, all or auto. Received: '-3'"),
        ({"va_trainable_layers": "auto"}, "--va-trainable-layers expects a number or all. Received: 'auto'"),
        ({"head_units": "12,x"}, "--head-units expects whole numbers.*'12,x'"),
    ],
)
def test_texts_that_hold_numbers_are_checked_at_once(values, message):
    with pytest.raises(ValueError, match=message):
        RunConfig.of(**values)


@pytest.mark.parametrize(
    "text", ["a = " + "[" * 3000 + "]" * 3000, "epochs = " + "9" * 5000, "epochs = [1]", "[model]\nbackbone = {}"]
)
def test_a_hostile_configuration_file_is_one_line(tmp_path, text):
    (tmp_path / "run.toml").write_text(text)
    with pytest.raises(ValueError) as error:
        load_config(tmp_path / "run.toml")
    assert "\n" not in str(error.value) and len(str(error.value)) < 6000


def test_limits_of_files_go_into_the_environment(monkeypatch):
    monkeypatch.delenv("FER_KERAS_MAX_MEGAPIXELS", raising=False)
    monkeypatch.setenv("FER_KERAS_MAX_MEGABYTES", "7")
    from fer_keras.config.file_limits import MEGABYTES, MEGAPIXELS, FileLimits, file_limit

    FileLimits().apply()
    assert (file_limit(MEGAPIXELS), file_limit(MEGABYTES)) == (256.0, 7.0)
    monkeypatch.setenv("FER_KERAS_MAX_MEGAPIXELS", "1")  # put back after the test
    FileLimits(max_megapixels=0.5, max_megabytes=3.0).apply()
    assert (file_limit(MEGAPIXELS), file_limit(MEGABYTES)) == (0.5, 3.0)
    with pytest.raises(ValueError, match="--max-megapixels expects more than 0"):
        FileLimits(max_megapixels=0.0)
