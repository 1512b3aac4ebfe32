"""Recipes: each is valid, opens with its command, and counts less than a file and flags."""

import shlex
from importlib import resources

import pytest

from fer_keras.config.run_config import RunConfig
from fer_keras.readers.spec import load_spec
from fer_keras.recipes import load_recipe, recipe_names
from fer_keras.train import build_parser, resolve_config


@pytest.mark.parametrize("name", recipe_names())
def test_a_recipe_is_valid_and_opens_with_the_command_that_runs_it(name):
    from fer_keras.models.backbones import get_backbone

    config = load_recipe(name)
    get_backbone(config.model.backbone), load_spec(config.data.data_spec)
    first = (resources.files("fer_keras.recipes") / f"{name}.toml").read_text(encoding="utf-8").splitlines()[0]
    command = shlex.split(first.removeprefix("# "))
    assert command[:5] == ["python", "-m", "fer_keras.train", "--recipe", name]
    assert build_parser().parse_args(command[3:]).recipe == name


#: Trained parameters of a recipe's model, from its system's layers.
PARAMETERS = {
    # ResNet-18 with ImageNet's classifier has 11,689,512; each head is 512 -> 256 -> 8 or 2.
    "multitask_resnet18": 11_689_512 - 513 * 1000 + 2 * 513 * 256 + 257 * (8 + 2),
    "fer2013_resnet18": 11_689_512 - 513 * 1000 + 513 * 256 + 2 * 256 + 257 * 7,
    "emotion_cnn_gray224": 10 * 32 + 289 * 64 + 577 * 128 + 2 * (32 + 64 + 128) + 100_353 * 128 + 2 * 128 + 129 * 7,
    "emotion4_cnn": 10 * 64 + 577 * (64 + 128) + 1153 * (128 + 256) + 2305 * 256
    + 9_217 * 512 + 513 * 256 + 2 * (512 + 256) + 257 * 4,
}  # fmt: skip


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in PARAMETERS else pytest.mark.slow) for name in recipe_names()]
)
def test_a_recipe_builds_and_has_the_parameters_of_its_system(name):
    import numpy as np

    from fer_keras.data.classes import parse_classes
    from fer_keras.data.loading import choose_outputs
    from fer_keras.models.build import build_model

    config = load_recipe(name)
    spec = load_spec(config.data.data_spec)
    labels = parse_classes(config.data.emotions) or spec.emotions
    outputs = choose_outputs(config.model.outputs, spec)
    scratch = {"weights": "none", "trainable_layers": "all"}
    model = build_model(config.model, config.data.image_size, outputs, len(labels), **scratch)
    assert set(model.output) == set(outputs)
    counted = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    assert counted == PARAMETERS.get(name, counted)


def test_flags_count_more_than_the_file_and_that_more_than_the_recipe(tmp_path):
    recipe = tmp_path / "mine.toml"
    recipe.write_text("epochs = 3\nbatch_size = 4\ndropout = 0.1\n")
    file = tmp_path / "run.toml"
    file.write_text("batch_size = 5\ndropout = 0.2\n")
    config = resolved("--dropout", "0.4", "--config", str(file), "--recipe", str(recipe))
    assert (config.training.epochs, config.training.batch_size, config.model.dropout) == (3, 5, 0.4)
    assert config.optimizer == RunConfig().optimizer


def resolved(*flags: str) -> RunConfig:
    return resolve_config(build_parser().parse_args(flags))


def test_unknown_recipes_name_the_nearest_and_missing_files_say_so(tmp_path):
    with pytest.raises(ValueError, match="Received: 'ferplus_compct'. Did you mean 'ferplus_compact'"):
        load_recipe("ferplus_compct")
    with pytest.raises(FileNotFoundError):
        load_recipe(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("epoch = 3\n")
    with pytest.raises(ValueError, match="Unknown key 'epoch'.*bad.toml.*Did you mean 'epochs'"):
        load_recipe(tmp_path / "bad.toml")


def test_the_same_command_resumes(tmp_path):
    from fer_keras.config.config_file import dump_config

    (tmp_path / "config.toml").write_text(dump_config(RunConfig.of(epochs=7)))
    flags = ["--output-dir", str(tmp_path)]
    assert resolved(*flags, "--resume").training.epochs == 7
    again = resolved(*flags, "--resume", "--recipe", "ferplus_compact")
    assert again == resolved(*flags, "--recipe", "ferplus_compact")
