"""A whole training run: data, training, evaluation on the validation split, and the bundle it leaves."""

import sys
from contextlib import nullcontext
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path

from fer_keras.batches.inputs import open_training_splits
from fer_keras.bundled import bundled_model, is_bundled
from fer_keras.config.config_file import load_config
from fer_keras.config.run_config import RunConfig
from fer_keras.config.settings import flat_values
from fer_keras.data.facts import check_classes, derived_facts, describe_faces, member_facts, training_priors
from fer_keras.data.index import FaceIndex
from fer_keras.data.loading import choose_outputs, load_faces
from fer_keras.data.several import absolute_places, parse_sets, parse_weights, resolve_names
from fer_keras.files import write_atomic
from fer_keras.runs.bundle import MODEL_FILE, Bundle, describe_model, load_bundle, versions
from fer_keras.runs.bundle_json import BUNDLE_FILE
from fer_keras.runs.bundle_parts import Selection, TrainingCost, TrainingData
from fer_keras.runs.file_hashes import hash_file
from fer_keras.runs.run_directory import CONFIG_FILE, check_run, open_run, remove_checkpoint, remove_results
from fer_keras.runs.run_lock import hold_run, refuse_held
from fer_keras.training.recorded_faces import record_faces
from fer_keras.training.teachers import load_teachers, taught

_SLOW_PRECISION = (
    "note: --mixed-precision bfloat16 takes about twice as long as none on a processor without AVX-512 BF16 or AMX, such as "
    "this one"
)


def train_run(
    config: RunConfig,
    *,
    resume: bool = False,
    overwrite: bool = False,
    machines: str | None = None,
    machine: int = 0,
) -> Path:
    """Train a model as configured and leave a run directory with all that others need to use the model.

    Args:
        config: of the run.
        resume: continue the run in its output directory, for more epochs if it has finished; if there is none, start one.
        overwrite: replace the run that is there.
        machines: addresses of several machines that train together, see `training.strategy`; each of them calls this with
            the same arguments and an output directory that all of them can read. The first one writes it.
        machine: place of this one among them, from 0.

    Returns:
        The run directory, with `model.keras`, `bundle.json`, `history.csv`, `config.toml`, and of the validation split
        `metrics.json`, `predictions.parquet`, `report.html`, `report.md` and `plots/`.

    Raises:
        ValueError: a configuration or data that cannot be used, or a directory in which another process trains.
        OSError: files that cannot be read or written, or machines that cannot be reached or are lost.
    """
    config = resolve(_as_begun(config) if resume else config)
    load_teachers(config)
    run = Path(config.training.output_dir)
    if machine == 0:
        refuse_held(run)
    check_run(config, resume, overwrite)
    if resume and _has_finished(run, config):
        print(f"{run} has finished already; nothing to resume. Give more --epochs to go on.")
        return run
    if resume and machines and (run / BUNDLE_FILE).exists():
        raise ValueError(f"{run} has finished; more epochs go on one machine. Leave --machines out.")
    index = _load_index(config)
    with hold_run(run) if machine == 0 else nullcontext():
        if machine == 0:
            open_run(config, resume, overwrite)
        _train(config, index, resume=resume, machines=machines, machine=machine)
    return run


def _train(config: RunConfig, index: FaceIndex, *, resume: bool, machines: str | None, machine: int) -> None:
    from fer_keras.training.machine import accelerators, computes_bfloat16, set_up
    from fer_keras.training.strategy import open_strategy
    from fer_keras.training.trainer import Trainer

    strategy = open_strategy(config.training.strategy, machines, machine)
    device = set_up(config.training.seed, config.training.memory_growth)
    if config.training.mixed_precision == "bfloat16" and not accelerators() and computes_bfloat16() is False:
        print(_SLOW_PRECISION, file=sys.stderr)
    train, validation = open_training_splits(config, index)
    train = taught(config, train, keep=strategy.leads)
    trainer = Trainer(config, train, validation, strategy=strategy)
    if strategy.leads:
        record_faces(trainer.run, trainer.train.index, config.model.weights, pixels=False)
    model = trainer.fit(resume)
    if strategy.leads:
        _finish(trainer, model, index, device)


def _has_finished(run: Path, config: RunConfig) -> bool:
    """Return whether a run has a bundle and no more epochs are asked for than it had planned."""
    if not (run / BUNDLE_FILE).exists():
        return False
    return config.training.epochs <= load_bundle(run).config.get("epochs", config.training.epochs)


def resolve(config: RunConfig) -> RunConfig:
    """Return the configuration with everything filled in that its defaults leave to the backbone, the data and the machine.

    Raises:
        ValueError: an unknown backbone or data spec, or weights of data sets that do not fit them.
        FileNotFoundError: a data spec's file does not exist.
    """
    data = config.data
    sets = parse_sets(data.data_spec, data.data_dir)  # unknown names are refused before TensorFlow is loaded
    parse_weights(data.set_weights, len(sets))
    spec = resolve_names(data.data_spec, sets)
    from fer_keras.models.backbones import get_backbone
    from fer_keras.models.build import resolve_model

    config = _follow_bundled(config)
    data = config.data
    size = data.image_size or get_backbone(config.model.backbone).image_size
    place = absolute_places(spec, data.data_dir)
    data = replace(data, data_spec=spec, data_dir=place, image_size=size)
    training = config.training
    if training.mixed_precision == "auto":
        from fer_keras.training.machine import fitting_precision

        training = replace(training, mixed_precision=fitting_precision())
    return replace(config, data=data, model=resolve_model(config.model), training=training)


