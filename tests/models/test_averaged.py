"""Several models as one graph: it answers the mean of their calibrated answers, by name of the class, at their own sizes."""

import keras
import numpy as np
import pytest
from tiny_models import tiny_model

from fer_keras.models.averaged import GraphMember, build_averaged
from fer_keras.preprocessing import resize_matrices
from fer_keras.runs.calibration import apply_temperature


@pytest.fixture(scope="module")
def members() -> list[GraphMember]:
    return [
        GraphMember(tiny_model(32, seed=1), (0, 1, 2), 0.7),
        GraphMember(tiny_model(24, ("emotion", "valence"), seed=2), (2, 0, 1), 1.8),
    ]


@pytest.fixture(scope="module")
def faces() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3)).astype(np.float32)


def resized(faces: np.ndarray, side: int) -> np.ndarray:
    rows, columns = resize_matrices(faces.shape[1:3], (side, side))
    return np.einsum("ij,njkc,lk->nilc", rows, faces, columns)


def answers(model: keras.Model, faces: np.ndarray) -> dict[str, np.ndarray]:
    return {name: np.asarray(values) for name, values in model(faces, training=False).items()}


@pytest.mark.parametrize("side", [32, 48, 16])
def test_it_answers_the_mean_of_its_members(members, faces, side):
    faces = resized(faces, side)
    found = answers(build_averaged(members, (side, side)), faces)
    first, second = (answers(one.model, resized(faces, one.image_size[0])) for one in members)
    emotions = apply_temperature(first["emotion"], 0.7), apply_temperature(second["emotion"], 1.8)[:, [2, 0, 1]]
    assert np.abs(emotions[0] - emotions[1]).max() > 0.05
    np.testing.assert_allclose(found["emotion"], np.mean(emotions, axis=0), atol=1e-5)
    np.testing.assert_allclose(found["valence"], (first["valence"] + second["valence"]) / 2, atol=1e-5)
    np.testing.assert_allclose(found["arousal"], first["arousal"], atol=1e-5)


def test_the_graph_is_flat_and_its_layers_say_whose_they_are(members):
    model = build_averaged(members, (32, 32))
    assert [type(layer).__name__ for layer in model.layers].count("InputLayer") == 1
    assert not any(isinstance(layer, keras.Model) for layer in model.layers)
    names = {layer.name for layer in model.layers} - {"image", "emotion", "valence", "arousal"}
    assert {name.split("_")[0] for name in names} == {"member1", "member2"}
    assert {name for name in names if "resize" in name} == {
        *(f"member2_resize_turn{number}" for number in (1, 2, 3)),
        *("member2_resize_rows", "member2_resize_columns"),
    }
    assert members[0].model.get_layer("emotion").activation is keras.activations.softmax  # the members stay as they are


def test_emotions_without_logits_are_refused(members):
    image = keras.Input((32, 32, 3))
    x = keras.layers.Dense(3)(keras.layers.GlobalAveragePooling2D()(image))
    odd = keras.Model(image, {"emotion": keras.layers.Softmax(name="emotion")(x)})
    with pytest.raises(ValueError, match="Dense layer with softmax.* Received: Softmax"):
        build_averaged([members[0], GraphMember(odd, (0, 1, 2))], (32, 32))


def test_a_model_without_named_outputs_is_refused(members):
    image = keras.Input((32, 32, 3))
    plain = keras.Model(image, keras.layers.Dense(1)(keras.layers.GlobalAveragePooling2D()(image)))
    with pytest.raises(ValueError, match="dict of outputs"):
        build_averaged([members[0], GraphMember(plain)], (32, 32))
