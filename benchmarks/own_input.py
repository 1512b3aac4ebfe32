"""Batches of faces from the training input of this copy of fer_keras, or of one from before 2026-11-26 by its names then.

The interpreter decides which copy it is: `PYTHONPATH=DIR`.
"""

from collections.abc import Iterator
from dataclasses import fields
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

#: What feeds a training run: today's module and name, and those before.
_PARTS = {
    "batches": ("batches.batches.TrainingBatches", "data.batches.TrainingBatches"),
    "open_split": ("batches.inputs.open_split", "engine.inputs.open_split"),
    "training_data": ("batches.pipeline.training_data", "data.pipeline.training_data"),
    "changes": ("config.run_config.AugmentConfig", "data.augment.Augmentation"),
    "load_faces": ("data.loading.load_faces", "engine.inputs.load_faces"),
    "keep_freed_memory": ("training.machine.keep_freed_memory", "engine.runtime.keep_freed_memory"),
}


def _part(name: str):
    # By what only the earlier copy has: what it lacks, an editable install of another one would fill in.
    before = find_spec("fer_keras.engine") is not None
    module, _, name = _PARTS[name][before].rpartition(".")
    return getattr(import_module(f"fer_keras.{module}"), name)


def training_batches(
    folder: Path, size: int, batch: int, *, changes: dict | None, threads: int, epochs: int, freed_memory: str = "kept"
) -> tuple[Iterator, int]:
    """Return the batches of some epochs as `fit` gets them, and how many an epoch has.

    Args:
        folder: class folders, or shards.
        size: side of the faces in pixels.
        batch: faces a batch.
        changes: settings of the augmentation; None: faces are not changed.
        threads: batches made at a time.
        epochs: passes over the faces.
        freed_memory: kept, as `train` has it, or returned to the system, as before 2026-11-27 beside a GPU.
    """
    if freed_memory == "kept":
        _part("keep_freed_memory")()
    index = _part("load_faces")("image_folder", str(folder), validation_fraction=0.0)
    opened = _part("open_split")(index, (size, size), index.spec.targets)
    if changes is not None:
        kind = _part("changes")
        changes = kind(**{item.name: changes[item.name] for item in fields(kind)})
    batches = _part("batches")(opened.loader, opened.targets, batch, augmentation=changes)
    return iter(_part("training_data")(batches, 0, epochs, threads)), batches.steps
