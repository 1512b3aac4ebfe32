"""Optimizers and learning rate schedules from a configuration."""

import keras

from fer_keras.config.run_config import OptimizerConfig
from fer_keras.models.build import backbone_layers

_DEPTHS = 12  # groups of layers with one rate each


class LayerwiseRates:
    """Mixin that gives an optimizer one learning rate per layer: rate * factor of the variable.

    The decoupled weight decay of AdamW is rate * factor * decay, as where each group of weights has its own learning rate. The
    global norm of clipping is over all gradients unscaled. `optimizer.learning_rate` is the rate at factor 1.
    """

    factors: dict[str, float]

    def build(self, variables):
        super().build(variables)
        self._own_factors = tuple(self.factors.get(variable.path, 1.0) for variable in variables)

    def update_step(self, gradient, variable, learning_rate):
        super().update_step(gradient, variable, learning_rate * self._factor(variable))

    def _factor(self, variable) -> float:
        return self._own_factors[self._get_variable_index(variable)]

    def _apply_weight_decay(self, variables):
        whole = self.weight_decay
        if whole is None:
            return
        for factor in sorted({self._factor(variable) for variable in variables}):
            self.weight_decay = whole * factor
            super()._apply_weight_decay([variable for variable in variables if self._factor(variable) == factor])
        self.weight_decay = whole


def depth_factors(net: keras.Model, decay: float) -> dict[str, float]:
    """Return variable path -> factor on its learning rate: decay ** (groups above it), the heads being above all.

    The backbone's layers with a kernel are divided from input to output into twelve groups of equal size (fewer where there
    are fewer layers); normalisation and other layers go with the kernel before them. The top group has `decay`, the one
    below it `decay` squared.

    Args:
        net: as `build_model` makes it.
        decay: in 0..1; 1 changes nothing.

    Source: Liu et al., A ConvNet for the 2020s, 2022, fine-tune with twelve groups in their code; the idea is older.
    """
    depths, depth = {}, -1
    for layer in backbone_layers(net):
        depth += any(len(weight.shape) > 1 for weight in layer.weights)
        depths.update({weight.path: max(depth, 0) for weight in layer.weights})
    groups = min(_DEPTHS, depth + 1)
    return {path: decay ** (groups - groups * place // (depth + 1)) for path, place in depths.items()}


def build_optimizer(
    config: OptimizerConfig, *, rate: float, steps: int, epoch_steps: int, factors: dict[str, float] | None = None
) -> keras.optimizers.Optimizer:
    """Return the optimizer of one stage of training.

    Args:
        config: which optimizer, with its parameters.
        rate: learning rate at the start, instead of the configuration's.
        steps: of the whole stage, over which a cosine schedule falls to 0.
        epoch_steps: steps of one epoch, the unit of the warm-up.
        factors: of `depth_factors`, or None: one rate for all.

    Raises:
        ValueError: factors were given on Keras's PyTorch backend, whose optimizers update all variables at once.
    """
    options: dict = {"learning_rate": _schedule(config, rate, steps, epoch_steps)}
    if config.gradient_clip:
        options["global_clipnorm"] = config.gradient_clip
    if config.ema:
        options.update(use_ema=True, ema_momentum=config.ema)
    if config.optimizer == "adamw":
        optimizer = _kind(keras.optimizers.AdamW, factors)(weight_decay=config.weight_decay, **options)
        # Decay is for kernels: on biases and normalisation it only shrinks what is not overfitted.
        optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta", "log_variance"])
        return optimizer
    if config.optimizer == "sgd":
        options.update(momentum=config.momentum, nesterov=config.momentum > 0)
        return _kind(keras.optimizers.SGD, factors)(**options)
    return _kind(keras.optimizers.Adam, factors)(**options)


def _kind(optimizer: type, factors: dict[str, float] | None) -> type:
    if factors is None:
        return optimizer
    if keras.backend.backend() == "torch":
        raise ValueError(
            "--layer-decay expects Keras's TensorFlow or JAX backend. Received: torch. Set --layer-decay 1."
        )
    return type(f"Layerwise{optimizer.__name__}", (LayerwiseRates, optimizer), {"factors": factors})


def _schedule(config: OptimizerConfig, rate: float, steps: int, epoch_steps: int):
    if config.schedule != "cosine":
        return rate
    warmup = round(config.warmup_epochs * epoch_steps)
    if not warmup:
        return keras.optimizers.schedules.CosineDecay(rate, steps)
    return keras.optimizers.schedules.CosineDecay(0.0, max(steps - warmup, 1), warmup_target=rate, warmup_steps=warmup)
