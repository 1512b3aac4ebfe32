"""Comparison of runs: winners, overlap and warnings on values made by hand."""

import json
from dataclasses import replace

import pytest

from fer_keras.report.comparison import (
    RunSummary,
    compare_runs,
    comparison_rows,
    comparison_warnings,
    format_comparison,
    plot_comparison,
)


def _interval(value, half):
    return {"value": value, "low": value - half, "high": value + half}


def _run(name, accuracy=0.7, half=0.02, rmse=0.3, ece=0.05, **changes) -> RunSummary:
    scores = {
        "n": 100,
        "emotion": {
            "n": 100,
            "labels": ["happy", "sad"],
            "accuracy": {**_interval(accuracy, half), "n": 100},
            "log_loss": {"value": 1 - accuracy},
            "ece": {"value": ece},
        },
        "valence": {
            "n": 90, "ccc": _interval(accuracy - 0.1, half),
            "rmse": _interval(rmse, half), "mae": _interval(rmse, half),
        },
    }  # fmt: skip
    known = {"parameters": 1000, "size_mb": 4.0, "training_seconds": 60.0, "latency_ms": {1: 5.0, 16: 30.0}}
    data = {"dataset": "synthetic", "split": "test", "fingerprint": "abc"}
    return RunSummary(name, scores, **(known | data | changes))


def _row(runs, score):
    return next(row for row in comparison_rows(runs) if row.score == score)


def test_higher_accuracy_wins_and_lower_errors_win():
    runs = [_run("a", 0.6, rmse=0.2, ece=0.01), _run("b", 0.8, rmse=0.4, ece=0.09)]
    winners = {row.score: row.winner for row in comparison_rows(runs)}
    assert winners["emotion accuracy"] == winners["valence ccc"] == "b"
    assert winners["emotion log_loss"] == "b"  # 0.2 against 0.4
    assert winners["emotion ece"] == winners["valence rmse"] == winners["valence mae"] == "a"
    assert {row.score for row in comparison_rows(runs) if row.better == "lower"} >= {
        "emotion log_loss", "emotion ece", "valence rmse", "valence mae", "latency_ms, batch 16",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("second", "half", "verdict"),
    [
        (0.60, 0.02, "wins"),
        (0.65, 0.06, "no difference shown"),
        (0.50, 0.125, "no difference shown"),  # 0.625 to 0.875 and 0.375 to 0.625: the ends touch
        (0.75, 0.02, "tie"),
    ],
)
def test_overlap_of_the_winners_and_the_runner_ups_interval(second, half, verdict):
    row = _row([_run("a", second, half), _run("b", 0.75, half)], "emotion accuracy")
    assert row.verdict == verdict
    assert row.winner == ("b" if verdict == "wins" else None)
    assert row.runner_up == ("a" if verdict == "wins" else None)


def test_overlap_of_errors_where_lower_is_better():
    row = _row([_run("a", rmse=0.20, half=0.03), _run("b", rmse=0.25, half=0.03)], "valence rmse")
    assert (row.winner, row.verdict) == (None, "no difference shown")
    assert "| no difference shown" in format_comparison([row])
    row = _row([_run("a", rmse=0.20, half=0.02), _run("b", rmse=0.25, half=0.02)], "valence rmse")
    assert (row.winner, row.verdict) == ("a", "wins")


def test_the_runner_up_is_the_second_best_not_the_next_run():
    row = _row([_run("best", 0.9, 0.01), _run("worst", 0.5, 0.01), _run("second", 0.8, 0.01)], "emotion accuracy")
    assert (row.winner, row.runner_up, row.verdict) == ("best", "second", "wins")


def test_a_score_without_intervals_says_so():
    row = _row([_run("a", ece=0.01), _run("b", ece=0.02)], "emotion ece")
    assert (row.winner, row.verdict) == ("a", "wins, no interval")
    assert "a wins, no interval" in format_comparison([row])


