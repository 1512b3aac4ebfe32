"""Keras files (.keras, .h5) through Keras itself."""

from pathlib import Path

import keras
import numpy as np

from fer_keras.models.keras_file import load_keras_model
from fer_keras.runtimes.runtime import Runtime, Tensor
from fer_keras.runtimes.tensorflow_setup import set_up_tensorflow


class KerasRuntime(Runtime):
    """A Keras model, compiled once into one graph for any batch size.

    Args:
        path: of the .keras or .h5 file.
        threads: most that one operation may use.

    Attributes:
        model: the Keras model.

    Raises:
        ValueError: a damaged file, one that contains code, or another kind of model.
    """

    def __init__(self, path: Path, threads: int):
        on_tensorflow = keras.backend.backend() == "tensorflow"
        if on_tensorflow:
            set_up_tensorflow(threads)
        self.model = load_keras_model(path)
        outputs = self.model.output
        if not isinstance(outputs, dict):
            outputs = outputs if isinstance(outputs, (list, tuple)) else [outputs]
            outputs = dict(zip(self.model.output_names, outputs, strict=True))
        self._names = list(outputs)
        image = Tensor(tuple(self.model.input.shape), np.dtype("uint8"))
        tensors = {name: Tensor(tuple(value.shape), np.dtype("float32")) for name, value in outputs.items()}
        super().__init__("keras", image, tensors)
        self._forward = _tensorflow_graph(self.model, self.image_size) if on_tensorflow else _any_backend(self.model)

    def _call(self, images):
        found = self._forward(images)
        if not isinstance(found, dict):
            found = found if isinstance(found, (list, tuple)) else [found]
            found = dict(zip(self._names, found, strict=True))
        return {name: np.asarray(values) for name, values in found.items()}


def _tensorflow_graph(model, image_size):
    """Return the model as one traced function, which is faster than `predict`, which builds its input at each call."""
    import tensorflow as tf

    def forward(images):
        return model(tf.cast(images, tf.float32), training=False)

    traced = tf.function(forward).get_concrete_function(tf.TensorSpec((None, *image_size, 3), tf.uint8))
    return lambda images: traced(tf.constant(images))


def _any_backend(model):
    """Return the model for JAX and PyTorch; batches are padded to powers of two, since each shape is compiled again."""

    def forward(images):
        count = len(images)
        fill = (1 << (count - 1).bit_length()) - count
        padded = np.concatenate([images, np.repeat(images[-1:], fill, axis=0)]).astype(np.float32)
        found = model.predict_on_batch(padded)
        return keras.tree.map_structure(lambda values: np.asarray(values)[:count], found)

    return forward
