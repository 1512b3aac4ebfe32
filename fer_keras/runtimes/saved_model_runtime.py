"""SavedModel folders through TensorFlow."""

from pathlib import Path

import numpy as np
import tensorflow as tf

from fer_keras.cli import one_line
from fer_keras.runtimes.runtime import Runtime, Tensor
from fer_keras.runtimes.saved_model_check import check_saved_model
from fer_keras.runtimes.tensorflow_setup import set_up_tensorflow

SIGNATURE = "serving_default"


class SavedModelRuntime(Runtime):
    """The serving signature of a SavedModel.

    Args:
        path: of the folder with `saved_model.pb`.
        threads: most that one operation may use.

    Raises:
        ValueError: a damaged SavedModel, one without that signature, or one that could do more than compute (see
            `fer_keras.runtimes.saved_model_check`).
    """

    def __init__(self, path: Path, threads: int):
        set_up_tensorflow(threads)
        check_saved_model(path)
        try:
            # Kept, because the signature's variables are freed with it.
            self._loaded = tf.saved_model.load(str(path))
        except Exception as error:  # TensorFlow raises many kinds
            raise ValueError(f"{path} is not a whole SavedModel: {one_line(error)}.") from error
        self._signature = self._loaded.signatures.get(SIGNATURE)
        if self._signature is None or len(self._signature.structured_input_signature[1]) != 1:
            raise ValueError(f"{path} has no signature {SIGNATURE!r} of one input. Export it again.")
        ((self._input, image),) = self._signature.structured_input_signature[1].items()
        outputs = self._signature.structured_outputs
        super().__init__("saved_model", _tensor(image), {name: _tensor(value) for name, value in outputs.items()})

    def _call(self, images):
        found = self._signature(**{self._input: tf.constant(images)})
        return {name: values.numpy() for name, values in found.items()}


def _tensor(spec) -> Tensor:
    return Tensor(tuple(spec.shape.as_list()), np.dtype(spec.dtype.as_numpy_dtype))
