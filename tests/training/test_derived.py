"""A whole run with derived valence and arousal: told as derived in the bundle, the scores, the table and the report."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest

from fer_keras.batches.conditions import CONDITIONS
from fer_keras.config.run_config import RunConfig
from fer_keras.evaluation.condition_scores import MIRROR_MEAN
from fer_keras.evaluation.evaluation_run import evaluate_run
from fer_keras.metrics.scores import score_predictions
from fer_keras.runs.bundle import load_bundle
from fer_keras.training.training_run import train_run


@pytest.fixture(scope="module")
def votes_file(tmp_path_factory):
    rng = np.random.default_rng(0)
    votes = np.zeros((96, 10), np.uint8)
    votes[np.arange(96), np.arange(96) % 8] = 8
    path = tmp_path_factory.mktemp("votes") / "faces.npz"
    np.savez(
        path,
        images=rng.integers(0, 256, (96, 48, 48), dtype=np.uint8),
        votes=votes,
        usage=(np.arange(96) >= 64).astype(np.uint8),
        image_name=np.array([f"fer{n:07}.png" for n in range(96)], "S15"),
    )
    return path


@pytest.fixture(scope="module")
def run(votes_file, tmp_path_factory):
    """One epoch with every augmentation on. Not to be changed."""
    return train_run(
        RunConfig.of(
            data_spec="ferplus", data_dir=str(votes_file), derive_va="circumplex", label_mode="soft", backbone="tiny",
            image_size=32, epochs=1, batch_size=16, tint=0.2, blur=0.02, noise=0.02, jpeg=0.5, mixup=0.2,
            output_dir=str(tmp_path_factory.mktemp("derived") / "run"),
        )
    )  # fmt: skip


def test_the_bundle_says_how_and_from_what_source(run):
    bundle = load_bundle(run)
    assert bundle.derived["axes"] == ["valence", "arousal"] and bundle.derived["method"] == "circumplex"
    assert "Russell" in bundle.derived["source"] and bundle.derived["coordinates"]["happy"] == [0.81, 0.51]
    assert set(bundle.outputs) == {"emotion", "valence", "arousal"}


def test_scores_table_and_report_call_the_axes_derived(run):
    scores = json.loads((run / "metrics.json").read_text())["scores"]
    assert scores["valence"]["derived"] is True and scores["p_va"]["derived"] is True
    assert "derived" not in scores["emotion"]
    again = score_predictions(pq.read_table(run / "predictions.parquet"), load_bundle(run).baseline)
    assert again["arousal"] == scores["arousal"], "the mark survives the saved table"
    report = (run / "report.md").read_text()
    assert "Valence (derived)" in report and "not measured" in report


def test_evaluation_derives_as_training_did_on_its_data_only(run, votes_file, faces_dir, tmp_path):
    bundle = load_bundle(run)
    scores, _ = evaluate_run(bundle, split="validation", output_dir=str(tmp_path / "own"))
    assert scores["valence"]["derived"] is True
    scores, _ = evaluate_run(
        bundle, data_spec="affectnet", data_dir=str(faces_dir), output_dir=str(tmp_path / "measured")
    )
    assert "derived" not in scores["valence"] and scores["valence"]["n"] > 0


def test_conditions_are_scored_on_every_face_and_kept(run, tmp_path):
    bundle = load_bundle(run)
    scores, directory = evaluate_run(bundle, split="validation", output_dir=str(tmp_path), conditions=True)
    content = json.loads((directory / "conditions.json").read_text())
    rows = {row["condition"]: row for row in content["conditions"]}
    assert set(rows) == {*CONDITIONS, MIRROR_MEAN} and {row["n"] for row in rows.values()} == {32}
    plain = rows["as it is"]
    assert plain["accuracy"] == scores["emotion"]["accuracy"]["value"] and plain["same"] == 1
    assert plain["low"] == pytest.approx(scores["emotion"]["accuracy"]["low"])
    assert plain["f1_macro"] == pytest.approx(scores["emotion"]["f1_macro"]["value"])
    assert content["context"]["fingerprint"] and content["context"]["selected_on"] == "validation"
    assert "optimistic" in (directory / "conditions.md").read_text()
    assert list(bundle.scores["ferplus/validation"].conditions) == content["conditions"]
    evaluate_run(bundle, split="validation", output_dir=str(tmp_path / "again"))
    assert list(bundle.scores["ferplus/validation"].conditions) == content["conditions"]
