"""Splits of a face index, opened for training or evaluation."""

from dataclasses import dataclass

from fer_keras.batches.loader import FaceLoader, machine_memory
from fer_keras.batches.targets import Targets, balanced_class_weights, build_targets
from fer_keras.config.run_config import RunConfig
from fer_keras.data.index import FaceIndex
from fer_keras.data.loading import choose_outputs, training_index
from fer_keras.files import cache_folder


@dataclass(frozen=True)
class SplitInputs:
    """One split ready for a model: rows, faces and targets in the same order.

    Attributes:
        aligned: whether faces with landmarks are rotated until their eyes are level.
    """

    index: FaceIndex
    loader: FaceLoader
    targets: Targets
    aligned: bool = False

    def unreadable(self) -> list[dict[str, str]]:
        """Return split/id and reason of every face that could not be read so far."""
        return [
            {"id": f"{self.index.split[row]}/{self.index.id[row]}", "reason": reason}
            for row, reason in sorted(self.loader.unreadable.items())
        ]


def open_split(
    index: FaceIndex,
    image_size: tuple[int, int],
    outputs: tuple[str, ...],
    *,
    align: bool = False,
    cache: str = "none",
    **labelling,
) -> SplitInputs:
    """Open the faces of an index for a model.

    Args:
        index: the rows.
        image_size: (height, width) of the model's input.
        outputs: of the model.
        align: see `FaceIndex.open_images`.
        cache: see `FaceLoader`; a disk cache is kept in the cache folder under the data's fingerprint.
        **labelling: see `build_targets`.
    """
    name = index.fingerprint() + ("-level" if align else "")
    path = cache_folder() / "faces" / name if cache == "disk" else None
    loader = FaceLoader(index.open_images(align), image_size, cache, path)
    return SplitInputs(index, loader, build_targets(index, outputs, **labelling), align)


def open_training_splits(config: RunConfig, index: FaceIndex) -> tuple[SplitInputs, SplitInputs | None]:
    """Return the training and validation faces of a run; None where there is no validation split.

    Args:
        config: of the run, with an image size.
        index: every face of the data, in splits.

    Raises:
        ValueError: `align` without any face that has landmarks, outputs that the data does not label, or `in_memory` with
            faces that do not fit into memory.
    """
    data = config.data
    _check_alignment(index, data.align)
    outputs = choose_outputs(config.model.outputs, index.spec)
    train = training_index(index, data)
    chosen_on = index.of_split("validation") if "validation" in set(index.split.tolist()) else None
    size = (data.image_size, data.image_size)
    cache = _check_memory(len(train) + len(chosen_on or ()), size) if data.in_memory else data.cache
    weights = balanced_class_weights(train) if data.balance == "weight" else None
    shared = {"align": data.align, "cache": cache}
    opened = open_split(train, size, outputs, label_mode=data.label_mode, class_weights=weights, **shared)
    validation = chosen_on and open_split(chosen_on, size, outputs, **shared)
    for split in (opened, validation) if data.in_memory else ():
        if split:
            split.loader.fill(data.workers)
    return opened, validation


def _check_alignment(index: FaceIndex, align: bool) -> None:
    missing = index.without_landmarks()
    if align and missing == len(index):
        raise ValueError(f"--align expects faces with landmarks. Received: {index.spec.name}, which has none.")
    if align and missing:
        print(f"{missing:,} of {len(index):,} faces have no landmarks and are not aligned")


def _check_memory(faces: int, image_size: tuple[int, int]) -> str:
    """Return the cache of a run in memory.

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
