"""What every exporter starts from: the model in float32, its bundle, and training faces where a format asks for them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from fer_keras.runs.bundle import Bundle


@dataclass(frozen=True)
class ExportSource:
    """A trained model on its way into files.

    Attributes:
        model: Keras model in float32, as `float32_model` gives it.
        bundle: of the model.
        scratch: folder for what lies between model and file; its owner removes it.
        training_faces: () -> (n, height, width, 3) uint8 RGB of the training split; raises ValueError where there are
            none to be had.
        labels: names of the emotion output's classes, empty for a model without that output.
    """

    model: object
    bundle: Bundle
    scratch: Path
    training_faces: Callable[[], np.ndarray]
    labels: tuple[str, ...] = field(init=False)

    def __post_init__(self):
        labels = self.bundle.labels if "emotion" in self.bundle.outputs else ()
        object.__setattr__(self, "labels", labels)

    @property
    def licence(self) -> str:
        """What a file says of its licence: the data's, for weights carry its terms."""
        data = self.bundle.data
        licence = data.licence or "not stated"
        return f"Trained on {data.title}, licence: {licence}" if data.title else licence

    @cached_property
    def metadata(self) -> dict[str, str]:
        """What a file can carry of the bundle, as text by name."""
        height, width = self.bundle.image_size
        return {
            "labels": ",".join(self.labels),
            "outputs": ",".join(self.bundle.outputs),
            "input_range": "0..255",
            "input_colour": "RGB",
            "input_layout": "batch, height, width, 3",
            "image_size": f"{height},{width}",
            "licence": self.licence,
            "producer": f"fer_keras {self.bundle.versions.get('fer_keras', '')}".strip(),
        }


def float32_model(model):
    """Return the model computing in float32: itself, or a copy with its weights if any layer computes otherwise.

    TFLite and ONNX converters refuse mixed precision. The model is called once, which converters need of a model that
    was just loaded.
    """
    if any(layer.compute_dtype != "float32" for layer in model.layers):
        twin = type(model).from_config(_in_float32(model.get_config()))
        twin.set_weights(model.get_weights())
        model = twin
    model(np.zeros((1, *model.input.shape[1:]), np.float32), training=False)
    return model


def _in_float32(value):
    """Copy a configuration with every dtype policy made float32."""
    if isinstance(value, dict):
        changed = {name: _in_float32(entry) for name, entry in value.items()}
        return {**changed, "dtype": "float32"} if "dtype" in changed else changed
    if isinstance(value, (list, tuple)):
        return type(value)(_in_float32(entry) for entry in value)
    return value
