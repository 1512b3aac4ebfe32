"""Whole runs on drawn faces: what a run leaves, resuming after a kill, stages, averages, bad batches."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pyarrow.parquet as pq
import pytest
import tiny_run

from fer_keras.batches.inputs import open_split, open_training_splits
from fer_keras.config.config_file import load_config
from fer_keras.config.run_config import RunConfig
from fer_keras.data.loading import load_faces
from fer_keras.metrics.scores import score_predictions
from fer_keras.readers.rows import ArrayImages
from fer_keras.runs.bundle import load_bundle
from fer_keras.runs.run_directory import STATE_FILE, open_run
from fer_keras.training.keeper import NonFiniteLoss
from fer_keras.training.machine import set_up
from fer_keras.training.trainer import Trainer
from fer_keras.training.training_run import resolve, train_run

SIDE = 32
#: One or two outputs where a test is not about all three: tracing their losses and metrics takes most of a tiny run's time.
ONE = {"outputs": "emotion"}
TWO = {"outputs": "emotion,valence"}


def config_for(faces_dir, run, **options) -> RunConfig:
    defaults = {
        "backbone": "tiny",
        "epochs": 2,
        "batch_size": 16,
        "image_size": SIDE,
        "validation_fraction": 0.2,
        "max_samples": 64,
    }
    return RunConfig.of(data_dir=str(faces_dir), output_dir=str(run), **{**defaults, **options})


@pytest.fixture(scope="module")
def finished(faces_dir, tmp_path_factory) -> Path:
    """A run of two epochs that has finished, with every picture of its report. Not to be changed."""
    with tiny_run.pictures(drawn=True):
        return train_run(config_for(faces_dir, tmp_path_factory.mktemp("runs") / "done"))


def weights_of(run: Path) -> list[np.ndarray]:
    return load_bundle(run).load_model().get_weights()


def equal(one: list[np.ndarray], other: list[np.ndarray]) -> bool:
    """Whether weights are the same but for rounding: threads add up in no fixed order."""
    return all(np.allclose(a, b, rtol=1e-5, atol=1e-7) for a, b in zip(one, other, strict=True))


def test_a_run_keeps_a_temperature_fitted_on_its_validation_split(finished, faces_dir, tmp_path, capsys):
    found = load_bundle(finished).calibration
    assert found.split == "validation" and found.faces == pq.read_table(finished / "predictions.parquet").num_rows
    assert found.nll_after <= found.nll_before and found.temperature > 0
    config = config_for(faces_dir, tmp_path / "run", validation_fraction=0.0, monitor="loss", epochs=1, **ONE)
    assert load_bundle(train_run(config)).calibration is None
    assert "stay uncalibrated" in capsys.readouterr().err


def test_a_run_directory_is_whole(finished):
    names = {path.name for path in finished.iterdir()}
    assert {"model.keras", "bundle.json", "history.csv", "config.toml", "metrics.json", "predictions.parquet", "report.html",
            "report.md", "plots"} <= names  # fmt: skip
    assert "checkpoint" not in names and not [name for name in names if name.startswith(".")]
    with open(finished / "history.csv") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert {"loss", "val_loss", "val_emotion_accuracy", "val_valence_ccc", "val_arousal_sagr", "learning_rate"} <= set(
        rows[0]
    )


def test_the_bundle_is_self_sufficient(finished):
    bundle = load_bundle(finished)
    assert bundle.labels == ("neutral", "happy", "sad", "surprise", "fear", "disgust", "anger", "contempt")
    assert bundle.image_size == (SIDE, SIDE) and bundle.outputs == ("emotion", "valence", "arousal")
    assert bundle.data.spec == "synthetic" and bundle.data.fingerprint and bundle.versions["keras"]
    assert bundle.selected.split == "validation" and bundle.selected.epoch in (1, 2)
    assert bundle.scores["synthetic/validation"].measured["emotion"]["n"] == 32
    assert sum(bundle.baseline["emotion"]) == pytest.approx(1)
    assert RunConfig.of(**bundle.config) == load_config(finished / "config.toml")


def test_every_score_can_be_recomputed_from_the_predictions(finished):
    table = pq.read_table(finished / "predictions.parquet")
    written = json.loads((finished / "metrics.json").read_text())["scores"]
    assert table.num_rows == 32
    assert json.loads(json.dumps(score_predictions(table, load_bundle(finished).baseline))) == written


def test_predictions_are_the_models_on_the_same_pixels(finished, faces_dir):
    bundle, table = load_bundle(finished), pq.read_table(finished / "predictions.parquet").to_pydict()
    index = load_faces("synthetic", str(faces_dir), validation_fraction=0.2).of_split("validation")
    assert table["id"] == index.id.tolist() and table["emotion_true"] == [index.labels[code] for code in index.emotion]
    faces = open_split(index, (SIDE, SIDE), bundle.outputs).loader.load(np.arange(len(index)))[0]
    predicted = bundle.load_model().predict(faces.astype("float32"), verbose=0)
    assert table["valence_pred"] == pytest.approx(predicted["valence"][:, 0].tolist(), abs=1e-5)
    for code, name in enumerate(bundle.labels):
        assert table[f"probability_{name}"] == pytest.approx(predicted["emotion"][:, code].tolist(), abs=1e-5)


def fitted(config: RunConfig, resume: bool = False) -> list[np.ndarray]:
    return trainer_for(config, resume=resume).fit(resume).get_weights()


def test_the_same_seed_gives_the_same_run_and_another_one_another(faces_dir, tmp_path):
    """Also whether training alone ran, or scores, table and report were made after it."""
    whole = weights_of(train_run(config_for(faces_dir, tmp_path / "whole", **ONE)))
    assert equal(fitted(config_for(faces_dir, tmp_path / "again", **ONE)), whole)
    assert not equal(fitted(config_for(faces_dir, tmp_path / "other", seed=1, **ONE)), whole)


KILLED = {
    "averages, learned weights, cosine, in mid-epoch": (1, {
        "ema": 0.9, "optimizer": "adamw", "schedule": "cosine", "warmup_epochs": 1.0, "loss_weighting": "uncertainty",
        "gradient_clip": 1.0, **TWO,
    }),
    "uphill steps, rates by layer, drawn losses, averages, cosine": (1, {
        "sam": 0.05, "layer_decay": 0.7, "va_loss": "random_mse_ccc", "ema": 0.9, "optimizer": "adamw",
        "schedule": "cosine", "warmup_epochs": 1.0, "gradient_clip": 1.0, "loss_weighting": "uncertainty", "mixup": 0.2, **TWO,
    }),
    "averages between two stages": (1, {"ema": 0.9, "head_epochs": 1, **ONE}),
    "at the start of all layers, after the upper ones": (2, {
        "ema": 0.9, "head_epochs": 1, "upper_epochs": 1, "upper_layers": 2, **ONE,
    }),
    "inside valence and arousal alone": (3, {
        "epochs": 4, "va_epochs": 2, "va_loss": "random_mse_ccc", "ema": 0.9, **TWO,
    }),
    "at the start of valence and arousal alone, after a stage that stopped early": (3, {
        "epochs": 5, "va_epochs": 2, "va_trainable_layers": "all", "early_stopping": 1, "monitor": "val_emotion_accuracy",
        "learning_rate": 0.0, "optimizer": "sgd", "va_monitor": "val_valence_mae", **TWO,
    }),
    "heads first, at the start of a stage": (2, {"head_epochs": 2, "balance": "sample", "plateau_patience": 1, **ONE}),
}  # fmt: skip


#: Whose settings and moment of the kill others have among theirs.
HELD_BY_OTHERS = {"averages, learned weights, cosine, in mid-epoch", "averages between two stages"}


@pytest.mark.parametrize(
    "fatal, options",
    [
        pytest.param(*case, id=name, marks=[pytest.mark.slow] if name in HELD_BY_OTHERS else [])
        for name, case in KILLED.items()
    ],
)
def test_a_run_killed_and_resumed_ends_as_an_unbroken_one(faces_dir, tmp_path, fatal, options, monkeypatch):
    from fer_keras.training.keeper import RunKeeper

    config = config_for(faces_dir, tmp_path / "unbroken", **{"epochs": 3, **options})
    unbroken = fitted(config)
    broken = config.replace(output_dir=str(tmp_path / "broken"))
    original = RunKeeper.on_train_batch_end

    class Killed(BaseException):
        pass

    def on_train_batch_end(self, batch, logs=None):
        original(self, batch, logs)
        if self._epoch == fatal and batch == 1:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(RunKeeper, "on_train_batch_end", on_train_batch_end)
        with pytest.raises(Killed):
            fitted(broken, resume=True)
    assert equal(fitted(broken, resume=True), unbroken)
    histories = []
    for run in ("broken", "unbroken"):
        with open(tmp_path / run / "history.csv") as file:
            histories.append([{k: float(v) for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)])
    assert len(histories[0]) == len(histories[1]) >= 3
    for resumed, whole in zip(*histories, strict=True):  # sums over a batch may differ in the last bit between two runs
        assert resumed == pytest.approx(whole, rel=1e-5)


@pytest.mark.slow
def test_a_process_killed_with_sigkill_resumes_to_the_same_weights(faces_dir, tmp_path):
    def command(run: str, *more: str) -> list[str]:
        return [sys.executable, "-m", "fer_keras.train", "--data-dir", str(faces_dir), "--image-size", str(SIDE), "--epochs", "6",
                "--batch-size", "8", "--output-dir", str(tmp_path / run), *more]  # fmt: skip

    environment = {**os.environ, "FER_KERAS_CACHE": str(tmp_path / "cache")}
    subprocess.run(command("unbroken"), env=environment, check=True, capture_output=True)
    kills = 0
    for after in (2, 4):
        process = subprocess.Popen(command("broken", "--resume"), env=environment, stdout=subprocess.DEVNULL)
        history = tmp_path / "broken" / "history.csv"
        deadline = time.time() + 300
        while process.poll() is None and time.time() < deadline:
            if history.is_file() and len(history.read_text().splitlines()) > after:
                time.sleep(0.2)  # into the next epoch
                process.send_signal(signal.SIGKILL)
                kills += 1
                break
            time.sleep(0.01)
        process.wait()
    assert kills == 2 and not (tmp_path / "broken" / "bundle.json").exists()
    subprocess.run(command("broken", "--resume"), env=environment, check=True, capture_output=True)
    assert equal(weights_of(tmp_path / "broken"), weights_of(tmp_path / "unbroken"))


def trainer_for(config: RunConfig, damage=None, resume: bool = False) -> Trainer:
    open_run(config, resume, not resume)
    set_up(config.training.seed)
    train, validation = open_training_splits(config, load_faces(config.data))
    if damage:
        damage(train)
    return Trainer(config, train, validation)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="needs TensorFlow's way of tracing")
def test_the_first_step_is_traced_once(faces_dir, tmp_path, monkeypatch):
    """TensorFlow traces a step twice that makes variables, such as Keras's trackers of several losses."""
    traced, step = [], keras.Model.train_step
    monkeypatch.setattr(keras.Model, "train_step", lambda *given: traced.append(1) or step(*given))
    trainer_for(config_for(faces_dir, tmp_path, epochs=1, max_samples=16, **TWO)).fit()
    assert len(traced) == 1


