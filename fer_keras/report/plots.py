"""Plots of emotion predictions (confusion, ROC, precision against recall, reliability) and the look of all plots.

Each function takes plain arrays and returns a matplotlib `Figure`; nothing touches pyplot's global state, so plots can
be made in threads and without a display. Figures are drawn about 5 inches wide: two fit side by side on a page, one
fills a phone. Valence and arousal are in `axis_plots.py`, grids of small panels (faces, training curves, compared
runs) in `sheets.py`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure

from fer_keras.drawing.palette import ACCENT, AXIS, EMPTY, GRID, INK, MUTED, OUTLINE, WARM, class_colour

# Line styles tell classes apart where colour alone would not.
_STYLES = ("-", "--", "-.", ":")
MOST_POINTS = 4000


def new_figure(width: float, height: float) -> Figure:
    """Return an empty white figure of `width` x `height` inches that lays itself out."""
    figure = Figure(figsize=(width, height), dpi=160, layout="constrained", facecolor="white")
    figure.get_layout_engine().set(w_pad=0.09, h_pad=0.09)
    return figure


def style_axes(axes: Axes, title: str = "", xlabel: str = "", ylabel: str = "", *, grid: bool = True) -> Axes:
    """Give axes the report's look: left-aligned title, muted spines and ticks, a faint grid behind the data."""
    axes.set_title(title, loc="left", fontsize=10.5, color=INK, pad=8)
    axes.set_xlabel(xlabel, fontsize=9.5, color=INK)
    axes.set_ylabel(ylabel, fontsize=9.5, color=INK)
    axes.tick_params(labelsize=8.5, colors=MUTED, length=3)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(AXIS)
    if grid:
        axes.grid(color=GRID, linewidth=0.8)
        axes.set_axisbelow(True)
    return axes


def legend_below(figure: Figure, columns: int) -> None:
    """Put the legend of everything labelled in the figure under its axes, in `columns` columns."""
    legend = figure.legend(loc="outside lower center", ncols=columns, fontsize=8.5, frameon=False, handlelength=2.2)
    for handle in legend.legend_handles:
        if isinstance(handle, PathCollection):  # the points of a scatter are small and pale; their keys need not be
            handle.set_sizes([24])
            handle.set_alpha(1)
    for text in legend.get_texts():
        text.set_color(INK)


def _columns(labels: Sequence[str]) -> int:
    """Columns of a legend that names classes, so that it is no wider than the figure."""
    return 3 if max(map(len, labels), default=0) <= 12 else 2


def _thin(*arrays: np.ndarray) -> tuple[np.ndarray, ...]:
    """At most `MOST_POINTS` evenly spaced points of equally long arrays, first and last kept."""
    size = len(arrays[0])
    if size <= MOST_POINTS:
        return arrays
    keep = np.linspace(0, size - 1, MOST_POINTS).round().astype(int)
    return tuple(array[keep] for array in arrays)


def plot_confusion(matrix: np.ndarray, labels: Sequence[str], normalise: bool = False) -> Figure:
    """Draw a confusion matrix, rows the truth and columns the prediction.

    Args:
        matrix: (k, k) counts.
        labels: k names, in the matrix's order.
        normalise: divide each row by its sum (recall on the diagonal); a row without examples shows dashes.

    Raises:
        ValueError: the matrix is not (k, k) for k labels.
    """
    size = 5.2 + 0.35 * max(0, len(labels) - 8)  # room for each number
    figure = new_figure(size, size - 0.2)
    draw_confusion(figure.add_subplot(), matrix, labels, normalise=normalise)
    return figure


