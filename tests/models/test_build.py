"""Models: shapes, flatness, stable names, scaling, weights, what trains. Every backbone of the table is tested."""

import subprocess
import sys
from dataclasses import replace

import keras
import numpy as np
import pytest

from fer_keras.config.run_config import ModelConfig
from fer_keras.exporters.keras_writer import keras2_config
from fer_keras.labels import OUTPUTS
from fer_keras.losses import AxisMSE
from fer_keras.models.backbones import BACKBONES, name_layers
from fer_keras.models.build import backbone_layers, build_model, resolve_model, set_trainable_layers
from fer_keras.models.heads import HEADS, is_head_layer
from fer_keras.models.nets import build_resnet18, build_small
from fer_keras.models.objective import TrainingObjective
from fer_keras.models.weights import _copy_backbone

FACES = np.random.default_rng(0).uniform(0, 255, (2, 64, 64, 3)).astype("float32")


#: Deep nets that share their way of building with one that is tested always.
SLOW = {
    "convnexttiny",
    "densenet121",
    "efficientnetb2",
    "efficientnetv2b0",
    "efficientnetv2s",
    "hybrid",  # the exporters' tests have such a block in their tiny net
    "mobilenetv3large",
    "vit",
}


@pytest.fixture(
    scope="module",
    params=[pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else []) for name in sorted(BACKBONES)],
)
def built(request):
    keras.utils.set_random_seed(1)
    return request.param, build_model(request.param, 64)


def test_outputs_are_named_and_in_range(built):
    _, model = built
    out = {name: np.asarray(value) for name, value in model(FACES, training=False).items()}
    assert set(out) == set(OUTPUTS)
    assert out["emotion"].shape == (2, 8) and out["emotion"].sum(1) == pytest.approx([1, 1], abs=1e-5)
    for axis in ("valence", "arousal"):
        assert out[axis].shape == (2, 1) and abs(out[axis]).max() <= 1


def test_the_graph_is_flat_and_of_stock_layers(built):
    _, model = built
    for layer in model.layers:
        assert type(layer).__module__.startswith("keras."), layer
        assert not isinstance(layer, (keras.Model, keras.layers.Lambda)), layer
    assert len(model.operations) == len(model.layers)  # no operators between them, which Keras 2 could not be told
    keras2_config({"config": keras.saving.serialize_keras_object(model)["config"]})


def test_layer_names_do_not_depend_on_what_was_built_before(built):
    name, model = built
    assert [layer.name for layer in build_model(name, 64).layers] == [layer.name for layer in model.layers]
    heads = {layer.name for layer in model.layers if is_head_layer(layer.name)}
    parts = {f"{output}_{part}" for output in OUTPUTS for part in ("hidden", "dropout")}
    assert heads == {"pool", "shared", *OUTPUTS, *parts}
    assert len(backbone_layers(model)) == len(model.layers) - len(heads)


#: Reads folders from its input; answers for the model in each, and says which of our modules that took, or what went wrong.
LOADER = """
import sys, numpy as np, keras
for folder in map(str.strip, sys.stdin):
    try:
        model = keras.models.load_model(folder + "/model.keras")
        faces = np.load(folder + "/faces.npy")
        np.savez(folder + "/out.npz", **{key: np.asarray(value) for key, value in model(faces).items()})
        print([name for name in sys.modules if name.startswith("fer_keras")], flush=True)
    except Exception as error:
        print(repr(error), flush=True)
"""


@pytest.fixture(scope="module")
def loader(tmp_path_factory):
    """A process that knows Keras alone, one for all backbones: importing it takes longer than loading a model."""
    place = tmp_path_factory.mktemp("loader")
    command = [sys.executable, "-c", LOADER]
    with (
        open(place / "errors.txt", "w") as errors,
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True, cwd=place
        ) as process,
    ):
        yield process  # leaving closes its input, which ends it


def test_the_model_is_saved_and_loads_without_the_package(built, loader, tmp_path):
    _, model = built
    model.save(tmp_path / "model.keras")
    np.save(tmp_path / "faces.npy", FACES)
    print(tmp_path, file=loader.stdin, flush=True)
    assert loader.stdout.readline().strip() == "[]"
    with np.load(tmp_path / "out.npz") as arrays:
        for key, value in model(FACES, training=False).items():
            assert arrays[key] == pytest.approx(np.asarray(value), abs=1e-5)


def _by_deviation(faces):
    return (faces - 255 * np.array([0.485, 0.456, 0.406])) / np.array([0.229, 0.224, 0.225])


