"""Wilson and bootstrap intervals against known values, direct resampling and known sampling errors."""

import time

import numpy as np
import pytest
from scipy import stats

from fer_keras.metrics import intervals
from fer_keras.metrics.intervals import (
    bootstrap_axis_intervals,
    bootstrap_axis_metrics,
    bootstrap_f1_macro_interval,
    wilson_interval,
)
from fer_keras.metrics.metric_table import METRICS
from fer_keras.metrics.reference import confusion_matrix, f1_macro

AXIS_METRICS = [name for name, metric in METRICS.items() if metric.kind == "axis"]


def make_axis(seed=0, n=300):
    rng = np.random.default_rng(seed)
    truth = rng.normal(0.2, 0.4, n)
    return truth, 0.7 * truth + rng.normal(0, 0.25, n)


@pytest.mark.parametrize(("successes", "n"), [(8, 10), (0, 10), (10, 10), (1, 3), (140, 200), (60_000, 100_000)])
def test_wilson_equals_scipy(successes, n):
    expected = stats.binomtest(successes, n).proportion_ci(0.95, method="wilson")
    assert wilson_interval(successes, n) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_wilson_known_values():
    low, high = wilson_interval(8, 10)
    assert (round(low, 3), round(high, 3)) == (0.490, 0.943)
    assert wilson_interval(0, 5)[0] == 0.0
    assert wilson_interval(5, 5)[1] == 1.0


@pytest.mark.parametrize(("successes", "n"), [(0, 0), (3, 2), (-1, 4)])
def test_wilson_refuses_impossible_counts(successes, n):
    with pytest.raises(ValueError, match="successes"):
        wilson_interval(successes, n)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("scale", [1.0, 3.0])  # 3.0: many predictions outside [-1, 1], so clipping counts
def test_resampled_metrics_equal_the_references_on_the_drawn_rows(weighted, scale):
    truth, predicted = make_axis(n=37)
    predicted = predicted * scale
    weights = np.random.default_rng(5).uniform(0.2, 2, 37) if weighted else None
    resampled = bootstrap_axis_metrics(truth, predicted, weights, resamples=25, seed=3)
    assert sorted(resampled) == sorted(AXIS_METRICS)
    for index, rows in enumerate(np.random.default_rng(3).integers(0, 37, (25, 37))):
        for name in AXIS_METRICS:
            kept = None if weights is None else weights[rows]
            expected = METRICS[name].function(truth[rows], predicted[rows], sample_weight=kept)
            assert resampled[name][index] == pytest.approx(expected, abs=1e-10), name


def test_same_seed_same_interval_whatever_the_chunk(monkeypatch):
    truth, predicted = make_axis(n=101)
    first = bootstrap_axis_intervals(truth, predicted, resamples=50, seed=7)
    assert bootstrap_axis_intervals(truth, predicted, resamples=50, seed=7) == first
    assert bootstrap_axis_intervals(truth, predicted, resamples=50, seed=8) != first
    monkeypatch.setattr(intervals, "CHUNK_CELLS", 101 * 7)
    chunked = bootstrap_axis_intervals(truth, predicted, resamples=50, seed=7)
    for name, interval in first.items():
        assert chunked[name] == pytest.approx(interval, abs=1e-12)


def test_rows_of_weight_zero_are_not_drawn():
    truth, predicted = make_axis(n=40)
    padded_truth, padded = np.r_[truth, [np.nan] * 9], np.r_[predicted, [np.nan] * 9]
    weights = np.r_[np.ones(40), np.zeros(9)]
    assert bootstrap_axis_intervals(padded_truth, padded, weights, resamples=30) == bootstrap_axis_intervals(
        truth, predicted, resamples=30
    )


def test_axis_intervals_cover_the_population_value():
    """90 % intervals of 120 samples: the share that covers is 0.90 give or take the sampling error of 120."""
    population_truth, population = make_axis(seed=9, n=200_000)
    wanted = {name: METRICS[name].function(population_truth, population) for name in AXIS_METRICS}
    covered = dict.fromkeys(AXIS_METRICS, 0)
    for seed in range(120):
        rows = np.random.default_rng(1000 + seed).integers(0, 200_000, 250)
        found = bootstrap_axis_intervals(population_truth[rows], population[rows], resamples=200, seed=seed, level=0.9)
        for name, (low, high) in found.items():
            covered[name] += low <= wanted[name] <= high
    for name, count in covered.items():
        assert 0.80 <= count / 120 <= 0.98, name


def test_mean_absolute_error_interval_has_the_normal_width():
    truth, predicted = make_axis(n=4000)
    low, high = bootstrap_axis_intervals(truth, predicted)["mae"]
    half = 1.96 * np.abs(truth - predicted).std() / 4000**0.5
    assert (high - low) / 2 == pytest.approx(half, rel=0.1)


def test_f1_macro_interval_is_that_of_redrawn_rows():
    rng = np.random.default_rng(0)
    truth = rng.choice(4, 600, p=[0.5, 0.3, 0.15, 0.05])
    predicted = np.where(rng.random(600) < 0.7, truth, rng.integers(0, 4, 600))
    found = bootstrap_f1_macro_interval(confusion_matrix(truth, predicted), resamples=2000, seed=1)
    drawn = rng.integers(0, 600, (2000, 600))
    redrawn = intervals.f1_macro_of(np.stack([confusion_matrix(truth[rows], predicted[rows], 4) for rows in drawn]))
    for value, rows in zip(redrawn[:20], drawn, strict=False):
        assert value == pytest.approx(f1_macro(truth[rows], predicted[rows]), abs=1e-12)
    assert found == pytest.approx(tuple(np.quantile(redrawn, [0.025, 0.975])), abs=0.008)
    assert found[0] < f1_macro(truth, predicted) < found[1]
    assert bootstrap_f1_macro_interval(confusion_matrix(truth, predicted), resamples=2000, seed=1) == found


def test_constants_give_zero_or_nothing():
    predicted = np.linspace(-0.9, 0.9, 12)
    found = bootstrap_axis_intervals([0.3] * 12, predicted, resamples=20)
    assert found["ccc"] == found["pcc"] == (0.0, 0.0)
    assert np.isnan(found["r2"]).all()
    assert bootstrap_axis_intervals(predicted, [0.3] * 12, resamples=20)["pcc"] == (0.0, 0.0)


@pytest.mark.parametrize("matrix", [[[1, 2]], [[0, 0], [0, 0]], [[0.5, 1], [1, 1]], [[-1, 2], [1, 1]]])
def test_f1_interval_refuses_other_than_counts(matrix):
    with pytest.raises(ValueError, match="whole counts"):
        bootstrap_f1_macro_interval(matrix)


def test_bad_options_are_refused():
    with pytest.raises(ValueError, match="resamples=0"):
        bootstrap_axis_intervals([0.1, 0.2], [0.1, 0.2], resamples=0)
    with pytest.raises(ValueError, match="level=95"):
        bootstrap_f1_macro_interval([[1, 0], [0, 1]], level=95)


def test_four_thousand_rows_take_little_time():
    truth, predicted = make_axis(n=4000)
    start = time.process_time()
    bootstrap_axis_intervals(truth, predicted, resamples=1000)
    assert time.process_time() - start < 2.0