def test_early_stopping_and_plateaus_follow_the_monitor(faces_dir, tmp_path):
    config = config_for(faces_dir, tmp_path, epochs=6, learning_rate=0.0, early_stopping=3, plateau_patience=2,
                        optimizer="sgd", monitor="val_emotion_accuracy", **ONE)  # fmt: skip
    trainer = trainer_for(config)
    trainer.fit()
    assert (
        trainer.state.epoch == 4 and trainer.state.best_epoch == 1 and "val_emotion_accuracy" in trainer.state.stopped
    )
    patient = trainer_for(config.replace(learning_rate=1e-9, early_stopping=0))
    patient.fit()
    rates = [row["learning_rate"] for row in patient.state.history]
    assert patient.state.epoch == 6 and rates == pytest.approx([1e-9] * 3 + [5e-10] * 2 + [2.5e-10])


def test_heads_alone_leave_the_backbone_as_it_was(faces_dir, tmp_path):
    trainer = trainer_for(config_for(faces_dir, tmp_path, epochs=1, head_epochs=1, **ONE))
    before = {layer.name: layer.get_weights() for layer in trainer.net.layers}
    trainer.fit()
    same = {
        name: equal(weights, trainer.net.get_layer(name).get_weights()) for name, weights in before.items() if weights
    }
    assert not same["emotion"] and not same["shared"]
    convolutions = [name for name in same if name.endswith("_conv")]
    assert convolutions and all(same[name] for name in convolutions)


