"""The plots: what they draw is checked against values counted by hand or by scikit-learn, not by looking."""

from itertools import pairwise

import numpy as np
import pytest
from matplotlib.figure import Figure
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score, roc_curve

from fer_keras.labels import EMOTIONS
from fer_keras.report import axis_plots, plots, sheets


def _random_scores(n=300, classes=4, seed=0):
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, classes, n)
    probabilities = rng.dirichlet(np.ones(classes), n).round(2) + 0.5 * np.eye(classes)[truth]
    return truth, probabilities / probabilities.sum(axis=1, keepdims=True)


def _texts(axes):
    return [text.get_text() for text in axes.texts]


def _drawn(figure: Figure) -> Figure:
    figure.canvas.draw()
    return figure


def test_confusion_shows_counts_and_shares_and_a_dash_for_an_empty_row():
    matrix, labels = [[3, 1, 0], [0, 0, 0], [2, 0, 6]], ["sad", "fear", "happy"]
    counts = _drawn(plots.plot_confusion(matrix, labels)).axes[0]
    shares = _drawn(plots.plot_confusion(matrix, labels, normalise=True)).axes[0]
    assert _texts(counts) == ["3", "1", "0", "0", "0", "0", "2", "0", "6"]
    assert _texts(shares) == ["0.75", "0.25", "0.00", "–", "–", "–", "0.25", "0.00", "0.75"]
    assert counts.get_title(loc="left") == "Counts, n = 12"
    assert [tick.get_text() for tick in counts.get_yticklabels()] == labels


def test_confusion_of_another_size_than_its_labels_is_refused():
    with pytest.raises(ValueError, match=r"for 3 labels. Received: shape \(2, 2\)"):
        plots.plot_confusion([[1, 0], [0, 1]], ["a", "b", "c"])


def test_curve_points_are_those_of_scikit_learn_with_ties():
    truth, probabilities = _random_scores()
    positive, score = truth == 1, probabilities[:, 1].round(2)
    assert len(np.unique(score)) < len(score)
    x, y = plots.roc_points(positive, score)
    expected_x, expected_y, _ = roc_curve(positive, score, drop_intermediate=False)
    np.testing.assert_allclose(x, expected_x)
    np.testing.assert_allclose(y, expected_y)
    recall, precision = plots.pr_points(positive, score)
    expected_precision, expected_recall, _ = precision_recall_curve(positive, score)
    np.testing.assert_allclose(recall, expected_recall[::-1])
    np.testing.assert_allclose(precision[1:], expected_precision[::-1][1:])


def _legend(figure: Figure) -> dict[str, str]:
    (legend,) = figure.legends
    return dict(text.get_text().rsplit("  ", 1) for text in legend.get_texts())


def test_curve_legends_name_the_areas_and_their_mean():
    truth, probabilities = _random_scores()
    labels = EMOTIONS[:4]
    onehot = np.eye(4)[truth]
    roc = [roc_auc_score(onehot[:, k], probabilities[:, k]) for k in range(4)]
    pr = [average_precision_score(onehot[:, k], probabilities[:, k]) for k in range(4)]
    for draw, areas in ((plots.plot_roc, roc), (plots.plot_precision_recall, pr)):
        told = _legend(_drawn(draw(truth, probabilities, labels)))
        expected = dict(zip(labels, areas, strict=True)) | {"mean": np.mean(areas)}
        assert told == {name: f"{area:.3f}" for name, area in expected.items()}


def test_a_class_without_examples_has_a_dash_and_does_not_enter_the_mean():
    truth, probabilities = _random_scores()
    truth[truth == 3] = 0
    told = _legend(plots.plot_roc(truth, probabilities, EMOTIONS[:4]))
    areas = [roc_auc_score(truth == k, probabilities[:, k]) for k in range(3)]
    assert told["surprise"] == "–"
    assert told["mean"] == f"{np.mean(areas):.3f}"


def test_one_class_truth_draws_without_a_mean():
    probabilities = _random_scores()[1]
    told = _legend(_drawn(plots.plot_roc(np.zeros(300, int), probabilities, EMOTIONS[:4])))
    assert "mean" not in told and set(told.values()) == {"–"}


def test_reliability_shows_the_calibration_error_of_the_textbook_definition():
    rng = np.random.default_rng(1)
    confidence = np.r_[rng.random(200), 0.0, 1.0, 1 / 15]
    correct = rng.random(203) < confidence**2
    edges, ece = np.linspace(0, 1, 16), 0.0
    for low, high in pairwise(edges):
        inside = (confidence > low) & (confidence <= high) | (low == 0) & (confidence == 0)
        if inside.any():
            ece += inside.mean() * abs(correct[inside].mean() - confidence[inside].mean())
    upper, lower = _drawn(plots.plot_reliability(confidence, correct)).axes
    assert upper.get_title(loc="left") == f"Reliability, ECE {ece:.3f}, n = 203"
    assert sum(bar.get_height() for bar in lower.patches) == 203