def test_a_missing_output_or_an_undefined_value_has_no_winner():
    only, both = _run("only"), _run("both")
    scores = {key: value for key, value in only.scores.items() if key != "valence"}
    rows = {row.score: row for row in comparison_rows([replace(only, scores=scores), both])}
    assert rows["valence ccc"].verdict == "only value"
    assert rows["valence ccc"].winner is None and rows["valence ccc"].values[0] is None
    nothing = {"n": 1, "emotion": {"n": 1, "labels": ["happy"], "accuracy": {"value": None}}}
    undefined = comparison_rows([replace(only, scores=nothing), replace(both, scores=nothing)])
    assert undefined[0].verdict == "no value"


@pytest.mark.parametrize("field", ["dataset", "split", "fingerprint"])
def test_runs_on_different_data_have_a_warning_and_no_winner_except_in_size_and_speed(field):
    runs = [_run("a", 0.6), _run("b", 0.9, size_mb=2.0, **{field: "other"})]
    rows = comparison_rows(runs)
    (warning,) = comparison_warnings(rows)
    assert warning.startswith(f"Not comparable: the runs were not evaluated on the same {field} (a: ")
    assert "b: other" in warning
    verdicts = {row.score: (row.winner, row.verdict) for row in rows}
    assert verdicts["emotion accuracy"] == (None, "not comparable")
    assert verdicts["size_mb"] == ("b", "wins, no interval")
    assert format_comparison(rows).startswith(f"WARNING: {warning}\n")
    assert "Not comparable" in plot_comparison(runs).get_suptitle()


def test_a_fingerprint_that_was_not_recorded_is_not_taken_for_the_same():
    (warning,) = comparison_warnings(comparison_rows([_run("a"), _run("b", fingerprint=None)]))
    assert "a: abc, b: not recorded" in warning


def test_other_labels_or_numbers_of_faces_are_not_comparable_for_that_output_only():
    one, other = _run("a"), _run("b", 0.8)
    emotion = {**other.scores["emotion"], "labels": ["happy", "sad", "fear"]}
    rows = comparison_rows([one, replace(other, scores={**other.scores, "emotion": emotion})])
    verdicts = {row.score: row.verdict for row in rows}
    assert verdicts["emotion accuracy"] == "not comparable" and verdicts["valence ccc"] == "wins"
    valence = {**other.scores["valence"], "n": 80}
    rows = comparison_rows([one, replace(other, scores={**other.scores, "valence": valence})])
    assert comparison_warnings(rows) == [
        "Not comparable: valence was scored on different numbers of faces (a: 90, b: 80)."
    ]


def test_text_has_every_value_with_its_interval():
    text = format_comparison(comparison_rows([_run("a", 0.6), _run("b", 0.8, parameters=12_345_678)]))
    assert "0.600 (0.580 to 0.620)" in text and "0.800 (0.780 to 0.820)" in text
    assert "12,345,678" in text and "WARNING" not in text
    lines = text.splitlines()
    assert len({len(line) for line in lines}) == 1
    assert lines[0].split("|")[1].strip() == "Score"


def test_compare_runs_is_plain_data():
    runs = [_run("a", 0.6), _run("b", 0.8)]
    result = compare_runs(runs)
    assert json.loads(json.dumps(result))["text"] == format_comparison(comparison_rows(runs))
    assert result["rows"][0]["winner"] == "b" and result["warnings"] == []
    assert [run["name"] for run in result["runs"]] == ["a", "b"]


def test_plot_has_a_panel_a_headline_score():
    figure = plot_comparison([_run("a", 0.6), _run("b", 0.8)])
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["emotion accuracy", "valence ccc"]
    assert [bar.get_width() for bar in figure.axes[0].patches] == [0.6, 0.8]


@pytest.mark.parametrize("names", [["a"], ["a", "a"], []])
def test_fewer_than_two_names_are_refused(names):
    with pytest.raises(ValueError, match="two or more runs with different names"):
        comparison_rows([_run(name) for name in names])
