"""The streaming Keras metrics equal the NumPy references over the data set, however it is cut into batches."""

import os
import subprocess
import sys
from importlib.util import find_spec

import keras
import numpy as np
import pytest

from fer_keras.metrics import streaming
from fer_keras.metrics.metric_table import METRICS
from fer_keras.metrics.streaming import CCC, MAE, PCC, RMSE, SAGR, Accuracy, MacroF1, build_weighted_metrics

STREAMED = {name: metric for name, metric in METRICS.items() if metric.streaming}
AXIS = [name for name, metric in STREAMED.items() if metric.kind == "axis"]
CLASSES = 5


def make_rows(kind, n=300, seed=0):
    """float32 truth, prediction and weights, some of which are 0."""
    rng = np.random.default_rng(seed)
    weights = (rng.uniform(0.2, 2.0, n) * (rng.random(n) < 0.8)).astype("float32")
    if kind == "axis":
        truth = np.clip(rng.normal(0.2, 0.45, n), -1, 1)
        predicted = 0.7 * truth + rng.normal(0.1, 0.4, n)  # some outside [-1, 1]
        truth[:5] = 0.0
        return truth.astype("float32"), predicted.astype("float32"), weights
    labels = rng.integers(0, CLASSES - 1, n)  # the last class is never true
    probabilities = rng.dirichlet(np.ones(CLASSES), n) + 0.4 * np.eye(CLASSES)[labels]
    soft = 0.8 * np.eye(CLASSES)[labels] + 0.04
    return soft.astype("float32"), (probabilities / 1.4).astype("float32"), weights


def build(name):
    return STREAMED[name].load_streaming().for_output(CLASSES)


def stream(metric, batches):
    for batch in batches:
        metric.update_state(*batch)
    return float(metric.result())


def cut(arrays, seed):
    """Cut arrays into random batches, one-row and larger."""
    n = len(arrays[0])
    edges = np.sort(np.random.default_rng(seed).choice(np.arange(1, n), 9, replace=False))
    return list(zip(*(np.split(array, edges) for array in arrays), strict=True))


@pytest.mark.parametrize("name", STREAMED)
@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("weighted", [True, False])
def test_any_split_into_batches_equals_the_reference(name, seed, weighted):
    truth, predicted, weights = make_rows(STREAMED[name].kind, seed=seed)
    arrays = (truth, predicted, weights) if weighted else (truth, predicted)
    expected = STREAMED[name].function(truth, predicted, sample_weight=weights if weighted else None)
    assert stream(build(name), cut(arrays, seed)) == pytest.approx(expected, abs=1e-6)
    assert stream(build(name), [arrays]) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("name", STREAMED)
def test_batches_of_one(name):
    truth, predicted, weights = make_rows(STREAMED[name].kind, n=30)
    rows = [(truth[i : i + 1], predicted[i : i + 1], weights[i : i + 1]) for i in range(30)]
    expected = STREAMED[name].function(truth, predicted, sample_weight=weights)
    assert stream(build(name), rows) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("name", AXIS)
def test_columns_and_vectors_mix(name):
    arrays = make_rows("axis", n=40)
    expected = stream(build(name), [arrays])
    for columns in [(0,), (1,), (2,), (0, 2), (0, 1, 2)]:
        mixed = [array[:, None] if index in columns else array for index, array in enumerate(arrays)]
        assert stream(build(name), [mixed]) == expected


@pytest.mark.parametrize("name", ["accuracy", "f1_macro"])
def test_indices_and_distributions_are_one(name):
    soft, predicted, weights = make_rows("emotion", n=40)
    expected = stream(build(name), [(soft, predicted, weights)])
    labels = soft.argmax(1)
    assert stream(build(name), [(labels, predicted, weights)]) == expected
    assert stream(build(name), [(labels[:, None], predicted, weights[:, None])]) == expected


@pytest.mark.parametrize("name", STREAMED)
def test_unlabelled_rows_may_hold_nan(name):
    truth, predicted, weights = make_rows(STREAMED[name].kind, n=60)
    holed_truth, holed_predicted = truth.copy(), predicted.copy()
    holed_truth[weights == 0], holed_predicted[weights == 0] = np.nan, np.nan
    expected = stream(build(name), [(truth, predicted, weights)])
    assert stream(build(name), [(holed_truth, holed_predicted, weights)]) == expected
    if STREAMED[name].kind == "emotion":
        indices = np.where(weights > 0, truth.argmax(1), np.nan).astype("float32")
        assert stream(build(name), [(indices, holed_predicted, weights)]) == expected


@pytest.mark.parametrize("name", STREAMED)
def test_no_data_gives_zero_and_reset_forgets(name):
    truth, predicted, weights = make_rows(STREAMED[name].kind, n=20)
    metric = build(name)
    assert float(metric.result()) == 0.0
    assert stream(metric, [(truth, predicted, 0 * weights)]) == 0.0
    first = stream(metric, [(truth, predicted, weights)])
    metric.reset_state()
    assert float(metric.result()) == 0.0
    assert stream(metric, [(truth, predicted, weights)]) == first


