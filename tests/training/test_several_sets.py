"""A whole run on two data sets: every output trained, each set told and scored under its own name."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest

from fer_keras.config.config_file import load_config
from fer_keras.config.run_config import RunConfig
from fer_keras.data.several import parse_sets
from fer_keras.evaluation.evaluation_run import evaluate_run
from fer_keras.inspect import main as inspect
from fer_keras.metrics.scores import score_predictions
from fer_keras.runs.bundle import load_bundle
from fer_keras.runs.run_directory import check_run
from fer_keras.training.training_run import train_run


@pytest.fixture(scope="module")
def config(faces_dir, tmp_path_factory):
    folder = tmp_path_factory.mktemp("several")
    votes = np.zeros((64, 10), np.uint8)
    votes[np.arange(64), np.arange(64) % 8] = 8
    np.savez(
        folder / "votes.npz",
        images=np.random.default_rng(0).integers(0, 256, (64, 48, 48), dtype=np.uint8),
        votes=votes,
        usage=(np.arange(64) >= 48).astype(np.uint8),
        image_name=np.array([f"fer{n:07}.png" for n in range(64)], "S15"),
    )
    return RunConfig.of(
        data_spec="ferplus,affectnet", data_dir=f"{folder / 'votes.npz'},{faces_dir}", set_weights="1,2", balance="sample",
        backbone="tiny", image_size=32, epochs=2, batch_size=16, output_dir=str(folder / "run"),
    )  # fmt: skip


@pytest.fixture(scope="module")
def run(config):
    """Not to be changed."""
    return train_run(config)


def test_the_bundle_names_each_set_with_licence_counts_and_weight(run):
    bundle = load_bundle(run)
    assert set(bundle.outputs) == {"emotion", "valence", "arousal"} and bundle.derived is None
    data = bundle.data
    assert data.spec == "ferplus+affectnet" and "MIT" in data.licence and "AffectNet" in data.licence
    votes, affectnet = data.sets
    assert (votes["name"], votes["splits"], votes["weight"]) == ("ferplus", {"train": 48, "validation": 16}, 1.0)
    assert affectnet["splits"].keys() == {"train", "validation", "test"} and affectnet["weight"] == 2.0


def test_scores_of_the_whole_and_of_each_set(run):
    scores = json.loads((run / "metrics.json").read_text())["scores"]
    assert scores["sets"]["ferplus"]["emotion"]["n"] == 16 and "valence" not in scores["sets"]["ferplus"]
    assert scores["valence"]["n"] == scores["sets"]["affectnet"]["n"] == scores["n"] - 16
    again = score_predictions(pq.read_table(run / "predictions.parquet"), load_bundle(run).baseline)
    assert json.loads(json.dumps(again["sets"])) == scores["sets"], "the saved table is enough"
    kept = load_bundle(run).scores
    assert {"ferplus+affectnet/validation", "ferplus/validation", "affectnet/validation"} == set(kept)
    report = (run / "report.md").read_text()
    assert "## Each data set" in report and "Votes: MIT" in report


def test_one_set_alone_is_evaluated_on_the_same_faces_and_known_as_trainings(run, config, tmp_path):
    bundle = load_bundle(run)
    before = bundle.scores["affectnet/validation"]
    place = parse_sets(config.data.data_spec, config.data.data_dir)[1][1]
    scores, directory = evaluate_run(
        bundle, data_spec="affectnet", data_dir=place, split="validation", output_dir=str(tmp_path)
    )
    assert scores["valence"]["ccc"]["value"] == pytest.approx(before.measured["valence"]["ccc"]["value"], abs=1e-6)
    assert bundle.scores["affectnet/validation"].fingerprint == before.fingerprint
    assert json.loads((directory / "metrics.json").read_text())["context"]["selected_on"] == "validation"


def test_evaluation_takes_all_sets_by_default(run):
    scores, directory = evaluate_run(load_bundle(run), split="test")
    assert directory.name == "ferplus+affectnet-test" and set(scores["sets"]) == {"affectnet"}


def test_the_configuration_survives_its_file_and_a_resume(run, config, capsys):
    saved = load_config(run / "config.toml")
    for name in ("data_spec", "data_dir", "set_weights"):
        assert getattr(saved.data, name) == getattr(config.data, name)
    train_run(saved, resume=True)
    assert "finished already" in capsys.readouterr().out
    with pytest.raises(ValueError, match="--set-weights 1,2 -> 2,1"):
        check_run(saved.replace(set_weights="2,1"), resume=True, overwrite=False)


@pytest.mark.slow
def test_a_killed_run_on_several_sets_ends_as_an_unbroken_one(run, config, tmp_path, monkeypatch):
    from fer_keras.training.keeper import RunKeeper

    def killed(keeper, *args, end=RunKeeper.on_epoch_end, **options):
        end(keeper, *args, **options)
        raise KeyboardInterrupt

    broken = config.replace(output_dir=str(tmp_path / "run"))
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(RunKeeper, "on_epoch_end", killed)
        train_run(broken)
    resumed = load_bundle(train_run(broken, resume=True)).load_model().get_weights()
    unbroken = load_bundle(run).load_model().get_weights()
    assert all((one == other).all() for one, other in zip(resumed, unbroken, strict=True))


def test_inspect_tells_each_set(config, tmp_path, capsys):
    data = config.data
    status = inspect(["--data-spec", data.data_spec, "--data-dir", data.data_dir, "--output-dir", str(tmp_path)])
    assert status == 0 and "2 data sets as one" in capsys.readouterr().out
    assert [member["name"] for member in json.loads((tmp_path / "dataset.json").read_text())["sets"]] == [
        "ferplus",
        "affectnet",
    ]


def test_weights_without_several_sets_are_refused_before_anything_is_made(config, tmp_path):
    with pytest.raises(ValueError, match="--set-weights expects"):
        train_run(RunConfig.of(set_weights="1,2", output_dir=str(tmp_path / "run")))
    assert not (tmp_path / "run").exists()