def test_scaling_and_channels_equal_keras_own_preprocessing(built):
    """The features of our model on raw RGB equal those of the application on its own preprocess_input.

    It changes the weights of the shared model, which no other test looks at.
    """
    name, target = built
    entry = BACKBONES[name]
    if entry.application is None:
        plain = keras.Input((64, 64, 3))
        reference = keras.Model(plain, entry.build(plain))
        expected_input = FACES / 127.5 - 1
        if name == "resnet18":
            expected_input = keras.applications.imagenet_utils.preprocess_input(FACES.copy(), mode="torch")
        elif entry.faces:
            expected_input = (FACES - np.array([122.782, 117.001, 104.298])) / 256
    else:
        keras.utils.set_random_seed(2)
        reference = entry.application(include_top=False, weights=None, input_shape=(64, 64, 3))
        expected_input = {
            "resnet50": keras.applications.resnet50.preprocess_input,
            "mobilenetv2": keras.applications.mobilenet_v2.preprocess_input,
            "densenet121": keras.applications.densenet.preprocess_input,
            "efficientnetb1": _by_deviation,
            "efficientnetb2": _by_deviation,
        }.get(name, lambda faces: faces)(FACES.copy())  # the newer ones scale inside
    name_layers(reference, name)
    _copy_backbone(reference, target, entry.channels)
    pooled = keras.Model(target.input, target.get_layer("pool").output)(FACES, training=False)
    expected = np.asarray(reference(expected_input.astype("float32"), training=False))
    expected = expected.reshape(2, -1) if entry.flatten else expected.mean((1, 2))
    assert np.asarray(pooled) == pytest.approx(expected, rel=1e-3, abs=1e-4)


def test_the_turned_kernel_is_bgr():
    reference = BACKBONES["resnet50"].application(include_top=False, weights=None, input_shape=(64, 64, 3))
    target = build_model("resnet50", 64)
    _copy_backbone(reference, target, "bgr")
    ours, theirs = target.get_layer("conv1_conv").get_weights()[0], reference.get_layer("conv1_conv").get_weights()[0]
    assert (ours == theirs[:, :, ::-1, :]).all()
    second = "conv2_block1_1_conv"
    assert (target.get_layer(second).get_weights()[0] == reference.get_layer(second).get_weights()[0]).all()


@pytest.mark.parametrize("outputs, emotions", [(("emotion",), 7), (("valence", "arousal"), 8)])
def test_any_subset_of_outputs(outputs, emotions):
    model = build_model("small", 48, outputs, emotions)
    assert set(model.output) == set(outputs)
    if "emotion" in outputs:
        assert model.output["emotion"].shape == (None, 7)


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match="Did you mean 'resnet50'"):
        build_model("resnet5")
    with pytest.raises(ValueError, match="outputs expects some of"):
        build_model("small", outputs=("emotions",))


def test_heads_are_float32_under_mixed_precision_and_the_policy_is_left_alone():
    model = build_model("small", 48, dtype="mixed_bfloat16")
    assert keras.config.dtype_policy().name == "float32"
    assert model.get_layer("small_stem_conv").compute_dtype == "bfloat16"
    assert {layer.compute_dtype for layer in model.layers if is_head_layer(layer.name)} == {"float32"}
    assert all(str(tensor.dtype) == "float32" for tensor in model.output.values())


def trainable_names(model) -> list[str]:
    return [layer.name for layer in backbone_layers(model) if layer.trainable and layer.weights]


PRETRAINED, SCRATCH = ModelConfig("mobilenetv2", weights="imagenet"), ModelConfig("mobilenetv2", weights="none")


def test_pretrained_batch_normalisation_trains_only_where_asked():
    model = build_model("mobilenetv2", 64)
    set_trainable_layers(model, replace(PRETRAINED, trainable_layers="all"))
    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    before = [np.concatenate([value.ravel() for value in layer.get_weights()]) for layer in norms]
    model.compile("sgd", loss=dict.fromkeys(OUTPUTS, "mean_squared_error"))
    model.train_on_batch(FACES, {"emotion": np.eye(8)[:2], "valence": np.zeros((2, 1)), "arousal": np.zeros((2, 1))})
    after = [np.concatenate([value.ravel() for value in layer.get_weights()]) for layer in norms]
    assert norms and all((one == other).all() for one, other in zip(before, after, strict=True))
    set_trainable_layers(model, replace(SCRATCH, trainable_layers="all"))
    assert all(layer.trainable for layer in norms)
    set_trainable_layers(model, replace(PRETRAINED, trainable_layers="all", train_norm=True))
    assert all(layer.trainable for layer in norms)


