"""How far two annotators of the same faces agree: their labels side by side, scores with intervals, and where they differ."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fer_keras.labels import AXES, EMOTIONS, known_emotion
from fer_keras.metrics.axis_reference import ccc, mae
from fer_keras.metrics.intervals import bootstrap_agreement_intervals, bootstrap_axis_intervals, wilson_interval
from fer_keras.metrics.reference import cohen_kappa, confusion_matrix, krippendorff_alpha
from fer_keras.readers.spec import load_spec
from fer_keras.readers.tables import BOX, read_cells

_FEWEST = 2  # faces for a score


@dataclass(frozen=True)
class AnnotatorLabels:
    """The labels of one annotator.

    Attributes:
        path: of the table.
        faces: the name of each face, its place in the picture after it where the table has boxes.
        images: the path of each face's picture, from the table's folder.
        emotions: name of each, or None.
        axes: (n, 2) valence and arousal, NaN where there is none.
    """

    path: Path
    faces: tuple[str, ...]
    images: tuple[str, ...]
    emotions: tuple[str | None, ...]
    axes: np.ndarray


@dataclass(frozen=True)
class LabelPairs:
    """The faces that two annotators both saw.

    Attributes:
        images: n pictures, from the first table's folder.
        emotions: of both, n pairs of names or None.
        axes: (2, n, 2) valence and arousal, NaN where there is none.
        only: how many faces the first and the second table alone have.
    """

    images: tuple[str, ...]
    emotions: tuple[tuple[str | None, str | None], ...]
    axes: np.ndarray
    only: tuple[int, int]


def read_labels(path: str | Path) -> AnnotatorLabels:
    """Read a table as `label` writes it, or any that the data spec `face_table` names the columns of.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not such a table, or a face that stands twice.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"No table of labels there. Received: {path}.")
    columns = read_cells(load_spec("face_table"), path).columns
    if "image" not in columns:
        raise ValueError(f"{path} holds pictures in its cells. Expected a column with their names.")
    images = tuple(str(cell or "").strip() for cell in columns["image"])
    boxes = list(zip(*(columns[name] for name in BOX), strict=True)) if all(name in columns for name in BOX) else None
    faces = images if boxes is None else tuple(f"{image} {box}" for image, box in zip(images, boxes, strict=True))
    twice = sorted({face for face in faces if faces.count(face) > 1}) if len(set(faces)) < len(faces) else []
    if twice:
        raise ValueError(f"{path} holds the face {twice[0]} {faces.count(twice[0])} times. Expected each once.")
    emotions = tuple(
        known_emotion(str(cell).strip()) if cell and str(cell).strip() else None for cell in columns["emotion"]
    )
    axes = np.array([[_number(cell) for cell in columns[axis]] for axis in AXES], np.float64).T
    return AnnotatorLabels(path, faces, images, emotions, axes.reshape(len(faces), len(AXES)))


def _number(cell) -> float:
    try:
        return float(cell)
    except (TypeError, ValueError):
        return float("nan")


def pair_labels(one: AnnotatorLabels, other: AnnotatorLabels) -> LabelPairs:
    """Put the labels of the faces that both tables hold side by side, in the first one's order.

    Raises:
        ValueError: no face in both.
    """
    places = {face: place for place, face in enumerate(other.faces)}
    rows = [(place, places[face]) for place, face in enumerate(one.faces) if face in places]
    if not rows:
        raise ValueError(
            f"Expected the same faces in both tables. Received: {one.path} with {one.faces[0] if one.faces else 'none'}, "
            f"{other.path} with {other.faces[0] if other.faces else 'none'}."
        )
    first, second = (list(part) for part in zip(*rows, strict=True))
    return LabelPairs(
        tuple(one.images[row] for row in first),
        tuple((one.emotions[row], other.emotions[place]) for row, place in rows),
        np.stack([one.axes[first], other.axes[second]]),
        (len(one.faces) - len(rows), len(other.faces) - len(rows)),
    )


