"""Paired differences: equal to redrawing rows, narrower than separate intervals, refused for other faces."""

import json

import numpy as np
import pyarrow as pa
import pytest

from fer_keras.metrics.axis_reference import ccc
from fer_keras.metrics.paired import paired_differences
from fer_keras.metrics.prediction_columns import LABELS_KEY
from fer_keras.metrics.reference import f1_macro

LABELS = ("neutral", "happy", "sad")


def table(truth: np.ndarray, answers: np.ndarray, axis: np.ndarray, read: np.ndarray) -> pa.Table:
    shares = np.full((len(truth), 3), 0.1)
    shares[np.arange(len(truth)), answers] = 0.8
    columns = {
        "id": [f"{row}" for row in range(len(truth))],
        "emotion_true": np.array(LABELS)[truth],
        "emotion_pred": np.array(LABELS)[answers],
        "valence_true": axis,
        "valence_pred": read,
        **{f"probability_{name}": shares[:, code] for code, name in enumerate(LABELS)},
    }
    return pa.table(columns).replace_schema_metadata({LABELS_KEY: json.dumps(LABELS)})


def f1_of(truth: np.ndarray, answers: np.ndarray) -> float:
    """Macro F1 by its definition; scikit-learn's takes 7 ms a call."""
    hits = np.bincount(truth[truth == answers], minlength=3)
    return float(np.mean(2 * hits / (np.bincount(truth, minlength=3) + np.bincount(answers, minlength=3))))


@pytest.fixture(scope="module")
def drawn():
    """Truth, and two models that are wrong on many of the same faces."""
    rng = np.random.default_rng(3)
    truth, noise = rng.integers(0, 3, 300), rng.random(300)
    weak = np.where(noise < 0.4, (truth + 1) % 3, truth)
    strong = np.where(noise < 0.3, (truth + 1) % 3, truth)
    axis = rng.uniform(-1, 1, 300)
    return truth, strong, weak, axis, axis * 0.8, axis * 0.8 + rng.normal(0, 0.2, 300)


def test_differences_are_those_of_rows_drawn_again(drawn):
    truth, strong, weak, axis, near, far = drawn
    found = paired_differences(table(truth, strong, axis, near), table(truth, weak, axis, far), resamples=2000)
    assert f1_of(truth, weak) == pytest.approx(f1_macro(truth, weak))
    rng, redrawn = np.random.default_rng(0), {"accuracy": [], "f1_macro": [], "ccc": []}
    for _ in range(2000):
        rows = rng.integers(0, 300, 300)
        right = [(answers == truth)[rows].mean() for answers in (strong, weak)]
        f1 = [f1_of(truth[rows], answers[rows]) for answers in (strong, weak)]
        agreement = [ccc(axis[rows], read[rows]) for read in (near, far)]
        for name, pair in zip(redrawn, (right, f1, agreement), strict=True):
            redrawn[name].append(pair[0] - pair[1])
    assert found["emotion"]["accuracy"]["value"] == pytest.approx((strong == truth).mean() - (weak == truth).mean())
    assert found["valence"]["ccc"]["value"] == pytest.approx(ccc(axis, near) - ccc(axis, far))
    for output, name in (("emotion", "accuracy"), ("emotion", "f1_macro"), ("valence", "ccc")):
        low, high = np.quantile(redrawn[name], [0.025, 0.975])
        assert (found[output][name]["low"], found[output][name]["high"]) == pytest.approx((low, high), abs=0.006)


def test_a_model_gains_nothing_over_itself(drawn):
    truth, strong, _, axis, near, _ = drawn
    found = paired_differences(*[table(truth, strong, axis, near)] * 2, resamples=50)
    assert all(
        entry == {"value": 0.0, "low": 0.0, "high": 0.0} for scores in found.values() for entry in scores.values()
    )


def test_other_faces_are_refused(drawn):
    truth, strong, weak, axis, near, far = drawn
    one, other = table(truth, strong, axis, near), table(truth[::-1], weak, axis, far)
    with pytest.raises(ValueError, match="same faces in the same order. Received: other emotion_true"):
        paired_differences(one, other)
