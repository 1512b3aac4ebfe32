"""Teachers: trained models whose calibrated answers to the training faces a run learns beside the labels."""

import hashlib
import io
from dataclasses import replace
from pathlib import Path

import numpy as np

from fer_keras.batches.inputs import SplitInputs, open_split
from fer_keras.batches.targets import mix_answers
from fer_keras.bundled import model_folder
from fer_keras.config.run_config import RunConfig
from fer_keras.data.index import FaceIndex
from fer_keras.evaluation.evaluate_config import EvaluateConfig
from fer_keras.files import write_atomic
from fer_keras.labels import match_emotions
from fer_keras.readers.array_file import load_arrays
from fer_keras.runs.bundle import Bundle, load_bundle
from fer_keras.runs.calibration import calibrated
from fer_keras.runs.file_hashes import hash_file
from fer_keras.runs.run_directory import TEACHER_FILE


def load_teachers(config: RunConfig) -> list[Bundle]:
    """Return the bundles of a run's teachers; no model is loaded yet.

    Raises:
        FileNotFoundError: no run there.
        ValueError: no run, or the run is its own teacher.
    """
    found = []
    for name in config.loss.teachers:
        path = model_folder(name)
        if path.resolve() == Path(config.training.output_dir).resolve():
            raise ValueError(f"--teacher expects other runs than the one that learns from them. Received: {name}.")
        found.append(load_bundle(path))
    return found


def taught(config: RunConfig, train: SplitInputs, *, keep: bool = True) -> SplitInputs:
    """Return the training faces with targets that are in part the teachers' answers; the same faces without teachers.

    The answers are asked for once, of each face as it is and mirrored, and kept in the run, so that one that resumes learns
    from the same ones.

    Args:
        config: of the run.
        train: its training faces.
        keep: whether this process writes the run's files.

    Raises:
        ValueError: a teacher without a class or an output of the run, or one that has changed since the run was started.
    """
    bundles = load_teachers(config)
    if not bundles:
        return train
    path, key = Path(config.training.output_dir) / TEACHER_FILE, _key(bundles, train.index)
    answers = _kept(path, key)
    if answers is None:
        answers = teacher_answers(bundles, train, config.training.batch_size)
        if keep:
            _keep(path, key, answers)
    return replace(train, targets=mix_answers(train.targets, answers, config.loss.teacher_share))


def teacher_answers(bundles: list[Bundle], train: SplitInputs, batch_size: int = 64) -> dict[str, np.ndarray]:
    """Return the mean of the teachers' answers to every face, over the face and its mirror image.

    Args:
        bundles: of the teachers. Classes are matched by name; those that the run does not have are left out.
        train: the faces.
        batch_size: faces per step.

    Returns:
        For each output of the run that a teacher has: emotion (n, labels) float32 calibrated probabilities; valence, arousal
        (n,) float32.

    Raises:
        ValueError: a teacher without one of the run's classes, or without any of its outputs.
    """
    from fer_keras.evaluation.evaluator import predict_views  # with TensorFlow, not before a run is checked

    outputs, labels = tuple(train.targets.values), train.index.labels
    given: dict[str, list[np.ndarray]] = {name: [] for name in outputs}
    for bundle in bundles:
        shared = tuple(name for name in outputs if name in bundle.outputs)
        if not shared:
            raise ValueError(
                f"--teacher expects a model with one of the outputs {', '.join(outputs)}. Received: {bundle.directory} with "
                f"{', '.join(bundle.outputs)}."
            )
        places = _places(bundle, labels) if "emotion" in shared else []
        faces = open_split(train.index, bundle.image_size, shared, align=bundle.aligned)
        found = predict_views(bundle.load_model(), faces, EvaluateConfig(batch_size=batch_size, tta="flip"))
        for name in shared:
            given[name].append(_calibrated(bundle, found[name], places) if name == "emotion" else found[name])
    return {name: np.mean(found, axis=0, dtype=np.float32) for name, found in given.items() if found}


def _places(bundle: Bundle, labels: tuple[str, ...]) -> list[int]:
    places = match_emotions(labels, bundle.labels)
    missing = [label for label, place in zip(labels, places, strict=True) if place < 0]
    if missing:
        raise ValueError(
            f"--teacher expects a model of the classes {', '.join(labels)}. Received: {bundle.directory}, which lacks "
            f"{', '.join(missing)}."
        )
    return places


def _calibrated(bundle: Bundle, probabilities: np.ndarray, places: list[int]) -> np.ndarray:
    """Return the probabilities at the teacher's temperature, for the run's classes in their order."""
    chosen = calibrated(bundle, probabilities)[:, places]
    return chosen / np.maximum(chosen.sum(axis=1, keepdims=True), 1e-7)


def _key(bundles: list[Bundle], index: FaceIndex) -> str:
    """Return a hash of the teachers' model files and of the faces, in their order."""
    digest = hashlib.blake2b(index.fingerprint().encode(), digest_size=16)
    digest.update("\n".join(np.char.add(index.split, index.id).tolist()).encode())
    for bundle in bundles:
        digest.update(hash_file(bundle.directory / bundle.model.file).encode() if bundle.model.file else b"")
    return digest.hexdigest()


def _kept(path: Path, key: str) -> dict[str, np.ndarray] | None:
    """Return the answers that an earlier start of the run kept, or None."""
    if not path.is_file():
        return None
    found = load_arrays(
        path, "key and an array for each output; --overwrite starts the run again", "answers of teachers"
    )
    if str(found.pop("key", "")) != key:
        raise ValueError(
            f"The teachers or the training faces have changed since the run in {path.parents[1]} was started. Start it "
            "again with --overwrite."
        )
    return found


def _keep(path: Path, key: str, answers: dict[str, np.ndarray]) -> None:
    buffer = io.BytesIO()
    np.savez(buffer, key=np.array(key), **answers)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, lambda temporary: temporary.write_bytes(buffer.getvalue()))
