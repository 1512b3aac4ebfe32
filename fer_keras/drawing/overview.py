"""Pictures that sum up a run: a contact sheet of faces, a video's time line."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from fer_keras.files import write_atomic
from fer_keras.labels import AXES
from fer_keras.prediction.sources import load_image
from fer_keras.preprocessing import crop_face
from fer_keras.report.plots import ACCENT, WARM, legend_below, new_figure, style_axes
from fer_keras.report.sheets import plot_face_sheet

#: A contact sheet holds so many faces, evenly spaced over the run; a time line shows so many faces, longest seen first.
MOST_FACES, MOST_LINES = 60, 4
_SIDE = 96
_COLOURS = ("#9aa5b1", "#e69f00", "#0072b2", "#f0e442", "#cc79a7", "#009e73", "#d55e00", "#56b4e9")


def plot_contact_sheet(rows: list[dict]) -> Figure:
    """Draw the faces of pictures with what they were read as.

    Args:
        rows: of pictures, see `records_of`; beyond `MOST_FACES` faces, that many evenly spaced ones are shown.
    """
    faces = [row for row in rows if row["face"] is not None]
    places = np.unique(np.linspace(0, len(faces) - 1, min(len(faces), MOST_FACES)).round().astype(int))
    chosen = [faces[place] for place in places]
    images, loaded = [], (None, None)
    for row in chosen:
        if loaded[0] != row["path"]:
            loaded = row["path"], _load(row["path"])
        images.append(None if loaded[1] is None else crop_face(loaded[1], (_SIDE, _SIDE), row["face_box"]))
    return plot_face_sheet(images, [_caption(row) for row in chosen], columns=min(10, max(1, len(chosen))))


def plot_time_line(rows: list[dict]) -> Figure:
    """Draw probabilities (stacked), valence and arousal of a video's faces over time.

    Args:
        rows: of one video, see `read_video`; the `MOST_LINES` faces that were seen longest are shown.
    """
    seen: dict[int, list[dict]] = {}
    for row in rows:
        if row["face"] is not None:
            seen.setdefault(row["id"], []).append(row)
    longest = sorted(sorted(seen, key=lambda face: -len(seen[face]))[:MOST_LINES])
    figure = new_figure(9, 2.6 * len(longest) + 0.6)
    panels = figure.subplots(len(longest), 2, squeeze=False, sharex=True)
    for panel, face in zip(panels, longest, strict=True):
        _draw_face_line(panel, face, seen[face], named=face == longest[0])
    for axes in panels[-1]:
        axes.set_xlabel("seconds", fontsize=9.5)
    legend_below(figure, 5)
    return figure


def save_figure(figure: Figure, path: Path) -> Path:
    """Write a figure as PNG, atomically."""
    return write_atomic(path, lambda temporary: figure.savefig(temporary, format="png"))


def _draw_face_line(panel, face: int, rows: list[dict], named: bool) -> None:
    seconds = [row["seconds"] for row in rows]
    if rows[0]["probabilities"]:
        names = sorted(rows[0]["probabilities"])
        shares = [[row["probabilities"][name] for row in rows] for name in names]
        labels = names if named else ["_"] * len(names)
        panel[0].stackplot(
            seconds, shares, labels=labels, colors=[_COLOURS[k % len(_COLOURS)] for k in range(len(names))]
        )
        panel[0].set_ylim(0, 1)
    for axis, colour in zip(AXES, (ACCENT, WARM), strict=True):
        values = [np.nan if row[axis] is None else row[axis] for row in rows]
        panel[1].plot(seconds, values, color=colour, linewidth=1.6, label=axis if named else "_")
    panel[1].set_ylim(-1, 1)
    style_axes(panel[0], f"Face {face}: probabilities", grid=False)
    style_axes(panel[1], f"Face {face}: valence, arousal")


def _caption(row: dict) -> str:
    """Return the answer and, beneath it, what speaks against believing it, else valence and arousal."""
    answer = f"{row['emotion']} {row['confidence']:.2f}" if row["emotion"] else ""
    axes = " ".join(f"{name} {row[axis]:+.2f}" for name, axis in zip("va", AXES, strict=True) if row[axis] is not None)
    return f"{answer}\n{row.get('marks') or axes}"


def _load(path: str) -> np.ndarray | None:
    try:
        return load_image(path)
    except (ValueError, OSError):
        return None
