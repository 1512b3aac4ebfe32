"""The metrics against their definitions, written out here, against other libraries and values worked out by hand."""

import inspect
import subprocess
import sys
import warnings
from collections import Counter
from statistics import mean

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as sk

from fer_keras.metrics import axis_reference, reference
from fer_keras.metrics.metric_table import METRICS, higher_is_better


def make_emotions(seed=0, n=400, classes=8, absent=()):
    """Truth `(n,)` and probabilities `(n, C)` with some skill; classes in `absent` are never the truth."""
    rng = np.random.default_rng(seed)
    present = [index for index in range(classes) if index not in absent]
    truth = rng.choice(present, n)
    scores = rng.gumbel(size=(n, classes)) + 1.5 * np.eye(classes)[truth]
    probabilities = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    return truth, probabilities


def make_axis(seed=0, n=500):
    rng = np.random.default_rng(seed)
    truth = np.clip(rng.normal(0.2, 0.45, n), -1, 1)
    return truth, np.clip(0.6 * truth + rng.normal(0.1, 0.2, n), -1, 1)


def by_counting(truth, predicted, weights):
    """The label metrics from their definitions: weights added up pair by pair, no library."""
    cells = Counter()
    for true, guess, weight in zip(truth.tolist(), predicted.tolist(), weights.tolist(), strict=True):
        cells[true, guess] += weight
    total, occurring = sum(cells.values()), sorted({name for pair in cells for name in pair})
    of_truth = {name: sum(cells[name, other] for other in occurring) for name in occurring}
    of_guess = {name: sum(cells[other, name] for other in occurring) for name in occurring}
    hits = {name: cells[name, name] for name in occurring}
    precision = {name: hits[name] / of_guess[name] if of_guess[name] else 0.0 for name in occurring}
    recall = {name: hits[name] / of_truth[name] if of_truth[name] else 0.0 for name in occurring}
    f1 = {name: 2 * hits[name] / (of_truth[name] + of_guess[name]) for name in occurring}
    observed = sum(hits.values()) / total
    chance = sum(of_truth[name] * of_guess[name] for name in occurring) / total**2
    return {
        "accuracy": observed,
        "balanced_accuracy": mean(recall[name] for name in occurring if of_truth[name]),
        "f1_macro": mean(f1.values()),
        "f1_weighted": sum(of_truth[name] * f1[name] for name in occurring) / total,
        "precision_macro": mean(precision.values()),
        "recall_macro": mean(recall.values()),
        "kappa": (observed - chance) / (1 - chance),
    }


@pytest.mark.parametrize("absent", [(), (3, 6), (0, 1, 2, 3, 4, 5, 6)])
@pytest.mark.parametrize("weighted", [False, True])
def test_label_metrics_are_their_definitions(absent, weighted):
    truth, probabilities = make_emotions(absent=absent)
    predicted = probabilities.argmax(1)
    weights = np.random.default_rng(1).uniform(0.1, 3, len(truth)) if weighted else np.ones(len(truth))
    expected = by_counting(truth, predicted, weights)
    given = weights if weighted else None
    for name, value in expected.items():
        assert METRICS[name].function(truth, predicted, sample_weight=given) == pytest.approx(value, abs=1e-12), name


def test_confusion_and_class_scores_by_hand():
    truth, predicted = [0, 0, 0, 1, 1, 3], [0, 0, 1, 1, 2, 3]
    matrix = reference.confusion_matrix(truth, predicted, 5)
    assert matrix.tolist() == [[2, 1, 0, 0, 0], [0, 1, 1, 0, 0], [0] * 5, [0, 0, 0, 1, 0], [0] * 5]
    scores = reference.class_scores(truth, predicted, 5)
    assert scores.precision.tolist() == [1, 0.5, 0, 1, 0]
    assert scores.recall.tolist() == pytest.approx([2 / 3, 0.5, 0, 1, 0])
    assert scores.f1.tolist() == pytest.approx([0.8, 0.5, 0, 1, 0])
    assert scores.support.tolist() == [3, 2, 0, 1, 0]


