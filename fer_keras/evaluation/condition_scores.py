"""Accuracy by condition: the same faces smaller, compressed, tilted, cropped otherwise, each with its interval."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from fer_keras.batches.conditions import CONDITIONS, ChangedImages
from fer_keras.batches.inputs import SplitInputs
from fer_keras.batches.loader import FaceLoader
from fer_keras.evaluation.evaluate_config import EvaluateConfig
from fer_keras.evaluation.evaluator import predict_split
from fer_keras.files import write_json, write_text
from fer_keras.labels import match_emotions
from fer_keras.metrics.intervals import wilson_interval
from fer_keras.metrics.reference import f1_macro
from fer_keras.report.rendering import markdown_table
from fer_keras.report.sections import Table

CONDITIONS_FILE = "conditions.json"
MIRROR_MEAN = "mean of both mirrors"
_PLAIN, _MIRRORED = "as it is", "mirrored"


def evaluate_conditions(model, inputs: SplitInputs, labels: tuple[str, ...], config: EvaluateConfig) -> list[dict]:
    """Score the emotion output on changed copies of a split, every labelled and readable face once per condition.

    Args:
        model: the Keras model, with an emotion output.
        inputs: the faces.
        labels: names of the model's classes, in order.
        config: its `batch_size` and `workers` are used.

    Returns:
        One dict per condition of `CONDITIONS`, and one for the mean of the probabilities of a face and its mirror image:
        "condition", "n", "accuracy", "low", "high" (95 % Wilson), "f1_macro" over the classes present, "same" (share of
        faces whose top class is that of the unchanged face).

    Raises:
        ValueError: the model or the data has no emotions.
    """
    places = [*match_emotions(inputs.index.labels, labels), -1]  # the last one for faces without an emotion
    truth = np.array(places)[inputs.index.emotion]
    if "emotion" not in inputs.targets.values or not (truth >= 0).any():
        raise ValueError(f"--conditions expects a model and data with emotions. Received: {inputs.index.spec.name}.")
    probabilities, readable = {}, truth >= 0
    for name, change in CONDITIONS.items():
        source = ChangedImages(inputs.index.open_images(inputs.aligned), change)
        changed = replace(inputs, loader=FaceLoader(source, inputs.loader.image_size))
        probabilities[name] = predict_split(model, changed, config)["emotion"]
        readable &= ~np.isin(np.arange(len(truth)), list(changed.loader.unreadable))
    probabilities[MIRROR_MEAN] = (probabilities[_PLAIN] + probabilities[_MIRRORED]) / 2
    found = {name: rows[readable].argmax(1) for name, rows in probabilities.items()}
    scores = {name: _score(truth[readable], predicted, found[_PLAIN]) for name, predicted in found.items()}
    return [{"condition": name, **entry} for name, entry in scores.items()]


def _score(truth: np.ndarray, predicted: np.ndarray, plain: np.ndarray) -> dict:
    """Return the scores of one condition: (n,) true classes, predicted ones, and those predicted for unchanged faces."""
    correct = int((truth == predicted).sum())
    low, high = wilson_interval(correct, len(truth))
    return {
        "n": len(truth),
        "accuracy": correct / len(truth),
        "low": float(low),
        "high": float(high),
        "f1_macro": f1_macro(truth, predicted),
        "same": float((predicted == plain).mean()),
    }


def conditions_table(rows: list[dict]) -> list[str]:
    """Return the lines of a Markdown table of the scores by condition."""
    cells = [
        (
            row["condition"],
            f"{row['accuracy']:.3f}",
            f"{row['low']:.3f} to {row['high']:.3f}",
            f"{row['f1_macro']:.3f}",
            f"{row['same']:.3f}",
            f"{row['n']:,}",
        )
        for row in rows
    ]
    header = ("condition", "accuracy", "95 % interval", "F1, macro", "same answer", "faces")
    return markdown_table(Table(header, tuple(cells)))


def write_conditions(directory: Path, rows: list[dict], context: dict) -> None:
    """Write `conditions.json` (with `context`: model, data, split, fingerprint, date) and `conditions.md`."""
    write_json(directory / CONDITIONS_FILE, {"context": context, "conditions": rows})
    heading = f"# Accuracy by condition\n\n{context['dataset']}, {context['split']}; model {context['model']}.\n"
    if context.get("selected_on") == context["split"]:
        heading += "\nThe model was selected on this same split, so these scores are optimistic.\n"
    lines = "\n".join(conditions_table(rows))
    write_text((directory / CONDITIONS_FILE).with_suffix(".md"), f"{heading}\n{lines}\n")
