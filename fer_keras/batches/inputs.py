"""One split of a face index, opened for training or evaluation."""

from dataclasses import dataclass

import numpy as np

from fer_keras.batches.loader import FaceLoader
from fer_keras.batches.targets import Targets, build_targets
from fer_keras.data.index import FaceIndex
from fer_keras.files import cache_folder


@dataclass(frozen=True)
class SplitInputs:
    """One split ready for a model: its rows, faces and targets, all in the same order.

    Attributes:
        aligned: whether faces with landmarks are turned until their eyes are level.
    """

    index: FaceIndex
    loader: FaceLoader
    targets: Targets
    aligned: bool = False

    def unreadable(self) -> list[dict[str, str]]:
        """Return split/id and reason of each face that could not be read so far."""
        return [
            {"id": f"{self.index.split[row]}/{self.index.id[row]}", "reason": reason}
            for row, reason in sorted(self.loader.unreadable.items())
        ]


def open_split(
    index: FaceIndex,
    image_size: tuple[int, int],
    outputs: tuple[str, ...],
    label_mode: str = "majority",
    cache: str = "none",
    class_weights: np.ndarray | None = None,
    align: bool = False,
) -> SplitInputs:
    """Open the faces of an index for a model.

    Args:
        index: the rows.
        image_size: (height, width) of the model's input.
        outputs: of the model.
        label_mode, class_weights: see `build_targets`.
        cache: see `FaceLoader`; a disk cache lies in the cache folder under the data's fingerprint.
        align: see `FaceIndex.open_images`.
    """
    name = index.fingerprint() + ("-level" if align else "")
    path = cache_folder() / "faces" / name if cache == "disk" else None
    loader = FaceLoader(index.open_images(align), image_size, cache, path)
    return SplitInputs(index, loader, build_targets(index, outputs, label_mode, class_weights), align)