def emotion_labels(pairs: LabelPairs) -> tuple[str, ...]:
    """Return the emotions that occur where both gave one, in the package's order, others after them."""
    found = {name for pair in pairs.emotions if None not in pair for name in pair}
    return (*(name for name in EMOTIONS if name in found), *sorted(found.difference(EMOTIONS)))


def emotion_matrix(pairs: LabelPairs) -> np.ndarray:
    """Count the faces of each pair of emotions (rows the first annotator), in the order of `emotion_labels`."""
    labels = emotion_labels(pairs)
    codes = [[labels.index(name) for name in pair] for pair in pairs.emotions if None not in pair]
    one, other = np.array(codes, np.int64).reshape(-1, 2).T
    return confusion_matrix(one, other, len(labels)) if len(codes) else np.zeros((0, 0), np.int64)


def agreement_scores(pairs: LabelPairs, *, resamples: int = 1000, seed: int = 0) -> dict[str, dict]:
    """Compute how far two annotators agree.

    Krippendorff's alpha (nominal), Cohen's kappa and the share of equal answers for the emotion; CCC and the mean absolute
    difference for valence and arousal; over the faces that both labelled so. Intervals are 95 %: Wilson's for the share,
    percentile bootstrap over faces for the others.

    Args:
        pairs: of both annotators.
        resamples: of the bootstrap.
        seed: of the bootstrap.

    Returns:
        emotion, valence, arousal, those that both labelled on two faces or more -> score -> {value, low, high, n}; None for what
        does not exist, such as alpha where all have one emotion.
    """
    found = {}
    matrix = emotion_matrix(pairs)
    if matrix.sum() >= _FEWEST:
        found["emotion"] = _emotion_scores(matrix, resamples, seed)
    for place, axis in enumerate(AXES):
        one, other = pairs.axes[:, :, place]
        both = np.isfinite(one) & np.isfinite(other)
        if both.sum() >= _FEWEST:
            found[axis] = _axis_scores(one[both], other[both], resamples, seed)
    return found


def _emotion_scores(matrix: np.ndarray, resamples: int, seed: int) -> dict:
    one, other = (np.repeat(codes, matrix.ravel()) for codes in np.indices(matrix.shape).reshape(2, -1))
    n, equal = len(one), int(np.trace(matrix))
    intervals = bootstrap_agreement_intervals(matrix, resamples=resamples, seed=seed)
    return {
        "alpha": _score(krippendorff_alpha(one, other), intervals["alpha"], n),
        "kappa": _score(cohen_kappa(one, other), intervals["kappa"], n),
        "equal": _score(equal / n, wilson_interval(equal, n), n),
    }


def _axis_scores(one: np.ndarray, other: np.ndarray, resamples: int, seed: int) -> dict:
    intervals = bootstrap_axis_intervals(one, other, resamples=resamples, seed=seed)
    return {
        "ccc": _score(ccc(one, other), intervals["ccc"], len(one)),
        "mae": _score(mae(one, other), intervals["mae"], len(one)),
    }


def _score(value: float, interval: Sequence[float], n: int) -> dict:
    named = zip(("value", "low", "high"), (value, *interval), strict=True)
    return {**{name: float(number) if np.isfinite(number) else None for name, number in named}, "n": n}


def disagreements(pairs: LabelPairs) -> list[tuple[int, float]]:
    """Return the faces on which two annotators differ, most first: (row of `pairs`, how far).

    How far is 1 for another emotion, plus the distance on the plane over its diagonal (0..1) where both gave both axes.
    """
    other_emotion = np.array([None not in pair and pair[0] != pair[1] for pair in pairs.emotions], float)
    distance = np.linalg.norm(pairs.axes[0] - pairs.axes[1], axis=1) / np.sqrt(8)
    far = other_emotion + np.nan_to_num(distance)
    return [(int(row), float(far[row])) for row in np.argsort(-far, kind="stable") if far[row] > 0]
