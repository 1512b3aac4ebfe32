"""`--resume` on a finished run with more epochs: it goes on from its best epoch, and its results are those of the new model."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from fer_keras.config.run_config import RunConfig
from fer_keras.runs.bundle import load_bundle
from fer_keras.runs.run_directory import read_history
from fer_keras.training.training_run import train_run

OPTIONS = {
    "plateau": {"plateau_patience": 1, "learning_rate": 1e-4},
    "cosine, averages, heads first": {"schedule": "cosine", "ema": 0.9, "head_epochs": 1, "optimizer": "adamw"},
    "stopped early": {"early_stopping": 1, "learning_rate": 0.0, "optimizer": "sgd", "monitor": "val_emotion_accuracy"},
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS.keys())
def test_a_finished_run_goes_on_for_more_epochs(options, faces_dir, tmp_path, capsys):
    config = RunConfig.of(
        data_dir=str(faces_dir),
        output_dir=str(tmp_path / "run"),
        **{
            "backbone": "tiny",
            "epochs": 3,
            "batch_size": 16,
            "validation_fraction": 0.2,
            "max_samples": 48,
            "outputs": "emotion",
            **options,
        },
    )
    run = train_run(config)
    before, model = read_history(run), load_bundle(run).load_model()
    (run / "evaluations" / "synthetic-test").mkdir(parents=True)
    shutil.copy(run / "metrics.json", run / "evaluations" / "synthetic-test" / "metrics.json")
    (run / "evaluations" / "notes.txt").write_text("mine")
    more = config.replace(epochs=5)
    capsys.readouterr()
    assert train_run(more, resume=True) == run
    assert f"had finished after {len(before)} epochs" in capsys.readouterr().out
    bundle, history = load_bundle(run), read_history(run)
    assert history[: len(before)] == before and bundle.config["epochs"] == 5
    assert [row["epoch"] for row in history] == list(range(1, len(history) + 1)) and len(history) > len(before)
    assert bundle.training.epochs == len(history) and bundle.training.stopped == (
        "" if len(history) == 5 else bundle.training.stopped
    )
    if options.get("schedule") == "cosine":
        assert history[3]["learning_rate"] > 2 * before[-1]["learning_rate"], "the curve of five epochs, not of three"
    else:
        assert history[len(before)]["learning_rate"] == pytest.approx(before[-1]["learning_rate"], rel=1e-3)
    if options.get("learning_rate") == 0.0:
        assert bundle.selected.epoch == 1
        assert all(
            (a == b).all() for a, b in zip(model.get_weights()[:2], bundle.load_model().get_weights()[:2], strict=True)
        )
    assert not (run / "evaluations" / "synthetic-test").exists() and (run / "evaluations" / "notes.txt").exists()
    assert not (run / "checkpoint").exists()
    train_run(more, resume=True)
    assert "finished already; nothing to resume. Give more --epochs to go on" in capsys.readouterr().out


def test_a_kill_while_it_goes_on_loses_nothing(faces_dir, tmp_path, monkeypatch):
    from fer_keras.training import training_run as room

    config = RunConfig.of(
        data_dir=str(faces_dir), output_dir=str(tmp_path / "run"), backbone="tiny", epochs=1, batch_size=16, max_samples=48,
        validation_fraction=0.2, outputs="emotion",
    )  # fmt: skip
    shutil.copytree(train_run(config), tmp_path / "other")
    unbroken = config.replace(epochs=3, output_dir=str(tmp_path / "other"))
    broken = config.replace(epochs=3)
    train_run(unbroken, resume=True)

    class Killed(BaseException):
        pass

    def kill(*args):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(room, "_finish", kill)
        with pytest.raises(Killed):
            train_run(broken, resume=True)
    assert load_bundle(Path(broken.training.output_dir)).training.epochs == 1
    train_run(broken, resume=True)
    one, other = (load_bundle(Path(each.training.output_dir)).load_model().get_weights() for each in (broken, unbroken))
    assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_what_cannot_go_on_is_refused(faces_dir, tmp_path):
    config = RunConfig.of(
        data_dir=str(faces_dir), output_dir=str(tmp_path / "run"), backbone="tiny", epochs=2, va_epochs=1, batch_size=16,
        max_samples=48, validation_fraction=0.2, outputs="emotion,valence",
    )  # fmt: skip
    train_run(config)
    with pytest.raises(ValueError, match="--va-epochs.*Start another run"):
        train_run(config.replace(epochs=3), resume=True)
    with pytest.raises(ValueError, match="--epochs 2 -> 1"):
        train_run(config.replace(epochs=1, va_epochs=1), resume=True)
    with pytest.raises(ValueError, match="--dropout"):
        train_run(config.replace(epochs=3, dropout=0.1), resume=True)
