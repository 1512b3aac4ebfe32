"""Sharpness-aware steps against the formula worked by hand."""

import keras
import numpy as np
import pytest

from fer_keras.losses import AxisMSE
from fer_keras.models.objective import TrainingObjective
from fer_keras.training.sam import SharpnessAwareStep

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(8, 3)).astype("float32"), RNG.normal(size=(8, 1)).astype("float32")


def linear(*extra) -> keras.Model:
    image = keras.Input((3,))
    x = image
    for layer in extra:
        x = layer(x)
    return keras.Model(image, {"valence": keras.layers.Dense(1, use_bias=False, name="valence")(x)})


def sharp(model: keras.Model, net: keras.Model, optimizer, rho: float, **compile_options) -> keras.Model:
    model.compile(optimizer, **compile_options)
    model.optimizer.build(model.trainable_variables)
    model.train_step = SharpnessAwareStep(model, net, rho)
    return model


def step(model: keras.Model) -> float:
    return model.fit(X, {"valence": Y}, batch_size=8, shuffle=False, verbose=0).history["loss"][0]


def slope(w: np.ndarray) -> np.ndarray:
    return 2 * X.T @ (X @ w - Y) / len(X)


@pytest.mark.parametrize("clip", [None, 0.1])
def test_a_step_descends_by_the_gradient_found_uphill(clip):
    """Clipping is of the gradient that descends, not of the one that climbs; the loss in the logs is that before the step."""
    net = linear()
    w = net.get_weights()[0]
    optimizer = keras.optimizers.SGD(0.1, global_clipnorm=clip)
    loss = step(sharp(net, net, optimizer, 0.5, loss={"valence": AxisMSE()}))
    gradient = slope(w + 0.5 * slope(w) / np.linalg.norm(slope(w)))
    if clip:
        gradient *= clip / np.linalg.norm(gradient)
    assert net.get_weights()[0] == pytest.approx(w - 0.1 * gradient, abs=1e-6)
    assert loss == pytest.approx(((X @ w - Y) ** 2).mean(), rel=1e-5)


def test_loss_scaling_and_learned_weights_do_not_change_the_way_uphill():
    net = linear()
    w = net.get_weights()[0]
    model = TrainingObjective(net, {"valence": AxisMSE()}, {"valence": 1.0})
    optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1), initial_scale=1024.0)
    step(sharp(model, net, optimizer, 0.5))
    gradient = slope(w + 0.5 * slope(w) / np.linalg.norm(slope(w)))
    assert net.get_weights()[0] == pytest.approx(w - 0.1 * gradient, abs=1e-5)
    assert float(model.log_variance["valence"].numpy()) != 0


def test_statistics_are_those_of_the_first_pass_and_both_drop_the_same():
    norm = keras.layers.BatchNormalization(momentum=0.9)
    net = linear(norm, keras.layers.Dropout(0.5, seed=3))
    plain = keras.models.clone_model(net)
    plain.set_weights(net.get_weights())
    sharp(net, net, keras.optimizers.SGD(0.1), 1.0, loss={"valence": AxisMSE()})
    plain.compile(keras.optimizers.SGD(0.1), loss={"valence": AxisMSE()})
    assert step(net) == pytest.approx(step(plain), rel=1e-5)
    again = [layer for layer in plain.layers if isinstance(layer, keras.layers.BatchNormalization)][0]
    assert norm.moving_mean.numpy() == pytest.approx(again.moving_mean.numpy(), abs=1e-6)
    seeds = [next(layer for layer in m.layers if isinstance(layer, keras.layers.Dropout)) for m in (net, plain)]
    states = [layer.seed_generator.state.numpy().tolist() for layer in seeds]
    assert states[0] == states[1], "one step draws once, however many passes it takes"


def test_a_radius_next_to_nothing_is_the_plain_step():
    net, plain = linear(), linear()
    plain.set_weights(net.get_weights())
    sharp(net, net, keras.optimizers.Adam(0.1), 1e-9, loss={"valence": AxisMSE()})
    plain.compile(keras.optimizers.Adam(0.1), loss={"valence": AxisMSE()})
    step(net), step(plain)
    assert net.get_weights()[0] == pytest.approx(plain.get_weights()[0], abs=1e-5)
