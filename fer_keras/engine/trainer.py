"""Training a run from its configuration, and resuming it."""

from dataclasses import dataclass
from pathlib import Path

import keras

from fer_keras.config import TrainConfig, nearest
from fer_keras.data.augment import Augmentation
from fer_keras.data.pipeline import epoch_rows, epoch_steps, evaluation_dataset, training_dataset
from fer_keras.data.several import parse_weights
from fer_keras.data.targets import balanced_class_weights, sampling_probabilities
from fer_keras.engine.checkpoint import TrainState, read_facts, restore_variables
from fer_keras.engine.inputs import SplitInputs, open_split
from fer_keras.engine.keeper import RunKeeper, run_variables
from fer_keras.engine.optimizers import build_optimizer
from fer_keras.engine.progress import Progress
from fer_keras.engine.run_directory import BEST_FILE, STATE_FILE
from fer_keras.losses import build_losses, loss_weights
from fer_keras.metrics.streaming import build_weighted_metrics
from fer_keras.models.build import build_model, resolve_weights, set_trainable_layers
from fer_keras.models.uncertainty import UncertaintyWeighted


@dataclass(frozen=True)
class Stage:
    """A stretch of epochs with the same layers training.

    Attributes:
        first, end: epochs, counted from 0, the end not included.
        trainable: see `set_trainable_layers`.
        rate: learning rate at its start.
        patient: whether early stopping and plateaus count.
    """

    first: int
    end: int
    trainable: str
    rate: float
    patient: bool


def plan_stages(config: TrainConfig) -> list[Stage]:
    """Return the stages of a run: heads alone first where `head_epochs` asks for it, then the whole.

    Raises:
        ValueError: more head epochs or calm epochs than epochs.
    """
    if config.calm_epochs > config.epochs:
        raise ValueError(f"--calm-epochs expects at most --epochs {config.epochs}. Received: {config.calm_epochs}.")
    heads = config.head_epochs
    if heads > config.epochs:
        raise ValueError(f"--head-epochs expects at most --epochs {config.epochs}. Received: {heads}.")
    if not heads:
        return [Stage(0, config.epochs, config.trainable_layers, config.learning_rate, True)]
    stages = [
        Stage(0, heads, "0", config.learning_rate, False),
        Stage(heads, config.epochs, config.trainable_layers, config.learning_rate * config.fine_tune_rate, True),
    ]
    return [stage for stage in stages if stage.end > stage.first]


