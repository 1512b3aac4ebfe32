"""Pictures that sum up a run: a contact sheet of faces, a time line of each video."""

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from fer_keras.drawing.palette import ACCENT, WARM, class_colour
from fer_keras.files import distinct, write_atomic, write_json
from fer_keras.labels import AXES
from fer_keras.prediction.sources import load_image
from fer_keras.preprocessing import crop_face
from fer_keras.report.plots import legend_below, new_figure, style_axes
from fer_keras.report.sheets import plot_face_sheet
from fer_keras.video.video_reading import VideoReadings

SUMMARY_FILE, SHEET_FILE = "summary.json", "contact_sheet.png"
#: What the summary of an overview holds, by which it is told from other files of its name.
SUMMARY_KEYS = ("pictures", "faces", "emotions", "unreadable")
#: Most faces of a contact sheet, evenly spaced over the run, and of a time line, longest seen first.
MOST_FACES, MOST_LINES = 60, 4
_SIDE = 96


def write_overview(
    folder: Path,
    pictures: list[dict],
    videos: list[VideoReadings],
    summary: dict,
    *,
    say: Callable[[str], None] = print,
) -> None:
    """Write what a run found: `summary.json`, `contact_sheet.png`, a time line of each video.

    Args:
        folder: made if it is not there.
        pictures: rows of pictures.
        videos: as read.
        summary: see `summarise`.
        say: gets the name of each file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    facts = [
        {"path": str(v.path), "frames": v.frames, "read": v.read, "broken": v.broken, "faces": v.faces} for v in videos
    ]
    say(str(write_json(folder / SUMMARY_FILE, {**summary, "videos": facts})))
    if any(row["face"] is not None for row in pictures):
        say(str(_save_figure(plot_contact_sheet(pictures), folder / SHEET_FILE)))
    _, _, *names = overview_names([video.path for video in videos])
    for name, video in zip(names, videos, strict=True):
        if any(row["face"] is not None for row in video.rows):
            say(str(_save_figure(plot_time_line(video.rows), folder / name)))


def overview_names(videos: Iterable[Path]) -> list[str]:
    """Return the names of an overview's files, all different: summary, contact sheet, time line of each video."""
    lines = (f"{video.stem}{f'-{number}' if number else ''}-time_line.png" for number, video in enumerate(videos))
    return [str(name) for name in distinct(map(Path, (SUMMARY_FILE, SHEET_FILE, *lines)))]


def _save_figure(figure: Figure, path: Path) -> Path:
    return write_atomic(path, lambda temporary: figure.savefig(temporary, format="png"))


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


def _draw_face_line(panel, face: int, rows: list[dict], named: bool) -> None:
    seconds = [row["seconds"] for row in rows]
    if rows[0]["probabilities"]:
        names = sorted(rows[0]["probabilities"])
        shares = [[row["probabilities"][name] for row in rows] for name in names]
        colours = [class_colour(name, names) for name in names]
        panel[0].stackplot(seconds, shares, labels=names if named else ["_"] * len(names), colors=colours)
        panel[0].set_ylim(0, 1)
    for axis, colour in zip(AXES, (ACCENT, WARM), strict=True):
        values = [np.nan if row[axis] is None else row[axis] for row in rows]
        panel[1].plot(seconds, values, color=colour, linewidth=1.6, label=axis if named else "_")
    panel[1].set_ylim(-1, 1)
    style_axes(panel[0], f"Face {face}: probabilities", grid=False)
    style_axes(panel[1], f"Face {face}: valence, arousal")


def _caption(row: dict) -> str:
    """Return the answer and, beneath it, the reasons to doubt it, otherwise valence and arousal."""
    answer = f"{row['emotion']} {row['confidence']:.2f}" if row["emotion"] else ""
    axes = " ".join(f"{name} {row[axis]:+.2f}" for name, axis in zip("va", AXES, strict=True) if row[axis] is not None)
    return f"{answer}\n{row.get('marks') or axes}"


def _load(path: str) -> np.ndarray | None:
    try:
        return load_image(path)
    except (ValueError, OSError):
        return None