def test_the_number_of_trainable_layers():
    model = build_model("mobilenetv2", 64)
    chain = backbone_layers(model)
    assert all(layer.trainable for layer in chain)
    set_trainable_layers(model, PRETRAINED)
    assert not any(layer.trainable for layer in chain[:-50]) and trainable_names(model)
    set_trainable_layers(model, replace(PRETRAINED, trainable_layers="0"))
    assert trainable_names(model) == [] and model.get_layer("emotion").trainable
    set_trainable_layers(model, SCRATCH)
    assert all(layer.trainable for layer in chain)
    few = build_model(SCRATCH, 64, trainable_layers="3")
    assert [layer.trainable for layer in backbone_layers(few)[-4:]] == [False, True, True, True]


def test_a_group_of_settings_and_keywords_build_the_same_model():
    config = ModelConfig("small", weights="none", head="fc", head_units="32,16", dropout=0.4)
    plain = build_model("small", 48, head="fc", head_units=(32, 16), dropout=0.4, weights=None)
    for model in (build_model(config, 48), build_model(replace(config, dropout=0.1), 48, dropout=0.4)):
        assert model.get_config() == plain.get_config()
    with pytest.raises(TypeError, match="droput"):
        build_model("small", 48, droput=0.4)


def test_weights_from_a_file_and_from_another_run(tmp_path):
    reference = keras.applications.MobileNetV2(include_top=False, weights=None, input_shape=(64, 64, 3))
    reference.save_weights(tmp_path / "mine.weights.h5")
    model = build_model("mobilenetv2", 64, weights=str(tmp_path / "mine.weights.h5"))
    assert (model.get_layer("Conv1").get_weights()[0] == reference.get_layer("Conv1").get_weights()[0]).all()
    model.save(tmp_path / "model.keras")
    emotions = build_model("mobilenetv2", 64, ("emotion",), 7, weights=str(tmp_path))
    assert (emotions.get_layer("Conv1").get_weights()[0] == model.get_layer("Conv1").get_weights()[0]).all()
    assert (emotions.get_layer("shared").get_weights()[0] == model.get_layer("shared").get_weights()[0]).all()
    with pytest.raises(ValueError, match="has another backbone"):
        build_model("small", 64, weights=str(tmp_path))


def test_weights_that_cannot_be_had_say_what_to_do(tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match="--weights"):
        build_model("resnet50", weights="nowhere.h5")
    (tmp_path / "bad.weights.h5").write_bytes(b"nothing")
    with pytest.raises(ValueError, match="holds no weights of resnet50"):
        build_model("resnet50", weights=str(tmp_path / "bad.weights.h5"))
    (tmp_path / "bad.keras").write_bytes(b"nothing")
    with pytest.raises(ValueError, match="cannot be loaded|not a Keras model"):
        build_model("small", 48, weights=str(tmp_path / "bad.keras"))
    with pytest.raises(ValueError, match="has no ImageNet weights"):
        build_model("small", weights="imagenet")
    meant = {name: resolve_model(ModelConfig(name)) for name in ("small", "resnet50")}
    assert [config.weights for config in meant.values()] == ["none", "imagenet"]
    assert [config.trainable_layers for config in meant.values()] == ["all", "50"]


def test_no_network_is_one_clear_line(monkeypatch):
    import fer_keras.models.build as build

    def offline(**options):
        raise Exception(
            "URL fetch failure on https://host/resnet50_notop.h5: None -- [Errno -2] Name or service not known"
        )

    monkeypatch.setattr(
        build, "get_backbone", lambda name: replace(BACKBONES[name], application=offline, build=build_small)
    )
    with pytest.raises(
        ValueError, match="could not be downloaded .https://host/resnet50_notop.h5.. Fetch that file.*--weights none"
    ):
        build_model("resnet50", 64, weights="imagenet")


def test_real_weights_from_a_file(request):
    from pathlib import Path

    path = Path(__file__).parents[3] / "shared" / "weights" / "mobilenet_v2_1.0_224_notop.weights.h5"
    if not path.is_file():
        pytest.skip(f"needs the real MobileNetV2 weights at {path}")
    model = build_model("mobilenetv2", 224, weights=str(path))
    reference = keras.applications.MobileNetV2(include_top=False, weights=str(path), input_shape=(224, 224, 3))
    faces = np.random.default_rng(0).uniform(0, 255, (1, 224, 224, 3)).astype("float32")
    pooled = keras.Model(model.input, model.get_layer("pool").output)(faces, training=False)
    expected = np.asarray(reference(faces / 127.5 - 1, training=False)).mean((1, 2))
    assert np.asarray(pooled) == pytest.approx(expected, rel=1e-3, abs=1e-4)


