"""Evaluating a model on one split: predictions, scores recomputed from them, and the report."""

import shlex
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from fer_keras.batches.batches import EvaluationBatches
from fer_keras.batches.conditions import ChangedImages
from fer_keras.batches.inputs import SplitInputs
from fer_keras.batches.loader import FaceLoader
from fer_keras.batches.pipeline import evaluation_data
from fer_keras.data.index import FaceIndex
from fer_keras.data.several import split_members
from fer_keras.evaluation.evaluate_config import EvaluateConfig
from fer_keras.files import write_atomic
from fer_keras.labels import AXES, match_emotions
from fer_keras.metrics.prediction_columns import AGREED_COLUMN, DERIVED_KEY, LABELS_KEY, SET_COLUMN
from fer_keras.metrics.scores import score_predictions
from fer_keras.report.page import write_report
from fer_keras.report.score_table import summary_lines
from fer_keras.runs.bundle import Bundle, versions
from fer_keras.runs.bundle_parts import SplitScores
from fer_keras.runs.run_directory import PREDICTIONS_FILE, read_history
from fer_keras.views import TTA, face_views


def predict_views(model, inputs: SplitInputs, config: EvaluateConfig) -> dict[str, np.ndarray]:
    """Return the outputs of `predict_split`, averaged over the views of each face that `config.tta` asks for."""
    if config.tta == "none":
        return predict_split(model, inputs, config)
    size, found = inputs.loader.image_size, []
    for number in range(TTA[config.tta]):
        source = ChangedImages(inputs.loader.source, lambda image, n=number: face_views(image, size, config.tta)[n])
        loader = FaceLoader(source, size)
        found.append(predict_split(model, replace(inputs, loader=loader), config))
        inputs.loader.unreadable.update(loader.unreadable)
    return {name: np.mean([outputs[name] for outputs in found], axis=0, dtype=np.float32) for name in found[0]}


def predict_split(model, inputs: SplitInputs, config: EvaluateConfig) -> dict[str, np.ndarray]:
    """Return the model's outputs for every face of a split, in its order.

    Args:
        model: the Keras model.
        inputs: the faces.
        config: its `batch_size` and `workers` are used.

    Returns:
        emotion (n, labels) float32; valence, arousal (n,) float32, in [-1, 1] by the tanh head.
    """
    batches = EvaluationBatches(inputs.loader, inputs.targets, config.batch_size)
    outputs = model.predict(evaluation_data(batches, config.workers), verbose=1 if sys.stdout.isatty() else 0)
    return {name: values if name == "emotion" else values[:, 0] for name, values in outputs.items()}


def predictions_table(
    index: FaceIndex, outputs: dict[str, np.ndarray], labels: tuple[str, ...], unreadable: dict[int, str]
) -> pa.Table:
    """Return labels beside predictions, one row per readable face; every score can be recomputed from it.

    Args:
        index: the faces.
        outputs: as `predict_split` gives them.
        labels: names of the model's classes, in order. A face of another emotion counts as not labelled.
        unreadable: rows left out.
    """
    import json

    keep = np.array([row not in unreadable for row in range(len(index))], bool)
    columns = {"split": index.split[keep], "id": index.id[keep], "path": index.path[keep]}
    if index.members:
        columns[SET_COLUMN] = np.array([member.name for member in index.members])[index.member[keep]]
    columns = {name: pa.array(values.tolist(), pa.string()) for name, values in columns.items()}
    if index.agreed is not None:
        agreed = [None if np.isnan(value) else bool(value) for value in index.agreed[keep].tolist()]
        columns[AGREED_COLUMN] = pa.array(agreed, pa.bool_())
    if "emotion" in outputs:
        places = [*match_emotions(index.labels, labels), -1]  # the last one for faces without an emotion
        codes = [places[code] for code in index.emotion[keep].tolist()]
        columns["emotion_true"] = pa.array([labels[code] if code >= 0 else None for code in codes], pa.string())
        probabilities = outputs["emotion"][keep]
        columns["emotion_pred"] = pa.array([labels[code] for code in probabilities.argmax(1).tolist()], pa.string())
        columns.update({f"probability_{name}": pa.array(probabilities[:, code]) for code, name in enumerate(labels)})
    for axis in AXES:
        if axis in outputs:
            columns[f"{axis}_true"] = pa.array(getattr(index, axis)[keep], from_pandas=True)  # NaN becomes null
            columns[f"{axis}_pred"] = pa.array(outputs[axis][keep])
    marks = {LABELS_KEY: labels, DERIVED_KEY: index.spec.derived}
    return pa.table(columns).replace_schema_metadata({key: json.dumps(marks[key]) for key in marks})


def evaluate_split(
    bundle: Bundle, model, inputs: SplitInputs, config: EvaluateConfig, *, remarks: Sequence[str] = ()
) -> dict:
    """Evaluate a model on one split and write predictions, scores and report.

    Args:
        bundle: of the model; its `scores` get this evaluation's, under "data set/split". Scores over several views get
            entries of their own.
        model: the Keras model.
        inputs: the faces; targets are used for their order only.
        config: its `output_dir` says where to write, and must be given; `batch_size`, `workers` and `tta` say how the faces
            are predicted.
        remarks: what the report says of the faces beside what their index tells, a sentence each without a full stop.

    Returns:
        The scores.

    Raises:
        ValueError: no face of the split could be read.
    """
    started = time.perf_counter()
    outputs = predict_views(model, inputs, config)
    seconds = time.perf_counter() - started
    table = predictions_table(inputs.index, outputs, bundle.labels, inputs.loader.unreadable)
    scores, context = write_evaluation(bundle, table, inputs, config, seconds=seconds, remarks=remarks)
    _keep_scores(bundle, inputs.index, scores, date=context["date"], tta=config.tta)
    return scores


