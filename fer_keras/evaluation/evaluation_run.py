"""Evaluating a run by its bundle: the right data, the right split, and the scores kept in the bundle."""

import json
import math
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from fer_keras.batches.inputs import open_split
from fer_keras.data.index import FaceIndex
from fer_keras.data.loading import load_faces
from fer_keras.data.several import set_names
from fer_keras.runs.bundle import Bundle
from fer_keras.runs.bundle_parts import SplitScores
from fer_keras.runs.run_directory import EVALUATIONS_DIR, read_history
from fer_keras.views import check_tta


def evaluate_run(
    bundle: Bundle,
    data_spec: str | None = None,
    data_dir: str | None = None,
    split: str = "test",
    batch_size: int = 64,
    workers: int | None = None,
    directory: Path | None = None,
    conditions: bool = False,
    tta: str = "none",
    say: Callable[[str], None] = lambda line: None,
) -> tuple[dict, Path]:
    """Evaluate a bundle's model on one split of a data set.

    Args:
        bundle: of the run.
        data_spec, data_dir: the data; default: those of training, split exactly as then.
        split: see `FaceIndex.of_split`.
        batch_size: faces a step.
        workers: parallel decoding calls.
        directory: where the report goes; default: the run's `evaluations/<data spec>-<split>`.
        conditions: whether to score changed copies of the faces too (see `evaluate_conditions`), into
            `conditions.json` and `conditions.md`.
        tta: over which views of a face answers are averaged, see `fer_keras.views`.
        say: told if the scores could not be kept in the bundle, an installed one for example.

    Returns:
        The scores, and the directory of the report.

    Raises:
        ValueError: no such split, no faces in it, targets that the model does not have, or no place for the report.
    """
    if check_tta(tta, "--tta") != "none" and conditions:
        raise ValueError("--conditions scores single views. Leave --tta out, or evaluate twice.")
    writable = os.access(bundle.directory, os.W_OK)
    if directory is None and not writable:
        raise ValueError(f"{bundle.directory} cannot be written. Say where the report goes: --output-dir DIR.")
    index, shared = _split_of(bundle, data_spec, data_dir, split)
    from fer_keras.evaluation.evaluator import evaluate_split

    views = "" if tta == "none" else f"-{tta}"
    directory = directory or bundle.directory / EVALUATIONS_DIR / f"{index.spec.name}-{index.split[0]}{views}"
    inputs = open_split(index, bundle.image_size, shared, align=bundle.aligned)
    model = bundle.load_model()
    earlier = dict(bundle.scores)
    scores = evaluate_split(bundle, model, inputs, directory, batch_size, read_history(bundle.directory), workers, tta)
    _keep_conditions(earlier, bundle.scores)
    if conditions:
        _evaluate_conditions(bundle, model, inputs, directory, batch_size, workers)
    if writable and not _confirmed(earlier, bundle.scores):
        bundle.save()
    elif not writable:
        say(f"{bundle.directory} cannot be written, so its bundle does not keep these scores; the report does")
    return scores, directory


def _split_of(
    bundle: Bundle, data_spec: str | None, data_dir: str | None, split: str
) -> tuple[FaceIndex, tuple[str, ...]]:
    """Return the faces of one split, split as for training, and the outputs that they and the model share."""
    config = bundle.data_config()
    index = load_faces(
        data_spec or config["data_spec"],
        data_dir or (None if data_spec else config["data_dir"]),
        config["validation_fraction"],
        config["test_fraction"],
        config["split_seed"],
        *_labelling(bundle, data_spec),
    ).of_split(split)
    shared = tuple(name for name in bundle.outputs if name in index.spec.targets)
    if not shared:
        raise ValueError(
            f"{index.spec.name} labels {', '.join(index.spec.targets)}. Expected one of the model's outputs: "
            f"{', '.join(bundle.outputs)}."
        )
    return index, shared


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


def _evaluate_conditions(bundle: Bundle, model, inputs, directory: Path, batch_size: int, workers: int | None) -> None:
    from fer_keras.evaluation.condition_scores import evaluate_conditions, write_conditions

    rows = evaluate_conditions(model, inputs, bundle.labels, batch_size, workers)
    content = json.loads((directory / "metrics.json").read_text(encoding="utf-8"))["context"]
    names = ("model", "dataset", "split", "fingerprint", "date", "versions", "selected_on")
    write_conditions(directory, rows, {name: content[name] for name in names})
    key = f"{content['dataset']}/{content['split']}"
    bundle.scores[key] = replace(bundle.scores[key], conditions=tuple(rows))


def _labelling(bundle: Bundle, data_spec: str | None) -> tuple[str, str | None]:
    """How valence and arousal are derived and which classes there are: as in training on training's data, else as it has."""
    same = data_spec is None or bundle.trained_on(set_names(data_spec))
    config = bundle.config if same else {}
    return config.get("derive_va", "none"), config.get("emotions")
