"""The stages of a training run: which epochs train which layers, at what rate, and what chooses the best of them."""

from dataclasses import dataclass

import keras

from fer_keras.config.fields import TrainConfig
from fer_keras.labels import AXES
from fer_keras.models.build import backbone_layers, set_trainable_layers
from fer_keras.training.checkpoint import TrainState


@dataclass(frozen=True)
class Stage:
    """A stretch of epochs with the same layers training.

    Attributes:
        first, end: epochs, counted from 0, the end not included.
        trainable: see `set_trainable_layers`.
        rate: learning rate at its start.
        patient: whether early stopping and plateaus count.
        monitor: what chooses its best epoch.
        axes_only: whether valence and arousal train alone, from the best epoch before.
    """

    first: int
    end: int
    trainable: str
    rate: float
    patient: bool
    monitor: str
    axes_only: bool = False

    def is_over(self, state: TrainState) -> bool:
        """Return whether a run in this state has nothing more to do in this stage."""
        return state.epoch >= self.end or (bool(state.stopped) and state.epoch > self.first)


def plan_stages(config: TrainConfig) -> list[Stage]:
    """Return the stages of a run: heads alone where `head_epochs` asks for it, the whole, then `va_epochs` of two axes.

    Raises:
        ValueError: more head epochs or calm epochs than epochs, or axis epochs with none before them.
    """
    if config.calm_epochs > config.epochs:
        raise ValueError(f"--calm-epochs expects at most --epochs {config.epochs}. Received: {config.calm_epochs}.")
    heads, whole = config.head_epochs, config.epochs - config.va_epochs
    if config.va_epochs and whole < 1:
        raise ValueError(f"--va-epochs expects fewer than --epochs {config.epochs}. Received: {config.va_epochs}.")
    if heads > whole:
        less = f" less --va-epochs {config.va_epochs}" if config.va_epochs else ""
        raise ValueError(f"--head-epochs expects at most --epochs {config.epochs}{less}. Received: {heads}.")
    rate, layers, monitor = config.learning_rate, config.trainable_layers, config.monitor
    stages = [
        Stage(0, heads, "0", rate, False, monitor),
        Stage(heads, whole, layers, rate * config.fine_tune_rate if heads else rate, True, monitor),
        Stage(whole, config.epochs, config.va_trainable_layers, rate * config.va_rate, True, config.va_monitor, True),
    ]
    return [stage for stage in stages if stage.end > stage.first]


def choose_layers(net: keras.Model, stage: Stage, pretrained: bool, train_norm: bool = False) -> None:
    """Choose which layers of a model train in a stage.

    Where only the axes train, the emotion head is frozen, and with a frozen backbone what the heads share as well: then the
    emotions come out as before.
    """
    set_trainable_layers(net, stage.trainable, pretrained, train_norm)
    backbone = {layer.name for layer in backbone_layers(net)}
    for layer in net.layers:
        if layer.name not in backbone:
            output = layer.name.split("_")[0]
            shared = output not in ("emotion", "axes", *AXES)
            frozen = stage.axes_only and (output == "emotion" or (shared and stage.trainable == "0"))
            layer.trainable = not frozen