def write_evaluation(
    bundle: Bundle,
    table: pa.Table,
    inputs: SplitInputs,
    config: EvaluateConfig,
    *,
    seconds: float,
    remarks: Sequence[str] = (),
    **facts,
) -> tuple[dict, dict]:
    """Score a predictions table and write it with its scores and report to `config.output_dir`.

    Args:
        bundle: of the model, or of the first of several.
        table: see `predictions_table`.
        inputs: the faces.
        config: of the evaluation.
        seconds: that predicting took.
        remarks: see `evaluate_split`.
        **facts: of the report's context, in place of what the bundle says.

    Returns:
        The scores and the report's context.

    Raises:
        ValueError: an empty table.
    """
    if not table.num_rows:
        raise ValueError(
            f"None of the {len(inputs.index):,} faces could be read, for example: {inputs.unreadable()[0]}."
        )
    directory, scores = Path(config.output_dir), score_predictions(table, bundle.baseline)
    directory.mkdir(parents=True, exist_ok=True)
    write_atomic(directory / PREDICTIONS_FILE, lambda path: pq.write_table(table, path))
    context = _context(bundle, inputs, seconds) | facts
    context["notes"] += [f"{remark[0].upper()}{remark[1:]}." for remark in remarks]
    if config.tta != "none":
        context["notes"].append(f"Answers are means over {TTA[config.tta]} views of each face ({config.tta}).")
    curves = {} if facts else _curves(bundle.directory)  # one model's curves are not those of several
    write_report(directory, scores, table, context, history=curves, load_faces=_faces_of_rows(inputs))
    return scores, context


def _curves(run: Path) -> dict[str, list[float | None]]:
    """Return the columns of a run's history that a report draws, by name."""
    history = read_history(run) or []
    names = [name for name in history[0] if name not in ("epoch", "seconds")] if history else []
    return {name: [row.get(name) for row in history] for name in names}


def _faces_of_rows(inputs: SplitInputs) -> Callable[[list[int]], list[np.ndarray]]:
    """Return a function from rows of the predictions table, which has readable faces only, to their faces."""
    readable = [row for row in range(len(inputs.index)) if row not in inputs.loader.unreadable]
    return lambda rows: list(inputs.loader.load(np.array([readable[row] for row in rows], np.int64))[0])


def _keep_scores(bundle: Bundle, index: FaceIndex, scores: dict, *, date: str, tta: str) -> None:
    """Put scores into the bundle under "data set/split", those of each joined set under its own name."""
    filtered = index.spec.options.get("label_filter") == "paper"
    suffix = "".join(f" ({part})" for part, there in ((tta, tta != "none"), ("paper", filtered)) if there)
    kept, sets = dict(scores), scores.get("sets", {})
    kept.pop("sets", None)
    found = {index.spec.name: (index, kept)}
    found |= {name: (part, sets[name]) for name, part in split_members(index).items() if name in sets}
    for name, (part, entry) in found.items():
        bundle.scores[f"{name}/{index.split[0]}{suffix}"] = SplitScores(entry, part.fingerprint(), date)


def _context(bundle: Bundle, inputs: SplitInputs, seconds: float) -> dict:
    index, split = inputs.index, str(inputs.index.split[0])
    same_data = bundle.trained_on(index.set_names)
    report = index.report
    foreign = _foreign(index, bundle.labels) if "emotion" in bundle.outputs else {}
    notes = [index.spec.note.strip()] if index.spec.note else []
    if index.spec.derived:
        notes.append(
            f"{' and '.join(index.spec.derived).capitalize()} labels are derived from the emotion's votes or label "
            "(published coordinates of each emotion), not measured: their scores say how well the emotion was read."
        )
    if foreign:
        told = ", ".join(f"{name} ({count:,} faces)" for name, count in foreign.items())
        notes.append(f"The model has no class for {told}; such faces count as not labelled.")
    return {
        "title": f"{bundle.model.backbone} on {index.spec.title}, {split}",
        "model": str(bundle.directory),
        "dataset": index.spec.name,
        "split": split,
        "fingerprint": index.fingerprint(),
        "command": shlex.join(["python", "-m", *_command()]),
        "seconds": round(seconds, 2),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": versions(),
        "selected_on": bundle.selected.split if same_data else None,
        "data_report": {
            "rows": len(index),
            "dropped": dict(report.dropped),
            "missing_labels": dict(report.missing_labels),
            "warnings": dict(report.warnings),
            "unreadable": [f"{bad['id']}: {bad['reason']}" for bad in inputs.unreadable()],
        },
        "notes": notes,
        "sets": [{"name": member.name, "licence": member.spec.licence} for member in index.members],
    }


def _foreign(index: FaceIndex, labels: tuple[str, ...]) -> dict[str, int]:
    """Return the emotions of the data for which the model has no class, with their numbers of faces."""
    places = match_emotions(index.labels, labels)
    counts = {name: int((index.emotion == code).sum()) for code, name in enumerate(index.labels) if places[code] < 0}
    return {name: count for name, count in counts.items() if count}


def _command() -> list[str]:
    program = Path(sys.argv[0])
    return [f"fer_keras.{program.stem}" if program.parent.name == "fer_keras" else program.name, *sys.argv[1:]]


def show_scores(scores: dict, directory: Path) -> None:
    """Print the scores with intervals and baselines, and the report's path."""
    print("\n".join(["", *summary_lines(scores), "", f"report: {directory / 'report.html'}"]))
