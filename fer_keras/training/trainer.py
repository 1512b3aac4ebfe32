"""Training a run from its configuration, and resuming it."""

from pathlib import Path

import keras

from fer_keras.batches.augment import Augmentation
from fer_keras.batches.batches import EvaluationBatches, TrainingBatches, epoch_rows
from fer_keras.batches.inputs import SplitInputs
from fer_keras.batches.pipeline import evaluation_data, training_data
from fer_keras.batches.targets import sampling_probabilities
from fer_keras.config.fields import TrainConfig
from fer_keras.data.several import parse_weights
from fer_keras.labels import AXES
from fer_keras.losses import build_losses, loss_weights
from fer_keras.metrics.streaming import build_weighted_metrics
from fer_keras.models.build import build_model, resolve_weights
from fer_keras.models.heads import parse_units
from fer_keras.models.objective import TrainingObjective
from fer_keras.runs.run_directory import BEST_FILE, STATE_FILE
from fer_keras.training.checkpoint import TrainState, read_facts, restore_variables
from fer_keras.training.checks import check_backend, check_batch, check_monitors, loss_drawn, weights_learned
from fer_keras.training.epoch_lines import Progress
from fer_keras.training.keeper import RunKeeper, run_variables
from fer_keras.training.optimizers import build_optimizer, depth_factors
from fer_keras.training.stages import Stage, choose_layers, plan_stages
from fer_keras.training.strategy import OneDevice