def test_circumplex_has_every_point_the_circle_and_a_word_in_each_quadrant():
    rng = np.random.default_rng(2)
    x, y = rng.uniform(-1, 1, (2, 50))
    emotions = ["happy", "sad", None, "angry-looking", "neutral"] * 10
    figure = _drawn(axis_plots.plot_circumplex(x, y, "Labels", emotions))
    axes = figure.axes[0]
    assert sum(len(points.get_offsets()) for points in axes.collections) == 50
    assert _texts(axes) == ["excited", "distressed", "depressed", "calm"]
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == ["neutral", "happy", "sad", "no emotion", "angry-looking"]
    np.testing.assert_allclose(np.hypot(*axes.lines[0].get_data()), 1)
    plain = axis_plots.plot_circumplex(x, y, "Labels")
    np.testing.assert_allclose(plain.axes[0].collections[0].get_offsets(), np.stack([x, y], axis=1))
    assert not plain.legends


def test_error_plot_has_the_residuals_and_their_mean_in_bins():
    true = np.repeat([-0.55, 0.25], 10)
    predicted = true + np.r_[np.full(10, 0.3), np.full(10, -0.1)]
    axes = _drawn(axis_plots.plot_error_against_label(true, predicted, "valence")).axes[0]
    points = next(item for item in axes.collections if item.get_label() == "one face").get_offsets()
    np.testing.assert_allclose(points, np.stack([true, predicted - true], axis=1))
    mean = next(line for line in axes.lines if line.get_label() == "running mean")
    np.testing.assert_allclose(mean.get_ydata(), [0.3, -0.1])
    np.testing.assert_allclose(mean.get_xdata(), [-0.55, 0.25])


def test_a_large_set_is_thinned_in_scatters_but_counted_in_full():
    rng = np.random.default_rng(3)
    x, y = rng.uniform(-1, 1, (2, 9000))
    axes = axis_plots.plot_circumplex(x, y, "Labels").axes[0]
    assert len(axes.collections[0].get_offsets()) == plots.MOST_POINTS
    assert axes.get_title(loc="left") == "Labels, n = 9000"


def test_class_colours_are_distinct_and_do_not_depend_on_the_order():
    colours = [plots.class_colour(label) for label in EMOTIONS]
    assert len(set(colours)) == 8
    assert [plots.class_colour(label, EMOTIONS[::-1]) for label in EMOTIONS] == colours
    assert plots.class_colour("pain", ["happy", "pain"]) != plots.MUTED


def test_training_curves_pair_train_and_validation_and_leave_gaps():
    history = {"accuracy": [0.1, 0.2], "val_accuracy": [None, 0.3], "epoch": [0, 1], "val_loss": [3, 2], "loss": [2, 1]}
    series = sheets.split_history(history)
    assert list(series) == ["loss", "accuracy"]
    assert series["loss"] == {"train": [2.0, 1.0], "validation": [3.0, 2.0]}
    assert np.isnan(series["accuracy"]["validation"][0])
    figure = _drawn(sheets.plot_training_curves(history))
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["loss", "accuracy"]
    assert [list(line.get_ydata()) for line in figure.axes[0].lines] == [[2, 1], [3, 2]]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["train", "validation"]
    with pytest.raises(ValueError, match="at least one series"):
        sheets.plot_training_curves({"epoch": [0]})


def test_face_sheet_draws_faces_of_any_size_and_says_which_is_unreadable():
    faces = [np.full((size, size + 4, 3), size, np.uint8) for size in (10, 40)] + [None]
    figure = _drawn(sheets.plot_face_sheet(faces, ["$a_$", "two\nlines", "c"], columns=2))
    assert len(figure.axes) == 3
    np.testing.assert_array_equal(figure.axes[1].images[0].get_array(), faces[1])
    assert [_texts(axes) for axes in figure.axes] == [["$a_$"], ["two", "lines"], ["unreadable", "c"]]


@pytest.mark.parametrize("face", [np.zeros((4, 4, 3)), np.zeros((4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8)])
def test_face_sheet_refuses_what_is_not_a_uint8_rgb_face(face):
    with pytest.raises(ValueError, match=r"uint8 RGB array \(height, width, 3\)"):
        sheets.plot_face_sheet([face], [""])


def test_face_sheet_refuses_another_number_of_captions():
    with pytest.raises(ValueError, match="1 faces, 2 captions"):
        sheets.plot_face_sheet([None], ["a", "b"])


def test_compare_bars_have_lengths_intervals_and_a_word_for_no_value():
    panels = {"accuracy": [(0.7, 0.6, 0.8), (0.5, None, None), (None, None, None)]}
    axes = _drawn(sheets.plot_compare_bars(["a", "b", "c"], panels)).axes[0]
    assert [bar.get_width() for bar in axes.patches] == [0.7, 0.5]
    assert "no value" in _texts(axes) and "0.700" in _texts(axes)
    (segments,) = [bars.get_segments() for bars in axes.collections]
    np.testing.assert_allclose(segments[0][:, 0], [0.6, 0.8])
    with pytest.raises(ValueError, match="2 runs"):
        sheets.plot_compare_bars(["a", "b"], panels)


def test_plots_leave_pyplot_alone():
    import subprocess
    import sys

    code = "import sys, fer_keras.report.page; print({'matplotlib.pyplot', 'tensorflow', 'keras'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"
