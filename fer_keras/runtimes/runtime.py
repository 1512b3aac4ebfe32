"""The contract of every runtime, from uint8 faces to named float32 outputs, and loading a model file with the right one."""

import abc
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fer_keras.cores import usable_cores
from fer_keras.formats import ENGINES, engines_of
from fer_keras.hints import nearest
from fer_keras.labels import OUTPUTS
from fer_keras.runtimes.providers import AUTO_PROVIDERS


@dataclass(frozen=True)
class Tensor:
    """An input or output of a model file.

    Attributes:
        shape: sizes; None where a size is free.
        dtype: type of its stored values.
        scale, zero_point: of a quantised tensor, value = (stored - zero_point) * scale; scale 0: not quantised.
    """

    shape: tuple[int | None, ...]
    dtype: np.dtype
    scale: float = 0.0
    zero_point: int = 0

    def store(self, values: np.ndarray) -> np.ndarray:
        """Return values as this tensor stores them; uint8 pixels are unchanged if it stores them with scale 1."""
        if values.dtype == self.dtype and self.scale in (0.0, 1.0) and self.zero_point == 0:
            return values
        if not self.scale:
            return values.astype(self.dtype)
        limits = np.iinfo(self.dtype)
        stored = np.round(values.astype(np.float32) / self.scale) + self.zero_point
        return np.clip(stored, limits.min, limits.max).astype(self.dtype)

    def read(self, stored: np.ndarray) -> np.ndarray:
        """Return the values that this tensor's stored ones stand for, float32."""
        values = np.asarray(stored).astype(np.float32)
        return (values - self.zero_point) * np.float32(self.scale) if self.scale else values


class Runtime(abc.ABC):
    """A loaded model file that computes outputs for faces.

    Args:
        name: of the engine, a key of `ENGINES`.
        image: the model's input, (batch, height, width, 3).
        outputs: the model's outputs by name.

    Attributes:
        name: of the engine.
        outputs: names of the model's outputs, in the package's order.
        image_size: (height, width) of the model's input.

    Raises:
        ValueError: an input that is not one batch of RGB images, or outputs with other names than the package's.
    """

    def __init__(self, name: str, image: Tensor, outputs: Mapping[str, Tensor]):
        self.name = name
        shape = tuple(image.shape)
        if len(shape) != 4 or shape[3] != 3 or None in shape[1:3]:
            raise ValueError(f"Expected a model whose input is (batch, height, width, 3). Received: {shape}.")
        unknown = sorted(set(outputs) - set(OUTPUTS))
        if unknown or not outputs:
            raise ValueError(
                f"Expected a model whose outputs are named {', '.join(OUTPUTS)}. Received: {', '.join(sorted(outputs))}."
            )
        self.outputs = tuple(key for key in OUTPUTS if key in outputs)
        self.image_size: tuple[int, int] = (int(shape[1]), int(shape[2]))
        self._image, self._tensors = image, dict(outputs)

    def run(self, faces: np.ndarray) -> dict[str, np.ndarray]:
        """Return the model's outputs for a batch of faces.

        Args:
            faces: (n, height, width, 3) uint8, RGB; n may be 0.

        Returns:
            The model's outputs among emotion, valence and arousal, float32: emotion (n, classes), the others (n, 1).

        Raises:
            ValueError: faces of another shape or dtype.
        """
        faces = np.asarray(faces)
        if faces.ndim != 4 or faces.shape[1:] != (*self.image_size, 3) or faces.dtype != np.uint8:
            raise ValueError(
                f"Expected uint8 RGB faces of shape (n, {self.image_size[0]}, {self.image_size[1]}, 3). "
                f"Received: {faces.dtype} {faces.shape}."
            )
        if not len(faces):
            return {name: np.zeros((0, self._width(name)), np.float32) for name in self.outputs}
        found = joined([self._one(chunk) for chunk in self._chunks(np.ascontiguousarray(faces))], self.outputs)
        return {name: values[: len(faces)].reshape(len(faces), -1) for name, values in found.items()}

    def _one(self, faces: np.ndarray) -> dict[str, np.ndarray]:
        """Return the outputs for one batch as the file takes it."""
        found = self._call(self._image.store(faces))
        return {name: self._tensors[name].read(found[name]) for name in self.outputs}

    @abc.abstractmethod
    def _call(self, images: np.ndarray) -> Mapping[str, np.ndarray]:
        """Run the model once on images in the input's dtype and return its stored outputs."""

    def _width(self, name: str) -> int:
        return int(self._tensors[name].shape[-1] or 1)

    def _chunks(self, faces: np.ndarray):
        """Yield the faces in batches of the file's fixed size, the last one padded, or all at once if the size is free."""
        size = self._image.shape[0]
        if size is None:
            yield faces
            return
        for start in range(0, len(faces), size):
            chunk = faces[start : start + size]
            yield np.concatenate([chunk, np.repeat(chunk[-1:], size - len(chunk), axis=0)])


def joined(parts: Sequence[Mapping[str, np.ndarray]], names: Iterable[str]) -> dict[str, np.ndarray]:
    """Return each named output of several batches in one array; those of one batch as they are."""
    if len(parts) == 1:
        return {name: parts[0][name] for name in names}
    return {name: np.concatenate([part[name] for part in parts]) for name in names}


def load_runtime(
    path: str | Path, engine: str | None = None, threads: int | None = None, *, providers: str = AUTO_PROVIDERS
) -> Runtime:
    """Load a model file so that it can be run; nothing from the file is executed but the model's own layers.

    Args:
        path: a model file, or a SavedModel's folder.
        engine: a key of `fer_keras.formats.ENGINES`; default: the first one for that kind of file.
        threads: most that a call may use; default: the number of cores that this process may use.
        providers: of ONNX Runtime, see `fer_keras.runtimes.providers.choose_providers`.

    Raises:
        FileNotFoundError: no such file.
        ValueError: an unknown kind of file, a damaged or unsuitable one, an engine or a provider that is not there.
    """
    path = Path(path)
    kinds = engines_of(path)
    kind = kinds[0] if engine is None else engine
    if kind not in ENGINES:
        raise ValueError(f"engine expects one of {', '.join(ENGINES)}. Received: {kind!r}.{nearest(kind, ENGINES)}")
    if kind not in kinds:
        raise ValueError(f"engine {kind} cannot run {path}. Expected {' or '.join(kinds)} for such a file.")
    if not path.exists():
        raise FileNotFoundError(f"No model file at {path}. Expected an existing file or folder.")
    if threads is not None and threads < 1:
        raise ValueError(f"threads expects at least 1. Received: {threads}.")
    entry = ENGINES[kind]
    if not entry.installed:
        raise ValueError(f'{path} needs {entry.package}, which is not installed: pip install "{entry.install}".')
    if entry.providers:
        return entry.load()(path, threads or usable_cores(), providers)
    if providers != AUTO_PROVIDERS:
        raise ValueError(f"providers goes with engine onnx. Received: {providers!r} for {kind}.")
    return entry.load()(path, threads or usable_cores())
