"""Keeping in a run which faces it was trained on, those of the model that it started from included."""

from dataclasses import replace
from pathlib import Path

from fer_keras.bundled import is_bundled
from fer_keras.data.index import FaceIndex
from fer_keras.data.training_faces import (
    Ancestor,
    TrainingFaces,
    hash_faces,
    read_training_faces,
    write_training_faces,
)
from fer_keras.models.weights import weights_path
from fer_keras.runs.bundle import load_bundle
from fer_keras.runs.bundle_json import BUNDLE_FILE
from fer_keras.runs.run_directory import TRAINING_FACES_FILE


def record_faces(run: Path, index: FaceIndex, weights: str, *, pixels: bool) -> TrainingFaces:
    """Write the hashes of a run's training faces and those of its ancestors into its directory.

    What the run's file holds already stays in it: a run that goes on has seen those faces, and the model that it started from
    may be gone.

    Args:
        run: the run directory.
        index: the training faces.
        weights: as `--weights` has them.
        pixels: see `hash_faces`. It takes time, so it is done once training has ended.

    Returns:
        What the file holds.
    """
    path = run / TRAINING_FACES_FILE
    faces, before = hash_faces(index, pixels=pixels), read_training_faces(path)
    faces = with_ancestors(faces, weights) if before is None else faces.joined(before)
    write_training_faces(path, faces)
    return faces


def with_ancestors(faces: TrainingFaces, weights: str) -> TrainingFaces:
    """Return training faces with those of the model that `--weights` names, if it names one of this package."""
    file = _model_file(weights)
    if file is None:
        return faces
    return with_model(faces, file.parent, file.parent.name if is_bundled(weights) else weights)


def with_model(faces: TrainingFaces, folder: Path, name: str) -> TrainingFaces:
    """Return training faces with those of a model of this package, which becomes an ancestor.

    Args:
        faces: those so far.
        folder: of the model.
        name: how it is told of.
    """
    known = read_training_faces(folder / TRAINING_FACES_FILE)
    if known is None or not (folder / BUNDLE_FILE).is_file():
        return replace(faces, ancestors=(*faces.ancestors, Ancestor(name)))
    data = load_bundle(folder).data
    sets = tuple(member["name"] for member in data.sets) or (data.spec or "",)
    return faces.joined(known, Ancestor(name, sets, known.faces, known.pixels))


def _model_file(weights: str) -> Path | None:
    """Return the Keras model that `--weights` names, or None for ImageNet's weights, none, or a file of plain weights."""
    if weights in ("auto", "none", "imagenet"):
        return None
    path = weights_path(weights)
    return path if path.suffix == ".keras" else None
