"""Stages of a run: their order and limits, and the last one, in which valence and arousal train alone."""

from dataclasses import replace

import numpy as np
import pytest

from fer_keras.batches.inputs import open_training_splits
from fer_keras.config.run_config import RunConfig
from fer_keras.data.loading import load_faces
from fer_keras.runs.run_directory import open_run
from fer_keras.training.checkpoint import TrainState
from fer_keras.training.machine import set_up
from fer_keras.training.stages import plan_stages
from fer_keras.training.trainer import Trainer

SIDE = 32


def test_stages_of_a_run():
    assert [(stage.first, stage.end, stage.trainable) for stage in plan_stages(RunConfig.of(epochs=5))] == [
        (0, 5, "auto")
    ]
    stages = plan_stages(RunConfig.of(epochs=5, head_epochs=2, learning_rate=0.1, fine_tune_rate=0.01))
    assert [(stage.first, stage.end, stage.trainable, stage.patient) for stage in stages] == [
        (0, 2, "0", False), (2, 5, "auto", True)]  # fmt: skip
    assert stages[1].rate == pytest.approx(0.001)
    with pytest.raises(ValueError, match="--head-epochs"):
        plan_stages(RunConfig.of(epochs=2, head_epochs=3))
    three = plan_stages(RunConfig.of(epochs=6, head_epochs=1, va_epochs=2, learning_rate=0.1, va_rate=0.5))
    assert [(stage.first, stage.end, stage.trainable, stage.axes_only) for stage in three] == [
        (0, 1, "0", False), (1, 4, "auto", False), (4, 6, "0", True)]  # fmt: skip
    assert three[2].rate == pytest.approx(0.05) and [stage.monitor for stage in three] == ["val_loss"] * 3
    upper = plan_stages(RunConfig.of(epochs=6, head_epochs=1, upper_epochs=2, upper_layers=9, trainable_layers="all"))
    assert [(stage.first, stage.end, stage.trainable, stage.patient) for stage in upper] == [
        (0, 1, "0", False), (1, 3, "9", False), (3, 6, "all", True)]  # fmt: skip
    assert upper[1].rate == upper[2].rate == pytest.approx(0.1 * upper[0].rate)
    with pytest.raises(ValueError, match="--upper-epochs expects at most the 1 epochs.* Received: 2"):
        plan_stages(RunConfig.of(epochs=3, head_epochs=1, va_epochs=1, upper_epochs=2))
    for options in ({"va_epochs": 2}, {"va_epochs": 1, "head_epochs": 2}):
        with pytest.raises(ValueError, match="--va-epochs"):
            plan_stages(RunConfig.of(epochs=2, **options))


def test_a_stage_that_stopped_early_is_over_and_the_next_is_not():
    whole, axes = plan_stages(RunConfig.of(epochs=8, va_epochs=3))
    early = TrainState(epoch=3, stopped="no better")
    assert whole.is_over(early) and not axes.is_over(early)
    late = TrainState(epoch=5, stopped="no better")
    assert whole.is_over(late) and not axes.is_over(late), "it stopped on its last epoch"
    assert axes.is_over(TrainState(epoch=6, stopped="no better")) and axes.is_over(TrainState(epoch=8))


def trainer_for(faces_dir, run, **options) -> Trainer:
    config = RunConfig.of(data_dir=str(faces_dir), output_dir=str(run), **{
        "backbone": "tiny", "epochs": 3, "va_epochs": 2, "batch_size": 16, "image_size": SIDE,
        "validation_fraction": 0.2, "max_samples": 64, "outputs": "emotion,valence", **options})  # fmt: skip
    set_up(config.training.seed)
    open_run(config, False, True)
    return Trainer(config, *open_training_splits(config, load_faces(config.data)))


def predicted(model, trainer) -> dict[str, np.ndarray]:
    faces = trainer.validation.loader.load(np.arange(len(trainer.validation.loader)))[0]
    return model.predict(faces.astype("float32"), verbose=0)


def test_axis_epochs_leave_the_emotions_of_the_best_epoch_to_the_last_bit(faces_dir, tmp_path):
    options = {
        "monitor": "val_emotion_accuracy",
        "va_monitor": "val_valence_mae",
        "learning_rate": 0.01,
        "va_rate": 1.0,
    }
    before = trainer_for(faces_dir, tmp_path / "before", **{**options, "epochs": 2, "va_epochs": 0})
    plain = predicted(before.fit(), before)
    trainer = trainer_for(faces_dir, tmp_path / "axes", **{**options, "epochs": 5, "va_epochs": 3})
    tuned = predicted(trainer.fit(), trainer)
    state = trainer.state
    assert state.selected == {
        "monitor": "val_emotion_accuracy", "epoch": before.state.best_epoch, "value": before.state.best_value}  # fmt: skip
    assert (tuned["emotion"] == plain["emotion"]).all()
    assert [row["epoch"] for row in state.history] == [1, 2, 3, 4, 5]
    truth = trainer.validation.targets.values["valence"]
    errors = [abs(found["valence"] - truth).mean() for found in (plain, tuned)]
    assert errors[1] == pytest.approx(state.best_value, rel=1e-4) and errors[1] <= errors[0] * 1.0001
    assert state.best_epoch > 2, "three epochs at this rate do better than none"


def test_the_epoch_before_stays_the_best_where_no_axis_epoch_is_better(faces_dir, tmp_path):
    trainer = trainer_for(faces_dir, tmp_path, va_rate=0.0)
    trainer.fit()
    assert trainer.state.best_epoch == 1 and trainer.state.wait == 2


def test_an_open_backbone_moves_and_the_emotion_head_does_not(faces_dir, tmp_path):
    trainer = trainer_for(faces_dir, tmp_path, epochs=2, va_epochs=1, va_trainable_layers="all", va_rate=1.0)
    trainer.fit()
    trains = {layer.name: layer.trainable for layer in trainer.net.layers if layer.weights}
    assert {name for name, open_ in trains.items() if not open_} == {"emotion", "emotion_hidden"}


def test_wrong_axis_epochs_are_refused_before_the_first_one(faces_dir, tmp_path):
    with pytest.raises(ValueError, match="--va-monitor expects one of.*Did you mean 'val_valence_ccc'"):
        trainer_for(faces_dir, tmp_path, va_monitor="val_valance_ccc")
    trainer = trainer_for(faces_dir, tmp_path)
    only = replace(trainer.train.targets, values={"emotion": trainer.train.targets.values["emotion"]})
    with pytest.raises(ValueError, match="--va-epochs expects valence or arousal"):
        Trainer(trainer.config, replace(trainer.train, targets=only), trainer.validation)
