"""The one function that opens Keras files: it refuses code, foreign objects and other files before Keras sees them."""

import json
import os
import shutil
import zipfile

import h5py
import keras
import pytest

from fer_keras.models.backbones import BACKBONES
from fer_keras.models.build import build_model
from fer_keras.models.keras_config import foreign_object
from fer_keras.models.keras_file import check_weights_file, load_keras_model


@pytest.fixture(autouse=True)
def keras_opens_nothing(request, monkeypatch):
    """Let Keras open a file only in tests of what loads: a refusal comes before."""
    if "loads" not in request.node.name:
        monkeypatch.setattr(keras.models, "load_model", lambda *args, **options: pytest.fail("Keras was called"))


def refusal(path) -> str:
    with pytest.raises(ValueError) as error:
        load_keras_model(path)
    text = str(error.value)
    assert "\n" not in text and str(path) in text and len(text) < 500
    return text


def rewritten(source, target, change):
    """Write a copy of a .keras or .h5 file whose configuration is changed in place."""
    shutil.copyfile(source, target)
    if target.suffix == ".h5":
        with h5py.File(target, "r+") as file:
            config = json.loads(file.attrs["model_config"])
            change(config)
            file.attrs["model_config"] = json.dumps(config)
        return target
    with zipfile.ZipFile(source) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(members["config.json"])
    change(config)
    members["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(target, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return target


def layer(**values):
    def change(config):
        config["config"]["layers"][1].update(values)

    return change


MARSHALLED = {"function": ["4wEAAAA=", None, None], "function_type": "lambda", "name": "x"}
ATTACKS = {
    "Lambda": layer(module="keras.layers", class_name="Lambda", config=MARSHALLED),
    "__lambda__": layer(config={"activation": {"class_name": "__lambda__", "config": {"value": "4wE="}}}),
    "os.system": layer(module="os", class_name="system"),
    "keras.utils.get_file": layer(
        config={"activation": {"module": "keras.utils", "class_name": "get_file", "config": {}}}
    ),
    "keras.models.load_model": layer(module="keras.models", class_name="load_model"),
    "keras.src.utils.file_utils.get_file": layer(module="keras.src.utils.file_utils", class_name="get_file"),
    "the registered object mine>Thing": layer(module=None, class_name="Thing", registered_name="mine>Thing"),
    "StringLookup": layer(module="keras.layers", class_name="StringLookup", config={"vocabulary": "/etc/passwd"}),
    "TFSMLayer": layer(module="keras.layers", class_name="TFSMLayer", config={"filepath": "/tmp/x"}),
}


@pytest.mark.parametrize("file", ["model.keras", "model.h5"])
@pytest.mark.parametrize("found", ATTACKS)
def test_code_and_foreign_objects_are_refused_before_keras_sees_them(model_files, tmp_path, file, found):
    text = refusal(rewritten(model_files / file, tmp_path / file, ATTACKS[found]))
    assert f"is refused: it brings code of its own ({found})" in text


@pytest.mark.parametrize("file", ["lambda.keras", "lambda.h5"])
def test_a_lambda_that_keras_wrote_is_refused(tmp_path, file):
    image = keras.Input((32, 32, 3))
    keras.Model(image, {"valence": keras.layers.Lambda(lambda x: x[:, 0, 0, :1])(image)}).save(tmp_path / file)
    assert "brings code of its own (Lambda)" in refusal(tmp_path / file)


def test_every_way_into_the_package_refuses_a_lambda(tmp_path):
    """predict, evaluate, export and `load_model`, training's --weights: none of them opens it by another way."""
    from fer_keras.runs.bundle import Bundle
    from fer_keras.runs.bundle_parts import ModelDescription, ModelOutput
    from fer_keras.runtimes.runtime import load_runtime

    image = keras.Input((32, 32, 3))
    keras.Model(image, {"valence": keras.layers.Lambda(lambda x: x[:, 0, 0, :1])(image)}).save(tmp_path / "model.keras")
    outputs = {"valence": ModelOutput("tanh", (-1, 1))}
    bundle = Bundle(tmp_path, ModelDescription((32, 32), (), outputs, file="model.keras"))
    for opened in (
        bundle.load_model,
        lambda: load_runtime(tmp_path / "model.keras"),
        lambda: build_model("small", 48, weights=str(tmp_path)),
    ):
        with pytest.raises(ValueError, match="brings code of its own .Lambda"):
            opened()


def test_weights_in_other_files_are_refused(model_files, tmp_path):
    path = tmp_path / "linked.h5"
    shutil.copyfile(model_files / "model.h5", path)
    with h5py.File(path, "r+") as file:
        file["model_weights/elsewhere"] = h5py.ExternalLink("/etc/other.h5", "/x")
    assert "is a link" in refusal(path)
    shutil.copyfile(model_files / "model.h5", path)
    (tmp_path / "secret").write_bytes(bytes(64))
    with h5py.File(path, "r+") as file:
        file.create_dataset("stolen", (16,), "f4", external=[(str(tmp_path / "secret"), 0, 64)])
    assert "lies in another file" in refusal(path)
    with pytest.raises(ValueError, match="lies in another file"):
        check_weights_file(path)


def test_arrays_far_larger_than_the_file_and_further_members_are_refused(model_files, tmp_path):
    path = tmp_path / "large.h5"
    shutil.copyfile(model_files / "model.h5", path)
    with h5py.File(path, "r+") as file:
        file.create_dataset("endless", (10**12,), "f4", chunks=(1024,))
    assert "far more than it has" in refusal(path)
    shutil.copyfile(model_files / "model.keras", tmp_path / "more.keras")
    with zipfile.ZipFile(tmp_path / "more.keras", "a") as archive:
        archive.writestr("assets/../../x", b"")
    assert "assets/../../x" in refusal(tmp_path / "more.keras")


def test_what_is_no_regular_file_is_no_model(tmp_path):
    os.mkfifo(tmp_path / "model.keras")
    with pytest.raises(FileNotFoundError, match="No Keras model there"):
        load_keras_model(tmp_path / "model.keras")


@pytest.mark.parametrize("file", ["model.keras", "model.h5"])
def test_a_model_of_keras_loads(model_files, file):
    assert sorted(load_keras_model(model_files / file).output_names) == ["arousal", "emotion", "valence"]


def test_operations_nested_models_and_functions_are_accepted():
    inner_image = keras.Input((8, 8, 3))
    inner = keras.Model(inner_image, keras.layers.Dense(2, activation="gelu")(inner_image))
    inner.compile("adam", "mse", ["mae"])
    image = keras.Input((8, 8, 3))
    features = keras.ops.mean(inner(image) * 2.0 + 1.0, axis=(1, 2))
    head = keras.layers.Dense(
        1, kernel_regularizer="l2", kernel_constraint="max_norm", activation=keras.activations.silu
    )
    model = keras.Model(image, {"valence": head(features)})
    assert foreign_object(json.loads(model.to_json())) is None


@pytest.mark.parametrize("name", BACKBONES)
@pytest.mark.slow
def test_every_backbone_s_configuration_is_accepted(name):
    assert foreign_object(json.loads(build_model(name, 64).to_json())) is None