def _as_begun(config: RunConfig) -> RunConfig:
    """Return a configuration whose automatic precision is that of the run it resumes: the machine may be another one."""
    begun = Path(config.training.output_dir) / CONFIG_FILE
    if config.training.mixed_precision != "auto" or not begun.is_file():
        return config
    return config.replace(mixed_precision=load_config(begun).training.mixed_precision)


def _follow_bundled(config: RunConfig) -> RunConfig:
    """Return a configuration that starts from a bundled model with that model's backbone and image size where none is given.

    Raises:
        ValueError: another backbone.
    """
    if not is_bundled(config.model.weights):
        return config
    described = load_bundle(bundled_model(config.model.weights)).model
    backbone = config.model.backbone
    if backbone not in (described.backbone, RunConfig().model.backbone):
        raise ValueError(
            f"--weights {config.model.weights} expects --backbone {described.backbone}, the bundled model's. Received: "
            f"{backbone}."
        )
    size = config.data.image_size or described.image_size[0]
    return config.replace(backbone=described.backbone, image_size=size)


def _load_index(config: RunConfig) -> FaceIndex:
    """Return the faces of a run and print what they are."""
    index = load_faces(config.data)
    check_classes(index, choose_outputs(config.model.outputs, index.spec))  # refused before a run is opened
    print("\n".join(describe_faces(index)))
    return index


def _finish(trainer, model, index: FaceIndex, device: str) -> None:
    """Save the model, evaluate it on the split it was chosen on, and write the bundle last: its file marks a whole run."""
    from fer_keras.evaluation.evaluate_config import EvaluateConfig
    from fer_keras.evaluation.evaluator import evaluate_split

    config, run, train = trainer.config, trainer.run, trainer.train
    remove_results(run)  # of the model that a run with more epochs had before
    write_atomic(run / MODEL_FILE, model.save)
    labels = trainer.labels if "emotion" in trainer.outputs else ()
    described = describe_model(model, config.model.backbone, labels, trainer.outputs, align=config.data.align)
    bundle = Bundle(
        run,
        replace(described, sha256=hash_file(run / MODEL_FILE)),
        config=flat_values(config),
        baseline=training_priors(train.index),
        versions=versions(),
        derived=derived_facts(train.index),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        data=_training_data(trainer, index),
        selected=_selection(trainer),
        training=_training_cost(trainer, device),
    )
    options = EvaluateConfig(batch_size=config.training.batch_size, workers=config.data.workers, output_dir=str(run))
    evaluate_split(bundle, model, trainer.validation or train, options, remarks=_known_faces(trainer))
    _calibrate(bundle)
    bundle.save()
    remove_checkpoint(run)


def _known_faces(trainer) -> tuple[str, ...]:
    """Write which faces the run was trained on; return what to say of validation faces that the model it started from knew."""
    from fer_keras.evaluation.known_faces import known_remarks

    faces = record_faces(trainer.run, trainer.train.index, trainer.config.model.weights, pixels=True)
    if trainer.validation is None or not faces.ancestors:
        return ()
    index = trainer.validation.index
    remarks = known_remarks(faces, index, faces.known(index), own=True)
    for remark in remarks:
        print(f"note: {remark}", file=sys.stderr)
    return remarks


def _training_data(trainer, whole: FaceIndex) -> TrainingData:
    """Return what the model was trained on; `whole` is the data with all of its splits."""
    data, index = trainer.config.data, trainer.train.index
    spec, weights = index.spec, parse_weights(data.set_weights, len(whole.members))
    return TrainingData(
        spec=spec.name,
        title=spec.title,
        licence=spec.licence,
        homepage=spec.homepage,
        citation=spec.citation,
        fingerprint=trainer.fingerprint,
        faces=len(index),
        splits={split: sum(classes.values()) for split, classes in whole.counts().items()},
        sets=tuple(member_facts(whole, weights)),
        report=asdict(index.report),
        unreadable=tuple(trainer.train.unreadable()),
        not_aligned=index.without_landmarks() if data.align else None,
    )


def _selection(trainer) -> Selection:
    state, training = trainer.state, trainer.config.training
    monitor = training.va_monitor if state.selected else training.monitor
    return Selection(
        split="validation" if monitor.startswith("val_") else "train",
        monitor=monitor,
        epoch=state.best_epoch,
        value=state.best_value,
        before=state.selected,
    )


def _training_cost(trainer, device: str) -> TrainingCost:
    from fer_keras.training.machine import peak_memory_mb

    state = trainer.state
    return TrainingCost(
        epochs=len(state.history),
        stopped=state.stopped,
        seconds=round(state.seconds, 1),
        peak_memory_mb=peak_memory_mb(),
        device=device,
    )


def _calibrate(bundle) -> None:
    """Fit the temperature on the validation split that was just evaluated; without one the run stays uncalibrated."""
    from fer_keras.runs.calibration import calibrate

    if "emotion" in bundle.outputs:
        try:
            calibrate(bundle)
        except ValueError as error:
            print(f"note: probabilities stay uncalibrated: {error}", file=sys.stderr)
