"""Comparing runs by their bundles: which scores, which names, what is refused, what is measured."""

import dataclasses
import json
from pathlib import Path

import cv2
import pytest

from fer_keras.evaluation.run_comparison import average_seeds, compare_bundles, latency_ms
from fer_keras.models.build import build_model
from fer_keras.runs.bundle import Bundle, load_bundle
from fer_keras.runs.bundle_parts import ModelDescription, ModelOutput, SplitScores, TrainingCost


def axis(value: float) -> dict:
    scores = {name: {"value": value, "low": value - 0.1, "high": value + 0.1} for name in ("ccc", "pcc", "sagr", "r2")}
    return {
        "n": 100,
        **scores,
        "rmse": {"value": 0.3, "low": 0.2, "high": 0.4},
        "mae": {"value": 0.2, "low": 0.1, "high": 0.3},
    }


def bundle(directory: Path, ccc: float, evaluations=("synthetic/test", "synthetic/validation"), **config) -> Bundle:
    directory.mkdir(parents=True)
    (directory / "model.keras").write_bytes(b"x" * 2_500_000)
    made = Bundle(
        directory,
        ModelDescription((32, 32), (), {"valence": ModelOutput()}, "model.keras", "small", 1000),
        config=config,
        scores={key: SplitScores({"n": 100, "valence": axis(ccc)}, fingerprint="f") for key in evaluations},
        training=TrainingCost(seconds=12.0, peak_memory_mb=800.0),
    )
    made.save()
    return made


def test_the_better_run_wins_on_the_common_test_split(tmp_path):
    runs = [bundle(tmp_path / "a", 0.9), bundle(tmp_path / "b", 0.5, ("synthetic/test",))]
    text = compare_bundles(runs, tmp_path / "out", repeats=0)
    assert "Evaluated on synthetic/test" in text and "a wins" in text
    written = json.loads((tmp_path / "out" / "comparison.json").read_text())
    row = next(row for row in written["rows"] if row["score"] == "valence ccc")
    assert (row["winner"], row["verdict"]) == ("a", "wins")
    assert next(row for row in written["rows"] if row["score"] == "size_mb")["values"][0]["value"] == 2.5
    assert min(cv2.imread(str(tmp_path / "out" / "comparison.png")).shape[:2]) > 100


def test_runs_of_the_same_name_are_told_apart(tmp_path):
    runs = [bundle(tmp_path / "one" / "run", 0.9), bundle(tmp_path / "two" / "run", 0.5)]
    assert "two/run" in compare_bundles(runs, tmp_path / "out", repeats=0)


def test_what_cannot_be_compared_is_refused(tmp_path):
    one, other = bundle(tmp_path / "a", 0.9, ("x/test",)), bundle(tmp_path / "b", 0.5, ("y/test",))
    with pytest.raises(ValueError, match="no evaluation in common"):
        compare_bundles([one, other], tmp_path / "out", repeats=0)
    with pytest.raises(ValueError, match="b was not evaluated on x/test.*fer_keras.evaluate --model .*b --split test"):
        compare_bundles([one, other], tmp_path / "out", "x/test", 0)
    with pytest.raises(ValueError, match="two runs or more"):
        compare_bundles([one], tmp_path / "out")


def test_seeds_give_mean_deviation_and_range(tmp_path):
    runs = [
        bundle(tmp_path / f"s{seed}", ccc, seed=seed, epochs=3, output_dir=f"s{seed}", weights=f"runs/first{seed}")
        for seed, ccc in enumerate((0.5, 0.6, 0.8))
    ]
    runs[1].config["in_memory"] = False  # a setting that older runs do not have, at its default
    text = average_seeds(runs, tmp_path / "out")
    assert "Evaluated on synthetic/test, seeds 0, 1, 2." in text
    written = json.loads((tmp_path / "out" / "seeds.json").read_text())
    assert written["seeds"] == [0, 1, 2]
    ccc = next(row for row in written["scores"] if row["score"] == "valence ccc")
    assert ccc["mean"] == pytest.approx(1.9 / 3) and (ccc["low"], ccc["high"], ccc["n"]) == (0.5, 0.8, 3)
    assert ccc["deviation"] == pytest.approx(0.1527525)  # of 0.5, 0.6, 0.8 with ddof 1
    row = next(line for line in text.splitlines() if "valence ccc" in line)
    assert [cell.strip() for cell in row.split("|")[2:7]] == ["0.633", "0.153", "0.500", "0.800", "3"]


def test_a_mean_over_runs_that_are_no_seeds_of_one_another_is_refused(tmp_path):
    first = bundle(tmp_path / "a", 0.9, seed=0, epochs=3)
    with pytest.raises(ValueError, match="runs of different seeds. Received: 0, 0"):
        average_seeds([first, bundle(tmp_path / "b", 0.5, seed=0, epochs=3)], tmp_path / "out")
    with pytest.raises(ValueError, match="differ in epochs"):
        average_seeds([first, bundle(tmp_path / "c", 0.5, seed=1, epochs=4)], tmp_path / "out")
    scratch = bundle(tmp_path / "e", 0.5, seed=1, epochs=3, weights="none")
    with pytest.raises(ValueError, match="differ in weights"):
        average_seeds([bundle(tmp_path / "f", 0.5, seed=0, epochs=3, weights="imagenet"), scratch], tmp_path / "out")
    other = bundle(tmp_path / "d", 0.5, seed=1, epochs=3)
    other.scores["synthetic/test"] = dataclasses.replace(other.scores["synthetic/test"], fingerprint="g")
    with pytest.raises(ValueError, match="same faces and labels. .*fingerprint"):
        average_seeds([first, other], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_latency_is_measured_on_the_model_itself(tmp_path):
    made = bundle(tmp_path / "a", 0.9)
    build_model("tiny", 32, ("valence",)).save(tmp_path / "a" / "model.keras")
    measured = latency_ms(made, 3)
    assert set(measured) == {1, 16} and all(0 < value < 5000 for value in measured.values())


def test_bundles_that_cannot_be_read_are_clear_errors(tmp_path):
    with pytest.raises(FileNotFoundError, match="No model bundle in .*nowhere"):
        load_bundle(tmp_path / "nowhere")
    made = bundle(tmp_path / "a", 0.9)
    with pytest.raises(ValueError, match="is not a Keras model file: neither a .keras archive nor HDF5"):
        made.load_model()
    (tmp_path / "a" / "model.keras").unlink()
    with pytest.raises(FileNotFoundError, match="names a model that is not there"):
        made.load_model()
    (tmp_path / "a" / "bundle.json").write_text("{")
    with pytest.raises(ValueError, match="is not a bundle"):
        load_bundle(tmp_path / "a")
    (tmp_path / "a" / "bundle.json").write_text('{"format": 99}')
    with pytest.raises(ValueError, match="newer fer_keras"):
        load_bundle(tmp_path / "a")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "config.toml").write_text("")
    with pytest.raises(FileNotFoundError, match="train --resume ends it"):
        load_bundle(tmp_path / "b")
