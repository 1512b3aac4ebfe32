"""Valence and arousal derived from emotions: the expectation of published coordinates under a face's label or votes.

Derived labels repeat what the emotion says and add no measurement. They are made for data that labels emotions only;
`FaceIndex.spec.derived` names them, and scores, bundle and report say that they are derived.
"""

from dataclasses import replace

import numpy as np

from fer_keras.data.index import FaceIndex
from fer_keras.labels import AXES

#: Emotion -> (valence, arousal): the means of pleasure and of arousal, -1..1, that Russell and Mehrabian's subjects gave
#: to the term in the comment.
CIRCUMPLEX = {
    "neutral": (0.0, 0.0),
    "happy": (0.81, 0.51),  # happy
    "sad": (-0.63, -0.27),  # sad
    "surprise": (0.40, 0.67),  # surprised
    "fear": (-0.64, 0.60),  # fearful
    "disgust": (-0.60, 0.35),  # disgusted
    "anger": (-0.51, 0.59),  # angry
    "contempt": (-0.60, 0.35),  # disgusted
}

#: What a bundle and a report say of derived labels.
SOURCE = {
    "method": "circumplex",
    "formula": "expectation of the emotions' coordinates under the votes, or under the label where there are no votes",
    "source": (
        "Russell, Mehrabian: Evidence for a three-factor theory of emotions. Journal of Research in Personality 11, "
        "273-294, 1977; means of pleasure and arousal of the terms, as later works print them (the paper's own table "
        "was not at hand; one such print has 0.61 for the arousal of happy)"
    ),
    "substitutes": {
        "neutral": "the origin of both scales; the paper has no such term",
        "contempt": "the coordinates of disgusted, since no print of contempt was found; a choice, not a measurement",
    },
    "coordinates": {name: list(pair) for name, pair in CIRCUMPLEX.items()},
}


def derive_axes(index: FaceIndex) -> FaceIndex:
    """Return an index with valence and arousal derived from its emotions.

    valence = sum_c p(c) * valence(c), arousal likewise; p are the votes' shares, or 1 for the label where a data set has
    no votes. Faces without votes and label stay unlabelled.

    Args:
        index: of data that labels emotions and neither axis.

    Returns:
        The index with both axes filled, `spec.targets` with them, and `spec.derived` naming them.

    Raises:
        ValueError: the data has no emotions, or classes without published coordinates, or measured valence or arousal:
            derived labels never stand beside measured.

    Example:
        One face with three votes for happy and one for neutral has valence 3/4 * 0.81 and arousal 3/4 * 0.51.
    """
    spec = index.spec
    measured = [axis for axis in AXES if axis in spec.targets]
    if measured or "emotion" not in spec.targets:
        labelled = {member.name: member.spec.targets for member in index.members} or {spec.name: spec.targets}
        received = "; ".join(f"{name}, which labels {', '.join(targets)}" for name, targets in labelled.items())
        raise ValueError(
            "--derive-va expects data with emotions and without valence and arousal of its own, since derived labels are "
            f"never mixed with measured ones. Received: {received}. Leave --derive-va out, or the data that measures them."
        )
    unknown = [name for name in index.labels if name not in CIRCUMPLEX]
    if unknown:
        raise ValueError(
            f"--derive-va has coordinates of {', '.join(CIRCUMPLEX)} alone. Received: {', '.join(unknown)}. Leave --derive-va out."
        )
    shares = np.zeros((len(index), len(index.labels)))
    labelled = index.emotion >= 0
    shares[labelled, index.emotion[labelled]] = 1
    if index.votes is not None:
        total = index.votes.sum(1, keepdims=True)
        shares = np.where(total > 0, index.votes / np.maximum(total, 1), shares)
    known = shares.sum(1) > 0
    coordinates = shares @ np.array([CIRCUMPLEX[name] for name in index.labels])
    valence, arousal = np.where(known[:, None], coordinates, np.nan).astype(np.float32).T
    marked = replace(spec, targets=(*spec.targets, *AXES), derived=AXES)
    return replace(index, spec=marked, valence=valence, arousal=arousal)