def test_a_class_neither_true_nor_predicted_does_not_lower_macro_f1():
    truth, one_hot = [0, 0, 1, 1], np.eye(8)[[0, 0, 1, 0]]
    assert reference.f1_macro(truth, one_hot) == pytest.approx((4 / 5 + 2 / 3) / 2)
    assert reference.class_scores(truth, one_hot, 8).f1.shape == (8,)


@pytest.mark.parametrize("form", ["one_hot", "soft", "column"])
def test_truth_may_be_distributions_or_a_column(form):
    truth, probabilities = make_emotions()
    other = {"one_hot": np.eye(8)[truth], "soft": 0.9 * np.eye(8)[truth] + 0.0125, "column": truth[:, None]}[form]
    for name, metric in METRICS.items():
        if metric.kind == "emotion":
            assert metric.function(other, probabilities) == metric.function(truth, probabilities), name


def test_krippendorff_alpha_is_the_coincidence_formula():
    truth, probabilities = make_emotions(n=200)
    matrix = reference.confusion_matrix(truth, probabilities)
    coincidences = matrix + matrix.T
    margins, n = coincidences.sum(1), coincidences.sum()
    observed = n - np.trace(coincidences)
    by_chance = (n**2 - (margins**2).sum()) / (n - 1)
    assert reference.krippendorff_alpha(truth, probabilities) == pytest.approx(1 - observed / by_chance, abs=1e-12)


def roc_by_pairs(positive, score):
    """The share of pairs of a positive and a negative in which the positive scores higher, ties counting half."""
    gaps = score[positive][:, None] - score[~positive][None, :]
    return ((gaps > 0) + 0.5 * (gaps == 0)).mean()


def average_precision_by_steps(positive, score):
    """Precision at each distinct threshold, times the step in recall to it."""
    area, reached = 0.0, 0.0
    for threshold in sorted(set(score.tolist()), reverse=True):
        chosen = score >= threshold
        recall = positive[chosen].sum() / positive.sum()
        area, reached = area + positive[chosen].mean() * (recall - reached), recall
    return area


@pytest.mark.parametrize("ties", [False, True])
def test_auc_is_counted_pairs_and_steps(ties):
    truth, probabilities = make_emotions(absent=(2,))
    probabilities = probabilities.round(1) if ties else probabilities
    present = [index for index in range(8) if index != 2]
    roc = [roc_by_pairs(truth == index, probabilities[:, index]) for index in present]
    pr = [average_precision_by_steps(truth == index, probabilities[:, index]) for index in present]
    np.testing.assert_allclose(reference.class_auc_roc(truth, probabilities)[present], roc, atol=1e-12)
    np.testing.assert_allclose(reference.class_auc_pr(truth, probabilities)[present], pr, atol=1e-12)
    assert np.isnan(reference.class_auc_roc(truth, probabilities)[2])
    assert np.isnan(reference.class_auc_pr(truth, probabilities)[2])
    assert reference.auc_roc(truth, probabilities) == pytest.approx(np.mean(roc))
    assert reference.auc_pr(truth, probabilities) == pytest.approx(np.mean(pr))


def test_log_loss_equals_sklearn_and_is_finite_at_zero():
    truth, probabilities = make_emotions()
    expected = sk.log_loss(truth, probabilities, labels=range(8))
    assert reference.log_loss(truth, probabilities) == pytest.approx(expected, abs=1e-9)
    assert reference.log_loss([0], [[0.0, 1.0]]) == pytest.approx(-np.log(1e-7))


def test_no_metric_warns_of_what_the_conventions_settle():
    """Few rows, classes that are never true or never predicted, one class: each has its value, none a warning."""
    cases = [([0, 1], [2, 2]), ([1], [1]), ([0, 1, 2, 3, 4], [4, 3, 2, 1, 0]), ([2, 2, 2], [0, 1, 2])]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for truth, predicted in cases:
            probabilities = 0.5 * np.eye(5)[predicted] + 0.1
            for metric in METRICS.values():
                if metric.kind == "emotion":
                    metric.function(truth, probabilities)