@pytest.mark.parametrize("value", [0.0, 0.3, -1.0])
@pytest.mark.parametrize("which", ["truth", "prediction", "both"])
def test_constant_input_gives_zero(value, which):
    varied, constant = make_rows("axis", n=3000)[0], np.full(3000, value, "float32")
    truth = varied if which == "prediction" else constant
    predicted = varied if which == "truth" else constant
    batches = list(zip(np.split(truth, 30), np.split(predicted, 30), strict=True))
    assert stream(PCC(), batches) == 0.0
    assert stream(CCC(), batches) == pytest.approx(0.0, abs=1e-6)


def test_known_ccc_values():
    assert float(CCC()([0.0, 0.1, 0.2], [0.1, 0.2, 0.3])) == pytest.approx(4 / 7, abs=1e-6)
    batches = [([3.0, -0.5], [2.5, 0.0]), ([2.0, 7.0], [2.0, 8.0])]
    assert stream(CCC(clip=False), batches) == pytest.approx(0.97679, abs=5e-6)
    assert stream(CCC(), batches) == pytest.approx(METRICS["ccc"].function([3, -0.5, 2, 7], [2.5, 0, 2, 8]), abs=1e-6)


def evaluate_rows(metrics, truth, predicted, weights):
    """Log metrics of rows, in batches of 256, through Keras's compiled evaluation of a model that copies its input."""
    model = keras.Sequential([keras.Input((1,)), keras.layers.Identity()])
    model.compile(loss="mean_squared_error", weighted_metrics=metrics)
    return model.evaluate(predicted[:, None], truth[:, None], 256, 0, sample_weight=weights, return_dict=True)


def test_dataset_of_affectnets_size_keeps_precision():
    """287,000 rows, 1,122 batches: within 1e-6 of float64, and a constant, whose rounding is one-sided, stays one."""
    truth, predicted, weights = make_rows("axis", n=287_000)
    logs = evaluate_rows([build(name) for name in AXIS], truth, predicted, weights)
    for name in AXIS:
        expected = STREAMED[name].function(truth, predicted, sample_weight=weights)
        assert logs[name] == pytest.approx(expected, abs=1e-6), name
    constant = evaluate_rows([CCC(), PCC()], truth, np.full_like(truth, 0.3), weights)
    assert constant["pcc"] == 0.0
    assert constant["ccc"] == pytest.approx(0.0, abs=1e-6)


@pytest.mark.skipif(keras.backend.backend() == "jax", reason="JAX has no float64 unless it is switched on")
def test_float64_sums_reach_the_reference_on_narrow_predictions():
    truth, predicted, _ = make_rows("axis")
    narrow = 0.5 + 0.001 * predicted.astype("float64")
    expected = METRICS["pcc"].function(truth, narrow)
    assert stream(PCC(dtype="float64"), [(truth, narrow)]) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("metric", [CCC, PCC, SAGR, RMSE, MAE])
def test_two_axes_in_one_output_are_refused(metric):
    with pytest.raises(ValueError, match=r"\(batch,\) or \(batch, 1\)"):
        metric()(np.zeros((4, 2)), np.zeros((4, 2)))


def test_macro_f1_refuses_other_class_counts():
    with pytest.raises(ValueError, match="num_classes=7"):
        MacroF1(num_classes=8)([0], np.eye(7)[:1])
    with pytest.raises(ValueError, match="at least 2"):
        MacroF1(num_classes=1)
    with pytest.raises(ValueError, match=r"\(batch, C\)"):
        Accuracy()([0, 1], [0, 1])


@pytest.mark.parametrize(
    "metric",
    [CCC(name="a", clip=False), PCC(), SAGR(), RMSE(), MAE(), MacroF1(num_classes=3), Accuracy(dtype="float64")],
    ids=lambda metric: type(metric).__name__,
)
def test_config_round_trip(metric):
    config = metric.get_config()
    assert type(metric).from_config(config).get_config() == config
    assert keras.saving.get_registered_name(type(metric)) == f"fer_keras>{type(metric).__name__}"
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(metric))
    assert type(again) is type(metric)
    assert again.get_config() == config


def test_default_names_are_the_tables():
    assert {name: build(name).name for name in STREAMED} == {name: name for name in STREAMED}
    built = build_weighted_metrics(["valence", "emotion"], num_classes=7)
    assert [type(metric) for metric in built["emotion"]] == [Accuracy, MacroF1]
    assert [type(metric) for metric in built["valence"]] == [CCC, SAGR, PCC, RMSE, MAE]
    assert built["emotion"][1].num_classes == 7
    assert streaming.METRICS is METRICS


@pytest.mark.parametrize("outputs", [["emotion", "mood"], "emotion"])
def test_unknown_outputs_are_refused(outputs):
    with pytest.raises(ValueError, match="emotion, valence, arousal"):
        build_weighted_metrics(outputs)


def make_model():
    inputs = keras.Input((6,), name="x")
    return keras.Model(
        inputs,
        {
            "emotion": keras.layers.Dense(CLASSES, activation="softmax", name="emotion")(inputs),
            "valence": keras.layers.Dense(1, activation="tanh", name="valence")(inputs),
            "arousal": keras.layers.Dense(1, activation="tanh", name="arousal")(inputs),
        },
    )


