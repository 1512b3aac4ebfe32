"""Plots of valence and arousal: the circumplex, and error against label. Plain arrays in, a `Figure` out."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fer_keras.drawing.palette import ACCENT, MUTED, OUTLINE, POINT, class_colour
from fer_keras.labels import EMOTIONS, QUADRANTS
from fer_keras.report.plots import MOST_POINTS, legend_below, new_figure, style_axes


def _sample(*arrays: np.ndarray) -> tuple[np.ndarray, ...]:
    """At most `MOST_POINTS` rows at random (always the same ones), so that a scatter stays readable."""
    size = len(arrays[0])
    if size <= MOST_POINTS:
        return arrays
    keep = np.random.default_rng(0).choice(size, MOST_POINTS, replace=False)
    return tuple(array[keep] for array in arrays)


def plot_circumplex(
    valence: np.ndarray,
    arousal: np.ndarray,
    title: str,
    emotions: Sequence[str | None] | None = None,
    *,
    labels: Sequence[str] = EMOTIONS,
) -> Figure:
    """Scatter valence against arousal on the circumplex, with the unit circle and a word in each quadrant.

    Above 4000 faces a fixed random sample of them is drawn. Source of the layout: Russell 1980, "A circumplex model of
    affect".

    Args:
        valence: (n,) in [-1, 1].
        arousal: (n,) in [-1, 1].
        title: for example "Labels".
        emotions: n class names that colour the points (None = unlabelled, grey), or None for one colour.
        labels: all classes, which decide the colours of those that are no emotions.
    """
    names = np.array(["" if name is None else name for name in emotions], object) if emotions is not None else None
    figure = new_figure(5.2, 5.7 if names is not None else 5.2)
    axes = style_axes(figure.add_subplot(), f"{title}, n = {len(valence)}", "Valence", "Arousal")
    angle = np.linspace(0, 2 * np.pi, 361)
    axes.plot(np.cos(angle), np.sin(angle), color=OUTLINE, linewidth=1.2)
    axes.axhline(0, color=OUTLINE, linewidth=0.8)
    axes.axvline(0, color=OUTLINE, linewidth=0.8)
    for (pleasant, excited), word in QUADRANTS.items():
        x, y = (1.04 if positive else -1.04 for positive in (pleasant, excited))
        side, edge = ("right" if pleasant else "left"), ("top" if excited else "bottom")
        axes.text(x, y, word, ha=side, va=edge, fontsize=9, style="italic", color=MUTED)
    _scatter_by_class(axes, np.asarray(valence), np.asarray(arousal), names, labels=labels)
    axes.set(xlim=(-1.08, 1.08), ylim=(-1.08, 1.08), aspect="equal")
    ticks = [-1, -0.5, 0, 0.5, 1]
    axes.set_xticks(ticks)
    axes.set_yticks(ticks)
    if names is not None:
        legend_below(figure, 4 if max(map(len, labels), default=0) <= 12 else 3)
    return figure


def _scatter_by_class(
    axes: Axes, x: np.ndarray, y: np.ndarray, names: np.ndarray | None, *, labels: Sequence[str]
) -> None:
    area = float(
        np.clip(1500 / max(len(x), 1), 11, 70)
    )  # a few points must be seen, thousands must not hide each other
    look = {"s": area, "alpha": 0.6 if area == 11 else 0.9, "linewidths": 0}
    if names is None:
        axes.scatter(*_sample(x, y), color=ACCENT, **look)
        return
    x, y, names = _sample(x, y, names)
    present = [*(name for name in EMOTIONS if name in names), *sorted(set(names) - set(EMOTIONS))]
    for name in present:
        mine = names == name
        if name:
            axes.scatter(x[mine], y[mine], color=class_colour(name, labels), label=name, **look)
        else:
            axes.scatter(
                x[mine], y[mine], s=area, facecolors="none", edgecolors=OUTLINE, linewidths=0.8, label="no emotion"
            )


def plot_error_against_label(true: np.ndarray, predicted: np.ndarray, axis: str) -> Figure:
    """Scatter the error (prediction minus label) against the label, with its running mean and middle 80 %.

    The mean and the 10th to 90th percentile are taken in bins 0.1 wide, where a bin has three faces or more. A mean
    that falls from left to right shows predictions pulled to the middle. Above 4000 faces a sample is drawn as points.

    Args:
        true: (n,) labels in [-1, 1].
        predicted: (n,) predictions in [-1, 1].
        axis: "valence" or "arousal", for the words on the plot.
    """
    true, error = np.asarray(true, float), np.asarray(predicted, float) - np.asarray(true, float)
    figure = new_figure(5.2, 4.3)
    title = f"{axis.capitalize()}: error against label, n = {len(true)}"
    axes = style_axes(figure.add_subplot(), title, f"True {axis}", "Predicted minus true")
    axes.axhline(0, color=MUTED, linewidth=1)
    axes.scatter(*_sample(true, error), s=9, alpha=0.35, color=POINT, linewidths=0, label="one face")
    which = ((true + 1) / 0.1).astype(int).clip(0, 19)
    filled = [index for index in range(20) if np.sum(which == index) >= 3]
    if filled:
        groups = [error[which == index] for index in filled]
        centres = -0.95 + 0.1 * np.array(filled)
        low, high = np.transpose([np.percentile(group, (10, 90)) for group in groups])
        axes.fill_between(centres, low, high, color=ACCENT, alpha=0.15, linewidth=0, label="middle 80 %")
        axes.plot(centres, [group.mean() for group in groups], color=ACCENT, linewidth=2, label="running mean")
    reach = max(0.5, float(np.abs(error).max(initial=0.0)) * 1.05)
    axes.set(xlim=(-1.04, 1.04), ylim=(-reach, reach))
    legend_below(figure, 3)
    return figure