def draw_confusion(
    axes: Axes,
    matrix: np.ndarray,
    labels: Sequence[str],
    *,
    normalise: bool = False,
    words: tuple[str, str] = ("Predicted", "True"),
) -> None:
    """Draw a confusion matrix into axes; see `plot_confusion`.

    Args:
        axes: empty ones.
        matrix: (k, k) counts.
        labels: k names.
        normalise: divide each row by its sum.
        words: what columns and rows are.
    """
    counts = np.asarray(matrix, dtype=float)
    if counts.shape != (len(labels), len(labels)):
        raise ValueError(
            f"A confusion matrix must be (k, k) for {len(labels)} labels. Received: shape {counts.shape}. "
            "Pass the labels the matrix was counted with."
        )
    totals = counts.sum(axis=1, keepdims=True)
    shown = np.divide(counts, totals, out=np.full_like(counts, np.nan), where=totals > 0) if normalise else counts
    top = 1.0 if normalise else max(float(counts.max(initial=0.0)), 1.0)
    title = "Share of each true class" if normalise else f"Counts, n = {int(counts.sum())}"
    style_axes(axes, title, *words, grid=False)
    axes.imshow(np.nan_to_num(shown), cmap="Blues", vmin=0, vmax=top, aspect="equal")
    axes.set_xticks(range(len(labels)), labels, rotation=40, ha="right", rotation_mode="anchor", color=INK)
    axes.set_yticks(range(len(labels)), labels, color=INK)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    letters = 8.5 if len(labels) <= 8 else 7
    for row, column in np.ndindex(*shown.shape):
        value = shown[row, column]
        text = "–" if np.isnan(value) else f"{value:.2f}" if normalise else f"{int(value)}"
        colour = "white" if value > 0.55 * top else EMPTY if not value > 0 else INK
        axes.text(column, row, text, ha="center", va="center", fontsize=letters, color=colour)


