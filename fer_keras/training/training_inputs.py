"""The faces that a run trains on, and those it chooses its best epoch on."""

from fer_keras.batches.inputs import SplitInputs, open_split
from fer_keras.batches.loader import machine_memory
from fer_keras.batches.targets import balanced_class_weights
from fer_keras.config.fields import TrainConfig
from fer_keras.data.loading import choose_outputs, training_index


def open_training_inputs(
    config: TrainConfig, index, image_size: tuple[int, int]
) -> tuple[SplitInputs, SplitInputs | None]:
    """Return the training and validation faces that a configuration asks for; no validation split gives None.

    Raises:
        ValueError: `align`, and not one face with landmarks; or outputs that the data does not label.
    """
    missing = index.without_landmarks()
    if config.align and missing == len(index):
        raise ValueError(f"--align expects faces with landmarks. Received: {index.spec.name}, which has none.")
    if config.align and missing:
        print(f"{missing:,} of {len(index):,} faces have no landmarks and stay as they are turned")
    outputs = choose_outputs(config.outputs, index.spec)
    train = training_index(index, config.max_samples, config.split_seed)
    weights = balanced_class_weights(train) if config.balance == "weight" else None
    chosen_on = index.of_split("validation") if "validation" in set(index.split.tolist()) else None
    cache = _check_memory(len(train) + len(chosen_on or ()), image_size) if config.in_memory else config.cache
    opened = open_split(train, image_size, outputs, config.label_mode, cache, weights, config.align)
    validation = chosen_on and open_split(chosen_on, image_size, outputs, "majority", cache, align=config.align)
    for split in (opened, validation) if config.in_memory else ():
        if split:
            split.loader.fill(config.workers)
    return opened, validation


def _check_memory(faces: int, image_size: tuple[int, int]) -> str:
    """Return the cache for a run in memory.

    Raises:
        ValueError: the faces do not fit.
    """
    needed, there = faces * image_size[0] * image_size[1] * 3, machine_memory()
    if needed > there:
        raise ValueError(
            f"--in-memory expects faces that fit into this machine's {there >> 20:,} MiB. Received: {faces:,} faces, "
            f"{needed >> 20:,} MiB. Use --cache disk, or a smaller --image-size."
        )
    return "memory"
