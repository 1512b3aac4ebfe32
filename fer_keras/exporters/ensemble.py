"""Several runs as one run: a bundle whose one Keras model averages theirs, which every exporter and command takes.

The answers are those of `predict --model a,b` (see `fer_keras.runs.averaging`), measured by `ensemble_parity`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path

import numpy as np

from fer_keras.config.run_config import DataConfig
from fer_keras.data.training_faces import TrainingFaces, write_training_faces
from fer_keras.exporters.ensemble_parity import Judged, judge_ensemble, parity_lines
from fer_keras.exporters.export_options import ExportOptions
from fer_keras.exporters.source import float32_model
from fer_keras.labels import OUTPUTS
from fer_keras.models.averaged import GraphMember, build_averaged
from fer_keras.runs.averaging import check_alike_cut, shared_labels
from fer_keras.runs.bundle import Bundle, describe_model, versions
from fer_keras.runs.bundle_parts import Ensemble, TrainingData
from fer_keras.runs.file_hashes import hash_file
from fer_keras.runs.run_directory import TRAINING_FACES_FILE
from fer_keras.training.recorded_faces import with_model


def write_ensemble(
    bundles: Mapping[str, Bundle],
    directory: Path,
    options: ExportOptions | None = None,
    *,
    say: Callable[[str], None] = lambda line: None,
) -> Bundle:
    """Make one model of several runs and write it as a run of its own, for `export_run`.

    Each member sees the face at its own size, resized in the graph; its temperature is in the graph too, so the bundle has no
    calibration of its own. Classes stand in the order of the first model that has emotions, whose data configuration the
    bundle takes over: its splits are what `evaluate` and `export` read by default.

    Args:
        bundles: name -> bundle of each member, whose Keras model is beside it.
        directory: an empty folder, which gets `model.keras`, `bundle.json` and `training_faces.npz`.
        options: the faces that judge the model, the loss allowed, `force`, and `image_size`; see `ExportOptions`.
        say: gets lines on what was compared and found.

    Returns:
        The bundle in the folder.

    Raises:
        ValueError: fewer than two models; other classes; levelled and unlevelled faces; a model without a Keras file or one
            that does not fit (it is named); or a model that is too far from the mean of its members, with figures.
    """
    options, runs = options or ExportOptions(), list(bundles.values())
    labels = _check(bundles, options)
    members = [_member(name, bundle, labels) for name, bundle in bundles.items()]
    model = _built(members, _input_size(runs, options), list(bundles))
    bundle = _describe(model, bundles, labels, directory)
    judged = judge_ensemble(model, members, bundle, options, say=say)
    for line in parity_lines(judged, list(bundles)):
        say(line)
    _refuse(judged, bundle, options)
    bundle.ensemble = replace(bundle.ensemble, parity=judged.parity, forced=bool(judged.reasons))
    model.save(directory / bundle.model.file)
    bundle.model = replace(bundle.model, sha256=hash_file(directory / bundle.model.file))
    write_training_faces(directory / TRAINING_FACES_FILE, _training_faces(bundles))
    bundle.save()
    return bundle


def _check(bundles: Mapping[str, Bundle], options: ExportOptions) -> tuple[str, ...]:
    """Refuse models that do not go together, before any is loaded; return the classes that they share."""
    if len(bundles) < 2:
        raise ValueError(f"An ensemble needs at least two models. Received: {len(bundles)}.")
    for name, bundle in bundles.items():
        if bundle.ensemble:
            made_of = ", ".join(member["name"] for member in bundle.ensemble.members)
            raise ValueError(f"{name} is an ensemble itself. Expected its members instead: {made_of}.")
    check_alike_cut(list(bundles.values()))
    return shared_labels(list(bundles.values()))


def _input_size(runs: Sequence[Bundle], options: ExportOptions) -> tuple[int, int]:
    return (options.image_size,) * 2 if options.image_size else max(run.image_size for run in runs)


def _member(name: str, bundle: Bundle, labels: tuple[str, ...]) -> GraphMember:
    has = "emotion" in bundle.outputs
    temperature = bundle.calibration.temperature if bundle.calibration and has else 1.0
    places = tuple(bundle.labels.index(label) for label in labels) if has else ()
    return GraphMember(float32_model(bundle.load_model()), places, temperature)


def _built(members: Sequence[GraphMember], size: tuple[int, int], names: Sequence[str]):
    try:
        return build_averaged(members, size)
    except ValueError as error:
        raise ValueError(f"{', '.join(names)} cannot be made one model: {error}") from error


def _describe(model, bundles: Mapping[str, Bundle], labels: tuple[str, ...], directory: Path) -> Bundle:
    """Return the bundle of the one model; what it takes from one member it takes from the one whose classes it has."""
    runs = list(bundles.values())
    lead = next((run for run in runs if "emotion" in run.outputs), runs[0])
    outputs = tuple(name for name in OUTPUTS if name in model.output)
    backbones = "+".join(run.model.backbone or "unknown" for run in runs)
    names = [item.name for item in fields(DataConfig)]
    return Bundle(
        directory,
        describe_model(model, backbones, labels, outputs, align=lead.aligned),
        config={name: lead.config[name] for name in names if name in lead.config},
        baseline=lead.baseline,
        versions=versions(),
        derived=next((run.derived for run in runs if run.derived), None),
        created=max((run.created for run in runs if run.created), default=None),
        data=_joined_data(lead, runs),
        ensemble=Ensemble(members=tuple(_row(name, run, runs) for name, run in bundles.items())),
    )


def _row(name: str, run: Bundle, runs: Sequence[Bundle]) -> dict:
    """Return what the bundle keeps of a member."""
    facts = {"name": name, "backbone": run.model.backbone, "image_size": list(run.image_size)}
    temperature = run.calibration.temperature if run.calibration and "emotion" in run.outputs else 1.0
    shares = {output: 1 / sum(output in other.outputs for other in runs) for output in run.outputs}
    return {**facts, "temperature": temperature, "weights": shares, "sha256": run.model.sha256, "created": run.created}


def _joined_data(lead: Bundle, runs: Sequence[Bundle]) -> TrainingData:
    """Return the training data of all members: the terms of each apply to the one model."""
    if len({(run.data.spec, run.data.fingerprint) for run in runs}) == 1:
        return lead.data
    joined = {}
    for name in ("title", "licence", "homepage", "citation"):
        told = dict.fromkeys(getattr(run.data, name) for run in (lead, *runs))
        joined[name] = "; ".join(text for text in told if text) or None
    return TrainingData(spec=lead.data.spec, **joined)


def _training_faces(bundles: Mapping[str, Bundle]) -> TrainingFaces:
    """Return the training faces of all members, each of them an ancestor."""
    faces = TrainingFaces(np.zeros(0, np.uint64), 0)
    for name, bundle in bundles.items():
        faces = with_model(faces, bundle.directory, name)
    return faces


def _refuse(judged: Judged, bundle: Bundle, options: ExportOptions) -> None:
    if not judged.reasons or options.force:
        return
    sides = sorted({member["image_size"][0] for member in bundle.ensemble.members})
    raise ValueError(
        f"The one model is too far from the mean of its members: {'; '.join(judged.reasons)}. Give its input another "
        f"--image-size (members: {', '.join(map(str, sides))}), name labelled data by --data-dir, or keep it: --force."
    )
