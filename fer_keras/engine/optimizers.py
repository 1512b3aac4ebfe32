"""Optimizers and learning rate schedules from a configuration."""

import keras

from fer_keras.config import TrainConfig


def build_optimizer(config: TrainConfig, rate: float, steps: int, epoch_steps: int) -> keras.optimizers.Optimizer:
    """Return the optimizer that a configuration asks for.

    Args:
        config: its group "optimizer" is read.
        rate: learning rate at the start.
        steps: of the whole stage, over which a cosine schedule falls to 0.
        epoch_steps: steps of one epoch, the unit of the warm-up.
    """
    options: dict = {"learning_rate": _schedule(config, rate, steps, epoch_steps)}
    if config.gradient_clip:
        options["global_clipnorm"] = config.gradient_clip
    if config.ema:
        options.update(use_ema=True, ema_momentum=config.ema)
    if config.optimizer == "adamw":
        optimizer = keras.optimizers.AdamW(weight_decay=config.weight_decay, **options)
        # Decay is for kernels: on biases and normalisation it only shrinks what is not overfitted.
        optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta", "log_variance"])
        return optimizer
    if config.optimizer == "sgd":
        return keras.optimizers.SGD(momentum=config.momentum, nesterov=config.momentum > 0, **options)
    return keras.optimizers.Adam(**options)


def _schedule(config: TrainConfig, rate: float, steps: int, epoch_steps: int):
    if config.schedule != "cosine":
        return rate
    warmup = round(config.warmup_epochs * epoch_steps)
    if not warmup:
        return keras.optimizers.schedules.CosineDecay(rate, steps)
    return keras.optimizers.schedules.CosineDecay(0.0, max(steps - warmup, 1), warmup_target=rate, warmup_steps=warmup)