class Trainer:
    """Trains one model on one data set.

    Args:
        config: of the run.
        run: its directory.
        train: faces to train on.
        validation: faces to choose the best epoch on, or None.
    """

    def __init__(self, config: TrainConfig, run: Path, train: SplitInputs, validation: SplitInputs | None):
        self.config, self.run, self.train, self.validation = config, run, train, validation
        self.outputs, self.labels = tuple(train.targets.values), train.index.labels
        self._check_monitor()
        self.fingerprint = train.index.fingerprint()
        self.batch_size = min(config.batch_size, len(train.loader))
        self.steps = epoch_steps(len(train.loader), self.batch_size)
        balanced, shares = config.balance == "sample", parse_weights(config.set_weights, len(train.index.members))
        self.probabilities = sampling_probabilities(train.index, balanced, shares) if balanced or shares else None
        self.pretrained = resolve_weights(config.backbone, config.weights) != "none"
        self.state = TrainState()
        self.net = self._build(config.weights, self._policy())

    def _check_monitor(self) -> None:
        """Refuse a monitor that the logs will not hold before the first epoch is spent."""
        monitor = self.config.monitor
        if self.validation is None and monitor.startswith("val_"):
            raise ValueError(
                f"--monitor {monitor} expects a validation split, and there is none. Raise "
                "--validation-fraction, or monitor a training score such as loss."
            )
        known = [
            "loss",
            *(
                metric.name if len(self.outputs) == 1 else f"{name}_{metric.name}"
                for name, metrics in self._metrics().items()
                for metric in metrics
            ),
        ]
        known += [f"val_{name}" for name in known] if self.validation else []
        if monitor not in known:
            raise ValueError(
                f"--monitor expects one of {', '.join(known)}. Received: {monitor!r}.{nearest(monitor, known)}"
            )

    def _metrics(self) -> dict[str, list]:
        """Return metrics by output, named such that logs read <output>_<metric> for any number of outputs.

        Keras puts the output's name before a metric's only where there are several outputs.
        """
        metrics = build_weighted_metrics(self.outputs, len(self.labels))
        if len(self.outputs) == 1:
            for name, members in metrics.items():
                for metric in members:
                    metric.name = f"{name}_{metric.name}"
        return metrics

    def _policy(self) -> str:
        return "float32" if self.config.mixed_precision == "none" else f"mixed_{self.config.mixed_precision}"

    def _build(self, weights: str, dtype: str) -> keras.Model:
        return build_model(
            self.config.backbone,
            self.config.image_size,
            self.outputs,
            len(self.labels),
            weights,
            self.config.dropout,
            dtype,
        )

    def fit(self, resume: bool = False) -> keras.Model:
        """Train to the end and return the best epoch's model, in float32.

        Args:
            resume: go on from the run's checkpoint, if it has one.

        Raises:
            NonFiniteLoss: the loss became NaN or infinite.
            ValueError: a checkpoint of other data or another model.
        """
        checkpoint = self.run / STATE_FILE
        resume = resume and checkpoint.is_file()
        if resume:
            facts = read_facts(checkpoint)
            if facts["fingerprint"] != self.fingerprint:
                raise ValueError(
                    f"The training faces have changed since the run in {self.run} was started. Start another one."
                )
            self.state = TrainState(**facts["state"])
        for stage in plan_stages(self.config):
            if stage.end > self.state.epoch and not self.state.stopped:
                inside = resume and stage.first < self.state.epoch
                self._fit_stage(stage, checkpoint if inside else None, resume)
        return self._best_model()

    def _fit_stage(self, stage: Stage, checkpoint: Path | None, resume: bool) -> None:
        if checkpoint is None and resume and stage.first == self.state.epoch:
            # Killed between two stages: the weights are the checkpoint's, the optimizer is the new stage's.
            self._restore_net()
        model = self._compile(stage)
        if checkpoint:
            restore_variables(checkpoint, run_variables(model))
        average = keras.callbacks.SwapEMAWeights() if self.config.ema else None
        keeper = RunKeeper(
            self.run, self.config, self.state, self.net, self.fingerprint, self._batch_names, average, stage.patient
        )
        dataset = training_dataset(
            self.train.loader,
            self.train.targets,
            self.batch_size,
            stage.end,
            self.config.seed,
            self._augmentation(),
            self.probabilities,
            self.state.epoch,
            self.config.epochs - self.config.calm_epochs,
            self.config.workers,
        )
        model.fit(
            dataset,
            epochs=stage.end,
            initial_epoch=self.state.epoch,
            steps_per_epoch=self.steps,
            validation_data=self._validation_dataset(),
            callbacks=self._callbacks(keeper, average),
            shuffle=False,
            verbose=0,
        )

    def _restore_net(self) -> None:
        """Put the checkpoint's weights into the net, through a model compiled as the stage that wrote them."""
        before = next(stage for stage in plan_stages(self.config) if stage.end == self.state.epoch)
        restore_variables(self.run / STATE_FILE, run_variables(self._compile(before)))

    def _compile(self, stage: Stage) -> keras.Model:
        set_trainable_layers(self.net, stage.trainable, self.pretrained)
        losses, weights = build_losses(self.config, self.outputs), loss_weights(self.config, self.outputs)
        optimizer = build_optimizer(self.config, stage.rate, (stage.end - stage.first) * self.steps, self.steps)
        learned = self.config.loss_weighting == "uncertainty"
        model = UncertaintyWeighted(self.net, losses, weights) if learned else self.net
        model.compile(
            optimizer,
            loss=None if learned else losses,
            loss_weights=None if learned else weights,
            weighted_metrics=self._metrics(),
            jit_compile=self.config.xla,
        )
        model.optimizer.build(model.trainable_variables)
        return model

    def _callbacks(self, keeper: RunKeeper, average) -> list:
        callbacks = [average] if average else []
        if self.config.tensorboard:
            callbacks.append(keras.callbacks.TensorBoard(self.run / "logs", write_graph=False))
        return [*callbacks, keeper, Progress(self.config.epochs, self.steps, self.state)]

    def _augmentation(self) -> Augmentation:
        return Augmentation(**{name: getattr(self.config, name) for name in Augmentation.__dataclass_fields__})

    def _validation_dataset(self):
        if self.validation is None:
            return None
        return evaluation_dataset(
            self.validation.loader, self.validation.targets, self.config.batch_size, self.config.workers
        )

    def _batch_names(self, epoch: int, step: int) -> list[str]:
        index = self.train.index
        rows = epoch_rows(len(index), self.batch_size, self.config.seed, epoch, self.probabilities)[step]
        return [str(index.path[row] or index.id[row]) for row in rows]

    def _best_model(self) -> keras.Model:
        """Return the best weights in a model that was never compiled: its file loads where fer_keras is not installed."""
        model = self._build("none", "float32")
        restore_variables(self.run / BEST_FILE, model.weights)
        return model


def open_training_inputs(
    config: TrainConfig, index, image_size: tuple[int, int]
) -> tuple[SplitInputs, SplitInputs | None]:
    """Return the training and validation faces that a configuration asks for; no validation split gives None."""
    from fer_keras.engine.inputs import training_index

    outputs = index.spec.targets
    train = training_index(index, config.max_samples, config.split_seed)
    weights = balanced_class_weights(train) if config.balance == "weight" else None
    opened = open_split(train, image_size, outputs, config.label_mode, config.cache, weights)
    if "validation" not in set(index.split.tolist()):
        return opened, None
    return opened, open_split(index.of_split("validation"), image_size, outputs, "majority", config.cache)
