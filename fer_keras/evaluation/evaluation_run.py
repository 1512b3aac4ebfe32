"""Evaluating a run by its bundle: on the data and split of training or others, with the scores kept in the bundle."""

import json
import math
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from fer_keras.batches.inputs import open_split
from fer_keras.data.index import FaceIndex
from fer_keras.data.loading import load_faces
from fer_keras.evaluation.evaluate_config import EvaluateConfig
from fer_keras.evaluation.known_faces import is_own_data, without_known
from fer_keras.runs.bundle import Bundle
from fer_keras.runs.bundle_parts import SplitScores
from fer_keras.runs.run_directory import EVALUATIONS_DIR, check_report_place


def evaluate_run(
    bundle: Bundle,
    config: EvaluateConfig | None = None,
    *,
    say: Callable[[str], None] = lambda line: None,
    **settings,
) -> tuple[dict, Path]:
    """Evaluate a bundle's model on one split of a data set.

    Args:
        bundle: of the run; its file keeps the scores.
        config: the data (by default those of training, split exactly as then), the split (see `FaceIndex.of_split`), and
            where the report goes. With `conditions`, changed copies of the faces are scored too (see
            `evaluate_conditions`), into `conditions.json` and `conditions.md`.
        say: gets a line on the faces that the model was trained on, and one if the bundle's file cannot keep the scores, for
            example that of an installed model.
        **settings: settings of `EvaluateConfig`, over those of `config`.

    Returns:
        The scores, and the directory of the report.

    Raises:
        ValueError: no such split, no faces in it that the model was not trained on, targets that the model does not have, or
            no place for the report: none that can be written, or one with files of its names that no evaluation made.

    Example:
        scores, directory = evaluate_run(load_bundle("runs/mine"), split="test", batch_size=128)
    """
    config = replace(config or EvaluateConfig(), **settings)
    writable = os.access(bundle.directory, os.W_OK)
    if config.output_dir is None and not writable:
        raise ValueError(f"{bundle.directory} cannot be written. Say where the report goes: --output-dir DIR.")
    if config.output_dir is not None:
        check_report_place(Path(config.output_dir), overwrite=config.overwrite)
    index, shared, remarks = split_of(bundle, config, say)
    from fer_keras.evaluation.evaluator import evaluate_split

    directory = Path(config.output_dir or _default_directory(bundle, index, config.tta))
    config = replace(config, output_dir=str(directory))
    inputs = open_split(index, bundle.image_size, shared, align=bundle.aligned)
    model = bundle.load_model()
    earlier = dict(bundle.scores)
    scores = evaluate_split(bundle, model, inputs, config, remarks=remarks)
    _keep_conditions(earlier, bundle.scores)
    if config.conditions:
        _evaluate_conditions(bundle, model, inputs, config)
    if writable and not _confirmed(earlier, bundle.scores):
        bundle.save()
    elif not writable:
        say(f"{bundle.directory} cannot be written, so its bundle does not keep these scores; the report does")
    return scores, directory


def _default_directory(bundle: Bundle, index: FaceIndex, tta: str) -> Path:
    views = "" if tta == "none" else f"-{tta}"
    filtered = "-paper" if index.spec.options.get("label_filter") == "paper" else ""
    return bundle.directory / EVALUATIONS_DIR / f"{index.spec.name}-{index.split[0]}{views}{filtered}"


def split_of(
    bundle: Bundle, config: EvaluateConfig, say: Callable[[str], None]
) -> tuple[FaceIndex, tuple[str, ...], tuple[str, ...]]:
    """Return the faces of one split to score a model on, the outputs that they and the model share, and remarks on them.

    They are split as for training, and without those of other data that the model was trained on (see `without_known`).

    Raises:
        ValueError: no output is shared, or the model was trained on every face.
    """
    data = bundle.data_config(config.data_spec, config.data_dir)
    index = load_faces(replace(data, label_filter=config.label_filter or data.label_filter)).of_split(config.split)
    shared = tuple(name for name in bundle.outputs if name in index.spec.targets)
    if not shared:
        raise ValueError(
            f"{index.spec.name} labels {', '.join(index.spec.targets)}. Expected one of the model's outputs: "
            f"{', '.join(bundle.outputs)}."
        )
    own = is_own_data(bundle, config.data_spec, config.data_dir)
    index, remarks = without_known(bundle, index, own=own, keep=config.keep_known)
    for remark in remarks:
        say(f"note: {remark}")
    return index, shared, remarks


def _keep_conditions(earlier: dict[str, SplitScores], scores: dict[str, SplitScores]) -> None:
    """Carry what was measured by condition over to a newer evaluation of the same faces, which measures less."""
    for name, entry in scores.items():
        before = earlier.get(name)
        if before and entry.conditions is None and before.fingerprint == entry.fingerprint:
            scores[name] = replace(entry, conditions=before.conditions)


def _confirmed(earlier: dict[str, SplitScores], scores: dict[str, SplitScores]) -> bool:
    """Whether an evaluation found, to rounding, what was known; then a bundle under version control stays as it is."""
    undated = [
        {name: (entry.fingerprint, entry.measured, entry.conditions) for name, entry in found.items()}
        for found in (earlier, scores)
    ]
    return _alike(*undated)


def _alike(one, other) -> bool:
    """Whether two values of JSON are equal, numbers to one part in 100,000."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_alike(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(_alike, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-5, abs_tol=1e-7)
    return one == other


def _evaluate_conditions(bundle: Bundle, model, inputs, config: EvaluateConfig) -> None:
    from fer_keras.evaluation.condition_scores import evaluate_conditions, write_conditions

    directory = Path(config.output_dir)
    rows = evaluate_conditions(model, inputs, bundle.labels, config)
    content = json.loads((directory / "metrics.json").read_text(encoding="utf-8"))["context"]
    names = ("model", "dataset", "split", "fingerprint", "date", "versions", "selected_on")
    write_conditions(directory, rows, {name: content[name] for name in names})
    key = f"{content['dataset']}/{content['split']}"
    bundle.scores[key] = replace(bundle.scores[key], conditions=tuple(rows))