def _counts_by_threshold(positive: np.ndarray, score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """True and false positives when everything at or above each distinct score is called positive, from the top."""
    order = np.argsort(-score, kind="stable")
    ranked, hits = score[order], positive[order]
    last = np.r_[np.flatnonzero(np.diff(ranked)), len(ranked) - 1]
    true_positives = np.cumsum(hits)[last]
    return true_positives, last + 1 - true_positives


def roc_points(positive: np.ndarray, score: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Return (false positive rate, true positive rate) from (0, 0) to (1, 1), tied scores together.

    Args:
        positive: (n,) bool.
        score: (n,) float, higher = more likely positive.

    Returns:
        Two (m,) arrays, or None if there is no positive or no negative example: the curve is then undefined.
    """
    if positive.all() or not positive.any():
        return None
    hits, alarms = _counts_by_threshold(positive, score)
    return np.r_[0.0, alarms / alarms[-1]], np.r_[0.0, hits / hits[-1]]


def pr_points(positive: np.ndarray, score: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Return (recall, precision), tied scores together; None without a positive example. Arguments as `roc_points`.

    The area as average precision, sum of (recall step x precision), is the one that steps to the left.
    """
    if not positive.any():
        return None
    hits, alarms = _counts_by_threshold(positive, score)
    precision = hits / (hits + alarms)
    return np.r_[0.0, hits / hits[-1]], np.r_[precision[0], precision]


@dataclass(frozen=True)
class _Curve:
    """A kind of curve: its points from (positive, score), the area under them, and its height on a grid."""

    points: Callable
    area: Callable
    at_grid: Callable


def _curves(axes: Axes, kind: _Curve, truth, probabilities, *, labels: Sequence[str]) -> None:
    """Draw one curve per class and their unweighted mean; classes without a curve are named in the legend."""
    grid, means, areas = np.linspace(0, 1, 501), [], []
    for index, label in enumerate(labels):
        style = {"color": class_colour(label, labels), "linestyle": _STYLES[index % len(_STYLES)], "linewidth": 1.5}
        curve = kind.points(truth == index, probabilities[:, index])
        if curve is None:
            axes.plot([], [], label=f"{label}  –", **style)
            continue
        areas.append(kind.area(*curve))
        means.append(kind.at_grid(grid, *curve))
        axes.plot(*_thin(*curve), label=f"{label}  {areas[-1]:.3f}", **style)
    if means:
        axes.plot(grid, np.mean(means, axis=0), color="black", linewidth=2.4, label=f"mean  {np.mean(areas):.3f}")
    else:
        axes.text(0.5, 0.5, "no class has examples\non both sides", ha="center", color=MUTED, fontsize=9)


def _unit_axes(figure: Figure, title: str, xlabel: str, ylabel: str) -> Axes:
    axes = style_axes(figure.add_subplot(), title, xlabel, ylabel)
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
    return axes


def _trapezoids(x: np.ndarray, y: np.ndarray) -> float:
    return float(np.sum(np.diff(x) * (y[1:] + y[:-1]) / 2))


def plot_roc(truth: np.ndarray, probabilities: np.ndarray, labels: Sequence[str]) -> Figure:
    """Draw one ROC curve per class, one against the rest, with the area of each and the unweighted mean.

    Args:
        truth: (n,) class index 0..k-1.
        probabilities: (n, k) float.
        labels: k names.
    """
    figure = new_figure(5.2, 5.7)
    axes = _unit_axes(figure, "ROC, one against the rest (area)", "False positive rate", "True positive rate")
    axes.plot([0, 1], [0, 1], color=AXIS, linewidth=1)
    _curves(axes, _Curve(roc_points, _trapezoids, np.interp), truth, probabilities, labels=labels)
    legend_below(figure, _columns(labels))
    return figure


def _average_precision(recall: np.ndarray, precision: np.ndarray) -> float:
    return float(np.sum(np.diff(recall) * precision[1:]))


def _step_left(grid: np.ndarray, recall: np.ndarray, precision: np.ndarray) -> np.ndarray:
    """Precision at each recall of the grid, as average precision counts it (the first point that reaches it)."""
    return precision[np.searchsorted(recall, grid, side="left").clip(0, len(recall) - 1)]


def plot_precision_recall(truth: np.ndarray, probabilities: np.ndarray, labels: Sequence[str]) -> Figure:
    """Draw one precision-recall curve per class, one against the rest, with average precision and the unweighted mean.

    Arguments as `plot_roc`.
    """
    figure = new_figure(5.2, 5.7)
    axes = _unit_axes(figure, "Precision and recall (average precision)", "Recall", "Precision")
    _curves(axes, _Curve(pr_points, _average_precision, _step_left), truth, probabilities, labels=labels)
    legend_below(figure, _columns(labels))
    return figure


def plot_reliability(confidence: np.ndarray, correct: np.ndarray, bins: int = 15) -> Figure:
    """Draw a reliability diagram: accuracy in equal-width bins of confidence, the counts, and the calibration error.

    ECE = sum over bins of (count / n) |accuracy - mean confidence|; bins are (low, high], the first also holds 0.
    Source: Guo et al. 2017, "On Calibration of Modern Neural Networks".

    Args:
        confidence: (n,) probability of the predicted class, 0..1.
        correct: (n,) bool, prediction equals truth.
        bins: how many bins.
    """
    confidence, correct = np.asarray(confidence, float), np.asarray(correct, float)
    which = (np.ceil(confidence * bins).astype(int) - 1).clip(0, bins - 1)
    counts = np.bincount(which, minlength=bins)
    used = counts > 0
    mean = {
        name: np.bincount(which, values, bins)[used] / counts[used]
        for name, values in {"accuracy": correct, "confidence": confidence}.items()
    }
    ece = float(np.sum(counts[used] * np.abs(mean["accuracy"] - mean["confidence"])) / max(len(confidence), 1))
    figure = new_figure(5.2, 5.7)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3.2, 1))
    style_axes(upper, f"Reliability, ECE {ece:.3f}, n = {len(confidence)}", "", "Accuracy in the bin")
    centres, width = (np.arange(bins)[used] + 0.5) / bins, 0.92 / bins
    upper.bar(centres, mean["accuracy"], width, color=ACCENT, alpha=0.75, label="accuracy")
    upper.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle="--", label="perfect calibration")
    ends = (centres - width / 2, centres + width / 2)
    upper.hlines(mean["confidence"], *ends, color=WARM, linewidth=2, label="mean confidence")
    upper.set(xlim=(0, 1), ylim=(0, 1.02))
    style_axes(lower, "", "Confidence (probability of the predicted class)", "Faces")
    lower.bar(centres, counts[used], width, color=OUTLINE)
    legend_below(figure, 3)
    return figure
