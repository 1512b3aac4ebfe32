"""Losses against NumPy, and their masks."""

import keras
import numpy as np
import pytest

from fer_keras.config.run_config import LossConfig
from fer_keras.losses import (
    AXIS_LOSSES,
    EMOTION_LOSSES,
    AxisCCC,
    AxisHuber,
    AxisMSE,
    AxisRandomCCC,
    EmotionCrossEntropy,
    EmotionFocal,
    build_losses,
    logit_adjustment,
    loss_weights,
)
from fer_keras.metrics import axis_reference

RNG = np.random.default_rng(0)
N = 32
PROBABILITIES = RNG.dirichlet(np.ones(8), N).astype("float32")
VOTES = RNG.dirichlet(np.ones(8), N).astype("float32")
TRUTH, GUESS = RNG.uniform(-1, 1, (2, N, 1)).astype("float32")
WEIGHT = RNG.choice([0, 0.5, 1, 2], N).astype("float32")


def cross_entropy(truth, probabilities, smoothing=0.0):
    truth = truth * (1 - smoothing) + smoothing / 8
    return -(truth * np.log(probabilities)).sum(1)


CASES = [
    (EmotionCrossEntropy(), VOTES, PROBABILITIES, cross_entropy(VOTES, PROBABILITIES)),
    (EmotionCrossEntropy(0.2), VOTES, PROBABILITIES, cross_entropy(VOTES, PROBABILITIES, 0.2)),
    (EmotionFocal(2.0), VOTES, PROBABILITIES, -(VOTES * (1 - PROBABILITIES) ** 2 * np.log(PROBABILITIES)).sum(1)),
    (EmotionFocal(0.0), VOTES, PROBABILITIES, cross_entropy(VOTES, PROBABILITIES)),
    (AxisMSE(), TRUTH, GUESS, ((TRUTH - GUESS) ** 2)[:, 0]),
    (
        AxisHuber(0.25),
        TRUTH,
        GUESS,
        np.where(abs(TRUTH - GUESS) <= 0.25, (TRUTH - GUESS) ** 2 / 2, 0.25 * (abs(TRUTH - GUESS) - 0.125))[:, 0],
    ),
]


@pytest.mark.parametrize("loss, truth, guess, rows", CASES, ids=lambda value: getattr(value, "name", ""))
def test_weighted_mean_over_labelled_rows(loss, truth, guess, rows):
    assert float(loss(truth, guess)) == pytest.approx(rows.mean(), rel=1e-4)
    assert float(loss(truth, guess, WEIGHT)) == pytest.approx((rows * WEIGHT).sum() / WEIGHT.sum(), rel=1e-4)


def test_ccc_loss_is_one_minus_the_reference_ccc():
    for weight in (np.ones(N), WEIGHT):
        expected = 1 - axis_reference.ccc(TRUTH[:, 0], GUESS[:, 0], weight)
        assert float(AxisCCC()(TRUTH, GUESS, weight)) == pytest.approx(expected, abs=1e-5)
    mse = ((TRUTH - GUESS) ** 2).mean()
    expected = 0.7 * mse + 0.3 * (1 - axis_reference.ccc(TRUTH[:, 0], GUESS[:, 0]))
    assert float(AxisCCC(0.3)(TRUTH, GUESS)) == pytest.approx(expected, abs=1e-5)


def test_random_shares_lie_between_both_terms_and_follow_the_seed():
    """Drawn anew each time, equal for equal seeds, about 1/2; one half where nothing is drawn."""

    def losses(seed: int) -> np.ndarray:
        seeds = keras.random.SeedGenerator(seed)
        return np.array([float(AxisRandomCCC().drawn(seeds)(TRUTH, GUESS)) for _ in range(200)])

    square, ccc = float(AxisMSE()(TRUTH, GUESS)), float(AxisCCC()(TRUTH, GUESS))
    shares = (losses(3) - square) / (ccc - square)
    assert len(np.unique(shares)) > 190 and shares.min() >= -1e-4 and shares.max() <= 1 + 1e-4
    assert shares.mean() == pytest.approx(0.5, abs=0.06)
    assert (losses(3) == losses(3)).all() and (losses(3) != losses(4)).any()
    assert float(AxisRandomCCC()(TRUTH, GUESS)) == pytest.approx((square + ccc) / 2, rel=1e-5)


ALL = [
    EmotionCrossEntropy(0.1),
    EmotionFocal(),
    AxisMSE(),
    AxisHuber(),
    AxisCCC(),
    AxisCCC(0.5, "mse_ccc"),
    AxisRandomCCC(),
]


def value_and_gradient(function, point: np.ndarray):
    """Return a function's value and gradient, by the backend's own differentiation."""
    if keras.backend.backend() == "jax":
        import jax

        return jax.value_and_grad(function)(point)
    if keras.backend.backend() == "torch":
        import torch

        variable = torch.tensor(point, requires_grad=True)
        value = function(variable)
        value.backward()
        return value.detach(), variable.grad.numpy()
    import tensorflow as tf

    variable = tf.Variable(point)
    with tf.GradientTape() as tape:
        value = function(variable)
    return value, tape.gradient(value, variable).numpy()


