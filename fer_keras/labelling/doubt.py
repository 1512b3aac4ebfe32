"""How much models doubt their answer for a face: the measures by which unlabelled faces are ranked, 0 sure to 1 lost."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fer_keras.labels import AXES

_TINY = 1e-12


@dataclass(frozen=True)
class Answers:
    """What several models say of the same faces, each from several views.

    Attributes:
        emotion: (models, views, n, classes) probabilities of the models that have this output; no models: none has.
        axes: (models, views, n, 2) valence and arousal in -1..1 of the models that have both.
    """

    emotion: np.ndarray
    axes: np.ndarray


def margin(probabilities: np.ndarray) -> np.ndarray:
    """Return 1 minus the distance between the two likeliest classes, (n,), of probabilities (n, classes).

    Source: Scheffer, Decomain and Wrobel, Active hidden Markov models for information extraction, IDA 2001.

    Example:
        >>> margin(np.array([[0.5, 0.5, 0.0], [1.0, 0.0, 0.0]])).tolist()
        [1.0, 0.0]
    """
    top = np.sort(probabilities, axis=-1)
    return 1 - (top[:, -1] - top[:, -2])


def entropy(probabilities: np.ndarray) -> np.ndarray:
    """Return the Shannon entropy over that of equal shares, (n,), of probabilities (n, classes).

    Example:
        >>> entropy(np.array([[0.5, 0.5], [0.25, 0.75]])).round(3).tolist()
        [1.0, 0.811]
    """
    return _entropy(probabilities) / np.log(probabilities.shape[-1])


def disagreement(probabilities: np.ndarray) -> np.ndarray:
    """Return the Jensen-Shannon divergence of several answers over its largest value, (n,).

    Entropy of the mean minus mean of the entropies: 0 where all say the same, however unsure each is.

    Args:
        probabilities: (answers, n, classes), two answers or more.

    Source: Lin, Divergence measures based on the Shannon entropy, 1991; as query by committee McCallum and Nigam, ICML 1998.

    Example:
        >>> disagreement(np.array([[[1.0, 0.0]], [[0.0, 1.0]]])).round(6).tolist()
        [1.0]
    """
    most = min(len(probabilities), probabilities.shape[-1])
    gap = _entropy(probabilities.mean(axis=0)) - _entropy(probabilities).mean(axis=0)
    return np.clip(gap, 0, None) / np.log(most)


def spread(axes: np.ndarray) -> np.ndarray:
    """Return the standard deviation of several answers, mean over valence and arousal, (n,).

    Args:
        axes: (answers, n, 2) in -1..1, two answers or more.

    Example:
        >>> spread(np.array([[[1.0, 0.0]], [[-1.0, 0.0]]])).tolist()
        [0.5]
    """
    return axes.std(axis=0).mean(axis=-1)


def _entropy(probabilities: np.ndarray) -> np.ndarray:
    return -(probabilities * np.log(np.clip(probabilities, _TINY, None))).sum(axis=-1)


def _of_mean(measure: Callable) -> Callable[[Answers], np.ndarray]:
    def measured(answers: Answers) -> np.ndarray:
        if not len(answers.emotion):
            raise ValueError(
                f"--by {measure.__name__} expects a model with the output emotion. Received: one with {' and '.join(AXES)} "
                "alone; --by views takes it."
            )
        return measure(answers.emotion.mean(axis=(0, 1)))

    return measured


def _of_members(answers: Answers) -> np.ndarray:
    return _between("members", answers.emotion.mean(axis=1), answers.axes.mean(axis=1))


def _of_views(answers: Answers) -> np.ndarray:
    return _between("views", _mean_models(answers.emotion), _mean_models(answers.axes))


def _mean_models(values: np.ndarray) -> np.ndarray:
    return values.mean(axis=0) if len(values) else values.reshape(0, *values.shape[2:])


def _between(name: str, emotion: np.ndarray, axes: np.ndarray) -> np.ndarray:
    """Return how far several answers differ: in emotion where two have it, otherwise in valence and arousal."""
    if len(emotion) > 1:
        return disagreement(emotion)
    if len(axes) > 1:
        return spread(axes)
    raise ValueError(
        f"--by {name} compares answers to the same question. Received: one answer a face; give several models that have "
        "the same outputs, --model a,b, or use --by views."
    )


#: Name of a measure, a key of `fer_keras.labelling.select_options.MEASURES` -> the measure.
DOUBTS: Mapping[str, Callable[[Answers], np.ndarray]] = {
    "margin": _of_mean(margin),
    "entropy": _of_mean(entropy),
    "members": _of_members,
    "views": _of_views,
}


def measure_doubt(by: str, answers: Answers) -> np.ndarray:
    """Return the doubt of each face, (n,) in 0..1.

    Args:
        by: a key of `DOUBTS`.
        answers: of the models.

    Raises:
        ValueError: the models do not give what the measure compares.
    """
    return DOUBTS[by](answers)


def join_answers(parts: Sequence[Answers]) -> Answers:
    """Return the answers for several batches of faces as one."""
    return Answers(
        np.concatenate([part.emotion for part in parts], axis=2), np.concatenate([part.axes for part in parts], axis=2)
    )
