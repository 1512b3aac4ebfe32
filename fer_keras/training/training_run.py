"""A whole training run: data, training, evaluation on the validation split, and the bundle it leaves."""

import shutil
import sys
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path

from fer_keras.batches.inputs import SplitInputs
from fer_keras.config.fields import TrainConfig
from fer_keras.data.facts import derived_facts, describe_faces, member_facts, training_priors
from fer_keras.data.index import FaceIndex
from fer_keras.data.loading import choose_outputs, load_faces
from fer_keras.files import write_atomic
from fer_keras.runs.run_directory import CHECKPOINT_DIR, check_run, open_run, read_history


def train_run(
    config: TrainConfig,
    resume: bool = False,
    overwrite: bool = False,
    machines: str | None = None,
    machine: int = 0,
) -> Path:
    """Train a model as configured and leave a run directory that somebody else can use.

    Args:
        config: of the run.
        resume: go on with the run in its output directory; with no run there, start one.
        overwrite: replace the run that is there.
        machines: addresses of several machines that train together, see `training.strategy`; each calls this with the same
            arguments, and an output directory that all of them see. The first one writes it.
        machine: place of this one among them, from 0.

    Returns:
        The run directory, with `model.keras`, `bundle.json`, `history.csv`, `config.toml`, and of the validation split
        `metrics.json`, `predictions.parquet`, `report.html`, `report.md` and `plots/`.

    Raises:
        ValueError: a configuration or data that cannot be used.
        OSError: files that cannot be read or written, or machines that do not meet or are lost.
    """
    from fer_keras.data.several import parse_sets, parse_weights, resolve_names

    sets = parse_sets(config.data_spec, config.data_dir)  # wrong names are told before anything is made
    weights = parse_weights(config.set_weights, len(sets))
    config = replace(config, data_spec=resolve_names(config.data_spec, sets))
    config = resolve(config)
    check_run(config, resume, overwrite)
    run = Path(config.output_dir)
    if resume and (run / "bundle.json").exists():
        print(f"{run} has finished already; nothing to resume.")
        return run
    index = _load_index(config)

    from fer_keras.training import machine as this_machine
    from fer_keras.training.strategy import open_strategy
    from fer_keras.training.trainer import Trainer
    from fer_keras.training.training_inputs import open_training_inputs

    if machine == 0:
        open_run(config, resume, overwrite)
    strategy = open_strategy(config.strategy, machines, machine)
    device = this_machine.set_up(config.seed, config.memory_growth)
    train, validation = open_training_inputs(config, index, (config.image_size, config.image_size))
    trainer = Trainer(config, run, train, validation, strategy)
    model = trainer.fit(resume)
    if not strategy.leads:
        return run
    data = {
        "splits": {split: sum(classes.values()) for split, classes in index.counts().items()},
        "sets": tuple(member_facts(index, weights)),
    }
    _finish(config, run, trainer, model, device, data)
    return run


def _load_index(config: TrainConfig) -> FaceIndex:
    """Return the faces that a configuration names, and say what they are."""
    index = load_faces(
        config.data_spec,
        config.data_dir,
        config.validation_fraction,
        config.test_fraction,
        config.split_seed,
        config.derive_va,
        config.emotions,
    )
    choose_outputs(config.outputs, index.spec)  # refused before TensorFlow is loaded and a run is opened
    print("\n".join(describe_faces(index)))
    return index


def resolve(config: TrainConfig) -> TrainConfig:
    """Return the configuration with everything said that its defaults leave to backbone and data.

    Raises:
        ValueError: no such backbone, or bad widths of heads.
    """
    from fer_keras.data.several import absolute_places
    from fer_keras.models.backbones import get_backbone
    from fer_keras.models.build import resolve_trainable, resolve_weights
    from fer_keras.models.heads import parse_units

    entry = get_backbone(config.backbone)
    parse_units(config.head_units)
    weights = resolve_weights(config.backbone, config.weights)
    return replace(
        config,
        data_dir=absolute_places(config.data_spec, config.data_dir),
        image_size=config.image_size or entry.image_size,
        weights=weights,
        trainable_layers=resolve_trainable(config.trainable_layers, weights != "none"),
    )


def _finish(config: TrainConfig, run: Path, trainer, model, device: str, data: dict) -> None:
    """Save the model, evaluate it on the split it was chosen on, and write the bundle last: it says the run is whole."""
    from fer_keras.evaluation.evaluator import evaluate_split
    from fer_keras.runs.bundle import MODEL_FILE, Bundle, describe_model, versions
    from fer_keras.runs.bundle_parts import Selection, TrainingCost, TrainingData
    from fer_keras.training import machine as this_machine

    write_atomic(run / MODEL_FILE, model.save)
    state, index = trainer.state, trainer.train.index
    monitor = config.va_monitor if state.selected else config.monitor
    labels = trainer.labels if "emotion" in trainer.outputs else ()
    bundle = Bundle(
        run,
        describe_model(model, config.backbone, labels, trainer.outputs, align=config.align),
        config=asdict(config),
        baseline=training_priors(index),
        versions=versions(),
        derived=derived_facts(index),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        data=TrainingData(
            spec=index.spec.name,
            title=index.spec.title,
            licence=index.spec.licence,
            homepage=index.spec.homepage,
            citation=index.spec.citation,
            fingerprint=trainer.fingerprint,
            faces=len(index),
            **data,
            report=asdict(index.report),
            unreadable=tuple(trainer.train.unreadable()),
            not_aligned=index.without_landmarks() if config.align else None,
        ),
        selected=Selection(
            split="validation" if monitor.startswith("val_") else "train",
            monitor=monitor,
            epoch=state.best_epoch,
            value=state.best_value,
            before=state.selected,
        ),
        training=TrainingCost(
            epochs=len(state.history),
            stopped=state.stopped,
            seconds=round(state.seconds, 1),
            peak_memory_mb=this_machine.peak_memory_mb(),
            device=device,
        ),
    )
    chosen: SplitInputs = trainer.validation or trainer.train
    evaluate_split(bundle, model, chosen, run, config.batch_size, read_history(run), config.workers)
    _calibrate(bundle)
    bundle.save()
    shutil.rmtree(run / CHECKPOINT_DIR, ignore_errors=True)


def _calibrate(bundle) -> None:
    """Fit the temperature on the validation split that was just evaluated; a run without one goes uncalibrated."""
    from fer_keras.runs.calibration import calibrate

    if "emotion" in bundle.outputs:
        try:
            calibrate(bundle)
        except ValueError as error:
            print(f"note: probabilities stay uncalibrated: {error}", file=sys.stderr)