def test_calibration_error_by_hand():
    confidence = np.array([0.95, 0.95, 0.62, 0.62, 1.0])
    probabilities = np.stack([confidence, 1 - confidence], axis=1)
    # bins of width 1/15: 0.62 in (9/15, 10/15], 0.95 and 1.0 in (14/15, 1]
    truth = [0, 1, 0, 0, 0]
    expected = 2 / 5 * abs(1.0 - 0.62) + 3 / 5 * abs(2 / 3 - (0.95 + 0.95 + 1.0) / 3)
    assert reference.expected_calibration_error(truth, probabilities) == pytest.approx(expected)


def test_calibration_bins_are_closed_on_the_right():
    """0.6 is the upper edge of bin 9, so it shares none with 0.61 and the gaps do not cancel."""
    probabilities = [[0.6, 0.4], [0.61, 0.39]]
    assert reference.expected_calibration_error([0, 1], probabilities) == pytest.approx((0.4 + 0.61) / 2)


def test_ccc_by_hand_and_torchmetrics_example():
    # means 0.1 and 0.2, variances 0.02/3 and 0.02/3, covariance 0.02/3: 2c / (2v + 0.01)
    assert axis_reference.ccc([0.0, 0.1, 0.2], [0.1, 0.2, 0.3]) == pytest.approx((0.04 / 3) / (0.04 / 3 + 0.01))
    truth, predicted = [3, -0.5, 2, 7], [2.5, 0.0, 2, 8]
    assert axis_reference.ccc(truth, predicted, clip=False) == pytest.approx(0.97679, abs=5e-6)
    assert axis_reference.ccc(truth, predicted) == axis_reference.ccc(truth, [1.0, 0.0, 1.0, 1.0], clip=False)


def test_axis_metrics_equal_numpy_scipy_and_sklearn():
    truth, predicted = make_axis()
    covariance = np.cov(truth, predicted, ddof=0)
    gap = truth.mean() - predicted.mean()
    expected = {
        "ccc": 2 * covariance[0, 1] / (covariance[0, 0] + covariance[1, 1] + gap**2),
        "pcc": stats.pearsonr(truth, predicted).statistic,
        "sagr": np.mean(np.sign(truth) == np.sign(predicted)),
        "rmse": sk.root_mean_squared_error(truth, predicted),
        "mae": sk.mean_absolute_error(truth, predicted),
        "r2": sk.r2_score(truth, predicted),
    }
    for name, value in expected.items():
        assert METRICS[name].function(truth, predicted[:, None]) == pytest.approx(value, abs=1e-12), name
    assert set(expected) == {name for name, metric in METRICS.items() if metric.kind == "axis"}


def test_pcc_is_corrcoef():
    truth, predicted = make_axis(3)
    assert axis_reference.pcc(truth, predicted) == pytest.approx(np.corrcoef(truth, predicted)[0, 1], abs=1e-12)


def test_whole_weights_equal_repeated_rows():
    truth, predicted = make_axis(n=60)
    times = np.random.default_rng(2).integers(0, 4, 60)
    labels, probabilities = make_emotions(n=60)
    for name, metric in METRICS.items():
        if "sample_weight" not in inspect.signature(metric.function).parameters:
            continue
        rows = (truth, predicted) if metric.kind == "axis" else (labels, probabilities)
        repeated = metric.function(*(np.repeat(row, times, axis=0) for row in rows))
        assert metric.function(*rows, sample_weight=times) == pytest.approx(repeated, abs=1e-12), name


def test_rows_of_weight_zero_may_hold_nan():
    truth, predicted = make_axis(n=20)
    weights = np.r_[np.ones(15), np.zeros(5)]
    holed_truth, holed_predicted = truth.copy(), predicted.copy()
    holed_truth[15:], holed_predicted[17:] = np.nan, np.inf
    labels, probabilities = make_emotions(n=20)
    holed_labels = np.where(weights > 0, labels, np.nan)
    for name, metric in METRICS.items():
        if metric.streaming is None:
            continue
        holed, whole = (
            ((holed_truth, holed_predicted), (truth, predicted))
            if metric.kind == "axis"
            else ((holed_labels, probabilities), (labels, probabilities))
        )
        value = metric.function(*holed, sample_weight=weights[:, None])
        assert value == metric.function(*(rows[:15] for rows in whole)), name