def test_averaged_weights_are_kept_as_the_best(faces_dir, tmp_path):
    config = config_for(faces_dir, tmp_path, epochs=1, ema=0.5, **ONE)
    trainer = trainer_for(config)
    best = trainer.fit().get_weights()
    plain = trainer_for(config.replace(ema=0.0)).fit().get_weights()
    assert not equal(best, plain)


def test_a_loss_that_is_not_finite_stops_with_the_batchs_files(faces_dir, tmp_path):
    def spoil(train):
        train.targets.values["valence"][5] = np.inf

    trainer = trainer_for(config_for(faces_dir, tmp_path / "run", outputs="valence"), spoil)
    name = str(trainer.train.index.path[5])
    with pytest.raises(NonFiniteLoss, match="not finite at epoch 1, step"):
        trainer.fit()
    assert name in (tmp_path / "run" / "bad_batch.txt").read_text().splitlines()


@pytest.mark.parametrize("precision", ["float16", pytest.param("bfloat16", marks=pytest.mark.slow)])
def test_mixed_precision_trains_and_leaves_a_float32_model(faces_dir, tmp_path, precision):
    trainer = trainer_for(
        config_for(faces_dir, tmp_path, epochs=1, max_samples=16, mixed_precision=precision, sam=0.05, **ONE)
    )
    model = trainer.fit()
    assert trainer.net.get_layer("tiny_conv").compute_dtype == precision
    assert model.get_layer("tiny_conv").compute_dtype == "float32"
    assert np.isfinite(trainer.state.history[0]["loss"])


