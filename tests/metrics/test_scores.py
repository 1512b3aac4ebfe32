"""The score sheet of a small table whose values are worked out by hand, and a larger one whose scores were recorded."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fer_keras.labels import EMOTIONS
from fer_keras.metrics.intervals import bootstrap_axis_intervals, bootstrap_f1_macro_interval, wilson_interval
from fer_keras.metrics.metric_table import METRICS
from fer_keras.metrics.scores import score_predictions

LABELS = ["neutral", "happy", "sad"]
EMOTION_SCALARS = {name for name, metric in METRICS.items() if metric.kind == "emotion"}
AXIS_SCALARS = {name for name, metric in METRICS.items() if metric.kind == "axis"}


def make_table(outputs=("emotion", "valence", "arousal")):
    """Six rows: five with an emotion (sad never true), four with a valence, all with an arousal."""
    probabilities = [
        [0.8, 0.1, 0.1],
        [0.6, 0.3, 0.1],
        [0.2, 0.7, 0.1],
        [0.5, 0.4, 0.1],
        [0.1, 0.2, 0.7],
        [0.3, 0.3, 0.4],
    ]
    columns = {"split": ["test"] * 6, "id": list("abcdef"), "path": [""] * 6}
    if "emotion" in outputs:
        columns["emotion_true"] = ["neutral", "neutral", "happy", "happy", "happy", None]
        columns["emotion_pred"] = [LABELS[int(np.argmax(row))] for row in probabilities]
        for index, label in enumerate(LABELS):
            columns[f"probability_{label}"] = pa.array([row[index] for row in probabilities], pa.float32())
    if "valence" in outputs:
        columns["valence_true"] = pa.array([0.5, -0.5, None, 0.25, -0.25, None], pa.float32())
        columns["valence_pred"] = pa.array([0.25, -0.25, 0.9, 0.25, 0.25, -0.9], pa.float32())
    if "arousal" in outputs:
        columns["arousal_true"] = pa.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6], pa.float32())
        columns["arousal_pred"] = pa.array([0.2, 0.1, 0.4, 0.3, 0.6, 0.5], pa.float32())
    return pa.table(columns).replace_schema_metadata({b"fer_keras.labels": json.dumps(LABELS).encode()})


def test_shape_of_the_sheet():
    scores = score_predictions(make_table(), bootstrap=20)
    assert list(scores) == ["n", "emotion", "valence", "arousal", "p_va"]
    extra = {"n", "labels", "per_class", "confusion", "baseline"}
    assert set(scores["emotion"]) == EMOTION_SCALARS | extra
    assert set(scores["emotion"]["baseline"]) == EMOTION_SCALARS | {"rule", "source"}
    assert set(scores["emotion"]["accuracy"]) == {"value", "low", "high", "n"}
    assert set(scores["emotion"]["f1_macro"]) == {"value", "low", "high"}
    assert set(scores["emotion"]["kappa"]) == {"value"}
    for axis in ("valence", "arousal"):
        assert set(scores[axis]) == AXIS_SCALARS | {"n", "baseline"}
        assert set(scores[axis]["baseline"]) == AXIS_SCALARS | {"rule", "source"}
        assert all(set(scores[axis][name]) == {"value", "low", "high"} for name in AXIS_SCALARS)
    assert json.loads(json.dumps(scores, allow_nan=False)) == scores


def test_emotion_by_hand():
    emotion = score_predictions(make_table(), bootstrap=50, seed=4)["emotion"]
    assert emotion["n"] == 5
    assert emotion["labels"] == LABELS
    assert emotion["confusion"] == [[2, 0, 0], [1, 1, 1], [0, 0, 0]]
    low, high = wilson_interval(3, 5)
    assert emotion["accuracy"] == {"value": 0.6, "low": low, "high": high, "n": 5}
    assert emotion["balanced_accuracy"]["value"] == pytest.approx((1 + 1 / 3) / 2)
    # F1: neutral 2*2/(2+3), happy 2*1/(3+1), sad 0 (predicted once, so it counts)
    assert emotion["f1_macro"]["value"] == pytest.approx((0.8 + 0.5 + 0) / 3)
    assert emotion["f1_weighted"]["value"] == pytest.approx((2 * 0.8 + 3 * 0.5) / 5)
    assert emotion["precision_macro"]["value"] == pytest.approx((2 / 3 + 1 + 0) / 3)
    assert emotion["recall_macro"]["value"] == pytest.approx((1 + 1 / 3 + 0) / 3)
    # kappa: observed 0.6, chance (2*3 + 3*1) / 25
    assert emotion["kappa"]["value"] == pytest.approx((0.6 - 0.36) / (1 - 0.36))
    # alpha: coincidences off the diagonal 4 of 10; margins 5, 4, 1: expected (100 - 42) / 9
    assert emotion["krippendorff_alpha"]["value"] == pytest.approx(1 - 4 / (58 / 9))
    expected_loss = -np.log([0.8, 0.6, 0.7, 0.4, 0.2]).mean()
    assert emotion["log_loss"]["value"] == pytest.approx(expected_loss, abs=1e-6)
    interval = bootstrap_f1_macro_interval(emotion["confusion"], 50, 4)
    assert (emotion["f1_macro"]["low"], emotion["f1_macro"]["high"]) == interval


def test_per_class_with_a_class_that_is_never_true():
    emotion = score_predictions(make_table(), bootstrap=0)["emotion"]
    per_class = emotion["per_class"]
    assert list(per_class) == LABELS
    assert per_class["sad"] == {
        "precision": 0.0,
        "recall": 0.0,
        "f1": 0.0,
        "support": 0,
        "auc_roc": None,
        "auc_pr": None,
    }
    # neutral: 0.8 and 0.6 above 0.2, 0.5, 0.1; happy: 0.7, 0.4, 0.2 against 0.1, 0.3: 5 of 6 pairs
    assert per_class["neutral"] == {
        "precision": pytest.approx(2 / 3),
        "recall": 1.0,
        "f1": pytest.approx(0.8),
        "support": 2,
        "auc_roc": 1.0,
        "auc_pr": 1.0,
    }
    assert per_class["happy"]["auc_roc"] == pytest.approx(5 / 6)
    assert per_class["happy"]["auc_pr"] == pytest.approx((1 + 1 + 3 / 4) / 3)
    assert emotion["auc_roc"]["value"] == pytest.approx((1 + 5 / 6) / 2)


def test_axes_by_hand_and_p_va():
    scores = score_predictions(make_table(), bootstrap=50, seed=4)
    valence = scores["valence"]
    truth, predicted = np.array([0.5, -0.5, 0.25, -0.25]), np.array([0.25, -0.25, 0.25, 0.25])
    assert valence["n"] == 4
    assert valence["mae"]["value"] == 0.25
    assert valence["rmse"]["value"] == pytest.approx((0.375 / 4) ** 0.5)
    assert valence["sagr"]["value"] == 0.75
    # truth: mean 0, variance 0.15625; prediction: mean 0.125, variance 0.046875; covariance 0.0625
    assert valence["ccc"]["value"] == pytest.approx(0.125 / (0.15625 + 0.046875 + 0.015625))
    assert valence["pcc"]["value"] == pytest.approx(0.0625 / (0.15625 * 0.046875) ** 0.5)
    assert valence["r2"]["value"] == pytest.approx(1 - 0.375 / 0.625)
    expected = bootstrap_axis_intervals(truth, predicted, resamples=50, seed=4)
    assert {name: (valence[name]["low"], valence[name]["high"]) for name in AXIS_SCALARS} == expected
    assert scores["p_va"]["value"] == (valence["ccc"]["value"] + scores["arousal"]["ccc"]["value"]) / 2


def test_baseline_of_the_training_split():
    baseline = {"emotion": [0.2, 0.5, 0.3], "valence": 0.25, "arousal": 0.5, "source": "training split"}
    scores = score_predictions(make_table(), baseline, bootstrap=0)
    emotion = scores["emotion"]["baseline"]
    assert (emotion["rule"], emotion["source"]) == ("always happy", "training split")
    assert emotion["accuracy"] == 0.6
    assert emotion["balanced_accuracy"] == 0.5
    assert emotion["f1_macro"] == pytest.approx(0.75 / 2)
    assert emotion["kappa"] == 0.0
    assert emotion["auc_roc"] == 0.5
    assert emotion["auc_pr"] == pytest.approx((2 / 5 + 3 / 5) / 2)
    assert emotion["log_loss"] == pytest.approx(-(2 * np.log(0.2) + 3 * np.log(0.5)) / 5)
    assert emotion["ece"] == pytest.approx(0.1)
    valence = scores["valence"]["baseline"]
    assert (valence["rule"], valence["source"]) == ("always 0.2500", "training split")
    assert valence["ccc"] == valence["pcc"] == 0.0
    assert valence["sagr"] == 0.5
    assert valence["mae"] == pytest.approx((0.25 + 0.75 + 0 + 0.5) / 4)
    assert valence["rmse"] == pytest.approx(((0.0625 + 0.5625 + 0 + 0.25) / 4) ** 0.5)
    assert valence["r2"] == pytest.approx(1 - (0.875 / 4) / 0.15625)


def test_baseline_of_the_evaluated_split():
    scores = score_predictions(make_table(), bootstrap=0)
    assert scores["emotion"]["baseline"]["rule"] == "always happy"
    assert scores["emotion"]["baseline"]["source"] == "evaluated split"
    assert scores["emotion"]["baseline"]["ece"] == pytest.approx(0.0)
    assert scores["arousal"]["baseline"]["source"] == "evaluated split"
    assert scores["arousal"]["baseline"]["r2"] == pytest.approx(0.0)
    partly = score_predictions(make_table(), {"emotion": None, "valence": 0.0, "arousal": None, "source": "x"}, 0)
    sources = {output: partly[output]["baseline"]["source"] for output in ("emotion", "valence", "arousal")}
    assert sources == {"emotion": "evaluated split", "valence": "x", "arousal": "evaluated split"}


@pytest.mark.parametrize("outputs", [("emotion",), ("valence", "arousal"), ("valence",)])
def test_outputs_the_model_lacks_are_absent(outputs):
    scores = score_predictions(make_table(outputs), bootstrap=0)
    assert set(scores) == {"n", *outputs, *(["p_va"] if "arousal" in outputs else [])}


def test_outputs_without_labels_are_absent():
    table = make_table()
    for name in ("emotion_true", "valence_true"):
        empty = pa.nulls(6, table.schema.field(name).type)
        table = table.set_column(table.column_names.index(name), name, empty)
    assert set(score_predictions(table, bootstrap=0)) == {"n", "arousal"}
    assert score_predictions(table.slice(0, 0)) == {"n": 0}


def test_values_that_do_not_exist_are_none():
    table = make_table().slice(0, 1)
    scores = score_predictions(table, bootstrap=10)
    json.dumps(scores, allow_nan=False)
    assert scores["emotion"]["kappa"]["value"] is None
    assert scores["emotion"]["krippendorff_alpha"]["value"] is None
    assert scores["emotion"]["auc_roc"]["value"] is None
    assert scores["valence"]["r2"] == {"value": None, "low": None, "high": None}
    assert scores["valence"]["ccc"] == {"value": 0.0, "low": 0.0, "high": 0.0}


def test_no_bootstrap_leaves_the_intervals_empty():
    scores = score_predictions(make_table(), bootstrap=0)
    assert scores["valence"]["mae"] == {"value": 0.25, "low": None, "high": None}
    assert scores["emotion"]["accuracy"]["low"] is not None


def test_a_saved_table_scores_the_same(tmp_path):
    table = pa.concat_tables([make_table(), make_table().slice(2)])  # more than one chunk
    pq.write_table(table, tmp_path / "predictions.parquet", row_group_size=3)
    again = pq.read_table(tmp_path / "predictions.parquet")
    assert score_predictions(again, bootstrap=20) == score_predictions(table, bootstrap=20)
    assert score_predictions(table, bootstrap=20, seed=1) != score_predictions(table, bootstrap=20)


def leaves(value, path=""):
    """Yield path and value of every number, text and None in a score sheet."""
    if isinstance(value, dict | list):
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(part, f"{path}/{key}")
    else:
        yield path, value


def test_scores_stay_those_that_earlier_versions_wrote():
    """Recorded while every metric was computed by hand: 60 rows, two emotions never true, ties, two data sets."""
    recorded = json.loads((Path(__file__).parent / "recorded_scores.json").read_text())
    table = pa.table({name: pa.array(column) for name, column in recorded["rows"].items()})
    table = table.replace_schema_metadata({"fer_keras.labels": json.dumps(EMOTIONS)})
    baseline = {"emotion": [0.3, 0.3, 0.1, 0.1, 0.05, 0.05, 0.05, 0.05], "valence": 0.1, "arousal": 0.2}
    scores = score_predictions(table, {**baseline, "source": "training split"}, bootstrap=0)
    found, expected = dict(leaves(scores)), dict(leaves(recorded["scores"]))
    assert list(found) == list(expected)
    for path, value in expected.items():
        assert found[path] == (pytest.approx(value, abs=1e-12) if isinstance(value, float) else value), path


def replace(table, name, values):
    return table.set_column(table.column_names.index(name), name, pa.array(values))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda table: table.drop_columns(["valence_true"]), "lacks the column 'valence_true'"),
        (lambda table: table.drop_columns(["probability_sad"]), "lacks the column 'probability_sad'"),
        (lambda table: table.replace_schema_metadata(None), "fer_keras.labels"),
        (lambda table: table.replace_schema_metadata({"fer_keras.labels": "neutral"}), "fer_keras.labels"),
        (lambda table: replace(table, "emotion_true", ["happy"] * 5 + ["joy"]), "Received: joy"),
        (lambda table: replace(table, "emotion_pred", ["happy"] * 4 + [None, "sad"]), "'emotion_pred'.*null"),
        (lambda table: replace(table, "valence_true", [np.nan] * 6), "'valence_true'.*finite"),
        (lambda table: replace(table, "arousal_pred", [0.1] * 5 + [None]), "'arousal_pred'.*finite"),
    ],
)
def test_tables_that_break_the_contract_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        score_predictions(change(make_table()), bootstrap=0)


@pytest.mark.parametrize(
    "baseline", [{"emotion": [0.5, 0.5]}, {"emotion": [0.5, 0.5, 0.5]}, {"valence": "x"}, {"arousal": float("nan")}]
)
def test_baselines_that_do_not_fit_are_refused(baseline):
    with pytest.raises(ValueError, match=r"baseline\['"):
        score_predictions(make_table(), baseline, bootstrap=0)


def test_negative_bootstrap_is_refused():
    with pytest.raises(ValueError, match="Received: -1"):
        score_predictions(make_table(), bootstrap=-1)


def test_the_papers_faces_are_scored_beside_all():
    labels, n = ["happy", "sad"], 40
    right = np.arange(n) % 4 > 0
    predicted = ["happy" if ok else "sad" for ok in right]
    columns = {
        "emotion_true": ["happy"] * n,
        "emotion_pred": predicted,
        "probability_happy": [0.8 if ok else 0.3 for ok in right],
        "probability_sad": [0.2 if ok else 0.7 for ok in right],
        "agreed": pa.array([None if row == 1 else bool(row % 4 != 0 or row < 8) for row in range(n)], pa.bool_()),
    }
    table = pa.table(columns).replace_schema_metadata({"fer_keras.labels": json.dumps(labels)})
    scores = score_predictions(table, bootstrap=0)
    assert scores["emotion"]["accuracy"]["value"] == 0.75
    counted = [row for row in range(n) if row != 1 and (row % 4 or row < 8)]
    assert scores["paper"]["n"] == scores["paper"]["emotion"]["n"] == len(counted)
    expected = sum(bool(right[row]) for row in counted) / len(counted)
    assert scores["paper"]["emotion"]["accuracy"]["value"] == pytest.approx(expected)
    assert "paper" not in score_predictions(table.filter(table["agreed"]), bootstrap=0), "every face counts: one score"
    assert "paper" not in score_predictions(table.drop_columns("agreed"), bootstrap=0)
