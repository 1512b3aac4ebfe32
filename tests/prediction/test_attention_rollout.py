"""Attention rollout: on nets whose attention is known by construction, by hand, and refused where there is none."""

import numpy as np
import pytest

from fer_keras.prediction.attention_rollout import attention_overlay, attention_rollout, attention_scores, roll_out
from fer_keras.prediction.predictor import Predictor
from fer_keras.runs.bundle import Bundle, describe_model

SIDE, PATCH, PLACES = 32, 8, 16


def one_head(tokens, layers):
    """Attention whose scores are the brightness of the keys, whatever asks."""
    return layers.Attention(name="block_head1")(
        [layers.Dense(1, name="query")(tokens), tokens, layers.Dense(1, name="key")(tokens)]
    )


def two_heads(tokens, layers):
    return layers.MultiHeadAttention(2, 1, name="attention")(tokens, tokens)


def saved_net(attend, folder):
    """A net of one block on patches of 8 px whose attention goes to the brightest patch, and the face with such a patch."""
    import keras

    layers = keras.layers
    image = keras.Input((SIDE, SIDE, 3))
    x = layers.Conv2D(1, PATCH, PATCH, kernel_initializer="ones", name="patches")(image)
    tokens = layers.Reshape((PLACES, 1))(x)
    tokens = layers.Add()([tokens, attend(tokens, layers)])
    pooled = layers.GlobalAveragePooling1D()(tokens)
    model = keras.Model(image, {"emotion": layers.Dense(2, activation="softmax", name="emotion")(pooled)})
    for layer in model.layers:
        if layer.name in ("query", "attention"):
            names = {weight.path.split("/", 1)[1]: weight for weight in layer.weights}
            for name, weight in names.items():  # every query is 1, every key its brightness
                asks = name.startswith("query") or layer.name == "query"
                weight.assign(np.full(weight.shape, float(asks == ("bias" in name))))
        if layer.name == "key":
            layer.set_weights([np.ones((1, 1)), np.zeros(1)])
    model.save(folder / "model.keras")
    Bundle(folder, describe_model(model, "mine", ("bright", "dark"), ("emotion",))).save()
    face = np.zeros((SIDE, SIDE, 3), np.uint8)
    face[8:16, 24:32] = 200  # the patch of row 1, column 3
    return model, face


@pytest.mark.parametrize("attend", [one_head, two_heads])
def test_the_rollout_of_a_net_is_the_attention_it_was_built_with(attend, tmp_path):
    model, face = saved_net(attend, tmp_path)
    (scores,) = attention_scores(model, face)
    expected = np.zeros(PLACES)
    expected[7] = 1
    assert scores.shape == (1 if attend is one_head else 2, PLACES, PLACES)
    assert np.abs(scores - expected).max() < 1e-6
    shares = roll_out([scores]).mean(0)
    assert shares[7] == pytest.approx(0.5 + 0.5 / PLACES) and np.delete(shares, 7) == pytest.approx(0.5 / PLACES)

    predictor = Predictor.load(tmp_path, engine="keras")
    heat = attention_rollout(predictor, face)
    assert heat.shape == (SIDE, SIDE) and heat.dtype == np.float32 and heat.max() == 1 and heat.min() == 0
    assert heat[10:14, 26:32].min() > 0.5 and heat[:, :16].max() == 0 and heat[22:].max() == 0
    overlay = attention_overlay(predictor, face)
    assert overlay.shape == face.shape and (overlay != face).any()
    dark = attention_rollout(predictor, np.zeros_like(face))  # all places count alike
    assert dark.max() == 0


def test_blocks_are_multiplied_in_their_order_with_what_goes_around_them():
    rng = np.random.default_rng(0)
    blocks = [rng.dirichlet(np.ones(4), (3, 4)) for _ in range(2)]
    first, second = (0.5 * block.mean(0) + 0.5 * np.eye(4) for block in blocks)
    rolled = roll_out(blocks)
    assert rolled == pytest.approx(second @ first) and rolled.sum(1) == pytest.approx(np.ones(4))
    assert rolled != pytest.approx(first @ second)
    with pytest.raises(ValueError, match=r"between the same places. Received: \[\(4, 4\), \(9, 9\)\]"):
        roll_out([blocks[0], np.ones((1, 9, 9)) / 9])


def test_a_class_token_speaks_for_all_places():
    from fer_keras.prediction.attention_rollout import _as_map

    rolled = np.tile(np.arange(10.0), (10, 1))
    assert _as_map(rolled, (32, 32)).tolist() == [[1, 2, 3], [4, 5, 6], [7, 8, 9]]
    with pytest.raises(ValueError, match="Received: 8"):
        _as_map(np.eye(8), (32, 32))
