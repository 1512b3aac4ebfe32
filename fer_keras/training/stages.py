"""The stages of a training run: which epochs train which layers, at what rate, and which score chooses the best epoch."""

from dataclasses import KW_ONLY, dataclass, replace

import keras

from fer_keras.config.run_config import ModelConfig, RunConfig
from fer_keras.hints import nearest
from fer_keras.labels import AXES
from fer_keras.models.build import backbone_layers, set_trainable_layers
from fer_keras.training.checkpoint import TrainState


@dataclass(frozen=True)
class Stage:
    """A stretch of epochs with the same layers training.

    Attributes:
        first, end: epochs, counted from 0, the end not included.
        trainable: layers of the backbone, as in `ModelConfig.trainable_layers`.
        rate: learning rate at its start.
        monitor: score that chooses its best epoch.
        patient: whether early stopping and plateaus count.
        axes_only: whether valence and arousal train alone, from the best epoch before.
    """

    first: int
    end: int
    _: KW_ONLY
    trainable: str
    rate: float
    monitor: str
    patient: bool = True
    axes_only: bool = False

    def is_over(self, state: TrainState) -> bool:
        """Return whether a run in this state has finished this stage."""
        return state.epoch >= self.end or (bool(state.stopped) and state.epoch > self.first)


def plan_stages(config: RunConfig) -> list[Stage]:
    """Return the stages of a run.

    `head_epochs` of the heads alone, `upper_epochs` with the top of the backbone too, all together, then `va_epochs` of the
    two axes.

    Raises:
        ValueError: more head, upper or calm epochs than epochs, or axis epochs without any epoch before them.
    """
    training, calm = config.training, config.augment.calm_epochs
    if calm > training.epochs:
        raise ValueError(f"--calm-epochs expects at most --epochs {training.epochs}. Received: {calm}.")
    heads, whole = training.head_epochs, training.epochs - training.va_epochs
    if training.va_epochs and whole < 1:
        raise ValueError(f"--va-epochs expects fewer than --epochs {training.epochs}. Received: {training.va_epochs}.")
    if heads > whole:
        less = f" less --va-epochs {training.va_epochs}" if training.va_epochs else ""
        raise ValueError(f"--head-epochs expects at most --epochs {training.epochs}{less}. Received: {heads}.")
    upper = heads + training.upper_epochs
    if upper > whole:
        raise ValueError(
            f"--upper-epochs expects at most the {whole - heads} epochs that the other stages leave. Received: "
            f"{training.upper_epochs}."
        )
    rate = config.optimizer.learning_rate
    tuned = rate * training.fine_tune_rate if heads else rate
    stages = [
        Stage(0, heads, trainable="0", rate=rate, monitor=training.monitor, patient=False),
        Stage(heads, upper, trainable=str(training.upper_layers), rate=tuned, monitor=training.monitor, patient=False),
        Stage(upper, whole, trainable=config.model.trainable_layers, rate=tuned, monitor=training.monitor),
        Stage(
            whole,
            training.epochs,
            trainable=training.va_trainable_layers,
            rate=rate * training.va_rate,
            monitor=training.va_monitor,
            axes_only=True,
        ),
    ]
    return [stage for stage in stages if stage.end > stage.first]


def choose_layers(net: keras.Model, stage: Stage, config: ModelConfig) -> None:
    """Choose which layers of a model train in a stage.

    Where only the axes train, the emotion head is frozen, and with a frozen backbone also the layers that all heads share:
    then the emotions stay exactly as before.
    """
    set_trainable_layers(net, replace(config, trainable_layers=stage.trainable))
    backbone = {layer.name for layer in backbone_layers(net)}
    for layer in net.layers:
        if layer.name not in backbone:
            output = layer.name.split("_")[0]
            shared = output not in ("emotion", "axes", *AXES)
            frozen = stage.axes_only and (output == "emotion" or (shared and stage.trainable == "0"))
            layer.trainable = not frozen


def check_monitors(config: RunConfig, metrics: dict[str, list], *, validated: bool) -> None:
    """Refuse a monitor that the logs will not hold, and axis epochs without axes, before the first epoch.

    Args:
        config: of the run.
        metrics: of each of the model's outputs, as they are compiled.
        validated: whether there is a validation split.

    Raises:
        ValueError: the message lists the scores that there are.
    """
    if config.training.va_epochs and not set(AXES) & set(metrics):
        raise ValueError(f"--va-epochs expects valence or arousal. Received: outputs {', '.join(metrics)}.")
    scores = ["loss"]
    for output, members in metrics.items():
        scores += [metric.name if len(metrics) == 1 else f"{output}_{metric.name}" for metric in members]
    known = [*scores, *(f"val_{name}" for name in scores)] if validated else scores
    for stage in plan_stages(config):
        flag = "--va-monitor" if stage.axes_only else "--monitor"
        if not validated and stage.monitor.startswith("val_"):
            raise ValueError(
                f"{flag} {stage.monitor} expects a validation split, and there is none. Raise "
                "--validation-fraction, or monitor a training score such as loss."
            )
        if stage.monitor not in known:
            raise ValueError(
                f"{flag} expects one of {', '.join(known)}. Received: {stage.monitor!r}.{nearest(stage.monitor, known)}"
            )
