"""Training a run from its configuration, and resuming it."""

from pathlib import Path

import keras
import numpy as np

from fer_keras.batches.batches import EvaluationBatches, TrainingBatches
from fer_keras.batches.inputs import SplitInputs
from fer_keras.batches.pipeline import evaluation_data, training_data
from fer_keras.batches.targets import sampling_probabilities
from fer_keras.config.run_config import RunConfig
from fer_keras.data.several import parse_weights
from fer_keras.labels import AXES, match_emotions
from fer_keras.losses import build_losses, loss_weights
from fer_keras.metrics.streaming import build_weighted_metrics
from fer_keras.models.build import build_model
from fer_keras.models.objective import TrainingObjective
from fer_keras.models.weights import copy_emotion_head, weights_path
from fer_keras.runs.bundle import load_bundle
from fer_keras.runs.bundle_json import BUNDLE_FILE
from fer_keras.runs.run_directory import BEST_FILE, STATE_FILE
from fer_keras.training.checkpoint import TrainState, read_facts, restore_variables
from fer_keras.training.fused_norm import fuse_normalization
from fer_keras.training.keeper import Progress, RunKeeper, run_variables
from fer_keras.training.optimizers import build_optimizer, depth_factors
from fer_keras.training.profile_report import write_profile
from fer_keras.training.reopening import reopen
from fer_keras.training.run_profile import RunProfile
from fer_keras.training.stages import Stage, check_monitors, choose_layers, plan_stages
from fer_keras.training.strategy import OneDevice, check_backend, check_batch


