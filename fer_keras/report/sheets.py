"""Grids of small panels: face sheets, training curves, bars that compare runs. Plain data in, a `Figure` out."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from fer_keras.drawing.palette import ACCENT, GRID, INK, MUTED, POINT, RUN_COLOURS
from fer_keras.report.plots import legend_below, new_figure, style_axes


def plot_face_sheet(faces: Sequence[np.ndarray | None], captions: Sequence[str], columns: int = 6) -> Figure:
    """Draw faces in rows of `columns`, each with its caption of one or two lines beneath.

    Args:
        faces: uint8 RGB (height, width, 3) each, of any size; None for an unreadable face (a grey square).
        captions: as many strings; text is drawn as it is, never read as mathematics.
        columns: faces in a row.

    Raises:
        ValueError: the lengths differ, `columns` is below 1, or a face is not uint8 (height, width, 3).
    """
    if len(faces) != len(captions) or columns < 1:
        raise ValueError(
            "A face sheet needs one caption per face and at least one column. "
            f"Received: {len(faces)} faces, {len(captions)} captions, columns={columns}."
        )
    rows = max(1, -(-len(faces) // columns))
    side, gap, words = 1.3, 0.12, 0.5  # inches: a face, the space between two, the space for a caption
    width, height = columns * (side + gap) + gap, rows * (side + words) + gap
    figure = Figure(figsize=(width, height), dpi=160, facecolor="white")
    for index, (face, caption) in enumerate(zip(faces, captions, strict=True)):
        row, column = divmod(index, columns)
        x, y = gap + column * (side + gap), height - gap - side - row * (side + words)
        _draw_face(figure.add_axes((x / width, y / height, side / width, side / height)), face, caption)
    return figure


def _draw_face(axes: Axes, face: np.ndarray | None, caption: str) -> None:
    if face is None:
        face = np.full((8, 8, 3), 224, np.uint8)
        axes.text(0.5, 0.5, "unreadable", transform=axes.transAxes, ha="center", va="center", fontsize=8, color=MUTED)
    face = np.asarray(face)
    if face.dtype != np.uint8 or face.ndim != 3 or face.shape[2] != 3:
        raise ValueError(
            "A face must be a uint8 RGB array (height, width, 3). "
            f"Received: dtype {face.dtype}, shape {face.shape}. Load faces with fer_keras.preprocessing."
        )
    axes.imshow(face, interpolation="antialiased")
    axes.set_axis_off()
    for line, text in enumerate(caption.split("\n")):
        axes.annotate(
            text, (0.5, 0), (0, -10 - 11 * line), xycoords="axes fraction", textcoords="offset points",
            ha="center", va="baseline", fontsize=8.5, color=MUTED if line else INK, parse_math=False,
        )  # fmt: skip


def split_history(history: Mapping[str, Sequence[float | None]]) -> dict[str, dict[str, list[float]]]:
    """Pair a Keras history's series: {"loss": {"train": [...], "validation": [...]}, ...}, "loss" first.

    A series "val_x" is the validation half of "x"; "epoch" is left out; a missing value becomes NaN (a gap).

    Example:
        >>> split_history({"val_loss": [2.0], "loss": [1.0]})
        {'loss': {'train': [1.0], 'validation': [2.0]}}
    """
    paired: dict[str, dict[str, list[float]]] = {}
    for key in sorted(history, key=lambda key: key.removeprefix("val_") != "loss"):
        if key == "epoch":
            continue
        name, part = (key[4:], "validation") if key.startswith("val_") else (key, "train")
        paired.setdefault(name, {})[part] = [float("nan") if value is None else float(value) for value in history[key]]
    return {name: dict(sorted(parts.items())) for name, parts in paired.items()}


def plot_training_curves(history: Mapping[str, Sequence[float | None]], columns: int = 3) -> Figure:
    """Draw the loss and every metric by epoch, training and validation together, one panel each.

    Args:
        history: as Keras's `History.history`: series by name, the validation ones named "val_...".
        columns: panels in a row.

    Raises:
        ValueError: the history holds no series.
    """
    series = split_history(history)
    if not series:
        raise ValueError("A training history must hold at least one series. Received: none. Pass History.history.")
    columns = min(columns, len(series))
    rows = -(-len(series) // columns)
    figure = new_figure(max(3.1 * columns, 5.2), 2.35 * rows + 0.35)
    panels = np.ravel(figure.subplots(rows, columns, squeeze=False))
    looks = {"train": {"color": POINT, "linestyle": "--"}, "validation": {"color": ACCENT}}
    labelled: set[str] = set()
    for axes, (name, parts) in zip(panels, series.items(), strict=False):
        style_axes(axes, name.replace("_", " "), "Epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
        for part, values in parts.items():
            marker = "o" if len(values) < 3 else None
            label = f"_{part}" if part in labelled else part
            axes.plot(range(1, len(values) + 1), values, linewidth=1.7, marker=marker, label=label, **looks[part])
            labelled.add(part)
    for axes in panels[len(series) :]:
        axes.set_axis_off()
    legend_below(figure, 2)
    return figure


def plot_compare_bars(
    names: Sequence[str],
    panels: Mapping[str, Sequence[tuple[float | None, float | None, float | None]]],
    columns: int = 3,
) -> Figure:
    """Draw one panel per score with one bar per run, and the interval of each value that has one.

    Args:
        names: the runs, in the order of the bars.
        panels: for each panel's title one (value, low, high) per run; None for a missing value or interval.
        columns: panels in a row.

    Raises:
        ValueError: there are no panels, or a panel does not have one value per run.
    """
    if not panels or any(len(values) != len(names) for values in panels.values()):
        raise ValueError(
            "Comparison bars need at least one panel, and one (value, low, high) per run in each. "
            f"Received: {len(names)} runs and panels of {[len(values) for values in panels.values()]}."
        )
    columns = min(columns, len(panels))
    rows = -(-len(panels) // columns)
    width, height = max(3.1 * columns, 5.2), rows * (0.85 + 0.3 * len(names))
    figure = new_figure(width, height)
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes, (title, values) in zip(np.ravel(grid), panels.items(), strict=False):
        _draw_bars(axes, title, names, values)
    for index, axes in enumerate(np.ravel(grid)):
        if index >= len(panels):
            axes.set_axis_off()
        elif index % columns:
            axes.set_yticklabels([])
    return figure


def _draw_bars(axes: Axes, title: str, names: Sequence[str], values: Sequence[tuple]) -> None:
    style_axes(axes, title, grid=False)
    axes.xaxis.grid(color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=4))
    ends = [number for triple in values for number in triple if number is not None]
    low, high = min([0.0, *ends]), max([0.0, *ends])
    room = (high - low) or 1.0
    for row, (value, lower, upper) in enumerate(values):
        if value is None:
            axes.text(0.02 * room, row, "no value", va="center", fontsize=8.5, color=MUTED)
            continue
        axes.barh(row, value, height=0.62, color=RUN_COLOURS[row % len(RUN_COLOURS)])
        if lower is not None and upper is not None:
            reach = [[max(value - lower, 0.0)], [max(upper - value, 0.0)]]
            axes.errorbar(value, row, xerr=reach, color=INK, capsize=3, linewidth=1.3)
        end = max(value, 0.0 if upper is None else upper, 0.0)
        number = f"{value:.3f}" if abs(value) < 10 else f"{value:,.4g}"
        axes.text(end + 0.03 * room, row, number, va="center", fontsize=8.5, color=INK)
    axes.set_xlim(low - (0.03 * room if low < 0 else 0), high + 0.24 * room)
    axes.set_yticks(range(len(names)), names, color=INK, parse_math=False)
    axes.set_ylim(len(names) - 0.45, -0.55)
    axes.tick_params(axis="y", length=0)
