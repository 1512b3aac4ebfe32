"""Averaging models: classes matched by name, and the mean of calibrated answers, for whatever runs or evaluates several at once."""

from collections.abc import Sequence

import numpy as np

from fer_keras.labels import OUTPUTS
from fer_keras.runs.bundle import Bundle


def shared_labels(bundles: Sequence[Bundle]) -> tuple[str, ...]:
    """Return the classes of several models, in the order of the first one that has emotions; none where none has.

    Raises:
        ValueError: models with other classes.
    """
    named = [bundle for bundle in bundles if "emotion" in bundle.outputs]
    for other in named[1:]:
        if set(other.labels) != set(named[0].labels):
            raise ValueError(
                f"The models of an ensemble must have the same classes. Expected: {', '.join(named[0].labels)} "
                f"({named[0].directory}). Received: {', '.join(other.labels)} ({other.directory})."
            )
    return named[0].labels if named else ()


def check_alike_cut(bundles: Sequence[Bundle]) -> None:
    """Refuse models of which some expect levelled faces and some do not: a face is levelled before any of them sees it.

    Raises:
        ValueError: such models.
    """
    if len({bundle.aligned for bundle in bundles}) > 1:
        levelled = ", ".join(str(bundle.directory) for bundle in bundles if bundle.aligned)
        raise ValueError(
            f"The models of an ensemble must all expect levelled faces, or none. Received: {levelled} only."
        )


def in_order(answers: dict[str, np.ndarray], own: Sequence[str], labels: Sequence[str]) -> dict[str, np.ndarray]:
    """Return a model's answers with its classes in another order.

    Args:
        answers: emotion (n, classes) and others, what the model has.
        own: the model's classes.
        labels: the same classes in the order of the result.
    """
    if "emotion" not in answers or tuple(own) == tuple(labels):
        return answers
    return {**answers, "emotion": answers["emotion"][:, [own.index(label) for label in labels]]}


def mean_answers(found: Sequence[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Return the mean of each output over the models that have it, float32; one model's answers as they are.

    Args:
        found: of each model, its answers to the same faces, with the classes in one order.
    """
    if len(found) == 1:
        return found[0]
    parts = {name: [answers[name] for answers in found if name in answers] for name in OUTPUTS}
    return {
        name: np.mean(values, axis=0, dtype=np.float64).astype(np.float32) for name, values in parts.items() if values
    }
