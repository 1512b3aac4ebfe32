"""Several models as one graph: each resizes the face to its own size, and the calibrated answers are averaged.

The graph is flat and of stock layers only, like its members', so that every format and Keras 2 can express it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import keras
import numpy as np

from fer_keras.labels import OUTPUTS
from fer_keras.models.weights import HEAD
from fer_keras.preprocessing import resize_matrices

_PLAIN = {"dtype": "float32"}


@dataclass(frozen=True)
class GraphMember:
    """One of the models that are averaged.

    Attributes:
        model: flat Keras model in float32, from (batch, height, width, 3) RGB 0..255 to a dict of outputs whose layers have
            the outputs' names, as `build_model` makes it.
        places: for each class of the result its place among the model's own classes; empty for a model without emotions.
        temperature: of its calibration; 1 where it has none.
    """

    model: keras.Model
    places: tuple[int, ...] = ()
    temperature: float = 1.0

    @property
    def image_size(self) -> tuple[int, int]:
        """(height, width) of the model's own input."""
        return tuple(self.model.input.shape[1:3])


def build_averaged(members: Sequence[GraphMember], image_size: tuple[int, int]) -> keras.Model:
    """Build one model that answers the mean of several models' calibrated answers.

    The temperature T acts on the logits, softmax(logits / T), which is p^(1/T) / sum p^(1/T) of the probabilities.

    Args:
        members: the models; weights are copied, the models stay as they are.
        image_size: (height, width) of the result's input.

    Returns:
        A functional model from (batch, height, width, 3) RGB 0..255 to a dict: emotion, valence, arousal, each the mean over
        the models that have it. Layers of the first model are named `member1_...`, and so on.

    Raises:
        ValueError: a model whose output is not a layer of that name, whose emotions are not those of a Dense layer with
            softmax, or whose input has another aspect ratio.
    """
    image = keras.Input((*image_size, 3), name="image", dtype="float32")
    answers = [_answers(member, image, f"member{number}") for number, member in enumerate(members, 1)]
    outputs = {name: [found[name] for found in answers if name in found] for name in OUTPUTS}
    means = {name: _mean(tensors, name) for name, tensors in outputs.items() if tensors}
    return keras.Model(image, means, name="fer_averaged")


def _mean(tensors: list, name: str):
    if len(tensors) == 1:
        return keras.layers.Activation("linear", name=name, **_PLAIN)(tensors[0])
    return keras.layers.Average(name=name, **_PLAIN)(tensors)


def _answers(member: GraphMember, image, prefix: str) -> dict:
    """Add a member's layers to the graph of an input; return its calibrated outputs, classes in the result's order."""
    _check_outputs(member.model)
    face = _resized(image, member.image_size, prefix)
    found = _copied(member.model, face, prefix)
    outputs = {name: found[f"{prefix}_{name}"] for name in member.model.output}
    if HEAD in outputs:
        _reorder(outputs[HEAD].layer, member.places)
        outputs[HEAD] = _calibrated(outputs[HEAD].tensor, member.temperature, prefix)
    return {name: value if name == HEAD else value.tensor for name, value in outputs.items()}


def _calibrated(logits, temperature: float, prefix: str):
    scaled = keras.layers.Rescaling(1 / temperature, name=f"{prefix}_temperature", **_PLAIN)(logits)
    return keras.layers.Activation("softmax", name=f"{prefix}_probabilities", **_PLAIN)(scaled)


def _resized(image, target: tuple[int, int], prefix: str):
    """Resize by the package's own geometry: each axis in turn becomes the channels of a convolution with its matrix.

    Keras's layer Resizing weighs pixels otherwise, and Keras 2 does not know all that Keras 3 writes of it.
    """
    size = tuple(image.shape[1:3])
    if size == target:
        return image
    rows, columns = resize_matrices(size, target)
    layers = keras.layers
    x = layers.Permute((2, 3, 1), name=f"{prefix}_resize_turn1", **_PLAIN)(image)
    x = _product(rows, f"{prefix}_resize_rows")(x)
    x = layers.Permute((3, 2, 1), name=f"{prefix}_resize_turn2", **_PLAIN)(x)
    x = _product(columns, f"{prefix}_resize_columns")(x)
    return layers.Permute((1, 3, 2), name=f"{prefix}_resize_turn3", **_PLAIN)(x)


def _product(matrix: np.ndarray, name: str):
    """Return a layer that multiplies the channels by a matrix (out, in), and does not train."""
    layer = keras.layers.Conv2D(matrix.shape[0], 1, use_bias=False, trainable=False, name=name, **_PLAIN)
    layer.build((None, None, None, matrix.shape[1]))
    layer.set_weights([np.ascontiguousarray(matrix.T)[None, None]])
    return layer


@dataclass(frozen=True)
class _Called:
    """A copied layer and what it gives."""

    layer: keras.Layer
    tensor: object


def _copied(model: keras.Model, image, prefix: str) -> dict[str, _Called]:
    """Add copies of a model's layers to the graph of an input, the emotions' without their softmax; return them by name."""
    called: dict[str, _Called] = {}

    def copy(layer):
        config = {**layer.get_config(), "name": f"{prefix}_{layer.name}"}
        return type(layer).from_config(config | ({"activation": "linear"} if layer.name == HEAD else {}))

    def call(layer, *args, **kwargs):
        tensor = layer(*args, **kwargs)
        called[layer.name] = _Called(layer, tensor)
        return tensor

    # The copy that Keras returns has an input of its own where `image` is no input; the tensors of `call` hang on `image`.
    keras.models.clone_model(model, image, clone_function=copy, call_function=call)
    for layer in model.layers:
        if layer.get_weights():
            called[f"{prefix}_{layer.name}"].layer.set_weights(layer.get_weights())
    return called


def _reorder(layer: keras.layers.Dense, places: Sequence[int]) -> None:
    """Put the columns of the emotions' layer into the result's order of classes."""
    layer.set_weights([values[..., list(places)] for values in layer.get_weights()])


def _check_outputs(model: keras.Model) -> None:
    """Refuse a model whose parts cannot be told apart; the package's own models have such outputs."""
    layers = {layer.name: layer for layer in model.layers}
    outputs = model.output if isinstance(model.output, dict) else {}
    if not outputs or not set(outputs) <= set(layers):
        raise ValueError("Expected a flat model with a dict of outputs, each a layer of that name, as train makes it.")
    head = layers.get(HEAD)
    if head and not (isinstance(head, keras.layers.Dense) and head.activation is keras.activations.softmax):
        raise ValueError(
            f"Expected emotions of a Dense layer with softmax, on whose logits the temperature acts. Received: "
            f"{type(head).__name__}. Of an ensemble, name the members."
        )
