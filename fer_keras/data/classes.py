"""The classes of a model: which of a data set's emotions, in what order, under what names.

Inside the package emotions have the names of `labels.py`. A data set or a run can ask for other names (FER2013's "Angry") or
for some of the emotions (four of the eight); names are matched by meaning. Classes that are none of the eight have the
names that their data spec gives them.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np

from fer_keras.data.index import FaceIndex
from fer_keras.labels import canonical_emotion, is_emotion, match_emotions, plain_name


def parse_classes(
    names: str | Sequence[str] | None, asked_by: str = "--emotions", own: Collection[str] = ()
) -> tuple[str, ...]:
    """Return the names of classes in order; an empty tuple if `names` is empty.

    Args:
        names: text with commas between the names, or a sequence of names.
        asked_by: the flag or key that errors name.
        own: classes that a data set has beside the emotions.

    Raises:
        ValueError: an unknown emotion, an emotion that occurs twice, or a single one.

    Example:
        >>> parse_classes("angry, happy,neutral,sad")
        ('angry', 'happy', 'neutral', 'sad')
    """
    if not names:
        return ()
    parts = [part.strip() for part in (names.split(",") if isinstance(names, str) else names)]
    known = {plain_name(name): name for name in own}
    parts = [known.get(plain_name(part), part) for part in parts]
    try:
        meant = [part if part in own else canonical_emotion(part) for part in parts]
    except ValueError as error:
        raise ValueError(f"{asked_by}: {error}") from None
    if len(set(meant)) != len(parts) or len(parts) < 2:
        raise ValueError(f"{asked_by} expects two or more different emotions. Received: {', '.join(parts)}.")
    return tuple(parts)


def choose_classes(index: FaceIndex, names: str | None = None) -> FaceIndex:
    """Return an index with classes of these names in this order; faces of other emotions are counted and dropped.

    Args:
        index: with any splits.
        names: as `parse_classes` takes them; default: the data set's own names and order if its spec lists them for every
            emotion that it has.

    Raises:
        ValueError: emotions that the data set does not have, or names that are not emotions.
    """
    wanted = parse_classes(names, own=[label for label in index.labels if not is_emotion(label)])
    if not wanted:
        own = index.spec.class_names
        places = match_emotions(index.labels, own)
        return relabel(index, own) if own and -1 not in places and len(own) == len(places) else index
    missing = [name for name, place in zip(wanted, match_emotions(wanted, index.labels), strict=True) if place < 0]
    if missing:
        raise ValueError(
            f"--emotions expects some of what {index.spec.name} has: {', '.join(index.labels)}. "
            f"Received: {', '.join(missing)}."
        )
    kept = (
        np.array([*match_emotions(index.labels, wanted), 0]) >= 0
    )  # the last place stands for faces without an emotion
    keep, report = kept[index.emotion], index.report.copy()
    for row in np.flatnonzero(~keep).tolist():
        reason = f"emotion {index.labels[index.emotion[row]]}, not among the classes asked for"
        report.count("dropped", reason, str(index.split[row]), str(index.id[row]))
    return relabel(replace(index.take(keep), report=report), wanted)


def relabel(index: FaceIndex, labels: tuple[str, ...]) -> FaceIndex:
    """Return an index with its emotions, and its votes if it has them, as codes of other label names, matched by meaning.

    An emotion without a counterpart counts as not labelled.
    """
    if labels == index.labels:
        return index
    emotion = np.array([*match_emotions(index.labels, labels), -1], np.int16)[index.emotion]  # the last one for -1
    votes = index.votes
    if votes is not None:
        votes = np.pad(votes, [(0, 0), (0, 1)])[:, match_emotions(labels, index.labels)]
    return replace(index, labels=labels, emotion=emotion, votes=votes)