@pytest.mark.parametrize("loss", ALL, ids=lambda loss: loss.name)
def test_unlabelled_rows_change_neither_loss_nor_gradient(loss):
    emotion = isinstance(loss, EmotionCrossEntropy)
    truth, guess = (VOTES, PROBABILITIES) if emotion else (TRUTH, GUESS)
    weight = np.ones(N, "float32")
    weight[10:] = 0
    spoiled = truth.copy()
    spoiled[10:] = np.nan
    value, gradient = value_and_gradient(lambda guessed: loss(spoiled, guessed, weight), guess)
    assert float(value) == pytest.approx(float(loss(truth[:10], guess[:10])), rel=1e-5)
    assert np.isfinite(gradient).all() and (gradient[10:] == 0).all() and (gradient[:10] != 0).any()


@pytest.mark.parametrize("loss", ALL, ids=lambda loss: loss.name)
def test_no_labelled_row_gives_zero(loss):
    truth, guess = (VOTES, PROBABILITIES) if isinstance(loss, EmotionCrossEntropy) else (TRUTH, GUESS)
    assert float(loss(truth, guess, np.zeros(N))) == 0


@pytest.mark.parametrize("loss", [AxisCCC(), AxisCCC(0.5)])
def test_ccc_of_one_row_or_constants_is_finite(loss):
    one = np.array([[0.5]], "float32")
    assert float(AxisCCC()(one, -one)) == 0, "one point has no concordance"
    assert np.isfinite(float(loss(np.ones((4, 1)), np.ones((4, 1)))))


@pytest.mark.parametrize("loss", ALL, ids=lambda loss: loss.name)
def test_config_round_trip(loss):
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    assert type(again) is type(loss) and again.get_config() == loss.get_config()


@pytest.mark.parametrize(
    "options, kinds",
    [
        ({}, (EmotionCrossEntropy, AxisMSE)),
        ({"emotion_loss": "focal", "va_loss": "huber"}, (EmotionFocal, AxisHuber)),
        ({"va_loss": "ccc"}, (EmotionCrossEntropy, AxisCCC)),
        ({"va_loss": "mse_ccc"}, (EmotionCrossEntropy, AxisCCC)),
        ({"va_loss": "random_mse_ccc"}, (EmotionCrossEntropy, AxisRandomCCC)),
    ],
)
def test_losses_of_a_configuration(options, kinds):
    config = LossConfig(alpha=2, beta=0.5, **options)
    losses = build_losses(config, ("emotion", "valence", "arousal"))
    assert tuple(type(losses[name]) for name in ("emotion", "valence")) == kinds
    assert losses["valence"] is not losses["arousal"]
    assert loss_weights(config, ("emotion", "valence")) == {"emotion": 2, "valence": 0.5}


def test_the_logit_adjusted_loss_is_cross_entropy_of_shifted_logits():
    logits, shares = np.log(PROBABILITIES), RNG.dirichlet(np.ones(8))
    config = LossConfig(logit_adjustment=0.7)
    shifted = logits + 0.7 * np.log(shares)
    expected = cross_entropy(VOTES, np.exp(shifted) / np.exp(shifted).sum(1, keepdims=True))
    loss = build_losses(config, ("emotion",), shares)["emotion"]
    assert float(loss(VOTES, PROBABILITIES)) == pytest.approx(expected.mean(), rel=1e-4)
    focal = build_losses(LossConfig("focal", focal_gamma=0.0, logit_adjustment=0.7), ("emotion",), shares)["emotion"]
    assert float(focal(VOTES, PROBABILITIES)) == pytest.approx(expected.mean(), rel=1e-4)


def test_a_class_without_faces_is_adjusted_as_the_rarest():
    assert logit_adjustment([6, 2, 0], 1.0) == pytest.approx(np.log([0.75, 0.25, 0.25]))
    for shares in (None, [0, 0]):
        with pytest.raises(ValueError, match="--logit-adjustment expects training faces with an emotion"):
            logit_adjustment(shares, 1.0)


def test_losses_are_one_table():
    fields = LossConfig.__dataclass_fields__
    assert fields["emotion_loss"].metadata["choices"] == tuple(EMOTION_LOSSES)
    assert fields["va_loss"].metadata["choices"] == tuple(AXIS_LOSSES)


def test_losses_in_fit_equal_the_hand_made_sum():
    """Keras divides by rows; these must not: half the rows are unlabelled."""
    image = keras.Input((4,))
    heads = {
        "emotion": keras.layers.Dense(8, "softmax", name="emotion")(image),
        "valence": keras.layers.Dense(1, "tanh", name="valence")(image),
    }
    model = keras.Model(image, heads)
    config = LossConfig(alpha=1.5, beta=0.5)
    model.compile("sgd", loss=build_losses(config, tuple(heads)), loss_weights=loss_weights(config, tuple(heads)))
    x = RNG.normal(size=(N, 4)).astype("float32")
    weights = {"emotion": np.r_[np.ones(8), np.zeros(N - 8)].astype("float32"), "valence": WEIGHT}
    predicted = model.predict(x, verbose=0)
    expected = 1.5 * cross_entropy(VOTES, predicted["emotion"])[:8].mean()
    expected += 0.5 * (((TRUTH - predicted["valence"]) ** 2)[:, 0] * WEIGHT).sum() / WEIGHT.sum()
    logs = model.evaluate(
        x, {"emotion": VOTES, "valence": TRUTH}, sample_weight=weights, batch_size=N, verbose=0, return_dict=True
    )
    assert logs["loss"] == pytest.approx(expected, rel=1e-4)