class Trainer:
    """Trains one model on one data set.

    Args:
        config: of the run, resolved (see `fer_keras.training.training_run.resolve`).
        train: faces to train on.
        validation: faces to choose the best epoch on, or None.
        strategy: what to compute on; default: one device.

    Raises:
        ValueError: the configuration does not fit the data, the strategy or Keras's backend.
    """

    def __init__(
        self,
        config: RunConfig,
        train: SplitInputs,
        validation: SplitInputs | None,
        strategy: OneDevice | None = None,
    ):
        self.config, self.train, self.validation = config, train, validation
        self.run, self.strategy = Path(config.training.output_dir), strategy or OneDevice()
        self.profile = self._profile() if config.training.profile else None
        self.outputs, self.labels = tuple(train.targets.values), train.index.labels
        check_monitors(config, self._metrics(), validated=validation is not None)
        check_backend(config, self.strategy.replicas)
        self.fingerprint = train.index.fingerprint()
        self.batches = self._training_batches()
        self.state = TrainState()
        self._check_weights()
        with self.strategy.scope():
            self.net = self._build(dtype=self._policy())
            self._match_classes()
            self.strategy.prepare(self.net)
            fuse_normalization(self.net)  # after several devices made it synchronized

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
        precision = self.config.training.mixed_precision
        return "float32" if precision == "none" else f"mixed_{precision}"

    def _build(self, **options) -> keras.Model:
        return build_model(self.config.model, self.config.data.image_size, self.outputs, len(self.labels), **options)

    def _earlier_model(self) -> Path | None:
        """Return the `.keras` file that the weights are taken from, if a bundle lies beside it."""
        weights = self.config.model.weights
        if weights in ("auto", "none", "imagenet", "faces"):
            return None
        path = weights_path(weights)
        return path if path.suffix == ".keras" and (path.parent / BUNDLE_FILE).is_file() else None

    def _check_weights(self) -> None:
        path = self._earlier_model()
        if path:
            load_bundle(path.parent).check_file(path.name)

    def _match_classes(self) -> None:
        """Start the emotion output by the names of its classes where the weights are those of another model of this package."""
        path = self._earlier_model()
        if path and "emotion" in self.outputs:
            copy_emotion_head(self.net, path, match_emotions(self.labels, load_bundle(path.parent).labels))

    def fit(self, resume: bool = False) -> keras.Model:
        """Train to the end and return the best epoch's model, in float32.

        Args:
            resume: go on from the run's checkpoint, if it has one, or from its best model, if it had finished.

        Raises:
            NonFiniteLoss: the loss became NaN or infinite.
            ValueError: a checkpoint of other data or another model.
        """
        checkpoint = self.run / STATE_FILE
        if resume and not checkpoint.is_file() and (self.run / BUNDLE_FILE).is_file():
            reopen(self)
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
        if self.profile and self.strategy.leads:
            write_profile(self)
        return self._best_model()

    def _fit_stage(self, stage: Stage, checkpoint: Path | None, resume: bool) -> None:
        if checkpoint is None and resume:
            # Killed between two stages: the weights are the checkpoint's, the optimizer is the new stage's.
            self._restore_net()
        model = self.compile_stage(stage)
        if checkpoint:
            restore_variables(checkpoint, run_variables(model))
        elif stage.axes_only:
            self._start_from_best(model, stage)
        average = keras.callbacks.SwapEMAWeights() if self.config.optimizer.ema else None
        model.fit(
            self._training_data(stage),
            epochs=stage.end,
            initial_epoch=self.state.epoch,
            steps_per_epoch=self.batches.steps,
            validation_data=self._validation_data(),
            callbacks=self._callbacks(RunKeeper(self, stage, average), average),
            shuffle=False,
            verbose=0,
        )

    def _restore_net(self) -> None:
        """Put the checkpoint's weights into the net, through a model compiled as the stage that wrote them."""
        before = next(stage for stage in plan_stages(self.config) if stage.first < self.state.epoch <= stage.end)
        model = self.compile_stage(before)
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
        self.state.choose_anew(stage.first, self.config.training.monitor, value)

    def compile_stage(self, stage: Stage) -> keras.Model:
        """Return the model of a stage, compiled and with its optimizer built."""
        choose_layers(self.net, stage, self.config.model)
        model, objective = self._objective(stage)
        model.compile(
            self._optimizer(stage),
            **objective,
            weighted_metrics=self._metrics(),
            jit_compile=self.config.training.xla,
        )
        model.optimizer.build(model.trainable_variables)
        if keras.backend.backend() == "tensorflow" and self.strategy.replicas == 1:
            self._build_trackers(model)
        if self.config.optimizer.sam:
            from fer_keras.training.sam import SharpnessAwareStep  # written in TensorFlow, which may not be installed

            model.train_step = SharpnessAwareStep(model, self.net, self.config.optimizer.sam)
        return model

    def _build_trackers(self, model: keras.Model) -> None:
        """Make the variables that follow losses and scores now, by a batch of one unlabelled face.

        Keras would make them while TensorFlow traces the first step, and TensorFlow traces what makes variables twice.
        """
        values = {
            name: np.zeros((1, *array.shape[1:]), array.dtype) for name, array in self.train.targets.values.items()
        }
        guesses = {name: keras.ops.zeros((1, *output.shape[1:])) for name, output in self.net.output.items()}
        weights = {name: np.zeros(1, "float32") for name in values}
        model.compute_loss(None, values, guesses, weights, training=False)
        model.compute_metrics(None, values, guesses, weights)
        model.reset_metrics()

    def _objective(self, stage: Stage) -> tuple[keras.Model, dict]:
        """Return the model that is compiled in a stage, and the losses and weights to compile it with.

        The model is the net itself, or one around it that has the losses inside where these learn or draw something.
        """
        config = self.config.loss
        losses = build_losses(config, self.outputs, self.train.targets.emotion_shares())
        weights = loss_weights(config, self.outputs)
        if stage.axes_only:
            weights = {name: weight if name in AXES else 0.0 for name, weight in weights.items()}
        if not (config.weights_learned or config.shares_drawn):
            return self.net, {"loss": losses, "loss_weights": weights}
        seed = self.config.training.seed * 1_000_003 + stage.first  # each stage draws other numbers
        learned = config.weights_learned
        return TrainingObjective(self.net, losses, weights, learned=learned, seed=seed), {}

    def _optimizer(self, stage: Stage) -> keras.optimizers.Optimizer:
        config, steps = self.config.optimizer, self.batches.steps
        factors = depth_factors(self.net, config.layer_decay) if config.layer_decay < 1 else None
        length = (stage.end - stage.first) * steps
        return build_optimizer(config, rate=stage.rate, steps=length, epoch_steps=steps, factors=factors)

    def _callbacks(self, keeper: RunKeeper, average) -> list:
        callbacks = [average] if average else []
        if self.config.training.tensorboard:
            callbacks.append(keras.callbacks.TensorBoard(self.run / "logs", write_graph=False))
        callbacks += [keeper, Progress(self.config.training.epochs, self.batches.steps, self.state)]
        return self.profile.watch(callbacks) if self.profile else callbacks

    def _profile(self) -> RunProfile:
        """Return a profile, which measures the metrics alone where their graph is one device's."""
        apart = keras.backend.backend() == "tensorflow" and self.strategy.replicas == 1
        return RunProfile((lambda: self.batches.load(*next(self.batches.schedule(0, 1)))) if apart else None)

    def _training_data(self, stage: Stage):
        clock = self.profile and self.profile.input
        batches = clock.timed(self.batches) if clock else self.batches
        data = training_data(batches, self.state.epoch, stage.end, self.config.data.workers)
        return clock.watched(data) if clock and self.strategy.replicas == 1 else data

    def _training_batches(self) -> TrainingBatches:
        config, train = self.config, self.train
        batch_size = min(config.training.batch_size, len(train.loader))
        check_batch(batch_size, self.strategy.replicas)
        balanced = config.data.balance == "sample"
        shares = parse_weights(config.data.set_weights, len(train.index.members))
        return TrainingBatches(
            train.loader,
            train.targets,
            batch_size,
            seed=config.training.seed,
            augmentation=config.augment,
            probabilities=sampling_probabilities(train.index, balanced, shares) if balanced or shares else None,
            calm_from=config.training.epochs - config.augment.calm_epochs,
            share=self.strategy.share,
        )

    def _validation_data(self):
        if self.validation is None:
            return None
        batches = EvaluationBatches(
            self.validation.loader,
            self.validation.targets,
            self.config.training.batch_size,
            share=self.strategy.share,
            filled=self.strategy.replicas > 1,  # no replica may be left with an empty part
        )
        return evaluation_data(batches, self.config.data.workers)

    def batch_names(self, epoch: int, step: int) -> list[str]:
        """Return the names of the faces in one training batch."""
        index = self.train.index
        return [str(index.path[row] or index.id[row]) for row in self.batches.rows(epoch)[step]]

    def _best_model(self) -> keras.Model:
        """Return the best weights in a model that was never compiled: its file loads where fer_keras is not installed."""
        model = self._build(dtype="float32", weights="none", trainable_layers="all")
        restore_variables(self.run / BEST_FILE, model.weights)
        return model
