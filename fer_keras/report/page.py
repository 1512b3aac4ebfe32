"""The evaluation report: report.md, report.html, metrics.json and plots/*.png from scores and a predictions table."""

import io
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from fer_keras.files import write_atomic
from fer_keras.labels import AXES, EMOTIONS
from fer_keras.metrics.prediction_columns import axis_arrays, emotion_arrays
from fer_keras.report import axis_plots, plots, sheets
from fer_keras.report.rendering import render_html, render_markdown
from fer_keras.report.score_table import EMOTION_SCORES, summary_lines
from fer_keras.report.sections import (
    Code,
    Picture,
    Section,
    Text,
    axes_tables,
    class_table,
    data_section,
    mistakes_table,
    provenance_section,
    score_table,
    sets_section,
    summary_section,
)

__all__ = ["summary_lines", "worst_mistakes", "write_report"]

FaceLoader = Callable[[list[int]], Sequence[np.ndarray | None]]

_WORST = 24


def write_report(
    directory: str | Path,
    scores: Mapping,
    table: pa.Table,
    context: Mapping,
    *,
    history: Mapping[str, Sequence[float | None]] | None = None,
    load_faces: FaceLoader | None = None,
) -> dict[str, Path]:
    """Write the evaluation report of a model: a page for readers, Markdown, the numbers, and the plots.

    Sections of outputs that were not scored are left out. Every file is written under a temporary name and then renamed.

    Args:
        directory: where to write; created if it does not exist. Files of an earlier report are replaced by name.
        scores: what `fer_keras.metrics.scores.score_predictions` returns for `table`.
        table: the predictions table.
        context: what was evaluated: "title", "model", "dataset", "split", "fingerprint", "command", "seconds", "date",
            "versions", "data_report", "selected_on", "notes", and for several data sets "sets", each with "name" and
            "licence". What is missing is shown as not recorded.
        history: a Keras training history, series by name ("loss", "val_loss", ...), or None.
        load_faces: takes row numbers of `table`, returns a uint8 RGB face for each (None = unreadable), for the sheet
            of the worst mistakes; None = no sheet.

    Returns:
        Path of each written file by its name in the directory: "report.html", "plots/roc.png", ...

    Raises:
        ValueError: `scores` and `table` do not belong together.
    """
    if scores.get("n") != table.num_rows:
        raise ValueError(
            "The scores and the predictions table must be of the same rows. "
            f"Received: scores of {scores.get('n')} rows, a table of {table.num_rows}. "
            "Compute the scores with score_predictions(table)."
        )
    sections = build_sections(scores, table, context, history=history, load_faces=load_faces)
    found = (block for section in sections for block in section.blocks if isinstance(block, Picture))
    pictures = {picture.name: _png(picture.figure) for picture in found}
    files = {f"plots/{name}.png": png for name, png in pictures.items()}
    numbers = {"scores": scores, "context": context}
    files["metrics.json"] = json.dumps(_plain(numbers), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    files["report.md"] = render_markdown(sections)
    files["report.html"] = render_html(sections, pictures)
    return {name: _write(Path(directory) / name, content) for name, content in files.items()}


def build_sections(scores, table, context, *, history=None, load_faces=None) -> list[Section]:
    """Return the report as data, in reading order; the arguments are those of `write_report`."""
    sections = [summary_section(scores, context), *sets_section(scores, context)]
    if scores.get("emotion"):
        sections += _emotion_sections(scores["emotion"], table)
    if any(scores.get(axis) for axis in AXES):
        sections.append(_axes_section(scores, table))
    if history:
        sections.append(_training_section(history))
    mistakes = _mistakes_section(scores, table, load_faces)
    return [*sections, *mistakes, data_section(scores, context), provenance_section(context)]


def _emotion_sections(emotion: Mapping, table: pa.Table) -> list[Section]:
    labels = emotion["labels"]
    truth, predicted, probabilities = emotion_arrays(table)
    confidence = probabilities[np.arange(len(truth)), predicted]
    roc, pr = (draw(truth, probabilities, labels) for draw in (plots.plot_roc, plots.plot_precision_recall))
    share, counts = (plots.plot_confusion(emotion["confusion"], labels, normalise=on) for on in (True, False))
    rows = "Rows are the label, columns the prediction"
    return [
        Section("Emotion", (score_table(emotion, EMOTION_SCORES),)),
        Section("Each class", (class_table(emotion),)),
        Section("Confusion", (
            Picture("confusion_normalised", share, "Confusion matrix by row", f"{rows}; recall is the diagonal."),
            Picture("confusion_counts", counts, "Confusion matrix of counts", f"{rows}; numbers of faces."),
        )),
        Section("ROC and PR curves", (
            Picture("roc", roc, "ROC curves by class", "Further to the upper left is better; the grey line is chance."),
            Picture("precision_recall", pr, "Precision-recall curves by class",
                    "Further to the upper right is better; chance is the share of the class."),
        )),
        Section("Reliability", (
            Picture("reliability", plots.plot_reliability(confidence, truth == predicted), "Reliability diagram",
                    "A bar below its orange line: the model is more confident than it is right."),
        )),
    ]  # fmt: skip


def _floats(table: pa.Table, column: str) -> np.ndarray:
    """A column as float64, null as NaN."""
    return table.column(column).to_numpy().astype(float)


def _axes_section(scores: Mapping, table: pa.Table) -> Section:
    present = [axis for axis in AXES if scores.get(axis)]
    blocks: list = list(axes_tables(scores))
    if len(present) == len(AXES):
        blocks += _circumplexes(scores, table)
    for axis in present:
        figure = axis_plots.plot_error_against_label(*axis_arrays(table, axis), axis)
        caption = "A line that falls from left to right: predictions are pulled to the middle."
        blocks.append(Picture(f"{axis}_error", figure, f"Error of {axis} against its label", caption))
    return Section("Valence and arousal" if len(present) == 2 else present[0].capitalize(), tuple(blocks))


def _circumplexes(scores: Mapping, table: pa.Table) -> list[Picture]:
    """Labels and predictions on the circumplex, of the rows labelled on both axes, coloured by their emotion label."""
    columns = {f"{axis}_{kind}": _floats(table, f"{axis}_{kind}") for axis in AXES for kind in ("true", "pred")}
    rows = np.flatnonzero(~np.isnan(columns["valence_true"]) & ~np.isnan(columns["arousal_true"]))
    emotions = None
    if "emotion_true" in table.column_names:
        names = table.column("emotion_true").to_pylist()
        emotions = [names[row] for row in rows] if any(name is not None for name in names) else None
    pictures, labels = [], (scores.get("emotion") or {}).get("labels", EMOTIONS)
    for kind, title in (("true", "Labels"), ("pred", "Predictions")):
        x, y = columns[f"valence_{kind}"][rows], columns[f"arousal_{kind}"][rows]
        figure = axis_plots.plot_circumplex(x, y, title, emotions, labels=labels)
        caption = f"{title}{', coloured by the emotion label' if emotions else ''}; the circle has radius 1."
        pictures.append(Picture(f"circumplex_{kind}", figure, f"{title} of valence and arousal", caption))
    return pictures


def _training_section(history: Mapping) -> Section:
    alt, caption = "Training curves", "Dashed: training. Solid: validation."
    return Section("Training", (Picture("training", sheets.plot_training_curves(history), alt, caption, wide=True),))


def worst_mistakes(scores: Mapping, table: pa.Table, count: int = _WORST) -> tuple[list[int], list[dict[str, str]]]:
    """Return the rows of the worst mistakes, worst first, and a description of each.

    With an emotion output: the wrong labels given with the highest confidence. Otherwise: the largest distance between
    label and prediction over the scored axes. Ties keep the table's order.

    Returns:
        Row numbers, and for each a dict of title to text ("Id" is a `Code`); both empty if there is no mistake.
    """
    ids = table.column("id").to_pylist()
    if scores.get("emotion"):
        labels = scores["emotion"]["labels"]
        truth, predicted, probabilities = emotion_arrays(table)
        rows = np.flatnonzero(table.column("emotion_true").is_valid().to_numpy())
        badness = np.where(truth == predicted, -1.0, probabilities[np.arange(len(rows)), predicted])
        order = [place for place in np.argsort(-badness, kind="stable")[:count] if badness[place] >= 0]
        words = [{"Label": labels[truth[p]], "Predicted": labels[predicted[p]], "Confidence": f"{badness[p]:.2f}"}
                for p in order]  # fmt: skip
    else:
        axes = [axis for axis in AXES if scores.get(axis)]
        true, predicted = (np.stack([_floats(table, f"{axis}_{k}") for axis in axes], 1) for k in ("true", "pred"))
        rows = np.flatnonzero(~np.isnan(true).any(axis=1))
        true, predicted = true[rows], predicted[rows]
        badness = np.sqrt(np.sum((true - predicted) ** 2, axis=1))
        order = [place for place in np.argsort(-badness, kind="stable")[:count] if badness[place] > 0]
        words = [
            {"Label": _point(true[p]), "Predicted": _point(predicted[p]), "Error": f"{badness[p]:.2f}"} for p in order
        ]
    chosen = [int(rows[place]) for place in order]
    return chosen, [{**cells, "Id": Code(ids[row])} for row, cells in zip(chosen, words, strict=True)]


def _point(values: np.ndarray) -> str:
    return ", ".join(f"{value:+.2f}" for value in values)


def _mistakes_section(scores: Mapping, table: pa.Table, load_faces: FaceLoader | None) -> list[Section]:
    if not any(scores.get(output) for output in ("emotion", *AXES)):
        return []
    rows, mistakes = worst_mistakes(scores, table)
    if not rows:
        return [Section("Worst mistakes", (Text("There is none among the labelled faces."),))]
    how = "Wrong labels given with the highest confidence." if scores.get("emotion") else "Largest errors."
    blocks: list = [Text(how)]
    if load_faces is not None:
        faces = load_faces(rows)
        captions = [f"{m['Predicted']} {m.get('Confidence', '')}".strip() + f"\nlabel {m['Label']}" for m in mistakes]
        caption = "Above: the prediction with its confidence. Below: the label." if scores.get("emotion") else \
            "Above: the prediction. Below: the label."  # fmt: skip
        sheet = sheets.plot_face_sheet(faces, captions, columns=6)
        blocks.append(Picture("worst_mistakes", sheet, "Faces of the worst mistakes", caption, wide=True))
    return [Section("Worst mistakes", (*blocks, mistakes_table(mistakes)))]


def _png(figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def _plain(value):
    """A value as JSON can hold it: NumPy numbers as Python's, undefined and infinite numbers as null, paths as text."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray | list | tuple | set):
        return [_plain(item) for item in (sorted(value) if isinstance(value, set) else value)]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def _write(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    data = content if isinstance(content, bytes) else content.encode("utf-8")
    return write_atomic(path, lambda temporary: temporary.write_bytes(data))