@pytest.mark.parametrize(("truth", "predicted"), [([0.3] * 7, None), (None, [0.3] * 7), ([0.3] * 7, [0.3] * 7)])
def test_constant_input_gives_zero_correlation(truth, predicted):
    other = np.linspace(-0.5, 0.5, 7)
    truth, predicted = other if truth is None else truth, other if predicted is None else predicted
    assert axis_reference.ccc(truth, predicted) == 0.0
    assert axis_reference.pcc(truth, predicted) == 0.0


def test_values_that_do_not_exist_are_nan():
    assert np.isnan(axis_reference.r2([0.3, 0.3], [0.1, 0.2]))
    assert np.isnan(reference.cohen_kappa([1, 1], [1, 1]))
    assert np.isnan(reference.krippendorff_alpha([1, 1], [1, 1]))
    assert np.isnan(reference.auc_roc([1, 1], [[0.4, 0.6], [0.3, 0.7]]))
    assert reference.auc_pr([1, 1], [[0.4, 0.6], [0.3, 0.7]]) == 1.0


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_refuses_empty_unequal_and_nan(name):
    metric = METRICS[name]
    empty = np.zeros((0, 8)) if metric.kind == "emotion" else []
    with pytest.raises(ValueError, match="at least one row"):
        metric.function([], empty)
    row = np.eye(8)[:1] if metric.kind == "emotion" else [0.0]
    with pytest.raises(ValueError, match="same number of rows"):
        metric.function([0, 0], row)
    with pytest.raises(ValueError, match="must be finite"):
        metric.function([0], np.asarray(row) * np.nan)


def test_bad_weights_and_indices_are_refused():
    with pytest.raises(ValueError, match="not negative"):
        axis_reference.ccc([0.1, 0.2], [0.1, 0.2], sample_weight=[1, -1])
    with pytest.raises(ValueError, match="at least one row"):
        axis_reference.ccc([0.1, 0.2], [0.1, 0.2], sample_weight=[0, 0])
    with pytest.raises(ValueError, match="class indices"):
        reference.accuracy([0, -1], [0, 1])
    with pytest.raises(ValueError, match="below num_classes=2"):
        reference.confusion_matrix([0, 2], [0, 1], num_classes=2)
    with pytest.raises(ValueError, match=r"\(N,\) or \(N, 1\)"):
        axis_reference.ccc(np.zeros((3, 2)), np.zeros((3, 2)))
    with pytest.raises(ValueError, match=r"shape \(N, C\)"):
        reference.log_loss([0, 1], [0.1, 0.2])


@pytest.mark.parametrize(
    ("log_name", "expected"),
    [
        ("val_emotion_accuracy", True),
        ("val_valence_ccc", True),
        ("val_loss", False),
        ("loss", False),
        ("emotion_loss", False),
        ("val_arousal_rmse", False),
        ("arousal_weighted_mae", False),
        ("val_f1_macro", True),
        ("val_emotion_log_loss", False),
        ("val_emotion_ece", False),
        ("val_p_va", True),
    ],
)
def test_higher_is_better(log_name, expected):
    assert higher_is_better(log_name) is expected


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("prefix", ["", "val_"])
def test_every_metric_has_a_direction_under_its_output(name, prefix):
    output = "emotion" if METRICS[name].kind == "emotion" else "arousal"
    assert higher_is_better(f"{prefix}{output}_{name}") is METRICS[name].higher_is_better


@pytest.mark.parametrize(
    "log_name", ["val_emotion_ccc", "val_valence_accuracy", "val_acc", "lr", "", "val_emotion_p_va"]
)
def test_unknown_metrics_are_refused_with_the_known_names(log_name):
    with pytest.raises(ValueError, match=r"Expected one of .*loss.*Received") as error:
        higher_is_better(log_name)
    if "valence" in log_name:
        assert "ccc, loss, mae, pcc, r2, rmse, sagr" in str(error.value)


def test_importing_the_numpy_part_loads_no_framework():
    code = (
        "import sys; import fer_keras.metrics.scores, fer_keras.metrics.intervals; "
        "print([m for m in ('tensorflow', 'keras', 'sklearn', 'krippendorff') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
