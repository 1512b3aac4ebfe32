"""Learning rates by layer: how far each moves, its decay, and the whole optimizer left as it was at factor 1."""

import numpy as np
import pytest

from fer_keras.config.run_config import OptimizerConfig
from fer_keras.models.build import build_model
from fer_keras.training.optimizers import build_optimizer, depth_factors


@pytest.fixture(scope="module")
def net():
    return build_model("tiny")


def moved(net, factors, gradient: float, **options) -> dict[str, np.ndarray]:
    """Return variable path -> how far one step takes it, every weight and gradient being one number."""
    optimizer = build_optimizer(OptimizerConfig(**options), rate=0.1, steps=10, epoch_steps=5, factors=factors)
    variables = net.trainable_variables
    for variable in variables:
        variable.assign(np.ones(variable.shape))
    optimizer.build(variables)
    optimizer.apply([np.full(variable.shape, gradient, "float32") for variable in variables])
    return {variable.path: 1 - variable.numpy() for variable in variables}


def test_factors_fall_from_heads_to_the_first_layer(net):
    factors = depth_factors(net, 0.5)
    assert factors["tiny_conv/kernel"] == factors["tiny_bn/gamma"] == 0.5 and "shared/kernel" not in factors
    small = depth_factors(build_model("small", 48), 0.9)
    kernels = [factor for path, factor in small.items() if path.endswith("conv/kernel")]
    assert kernels == sorted(kernels) and kernels[-1] == 0.9 and kernels[0] == pytest.approx(0.9**12)
    assert set(depth_factors(net, 1.0).values()) == {1.0}


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
def test_a_step_is_scaled_by_the_layers_factor(net, optimizer):
    options = {"optimizer": optimizer, "weight_decay": 0.0, "schedule": "cosine"}
    whole, layered = moved(net, None, 1.0, **options), moved(net, {"tiny_conv/kernel": 0.25}, 1.0, **options)
    for path, distance in whole.items():
        factor = 0.25 if path == "tiny_conv/kernel" else 1.0
        assert np.allclose(layered[path], distance * factor, rtol=1e-3, atol=0), path


def test_weight_decay_is_scaled_alike_and_leaves_biases_alone(net):
    """No gradient, so that decay alone moves: rate * factor * decay * weight."""
    found = moved(net, {"tiny_conv/kernel": 0.25}, 0.0, optimizer="adamw", weight_decay=0.5)
    assert np.allclose(found["tiny_conv/kernel"], 0.1 * 0.25 * 0.5, rtol=1e-3, atol=0)
    assert np.allclose(found["shared/kernel"], 0.1 * 0.5, rtol=1e-3, atol=0)
    assert (found["shared/bias"] == 0).all()