@pytest.mark.parametrize("computes", [True, False, None])
def test_bfloat16_that_is_slow_is_told_at_the_start(faces_dir, tmp_path, monkeypatch, capsys, computes):
    monkeypatch.setattr("fer_keras.training.machine.computes_bfloat16", lambda: computes)
    monkeypatch.setattr("fer_keras.training.trainer.Trainer", None)  # it comes after the note
    with pytest.raises(TypeError):
        train_run(config_for(faces_dir, tmp_path / "run", mixed_precision="bfloat16", **ONE))
    assert ("takes about twice as long as none" in capsys.readouterr().err) == (computes is False)


@pytest.mark.parametrize(
    ("computes", "gpus", "expected"),
    [
        (True, [], "bfloat16"), (False, [], "none"), (None, [], "none"),
        (True, [{"device_name": "Tesla T4", "compute_capability": (7, 5)}], "none"),
        (False, [{"device_name": "A100", "compute_capability": (8, 0)}], "bfloat16"),
    ],
)  # fmt: skip
def test_automatic_precision_is_settled_before_the_run_writes_its_configuration(
    tmp_path, monkeypatch, computes, gpus, expected
):
    monkeypatch.setattr("fer_keras.training.machine.computes_bfloat16", lambda: computes)
    monkeypatch.setattr("fer_keras.training.machine._tensorflow_details", lambda: gpus)
    config = RunConfig.of(data_spec="synthetic", mixed_precision="auto", output_dir=str(tmp_path))
    assert resolve(config).training.mixed_precision == expected


def test_a_run_resumes_in_the_precision_it_began_with_on_a_machine_without_it(faces_dir, tmp_path, monkeypatch):
    config = config_for(faces_dir, tmp_path / "run", epochs=1, max_samples=16, mixed_precision="bfloat16", **ONE)
    run = train_run(config)
    monkeypatch.setattr("fer_keras.training.machine.computes_bfloat16", lambda: False)
    train_run(config.replace(mixed_precision="auto", epochs=2), resume=True)
    assert load_config(run / "config.toml").training.mixed_precision == "bfloat16"


def test_a_monitor_that_does_not_exist_is_refused_before_the_first_epoch(faces_dir, tmp_path):
    with pytest.raises(ValueError, match="Did you mean 'val_valence_ccc'"):
        trainer_for(config_for(faces_dir, tmp_path / "a", monitor="val_valance_ccc"))


def test_without_validation_a_training_score_chooses(faces_dir, tmp_path):
    with pytest.raises(ValueError, match="expects a validation split"):
        trainer_for(config_for(faces_dir, tmp_path / "a", validation_fraction=0.0))
    run = train_run(config_for(faces_dir, tmp_path / "b", validation_fraction=0.0, monitor="loss", epochs=1, **ONE))
    assert load_bundle(run).selected.split == "train"


def test_emotion_only_data_logs_the_same_names(tmp_path):
    """Keras drops the output's name from the logs of a model with one output."""
    import cv2

    rng = np.random.default_rng(0)
    for split, count in (("train", 6), ("validation", 3)):
        for name in ("happy", "sad"):
            folder = tmp_path / "data" / split / name
            folder.mkdir(parents=True)
            for number in range(count):
                cv2.imwrite(str(folder / f"{number}.png"), rng.integers(0, 255, (20, 20, 3), np.uint8))
    run = train_run(RunConfig.of(data_spec="image_folder", data_dir=str(tmp_path / "data"), backbone="tiny", epochs=1, batch_size=4,
                                monitor="val_emotion_f1_macro", output_dir=str(tmp_path / "run")))  # fmt: skip
    bundle = load_bundle(run)
    assert bundle.outputs == ("emotion",) and bundle.labels == ("happy", "sad")
    with open(run / "history.csv") as file:
        assert {"emotion_accuracy", "val_emotion_f1_macro"} <= set(next(csv.DictReader(file)))