class Trainer:
    """Trains one model on one data set.

    Args:
        config: of the run.
        run: its directory.
        train: faces to train on.
        validation: faces to choose the best epoch on, or None.
        strategy: what to compute on; default: one device.
    """

    def __init__(
        self,
        config: TrainConfig,
        run: Path,
        train: SplitInputs,
        validation: SplitInputs | None,
        strategy: OneDevice | None = None,
    ):
        self.strategy = strategy or OneDevice()
        self.config, self.run, self.train, self.validation = config, run, train, validation
        self.outputs, self.labels = tuple(train.targets.values), train.index.labels
        check_monitors(config, self.outputs, self._metrics(), validation is not None)
        check_backend(config, self.strategy.replicas)
        self.fingerprint = train.index.fingerprint()
        self.batch_size = min(config.batch_size, len(train.loader))
        check_batch(self.batch_size, self.strategy.replicas)
        balanced, shares = config.balance == "sample", parse_weights(config.set_weights, len(train.index.members))
        self.probabilities = sampling_probabilities(train.index, balanced, shares) if balanced or shares else None
        self.batches = self._training_batches()
        self.steps = self.batches.steps
        self.pretrained = resolve_weights(config.backbone, config.weights) != "none"
        self.state = TrainState()
        with self.strategy.scope():
            self.net = self._build(config.weights, self._policy())
            self.strategy.prepare(self.net)

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
            self.config.head,
            parse_units(self.config.head_units),
            self.config.head_norm,
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
        with self.strategy.scope():
            for stage in plan_stages(self.config):
                if not stage.is_over(self.state):
                    inside = resume and stage.first < self.state.epoch
                    self._fit_stage(stage, checkpoint if inside else None, resume)
        self.strategy.finish()
        return self._best_model()

    def _fit_stage(self, stage: Stage, checkpoint: Path | None, resume: bool) -> None:
        if checkpoint is None and resume:
            # Killed between two stages: the weights are the checkpoint's, the optimizer is the new stage's.
            self._restore_net()
        model = self._compile(stage)
        if checkpoint:
            restore_variables(checkpoint, run_variables(model))
        elif stage.axes_only:
            self._start_from_best(model, stage)
        average = keras.callbacks.SwapEMAWeights() if self.config.ema else None
        keeper = RunKeeper(
            self.run,
            self.config,
            self.state,
            self.net,
            self.fingerprint,
            self._batch_names,
            average,
            stage.patient,
            stage.monitor,
            self.strategy.leads,
        )
        model.fit(
            training_data(self.batches, self.state.epoch, stage.end, self.config.workers),
            epochs=stage.end,
            initial_epoch=self.state.epoch,
            steps_per_epoch=self.steps,
            validation_data=self._validation_data(),
            callbacks=self._callbacks(keeper, average),
            shuffle=False,
            verbose=0,
        )

    def _restore_net(self) -> None:
        """Put the checkpoint's weights into the net, through a model compiled as the stage that wrote them."""
        before = next(stage for stage in plan_stages(self.config) if stage.first < self.state.epoch <= stage.end)
        model = self._compile(before)
        restore_variables(self.run / STATE_FILE, run_variables(model))
        # Keras ends `fit` so: with averages, the next stage starts from them.
        model.optimizer.finalize_variable_values(model.trainable_variables)

    def _start_from_best(self, model: keras.Model, stage: Stage) -> None:
        """Begin a stage of valence and arousal at the best epoch so far, which this stage's monitor measures as well.

        So an epoch counts as better only where it beats what the stage started from.
        """
        if self.state.best_epoch is not None:
            restore_variables(self.run / BEST_FILE, self.net.weights)
        value = None
        if self.state.best_epoch is not None and stage.monitor.startswith("val_"):
            logs = model.evaluate(self._validation_data(), verbose=0, return_dict=True)
            value = float(logs[stage.monitor.removeprefix("val_")])
        self.state.choose_anew(stage.first, self.config.monitor, value)

    def _compile(self, stage: Stage) -> keras.Model:
        choose_layers(self.net, stage, self.pretrained, self.config.train_norm)
        losses, weights = build_losses(self.config, self.outputs), loss_weights(self.config, self.outputs)
        if stage.axes_only:
            weights = {name: weight if name in AXES else 0.0 for name, weight in weights.items()}
        learned = weights_learned(self.config)
        wrapped = learned or loss_drawn(self.config)
        # A stage draws otherwise than the one before it.
        seed = self.config.seed * 1_000_003 + stage.first
        model = TrainingObjective(self.net, losses, weights, learned, seed) if wrapped else self.net
        model.compile(
            self._optimizer(stage),
            loss=None if wrapped else losses,
            loss_weights=None if wrapped else weights,
            weighted_metrics=self._metrics(),
            jit_compile=self.config.xla,
        )
        model.optimizer.build(model.trainable_variables)
        if self.config.sam:
            from fer_keras.training.sam import SharpnessAwareStep  # written in TensorFlow, which need not be there

            model.train_step = SharpnessAwareStep(model, self.net, self.config.sam)
        return model

    def _optimizer(self, stage: Stage) -> keras.optimizers.Optimizer:
        decay = self.config.layer_decay
        factors = depth_factors(self.net, decay) if decay < 1 else None
        return build_optimizer(self.config, stage.rate, (stage.end - stage.first) * self.steps, self.steps, factors)

    def _callbacks(self, keeper: RunKeeper, average) -> list:
        callbacks = [average] if average else []
        if self.config.tensorboard:
            callbacks.append(keras.callbacks.TensorBoard(self.run / "logs", write_graph=False))
        return [*callbacks, keeper, Progress(self.config.epochs, self.steps, self.state)]

    def _training_batches(self) -> TrainingBatches:
        changes = {name: getattr(self.config, name) for name in Augmentation.__dataclass_fields__}
        return TrainingBatches(
            self.train.loader,
            self.train.targets,
            self.batch_size,
            self.config.seed,
            Augmentation(**changes),
            self.probabilities,
            self.config.epochs - self.config.calm_epochs,
            self.strategy.share,
        )

    def _validation_data(self):
        if self.validation is None:
            return None
        batches = EvaluationBatches(
            self.validation.loader,
            self.validation.targets,
            self.config.batch_size,
            self.strategy.share,
            filled=self.strategy.replicas > 1,  # no replica may be left with an empty part
        )
        return evaluation_data(batches, self.config.workers)

    def _batch_names(self, epoch: int, step: int) -> list[str]:
        index = self.train.index
        rows = epoch_rows(len(index), self.batch_size, self.config.seed, epoch, self.probabilities)[step]
        return [str(index.path[row] or index.id[row]) for row in rows]

    def _best_model(self) -> keras.Model:
        """Return the best weights in a model that was never compiled: its file loads where fer_keras is not installed."""
        model = self._build("none", "float32")
        restore_variables(self.run / BEST_FILE, model.weights)
        return model