def test_learned_weights_follow_the_formula_and_train():
    net = build_model("small", 48)
    losses = {name: AxisMSE() for name in OUTPUTS}
    model = TrainingObjective(net, losses, {"emotion": 2.0, "valence": 1.0, "arousal": 1.0})
    targets = {"emotion": np.eye(8)[:4], "valence": np.ones((4, 1)), "arousal": np.ones((4, 1))}
    faces = np.random.default_rng(1).uniform(0, 255, (4, 48, 48, 3)).astype("float32")
    model.log_variance["valence"].assign(0.7)
    predicted = net.predict(faces, verbose=0)
    errors = {name: float(((targets[name] - predicted[name]) ** 2).mean()) for name in OUTPUTS}
    expected = 2 * errors["emotion"] + np.exp(-0.7) * errors["valence"] + 0.7 + errors["arousal"]
    model.compile(keras.optimizers.SGD(0.1))
    assert model.evaluate(faces, targets, verbose=0) == pytest.approx(expected, rel=1e-4)
    model.fit(faces, targets, verbose=0)
    assert float(model.log_variance["valence"].numpy()) != pytest.approx(0.7)


def test_compact_is_small_enough_for_the_box():
    model = build_model("compact")
    assert model.input.shape[1:] == (48, 48, 3)
    assert 2_500_000 < model.count_params() < 5_000_000


def test_compact_trains_in_bfloat16_and_answers_in_float32():
    model = build_model("compact", 32, dtype="mixed_bfloat16")
    outputs = model(FACES[:, :32, :32])
    assert {keras.backend.standardize_dtype(value.dtype) for value in outputs.values()} == {"float32"}
    assert model.get_layer("compact_block1_1_conv").compute_dtype == "bfloat16"


def trained_parameters(model) -> int:
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)


def test_resnet18_is_the_papers():
    """11,689,512 parameters with ImageNet's classifier, as every implementation counts them."""
    image = keras.Input((64, 64, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(build_resnet18(image))
    assert trained_parameters(keras.Model(image, keras.layers.Dense(1000)(pooled))) == 11_689_512


def test_grey_nets_flatten_what_their_systems_did_and_see_luma_alone():
    model = build_model("grey_cnn224", None, ("emotion",), 7, head="fc", head_units=(128,), head_norm=True)
    assert model.get_layer("pool").output.shape == (None, 100_352)
    convolutions = (9 + 1) * 32 + (9 * 32 + 1) * 64 + (9 * 64 + 1) * 128
    norms = 2 * (32 + 64 + 128 + 128)
    assert trained_parameters(model) == convolutions + norms + (100_352 + 1) * 128 + (128 + 1) * 7
    small = build_model("grey_cnn48", None, ("emotion",), 4)
    assert small.get_layer("pool").output.shape == (None, 9_216)
    colour = np.zeros((1, 48, 48, 3), "float32") + [200, 30, 100]
    grey = np.zeros((1, 48, 48, 3), "float32") + (0.299 * 200 + 0.587 * 30 + 0.114 * 100)
    one, other = (np.asarray(small(faces.astype("float32"))["emotion"]) for faces in (colour, grey))
    assert one == pytest.approx(other, abs=1e-5)


def test_luma_never_trains():
    model = build_model("grey_cnn48", None, ("emotion",), 4)
    set_trainable_layers(model, ModelConfig("grey_cnn48", trainable_layers="all"))
    assert not model.get_layer("grey_cnn48_luma").trainable and model.get_layer("grey_cnn48_block1_conv1").trainable


def test_fc_heads_have_layers_of_their_own_and_the_axes_share_theirs():
    model = build_model("small", 48, head="fc", head_units=(32, 16), head_norm=True, dropout=0.5)
    names = [layer.name for layer in model.layers]
    assert {"emotion_fc1", "emotion_bn2", "emotion_relu2", "emotion_dropout1", "axes_fc2", "axes"} <= set(names)
    assert model.get_layer("axes").units == 2 and model.get_layer("axes_dropout2").rate == 0.5
    faces = FACES[:, :48, :48]
    pair = np.asarray(keras.Model(model.input, model.get_layer("axes").output)(faces))
    out = {name: np.asarray(value) for name, value in model(faces).items()}
    assert out["valence"] == pytest.approx(pair[:, :1]) and out["arousal"] == pytest.approx(pair[:, 1:])
    assert not [layer.name for layer in backbone_layers(model) if layer.name.startswith(("axes", "emotion", "valence"))]
    alone = build_model("small", 48, ("arousal",), head="fc")
    assert list(alone.output) == ["arousal"] and alone.output["arousal"].shape == (None, 1)


def test_heads_are_one_table():
    assert ModelConfig.__dataclass_fields__["head"].metadata["choices"] == tuple(HEADS)
    with pytest.raises(ValueError, match="--head expects one of.*Did you mean 'shared'"):
        build_model("small", 48, head="share")
