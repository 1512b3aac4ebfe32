"""Faces that a model was trained on, among those that it is to be scored on: left out of other data, told of its own."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from fer_keras.data.index import FaceIndex
from fer_keras.data.training_faces import Ancestor, TrainingFaces, affordable, read_training_faces
from fer_keras.runs.bundle import Bundle
from fer_keras.runs.run_directory import TRAINING_FACES_FILE

#: Why a face is left out of an evaluation.
KNOWN = "face that the model was trained on"

_NAMED = 3  # faces named


def without_known(
    bundle: Bundle, index: FaceIndex, *, own: bool, keep: bool = False
) -> tuple[FaceIndex, tuple[str, ...]]:
    """Return the faces of a split that a model can be scored on, and what is to be said of those that it knew.

    Args:
        bundle: of the model.
        index: the split.
        own: whether the faces are of the data that the model was trained on, as it was split then. Their splits share no
            face, so all of them are scored; what is said concerns the model that training started from.
        keep: score the faces that the model knew too.

    Raises:
        ValueError: the model was trained on every face.
    """
    if index.split[0] == "train" and (own or index.fingerprint() == bundle.data.fingerprint):
        return index, ("these are the faces that the model was trained on: the scores do not tell how it reads others",)
    faces = read_training_faces(bundle.directory / TRAINING_FACES_FILE)
    if faces is None:
        return index, () if own else (_unchecked(str(bundle.directory)),)
    if own and not faces.ancestors:
        return index, ()
    known = faces.known(index)
    remarks = known_remarks(faces, index, known, own=own, keep=keep)
    if own or keep or not known.any():
        return index, remarks
    if known.all():
        raise ValueError(
            f"The model was trained on {_every(len(index))} of {index.spec.name}, split {index.split[0]}{_through(faces)}, so no "
            "face is left to score. Evaluate on faces that it does not know, or score these all the same: --keep-known."
        )
    report = index.report.copy()
    for row in np.flatnonzero(known).tolist():
        report.count("dropped", KNOWN, index.split[row], index.id[row])
    return replace(index.take(~known), report=report), remarks


def known_remarks(
    faces: TrainingFaces, index: FaceIndex, known: np.ndarray, *, own: bool, keep: bool = False
) -> tuple[str, ...]:
    """Return what is to be said of the faces that a model knew, a line each.

    Args:
        faces: that the model and its ancestors were trained on.
        index: the faces to score.
        known: (n,) bool, which of them are among `faces`.
        own, keep: as for `without_known`.
    """
    count, remarks = int(known.sum()), []
    if count:
        left = "left out of the scores" if not (own or keep) else "scored all the same, so the scores are too good"
        more = f"; {len(index) - count:,} are scored (--keep-known scores all)" if not (own or keep) else ""
        names = ", ".join(_names(index, known))
        remarks.append(
            f"{count:,} of {len(index):,} faces are faces that the model was trained on{_through(faces)}: {left}{more}: {names}"
        )
    elif not own:
        whole = faces.by_pixels and affordable(index, np.arange(len(index)))
        means = "" if whole else ", as far as the bytes of files tell (too many pixels to compare)"
        remarks.append(
            f"none of these {len(index):,} faces is one that the model was trained on{_through(faces)}{means}"
        )
    remarks += [_unchecked(one.name) for one in faces.ancestors if one.faces is None]
    return tuple(remarks)


def is_own_data(bundle: Bundle, data_spec: str | None, data_dir: str | None) -> bool:
    """Return whether an evaluation reads the data of training, as `--data-spec` and `--data-dir` name it."""
    spec, place = bundle.config.get("data_spec"), bundle.config.get("data_dir")
    same_place = data_dir is None or (place is not None and _resolved(data_dir) == _resolved(place))
    return same_place and data_spec in (None, spec)


def _resolved(places: str) -> list[Path]:
    return [Path(place.strip()).expanduser().resolve() for place in places.split(",")]


def _unchecked(name: str) -> str:
    return (
        f"whether these faces were trained on cannot be checked: {name} keeps no index of its training faces, which earlier "
        "versions did not write"
    )


def _through(faces: TrainingFaces) -> str:
    known = [one for one in faces.ancestors if one.faces is not None]
    return f", itself or as {_told(known)}, which it was made from" if known else ""


def _told(ancestors: Sequence[Ancestor]) -> str:
    return " and ".join(f"{one.name} ({one.faces:,} faces of {', '.join(one.sets)})" for one in ancestors)


def _every(count: int) -> str:
    return f"all {count:,} faces" if count > 1 else "the one face"


def _names(index: FaceIndex, known: np.ndarray) -> list[str]:
    rows = np.flatnonzero(known).tolist()
    return [f"{index.split[row]}/{index.id[row]}" for row in rows[:_NAMED]] + (["..."] if len(rows) > _NAMED else [])