def make_data(n=90):
    x = np.random.default_rng(0).normal(size=(n, 6)).astype("float32")
    emotion, _, emotion_weight = make_rows("emotion", n, seed=1)
    valence, _, valence_weight = make_rows("axis", n, seed=2)
    arousal, _, arousal_weight = make_rows("axis", n, seed=3)
    truth = {"emotion": emotion, "valence": valence[:, None], "arousal": arousal[:, None]}
    return x, truth, {"emotion": emotion_weight, "valence": valence_weight, "arousal": arousal_weight}


def expected_logs(model, x, truth, weights):
    predicted = model.predict(x, verbose=0)
    return {
        f"{output}_{name}": metric.function(truth[output], predicted[output], sample_weight=weights[output])
        for output in truth
        for name, metric in STREAMED.items()
        if (metric.kind == "emotion") == (output == "emotion")
    }


def compile_model(model):
    model.compile(
        optimizer="adam",
        loss={"emotion": "categorical_crossentropy", "valence": "mean_squared_error", "arousal": "mean_squared_error"},
        weighted_metrics=build_weighted_metrics(["emotion", "valence", "arousal"], CLASSES),
    )


def test_fit_evaluate_and_reload_of_a_dict_output_model(tmp_path):
    keras.utils.set_random_seed(0)
    model, (x, truth, weights) = make_model(), make_data()
    compile_model(model)
    history = model.fit(x, truth, sample_weight=weights, batch_size=32, validation_data=(x, truth, weights), verbose=0)
    expected = expected_logs(model, x, truth, weights)
    assert len(expected) == 12
    logs = model.evaluate(x, truth, sample_weight=weights, batch_size=16, return_dict=True, verbose=0)
    for name, value in expected.items():
        assert logs[name] == pytest.approx(value, abs=2e-6), name
        assert history.history[f"val_{name}"][-1] == pytest.approx(value, abs=2e-6), name
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    reloaded = again.evaluate(x, truth, sample_weight=weights, batch_size=7, return_dict=True, verbose=0)
    for name, value in expected.items():
        assert reloaded[name] == pytest.approx(value, abs=2e-6), name


def run_python(code, **environment):
    done = subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True, text=True, env={**os.environ, **environment}
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return [float(word) for word in done.stdout.split()]


SPLIT_CODE = """
import numpy as np
from fer_keras.metrics.axis_reference import ccc
from fer_keras.metrics.reference import f1_macro
from fer_keras.metrics.streaming import CCC, MacroF1
rng = np.random.default_rng(0)
t, p, w = rng.uniform(-1, 1, 64), rng.uniform(-1, 1, 64), rng.integers(0, 2, 64)
labels, probabilities = rng.integers(0, 4, 64), rng.dirichlet(np.ones(4), 64)
metric, f1 = CCC(), MacroF1(num_classes=4)
for rows in np.split(np.arange(64), 4):
    metric.update_state(t[rows], p[rows], w[rows])
    f1.update_state(labels[rows], probabilities[rows], w[rows])
print(float(metric.result()), ccc(t, p, w), float(f1.result()), f1_macro(labels, probabilities, w))
"""


@pytest.mark.skipif(find_spec("jax") is None, reason="jax is not installed")
def test_metrics_do_not_need_tensorflow():
    """Under Keras's JAX backend, in a process that never imports TensorFlow."""
    code = SPLIT_CODE + "\nimport sys\nprint(int('tensorflow' in sys.modules))"
    mine, expected, f1, expected_f1, loaded = run_python(code, KERAS_BACKEND="jax")
    assert mine == pytest.approx(expected, abs=1e-6)
    assert f1 == pytest.approx(expected_f1, abs=1e-6)
    assert loaded == 0


REPLICAS_CODE = """
import numpy as np, tensorflow as tf
cpus = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(cpus[0], [tf.config.LogicalDeviceConfiguration()] * 2)
import keras
from fer_keras.metrics.axis_reference import ccc, mae
from fer_keras.metrics.streaming import build_weighted_metrics
rng = np.random.default_rng(0)
x, t = rng.normal(size=(64, 3)).astype("float32"), rng.uniform(-1, 1, (64, 1)).astype("float32")
w = rng.integers(0, 2, 64).astype("float32")
with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, activation="tanh")])
    model.compile(loss="mean_squared_error", weighted_metrics=build_weighted_metrics(["valence"])["valence"])
for _ in range(2):  # the second pass starts from zero again
    logs = model.evaluate(x, t, sample_weight=w, batch_size=16, return_dict=True, verbose=0)
p = model(x).numpy()
print(logs["ccc"], ccc(t, p, w), logs["mae"], mae(t, p, w))
"""


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="MirroredStrategy is TensorFlow's")
def test_sums_add_across_replicas():
    mine, expected, mine_mae, expected_mae = run_python(REPLICAS_CODE, CUDA_VISIBLE_DEVICES="-1")
    assert mine == pytest.approx(expected, abs=1e-6)
    assert mine_mae == pytest.approx(expected_mae, abs=1e-6)
