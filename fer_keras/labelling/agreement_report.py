"""Two annotators' agreement as files: a table, a picture, the faces on which they differ most."""

from pathlib import Path

import cv2
import numpy as np
from matplotlib.figure import Figure

from fer_keras.drawing.palette import ACCENT, AXIS
from fer_keras.files import check_own_files, write_atomic, write_json, write_text
from fer_keras.labelling.annotator_scores import (
    AnnotatorLabels,
    LabelPairs,
    agreement_scores,
    disagreements,
    emotion_labels,
    emotion_matrix,
    pair_labels,
)
from fer_keras.labels import AXES, VA_RANGE
from fer_keras.prediction.csv_cells import csv_row
from fer_keras.prediction.sources import load_image
from fer_keras.report.plots import draw_confusion, new_figure, style_axes
from fer_keras.report.rendering import markdown_table
from fer_keras.report.score_table import UNDEFINED
from fer_keras.report.sections import Table
from fer_keras.report.sheets import plot_face_sheet

FACTS, TEXT, PLOT = "agreement.json", "agreement.md", "agreement.png"
DIFFERING, SHEET = "disagreements.csv", "disagreements.png"
_KEYS = ("annotators", "faces", "scores")
_NAMES = {
    "alpha": "Krippendorff's alpha, nominal",
    "kappa": "Cohen's kappa",
    "equal": "equal answers",
    "ccc": "CCC",
    "mae": "mean absolute difference",
}
_SHOWN, _SIDE = 30, 96


def check_agreement_place(folder: Path, *, overwrite: bool = False) -> None:
    """Refuse a folder for an agreement whose files of its names no agreement made.

    Raises:
        ValueError: the file is named.
    """
    names = (FACTS, TEXT, PLOT, DIFFERING, SHEET)
    check_own_files(folder, names, sign=FACTS, keys=_KEYS, overwrite=overwrite)


def write_agreement(one: AnnotatorLabels, other: AnnotatorLabels, folder: Path) -> str:
    """Compare two annotators and write the files of an agreement.

    Args:
        one, other: their labels.
        folder: where to write, made if it is not there.

    Returns:
        The table as Markdown, which reads well in a terminal.

    Raises:
        ValueError: no face in both, or none that both labelled.
    """
    pairs = pair_labels(one, other)
    scores = agreement_scores(pairs)
    if not scores:
        raise ValueError(
            f"Expected faces that both labelled, two or more. Received: {one.path} and {other.path}, which have "
            f"{len(pairs.images):,} faces in common and no such labels."
        )
    text = _text(one, other, pairs, scores)
    folder.mkdir(parents=True, exist_ok=True)
    facts = {
        "annotators": [str(one.path), str(other.path)],
        "faces": {"both": len(pairs.images), "only": list(pairs.only)},
        "scores": scores,
    }
    write_json(folder / FACTS, facts)  # first: it is the sign of an agreement
    write_text(folder / TEXT, text + "\n")
    _save(plot_agreement(pairs, (one.path.stem, other.path.stem)), folder / PLOT)
    differing = disagreements(pairs)
    lines = [csv_row(("image", "emotion_1", "emotion_2", "valence_1", "valence_2", "arousal_1", "arousal_2", "far"))]
    lines += [csv_row(_line(pairs, row, far)) for row, far in differing]
    write_text(folder / DIFFERING, "".join(lines))
    sheet = _sheet(one.path.parent, pairs, [row for row, _ in differing[:_SHOWN]])
    if sheet is not None:
        _save(sheet, folder / SHEET)
    return text


def _text(one: AnnotatorLabels, other: AnnotatorLabels, pairs: LabelPairs, scores: dict) -> str:
    rows = [
        (output, _NAMES[name], _number(score["value"]), _interval(score), f"{score['n']:,}")
        for output, named in scores.items()
        for name, score in named.items()
    ]
    table = markdown_table(Table(("Label", "Score", "Value", "95 % interval", "n"), tuple(rows), words=(1,)))
    skipped = sum(pair == (None, None) for pair in pairs.emotions)
    return "\n".join(
        [
            f"{one.path} and {other.path}: {len(pairs.images):,} faces in both, {pairs.only[0]:,} and {pairs.only[1]:,} in "
            f"one alone, {skipped:,} to which neither gave an emotion.",
            "",
            *table,
        ]
    )


def _number(value: float | None) -> str:
    return UNDEFINED if value is None else f"{value:.3f}"


def _interval(score: dict) -> str:
    return UNDEFINED if score["low"] is None else f"{score['low']:.3f} to {score['high']:.3f}"


def plot_agreement(pairs: LabelPairs, names: tuple[str, str]) -> Figure:
    """Draw what two annotators called the same faces: a matrix of emotions, and a scatter of valence and of arousal.

    Args:
        pairs: of both annotators.
        names: of the annotators.
    """
    matrix, labels = emotion_matrix(pairs), emotion_labels(pairs)
    scatters = [
        (axis, pairs.axes[:, np.isfinite(pairs.axes[:, :, place]).all(axis=0), place])
        for place, axis in enumerate(AXES)
    ]
    scatters = [(axis, values) for axis, values in scatters if values.shape[1]]
    panels = bool(len(labels)) + len(scatters)
    figure = new_figure(4.8 * panels, 5.1)
    axes = iter(np.atleast_1d(figure.subplots(1, panels)))
    if len(labels):
        draw_confusion(next(axes), matrix, labels, words=(names[1], names[0]))
    for axis, (first, second) in scatters:
        panel = style_axes(next(axes), f"{axis.capitalize()}, n = {len(first):,}", names[0], names[1])
        panel.plot(VA_RANGE, VA_RANGE, color=AXIS, linewidth=1)
        panel.scatter(first, second, s=16, alpha=0.5, color=ACCENT, linewidths=0)
        panel.set(xlim=(-1.05, 1.05), ylim=(-1.05, 1.05), aspect="equal")
    return figure


def _line(pairs: LabelPairs, row: int, far: float) -> list:
    axes = [None if np.isnan(value) else float(value) for value in pairs.axes[:, row].T.ravel()]
    return [pairs.images[row], *pairs.emotions[row], *axes, round(far, 4)]


def _sheet(folder: Path, pairs: LabelPairs, rows: list[int]) -> Figure | None:
    """Draw the faces on which two annotators differ most with both answers; None where there are none."""
    if not rows:
        return None
    faces = [_face(folder / pairs.images[row]) for row in rows]
    captions = ["\n".join(_caption(pairs, row, who) for who in (0, 1)) for row in rows]
    return plot_face_sheet(faces, captions, columns=min(6, len(rows)))


def _caption(pairs: LabelPairs, row: int, who: int) -> str:
    axes = " ".join(f"{value:+.1f}" for value in pairs.axes[who, row] if not np.isnan(value))
    return f"{pairs.emotions[row][who] or UNDEFINED} {axes}".strip()


def _face(path: Path) -> np.ndarray | None:
    try:
        return cv2.resize(load_image(path), (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    except (ValueError, OSError):
        return None


def _save(figure: Figure, path: Path) -> None:
    write_atomic(path, lambda temporary: figure.savefig(temporary, format="png"))
