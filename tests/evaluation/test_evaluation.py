"""Evaluating a model on data: whole splits, other data sets, labels by name, and tables."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
import tiny_run

from fer_keras.data.facts import training_priors
from fer_keras.data.loading import load_faces
from fer_keras.evaluation import ensemble_run, evaluation_run
from fer_keras.evaluation.ensemble_run import evaluate_ensemble, gain_lines
from fer_keras.evaluation.evaluation_run import evaluate_run
from fer_keras.evaluation.evaluator import predictions_table
from fer_keras.models.build import build_model
from fer_keras.readers.arrays import save_arrays
from fer_keras.runs.bundle import Bundle, describe_model, load_bundle
from fer_keras.runs.bundle_parts import Selection, TrainingData


@pytest.fixture(scope="module")
def run(faces_dir, tmp_path_factory):
    """A bundle of an untrained tiny model, as training on the drawn faces would leave it."""
    directory = tmp_path_factory.mktemp("run")
    model = build_model("tiny", 32)
    model.save(directory / "model.keras")
    index = load_faces("synthetic", str(faces_dir))
    Bundle(
        directory,
        describe_model(model, "tiny", index.labels, ("emotion", "valence", "arousal")),
        config={"data_spec": "synthetic", "data_dir": str(faces_dir), "validation_fraction": 0.1, "test_fraction": 0.1,
                "split_seed": 0},
        baseline=training_priors(index), data=TrainingData("synthetic"), selected=Selection("validation"),
    ).save()  # fmt: skip
    return directory


def test_the_whole_split_is_scored_and_kept_in_the_bundle(run):
    with tiny_run.pictures(drawn=True):
        scores, directory = evaluate_run(load_bundle(run))
    assert directory == run / "evaluations" / "synthetic-test"
    assert scores["n"] == scores["emotion"]["n"] == scores["valence"]["n"] == 48
    kept = load_bundle(run).scores["synthetic/test"]
    assert kept.measured["emotion"]["accuracy"] == scores["emotion"]["accuracy"] and kept.fingerprint
    context = json.loads((directory / "metrics.json").read_text())["context"]
    assert context["selected_on"] == "validation" and context["split"] == "test"
    assert (directory / "report.html").stat().st_size > 100_000


def test_an_evaluation_that_finds_what_was_known_leaves_the_bundle_alone(run, tmp_path):
    evaluate_run(load_bundle(run), output_dir=str(tmp_path / "a"))
    before = (run / "bundle.json").read_bytes()
    evaluate_run(load_bundle(run), output_dir=str(tmp_path / "b"))
    assert (run / "bundle.json").read_bytes() == before
    bundle = load_bundle(run)
    bundle.scores["synthetic/test"].measured["valence"]["rmse"]["value"] += 0.001
    bundle.save()
    evaluate_run(load_bundle(run), output_dir=str(tmp_path / "c"))
    kept, known = (json.loads(content)["scores"] for content in ((run / "bundle.json").read_bytes(), before))
    assert kept["synthetic/test"]["valence"]["rmse"] == known["synthetic/test"]["valence"]["rmse"]


def test_a_bundle_that_cannot_be_written_is_read_all_the_same(run, tmp_path, monkeypatch):
    monkeypatch.setattr(evaluation_run.os, "access", lambda path, mode: False)
    before = (run / "bundle.json").read_bytes()
    with pytest.raises(ValueError, match="cannot be written. Say where the report goes: --output-dir"):
        evaluate_run(load_bundle(run))
    said = []
    evaluate_run(load_bundle(run), output_dir=str(tmp_path / "out"), say=said.append)
    assert len(said) == 1 and "does not keep these scores" in said[0]
    assert (run / "bundle.json").read_bytes() == before and (tmp_path / "out" / "report.html").is_file()


def test_batch_size_changes_nothing(run, tmp_path):
    small, _ = evaluate_run(load_bundle(run), batch_size=7, output_dir=str(tmp_path / "a"))
    large, _ = evaluate_run(load_bundle(run), batch_size=48, output_dir=str(tmp_path / "b"))
    assert small["valence"]["ccc"]["value"] == pytest.approx(large["valence"]["ccc"]["value"], abs=1e-6)
    assert small["emotion"]["confusion"] == large["emotion"]["confusion"]


def test_splits_and_data_that_do_not_fit_are_refused(run, tmp_path):
    with pytest.raises(ValueError, match="No faces in split 'holdout'"):
        evaluate_run(load_bundle(run), split="holdout")
    with pytest.raises(ValueError, match="ferplus expects --data-dir"):
        evaluate_run(load_bundle(run), data_spec="ferplus")


def test_labels_of_another_data_set_are_matched_by_name(faces_dir):
    index = load_faces("synthetic", str(faces_dir)).of_split("test")
    labels = ("anger", "happy", "neutral")  # another order, fewer classes
    probabilities = np.tile([0.2, 0.5, 0.3], (len(index), 1)).astype(np.float32)
    table = predictions_table(index, {"emotion": probabilities}, labels, {2: "bad"}).to_pydict()
    kept = [row for row in range(len(index)) if row != 2]
    names = [index.labels[code] for code in index.emotion[kept]]
    assert table["emotion_true"] == [name if name in labels else None for name in names]
    assert set(table["emotion_pred"]) == {"happy"} and table["probability_anger"][0] == pytest.approx(0.2)
    assert "valence_true" not in table


def test_missing_labels_are_null_in_the_table(faces_dir):
    from dataclasses import replace

    index = load_faces("synthetic", str(faces_dir)).of_split("test")
    valence = index.valence.copy()
    valence[0] = np.nan
    index = replace(index, valence=valence, emotion=np.full(len(index), -1, np.int16))
    outputs = {"emotion": np.full((len(index), 8), 0.125, np.float32), "valence": np.zeros(len(index), np.float32)}
    table = predictions_table(index, outputs, index.labels, {})
    assert table["valence_true"].null_count == 1 and table["emotion_true"].null_count == len(index)


def test_several_models_are_scored_by_their_mean(run, tmp_path):
    """One model and its copy with the classes named backwards: the mean is recomputed from the table of each."""
    other = tmp_path / "other"
    shutil.copytree(run, other)
    backwards = load_bundle(other)
    backwards.model = replace(backwards.model, labels=backwards.labels[::-1])
    backwards.save()
    bundles = [load_bundle(run), load_bundle(other)]
    found = evaluate_ensemble(bundles, output_dir=str(tmp_path / "mean"), split="test")
    tables = []
    for number, bundle in enumerate(bundles):
        evaluate_run(bundle, output_dir=str(tmp_path / f"{number}"), split="test")
        tables.append(pq.read_table(tmp_path / f"{number}" / "predictions.parquet"))
    table = pq.read_table(tmp_path / "mean" / "predictions.parquet")
    for name in bundles[0].labels:
        parts = [part[f"probability_{name}"].to_numpy() for part in tables]
        assert table[f"probability_{name}"].to_numpy() == pytest.approx(np.mean(parts, axis=0), abs=1e-6)
    assert found.scores["n"] == 48 and set(found.members) == {str(run), str(other)}
    assert found.gain["emotion"]["accuracy"]["value"] == pytest.approx(
        found.scores["emotion"]["accuracy"]["value"] - found.members[found.best]["emotion"]["accuracy"]["value"]
    )
    assert "Mean of 2 models" in (tmp_path / "mean" / "report.md").read_text()
    assert any(line.startswith("gain over the best alone") for line in gain_lines(found))


def test_an_ensemble_needs_a_place_and_two_models(run):
    with pytest.raises(ValueError, match="Say where it goes: --output-dir"):
        evaluate_ensemble([load_bundle(run)] * 2)
    with pytest.raises(ValueError, match="at least two models"):
        evaluate_ensemble([load_bundle(run)], output_dir="somewhere")


def test_faces_in_arrays_that_one_model_knew_are_left_out_for_all(tmp_path):
    """Faces in arrays have no path to tell them apart by."""
    images = np.random.default_rng(0).integers(0, 256, (12, 8, 8, 3), np.uint8)
    save_arrays(
        tmp_path / "faces.npz", images, emotion=["happy", "sad"] * 6, valence=np.zeros(12), arousal=np.zeros(12)
    )
    index = load_faces("arrays", str(tmp_path / "faces.npz"), test_fraction=0.0, validation_fraction=0.5)
    first, second = np.arange(len(index)) < 8, np.arange(len(index)) >= 4
    both = ensemble_run._both(index.take(first), index.take(second), "a and b")
    assert both.id.tolist() == index.id[first & second].tolist()
    with pytest.raises(ValueError, match="a and b share no face"):
        ensemble_run._both(index.take(first), index.take(~first), "a and b")
