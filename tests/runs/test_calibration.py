"""Temperature calibration: the answer stays, the confidence becomes what it should be."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fer_keras.runs.bundle import Bundle
from fer_keras.runs.bundle_parts import ModelDescription, ModelOutput, TrainingData
from fer_keras.runs.calibration import (
    apply_temperature,
    calibrate,
    fit_temperature,
    measure_calibration,
    negative_log_likelihood,
)


def overconfident(count: int = 2000, sharpness: float = 3.0, seed: int = 0):
    """Classes drawn from honest probabilities, and those probabilities made sharper."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(count, 8)) * 1.5
    honest = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    y_true = (honest.cumsum(1) > rng.random((count, 1))).argmax(1)
    return y_true, apply_temperature(honest, 1 / sharpness)


def test_an_overconfident_model_is_cooled_down_and_keeps_its_answers():
    y_true, sharp = overconfident()
    found = measure_calibration(y_true, sharp)
    assert found.temperature == pytest.approx(3.0, rel=0.1)
    assert found.nll_after < found.nll_before and found.ece_after < found.ece_before / 4
    calibrated = apply_temperature(sharp, found.temperature)
    assert (calibrated.argmax(1) == sharp.argmax(1)).all()
    assert calibrated.sum(1) == pytest.approx(1.0, abs=1e-6)
    assert found.faces == 2000 and found.split == "validation"


@pytest.mark.parametrize("sharpness", [0.4, 1.0, 6.0])
def test_the_temperature_is_the_one_that_scipy_finds(sharpness):
    optimize = pytest.importorskip("scipy.optimize")
    y_true, probabilities = overconfident(500, sharpness, seed=1)
    found = optimize.minimize_scalar(
        lambda t: negative_log_likelihood(y_true, probabilities, t),
        bounds=(0.05, 20),
        method="bounded",
        options={"xatol": 1e-7},
    )
    assert fit_temperature(y_true, probabilities) == pytest.approx(found.x, rel=1e-3)


def test_likelihood_is_that_of_the_probabilities():
    y_true, probabilities = overconfident(50, 1.0)
    expected = -np.log(probabilities[np.arange(50), y_true]).mean()
    assert negative_log_likelihood(y_true, probabilities) == pytest.approx(expected, rel=1e-6)


def test_zeros_and_certain_rows_stay_finite():
    certain = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]], np.float32)
    for temperature in (0.05, 1.0, 20.0):
        assert np.isfinite(apply_temperature(certain, temperature)).all()
    assert np.isfinite(fit_temperature(np.array([0, 2]), certain))
    assert apply_temperature(np.zeros((0, 3)), 2.0).shape == (0, 3)
    with pytest.raises(ValueError, match="expects labelled faces"):
        fit_temperature(np.zeros(0, int), np.zeros((0, 3)))


def write_predictions(folder, split: str, known: bool = True) -> Bundle:
    y_true, probabilities = overconfident(300)
    labels = [f"label{code}" for code in range(8)]
    names = [labels[code] if known and row % 3 else None for row, code in enumerate(y_true)]
    columns = {"split": [split] * 300, "emotion_true": pa.array(names, pa.string())}
    columns |= {f"probability_{name}": probabilities[:, code] for code, name in enumerate(labels)}
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), folder / "predictions.parquet")
    model = ModelDescription((32, 32), tuple(labels), {"emotion": ModelOutput()})
    return Bundle(folder, model, data=TrainingData("drawn"))


def test_a_bundle_is_calibrated_from_its_own_predictions(tmp_path):
    bundle = write_predictions(tmp_path, "validation")
    found = calibrate(bundle)
    assert bundle.calibration == found and found.faces == 200 and found.temperature > 1.5
    write_predictions(tmp_path / "evaluations" / "drawn-validation", "validation")
    write_predictions(tmp_path, "train")  # chosen on training faces: the evaluation beside it counts
    assert calibrate(bundle).temperature == found.temperature


def test_training_faces_and_unlabelled_ones_calibrate_nothing(tmp_path):
    for split, known, message in (("train", True, "evaluate --model"), ("validation", False, "labelled faces")):
        bundle = write_predictions(tmp_path, split, known)
        with pytest.raises(ValueError, match=message):
            calibrate(bundle)
        assert bundle.calibration is None
    with pytest.raises(ValueError, match="no emotion output"):
        calibrate(Bundle(tmp_path, ModelDescription((32, 32), (), {"valence": ModelOutput()})))


@pytest.mark.parametrize("damage", ["cut", "no split", "another label", "fewer classes", "texts", "NaN"])
def test_predictions_that_are_none_are_one_line(tmp_path, damage):
    bundle = write_predictions(tmp_path, "validation")
    path = tmp_path / "predictions.parquet"
    table = pq.read_table(path)
    place = table.column_names.index("probability_label2")
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-9])
    elif damage == "no split":
        pq.write_table(table.drop_columns("split"), path)
    elif damage == "another label":
        pq.write_table(table.set_column(1, "emotion_true", pa.array(["bliss"] * 300)), path)
    elif damage == "fewer classes":
        pq.write_table(table.drop_columns("probability_label2"), path)
    else:
        value = "many" if damage == "texts" else float("nan")
        pq.write_table(table.set_column(place, "probability_label2", pa.array([value] * 300)), path)
    with pytest.raises(ValueError, match="Unreadable predictions .* Make them again: python -m fer_keras.evaluate"):
        calibrate(bundle)
