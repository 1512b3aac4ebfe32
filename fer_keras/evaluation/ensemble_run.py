"""Evaluating several models at once: the mean of their calibrated answers, and what it gains over the best of them."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from fer_keras.batches.inputs import SplitInputs, open_split
from fer_keras.data.index import FaceIndex
from fer_keras.evaluation.evaluate_config import EvaluateConfig
from fer_keras.evaluation.evaluation_run import split_of
from fer_keras.evaluation.evaluator import predict_views, predictions_table, write_evaluation
from fer_keras.metrics.paired import paired_differences
from fer_keras.metrics.scores import score_predictions
from fer_keras.runs.averaging import in_order, mean_answers, shared_labels
from fer_keras.runs.bundle import Bundle
from fer_keras.runs.calibration import calibrated
from fer_keras.runs.run_directory import check_report_place


@dataclass(frozen=True)
class EnsembleScores:
    """What an evaluation of an ensemble found.

    Attributes:
        scores: of the ensemble, see `score_predictions`.
        members: name -> scores of each model alone, without intervals of F1 and the axes.
        best: name of the best model alone: by accuracy, or by the mean CCC where there are no emotions.
        gain: of the ensemble over the best model, see `paired_differences`.
        directory: of the report.
    """

    scores: dict
    members: dict[str, dict]
    best: str
    gain: dict
    directory: Path


def evaluate_ensemble(
    bundles: Sequence[Bundle],
    config: EvaluateConfig | None = None,
    *,
    say: Callable[[str], None] = lambda line: None,
    **settings,
) -> EnsembleScores:
    """Evaluate the mean of several models' calibrated answers on one split of a data set.

    Each model sees the faces at its own size. The best model is chosen on the very faces that are scored, so the gain over it
    is told too small rather than too large.

    Args:
        bundles: of the models, of the same classes; faces that one of them was trained on are left out where the data are
            others than its own.
        config: as for `evaluate_run`; `output_dir` must be given. The data are by default those of the first model.
        say: gets a line on the faces that a model was trained on.
        **settings: settings of `EvaluateConfig`, over those of `config`.

    Raises:
        ValueError: fewer than two models, other classes, data that they split differently, no output_dir, or as for
            `evaluate_run`.
    """
    config = replace(config or EvaluateConfig(), **settings)
    _check(bundles, config)
    labels = shared_labels(bundles)
    index, outputs, remarks = _shared_split(bundles, config, say)
    started = time.perf_counter()
    answers = [_answers(bundle, index, outputs, config) for bundle in bundles]
    seconds = time.perf_counter() - started
    found = [in_order(values, bundle.labels, labels) for bundle, (values, _) in zip(bundles, answers, strict=True)]
    inputs = answers[0][1]
    for _, other in answers[1:]:
        inputs.loader.unreadable.update(other.loader.unreadable)
    table, *parts = [
        predictions_table(index, values, labels, inputs.loader.unreadable) for values in (mean_answers(found), *found)
    ]
    tables = {str(bundle.directory): part for bundle, part in zip(bundles, parts, strict=True)}
    title = f"Mean of {len(bundles)} models on {index.spec.title}, {index.split[0]}"
    scores, _ = write_evaluation(
        bundles[0], table, inputs, config, seconds=seconds, remarks=remarks, title=title, model=", ".join(tables)
    )
    alone = {name: score_predictions(part, bootstrap=0) for name, part in tables.items()}
    best = max(alone, key=lambda name: _rank(alone[name]))
    return EnsembleScores(scores, alone, best, paired_differences(table, tables[best]), Path(config.output_dir))


def gain_lines(found: EnsembleScores) -> list[str]:
    """Return the scores of each model alone, and the gain over the best, in lines for a terminal."""
    lines = ["", "each model alone:"]
    for name, scores in found.members.items():
        lines.append(f"  {name}: {', '.join(_shown(scores))}")
    lines.append(f"gain over the best alone, {found.best} (paired bootstrap, 95 %):")
    for output, metrics in found.gain.items():
        for metric, entry in metrics.items():
            lines.append(f"  {output} {metric} {entry['value']:+.3f} ({entry['low']:+.3f} to {entry['high']:+.3f})")
    return lines


def _check(bundles: Sequence[Bundle], config: EvaluateConfig) -> None:
    if len(bundles) < 2:
        raise ValueError(f"An ensemble needs at least two models. Received: {len(bundles)}.")
    if config.output_dir is None:
        raise ValueError("Of several models none keeps the report. Say where it goes: --output-dir DIR.")
    if config.conditions:
        raise ValueError("--conditions scores one model. Evaluate each alone.")
    check_report_place(Path(config.output_dir), overwrite=config.overwrite)


def _shared_split(
    bundles: Sequence[Bundle], config: EvaluateConfig, say: Callable[[str], None]
) -> tuple[FaceIndex, tuple[str, ...], tuple[str, ...]]:
    """Return the faces that no model was trained on, the outputs that they and a model share, and remarks on the faces."""
    first = bundles[0]
    data = replace(
        config,
        data_spec=config.data_spec or first.config.get("data_spec"),
        data_dir=config.data_dir or first.config.get("data_dir"),
    )
    index, outputs, remarks = split_of(first, data, say)
    for bundle in bundles[1:]:
        other, others, told = split_of(bundle, data, say)
        outputs += tuple(name for name in others if name not in outputs)
        remarks += tuple(remark for remark in told if remark not in remarks)
        if other.spec.name != index.spec.name:
            raise ValueError(f"{bundle.directory} reads other data than {first.directory}. Name them: --data-spec.")
        index = _both(index, other, f"{bundle.directory} and {first.directory}")
    return index, outputs, remarks


def _both(index: FaceIndex, other: FaceIndex, names: str) -> FaceIndex:
    """Return the faces of one index that are in another too; those in arrays have no path, so contents are compared too."""
    kept = set(zip(other.id.tolist(), other.content.tolist(), strict=True))
    faces = zip(index.id.tolist(), index.content.tolist(), strict=True)
    rows = np.array([face in kept for face in faces], bool)
    if not rows.any():
        raise ValueError(f"{names} share no face of this split: they split the data differently.")
    return index if rows.all() else index.take(rows)


def _answers(
    bundle: Bundle, index: FaceIndex, outputs: tuple[str, ...], config: EvaluateConfig
) -> tuple[dict[str, np.ndarray], SplitInputs]:
    """Return a model's calibrated outputs for every face, and the inputs, which know the unreadable ones."""
    inputs = open_split(index, bundle.image_size, outputs, align=bundle.aligned)
    found = predict_views(bundle.load_model(), inputs, config)
    if "emotion" in found:
        found["emotion"] = calibrated(bundle, found["emotion"])
    return found, inputs


def _rank(scores: dict) -> float:
    return scores["emotion"]["accuracy"]["value"] if "emotion" in scores else scores.get("p_va", {}).get("value", 0.0)


def _shown(scores: dict) -> list[str]:
    shown = [
        f"{name} {scores['emotion'][name]['value']:.3f}" for name in ("accuracy", "f1_macro") if "emotion" in scores
    ]
    return shown + [
        f"{axis} ccc {scores[axis]['ccc']['value']:.3f}" for axis in ("valence", "arousal") if axis in scores
    ]
