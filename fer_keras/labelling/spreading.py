"""Choosing among doubtful faces so that they differ: greedy k-centre in the features of the net, weighted by doubt.

Ranking by doubt alone takes what is alike many times: one person in bad light, one film. k-centre takes the face that is
farthest from all that are chosen, so that the next one adds something; weighting by doubt leaves out faces that are rare and
known.
"""

import numpy as np


def choose_faces(doubt: np.ndarray, features: np.ndarray | None, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Choose faces to label.

    Without features the most doubtful ones. With features greedily: the most doubtful face, then always the one with the
    largest product of doubt and distance to the nearest chosen one, distances between features scaled to length 1.

    Args:
        doubt: (n,), 0 or more, larger is more doubtful.
        features: (n, d) of the net, or None.
        most: how many are wanted; fewer faces are all chosen.

    Returns:
        Rows of the chosen, the first to label first, and for each the distance (0..2) to the nearest one chosen before it, NaN
        for the first and without features.

    Source: for k-centre Gonzalez, Clustering to minimize the maximum intercluster distance, 1985, and Sener and Savarese,
    Active learning for convolutional neural networks: a core-set approach, ICLR 2018; distance weighted by doubt as in Ash et
    al., Deep batch active learning by diverse, uncertain gradient lower bounds, ICLR 2020.

    Example:
        >>> doubt = np.array([0.9, 0.89, 0.6, 0.0])
        >>> features = np.array([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0], [-1.0, 0.0]])
        >>> choose_faces(doubt, features, 2)[0].tolist()
        [0, 2]
    """
    if features is None:
        rows = np.argsort(-doubt, kind="stable")[:most]
        return rows, np.full(len(rows), np.nan)
    unit, count = unit_rows(features), min(most, len(doubt))
    rows, distances = np.zeros(count, np.int64), np.full(count, np.nan)
    nearest, free = np.full(len(unit), 2.0, np.float32), np.ones(len(unit), bool)
    for step in range(count):
        row = int(np.argmax(np.where(free, doubt * nearest, -1)))
        rows[step], free[row] = row, False
        distances[step] = nearest[row] if step else np.nan
        np.minimum(nearest, _distances(unit, row), out=nearest)
    return rows, distances


def unit_rows(features: np.ndarray) -> np.ndarray:
    """Return features (n, d) float32 scaled to length 1; rows of zeros stay."""
    features = np.asarray(features, np.float32)
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    return features / np.where(lengths > 0, lengths, 1)


def _distances(unit: np.ndarray, row: int) -> np.ndarray:
    return np.sqrt(np.clip(2 - 2 * (unit @ unit[row]), 0, None))
