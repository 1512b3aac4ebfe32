"""What a run cannot do, told before its first epoch is spent."""

import keras

from fer_keras.config.fields import TrainConfig
from fer_keras.hints import nearest
from fer_keras.labels import AXES
from fer_keras.training.stages import plan_stages


def check_monitors(config: TrainConfig, outputs: tuple[str, ...], metrics: dict[str, list], validated: bool) -> None:
    """Refuse a monitor that the logs will not hold, and axis epochs without axes.

    Args:
        config: of the run.
        outputs: of the model.
        metrics: by output, as they are compiled.
        validated: whether there is a validation split.

    Raises:
        ValueError: so it is; the message says what there is.
    """
    stages = plan_stages(config)
    if config.va_epochs and not set(AXES) & set(outputs):
        raise ValueError(f"--va-epochs expects valence or arousal. Received: outputs {', '.join(outputs)}.")
    known = [
        "loss",
        *(
            metric.name if len(outputs) == 1 else f"{name}_{metric.name}"
            for name, members in metrics.items()
            for metric in members
        ),
    ]
    known += [f"val_{name}" for name in known] if validated else []
    for stage in stages:
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


def check_backend(config: TrainConfig, replicas: int) -> None:
    """Refuse what Keras's backend cannot do, or not on several devices.

    Args:
        config: of the run.
        replicas: devices that share a batch.

    Raises:
        ValueError: so it is.
    """
    backend = keras.backend.backend()
    if config.sam and backend != "tensorflow":
        raise ValueError(
            f"--sam expects Keras's TensorFlow backend. Received: {backend}. Set --sam 0, or KERAS_BACKEND=tensorflow."
        )
    alone = {
        "--sam": config.sam,
        "--loss-weighting uncertainty": weights_learned(config),
        f"--va-loss {config.va_loss}": loss_drawn(config),
    }
    found = [flag for flag, given in alone.items() if given]
    if found and replicas > 1 and backend == "tensorflow":
        raise ValueError(
            f"{found[0]} expects one device on TensorFlow, for each replica would draw or climb by itself. "
            "Set --strategy none."
        )


def check_batch(batch_size: int, replicas: int) -> None:
    """Refuse a batch that cannot be cut into equal parts.

    Args:
        batch_size: faces a step, no more than there are.
        replicas: devices that share them.

    Raises:
        ValueError: so it is.
    """
    if batch_size % replicas:
        raise ValueError(
            f"--batch-size expects a multiple of the {replicas} devices, and no more than there are faces. "
            f"Received: {batch_size}."
        )


def weights_learned(config: TrainConfig) -> bool:
    """Whether the weights of the losses are learned."""
    return config.loss_weighting == "uncertainty"


def loss_drawn(config: TrainConfig) -> bool:
    """Whether a loss draws something anew each step."""
    return config.va_loss.startswith("random")
