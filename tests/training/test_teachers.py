"""Learning from teachers: whose answers, in what share, and the same ones after a kill."""

from dataclasses import replace

import numpy as np
import pytest
import tiny_run

from fer_keras.batches.inputs import open_training_splits
from fer_keras.batches.targets import Targets, mix_answers
from fer_keras.config.run_config import RunConfig
from fer_keras.data.loading import load_faces
from fer_keras.losses import EmotionCrossEntropy
from fer_keras.runs.bundle import load_bundle
from fer_keras.runs.run_directory import TEACHER_FILE
from fer_keras.training.teachers import load_teachers, taught, teacher_answers
from fer_keras.training.training_run import train_run

TINY = {
    "backbone": "tiny",
    "epochs": 1,
    "batch_size": 16,
    "image_size": 32,
    "validation_fraction": 0.2,
    "max_samples": 48,
}


def config_for(faces_dir, run, **options) -> RunConfig:
    return RunConfig.of(
        data_dir=str(faces_dir), output_dir=str(run), **{**TINY, "outputs": "emotion,valence", **options}
    )


@pytest.fixture(scope="module")
def teachers(faces_dir, tmp_path_factory) -> list[str]:
    """Two runs: one of 24 px that knows emotion and valence, one of 32 px that knows emotion alone."""
    folder = tmp_path_factory.mktemp("teachers")
    with tiny_run.pictures(drawn=False):
        runs = [
            train_run(config_for(faces_dir, folder / "a", image_size=24)),
            train_run(config_for(faces_dir, folder / "b", seed=1, outputs="emotion")),
        ]
    return [str(run) for run in runs]


def train_inputs(config: RunConfig):
    return open_training_splits(config, load_faces(config.data))[0]


def test_labels_and_answers_are_mixed_as_their_losses_would_be():
    rng = np.random.default_rng(0)
    labels, answers, guess = (rng.dirichlet(np.ones(4), 6).astype("f4") for _ in range(3))
    weights = np.array([1, 0, 2, 1, 1, 1], "f4")
    targets = Targets({"emotion": labels, "valence": np.zeros((6, 1), "f4")}, {"emotion": weights})
    mixed = mix_answers(targets, {"emotion": answers}, 0.3)
    loss = EmotionCrossEntropy()
    expected = 0.7 * float(loss(labels, guess, weights)) + 0.3 * float(loss(answers, guess, weights))
    assert float(loss(mixed.values["emotion"], guess, weights)) == pytest.approx(expected, abs=1e-5)
    assert mixed.values["valence"] is targets.values["valence"] and mixed.weights is targets.weights
    assert np.array_equal(mix_answers(targets, {"emotion": answers}, 0.0).values["emotion"], labels)


def test_answers_are_means_of_calibrated_teachers_matched_by_name(faces_dir, teachers, tmp_path):
    train = train_inputs(config_for(faces_dir, tmp_path, emotions="happy,neutral,sad"))
    both = [load_bundle(teacher) for teacher in teachers]
    hot = [replace(both[0], calibration=replace(both[0].calibration, temperature=1e6)), both[1]]
    first, second, mean = (teacher_answers(bundles, train) for bundles in (both[:1], both[1:], both))
    assert first["emotion"].shape == (len(train.index), 3) and set(second) == {"emotion"}
    assert mean["emotion"] == pytest.approx((first["emotion"] + second["emotion"]) / 2, abs=1e-6)
    assert mean["emotion"].sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert np.array_equal(mean["valence"], first["valence"]), "a teacher without an output says nothing of it"
    assert teacher_answers(hot[:1], train)["emotion"] == pytest.approx(1 / 3, abs=1e-4)


def test_a_run_learns_from_its_teachers_and_resumes_with_the_same_answers(faces_dir, teachers, tmp_path, monkeypatch):
    config = config_for(faces_dir, tmp_path / "run", teacher=",".join(teachers), teacher_share=0.8)
    plain = train_inputs(config)
    learned = taught(config, plain)
    assert (config_for(faces_dir, tmp_path / "other")).loss.teachers == ()
    assert taught(config_for(faces_dir, tmp_path / "other"), plain) is plain
    moved = np.abs(learned.targets.values["emotion"] - plain.targets.values["emotion"]).max()
    assert moved > 0.1 and (tmp_path / "run" / TEACHER_FILE).is_file()
    monkeypatch.setattr("fer_keras.training.teachers.teacher_answers", None)  # it is not asked a second time
    again = taught(config, plain)
    assert np.array_equal(again.targets.values["emotion"], learned.targets.values["emotion"])
    other = replace(plain, index=plain.index.take(np.arange(10)))
    with pytest.raises(ValueError, match="teachers or the training faces have changed.*--overwrite"):
        taught(config, other)


def test_a_whole_run_with_a_teacher_leaves_no_answers_behind(faces_dir, teachers, tmp_path):
    run = train_run(config_for(faces_dir, tmp_path / "run", teacher=teachers[0], teacher_share=1.0))
    assert not (run / TEACHER_FILE).exists() and load_bundle(run).config["teacher"] == teachers[0]


def test_teachers_that_do_not_fit_are_refused(faces_dir, teachers, tmp_path):
    with pytest.raises(FileNotFoundError):
        train_run(config_for(faces_dir, tmp_path / "run", teacher=str(tmp_path / "none")))
    assert not (tmp_path / "run").exists()
    with pytest.raises(ValueError, match="--teacher expects other runs than the one that learns"):
        load_teachers(config_for(faces_dir, teachers[0], teacher=teachers[0]))
    few = train_run(config_for(faces_dir, tmp_path / "few", emotions="happy,neutral", outputs="emotion"))
    with pytest.raises(ValueError, match="--teacher expects a model of the classes .*which lacks sad"):
        train_run(config_for(faces_dir, tmp_path / "run", teacher=str(few)))
    config = config_for(faces_dir, tmp_path / "run", outputs="valence")
    with pytest.raises(ValueError, match="one of the outputs valence. Received"):
        teacher_answers([load_bundle(teachers[1])], train_inputs(config))
    assert [bundle.directory.name for bundle in load_teachers(config.replace(teacher="fast"))] == ["ferplus_compact"]