def test_a_bad_image_costs_its_row_and_is_reported(faces_copy, tmp_path, monkeypatch):
    """One that passes the index's look at its bytes and fails in the decoder."""
    paths = sorted((faces_copy / "train_set" / "images").iterdir())
    for path in paths:
        data = path.read_bytes()
        path.write_bytes(data[:2] + b"\xff\xda" + path.stem.encode() + b"\xff\xd9" if path in paths[::10] else data)
    run = train_run(config_for(faces_copy, tmp_path / "run", epochs=1, max_samples=None, workers=1, **ONE))
    unreadable = load_bundle(run).data.unreadable
    context = json.loads((run / "metrics.json").read_text())["context"]
    found = context["data_report"]
    assert len(unreadable) + len(found["unreadable"]) == len(paths[::10])
    assert json.loads((run / "metrics.json").read_text())["scores"]["n"] == found["rows"] - len(found["unreadable"])
    assert "Unreadable image" in (run / "report.html").read_text() or not found["unreadable"]


def test_a_finished_run_is_not_overwritten_by_chance(finished, faces_dir, capsys):
    config = load_config(finished / "config.toml")
    assert config.model.weights == "none" and config.model.trainable_layers == "all" and config.data.image_size == SIDE
    with pytest.raises(ValueError, match="already holds a run.*--resume.*--overwrite"):
        train_run(config)
    for changes, told in (({"batch_size": 8}, "--batch-size 16 -> 8"), ({"epochs": 1}, "--epochs 2 -> 1")):
        with pytest.raises(ValueError, match=f"another configuration .{told}"):
            train_run(config.replace(**changes), resume=True)  # more epochs go on, see test_reopening
    assert train_run(config, resume=True) == finished and "nothing to resume" in capsys.readouterr().out


def test_overwriting_leaves_foreign_files_alone(faces_dir, tmp_path):
    config = config_for(faces_dir, tmp_path / "run")
    run = open_run(config, False, False)
    (run / "mine.txt").write_text("keep me")
    (run / "bundle.json").write_text("{}")
    open_run(config, False, True)
    assert (run / "mine.txt").read_text() == "keep me" and not (run / "bundle.json").exists()


def test_resuming_on_other_data_or_a_damaged_checkpoint_is_refused(faces_dir, tmp_path):
    config = config_for(faces_dir, tmp_path / "run", epochs=1, **ONE)
    trainer_for(config).fit()
    train, validation = open_training_splits(config, load_faces(config.data, split_seed=9))
    with pytest.raises(ValueError, match="training faces have changed"):
        Trainer(config, train, validation).fit(resume=True)
    state = tmp_path / "run" / STATE_FILE
    state.write_bytes(state.read_bytes()[:1000])
    with pytest.raises(ValueError, match="cannot be read"):
        Trainer(config, train, validation).fit(resume=True)


def test_unreadable_arrays_do_not_break_the_source():
    assert len(ArrayImages(np.zeros((4, 8, 8), np.uint8))) == 4


def test_in_memory_no_file_is_opened_after_the_start(faces_copy, tmp_path):
    import shutil

    config = config_for(faces_copy, tmp_path / "run", in_memory=True, cache="none")
    splits = open_training_splits(config, load_faces(config.data))
    expected = [split.index.open_images().load(0).mean() for split in splits]
    shutil.rmtree(faces_copy)
    for split, mean in zip(splits, expected, strict=True):
        faces, readable = split.loader.load(np.arange(len(split.loader)))
        assert readable.all() and faces[0].mean() == pytest.approx(mean, abs=2)


def test_faces_that_do_not_fit_into_memory_are_refused(faces_dir, tmp_path, monkeypatch):
    from fer_keras.batches import inputs

    monkeypatch.setattr(inputs, "machine_memory", lambda: 1 << 16)
    with pytest.raises(ValueError, match="--in-memory expects faces that fit"):
        train_run(config_for(faces_dir, tmp_path / "run", in_memory=True))
