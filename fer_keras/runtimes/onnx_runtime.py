"""ONNX files through ONNX Runtime; loads no TensorFlow."""

from pathlib import Path

import numpy as np
import onnxruntime

from fer_keras.cli import one_line
from fer_keras.runtimes.runtime import Runtime, Tensor

_DTYPES = {"tensor(float)": np.float32, "tensor(uint8)": np.uint8, "tensor(int8)": np.int8}


class OnnxRuntime(Runtime):
    """An ONNX file, run on the CPU by ONNX Runtime.

    Args:
        path: of the .onnx file.
        threads: of one call.

    Raises:
        ValueError: not a whole ONNX file, or one of another kind of model.
    """

    def __init__(self, path: Path, threads: int):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3  # errors only; they are raised as well
        # Idle threads sleep instead of waiting in a loop: beside a camera, decoders or other work on the same cores, that
        # loop took two thirds of the speed.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            # Without the fallback, which only prints a page and fails again.
            self._session = onnxruntime.InferenceSession(
                path, options, providers=["CPUExecutionProvider"], enable_fallback=0
            )
        except Exception as error:  # ONNX Runtime's errors share no base but this
            raise ValueError(f"{path} is not a whole ONNX file: {one_line(error)}.") from error
        inputs = self._session.get_inputs()
        if len(inputs) != 1:
            raise ValueError(f"{path} expects {len(inputs)} inputs. Expected a model of one input, a batch of faces.")
        self._input = inputs[0].name
        super().__init__("onnx", _tensor(inputs[0]), {node.name: _tensor(node) for node in self._session.get_outputs()})

    def _call(self, images):
        return dict(zip(self.outputs, self._session.run(self.outputs, {self._input: images}), strict=True))


def _tensor(node) -> Tensor:
    if node.type not in _DTYPES:
        raise ValueError(f"Expected an ONNX model of {', '.join(_DTYPES)}. Received: {node.name} of {node.type}.")
    # A free size is a name or None.
    return Tensor(tuple(size if isinstance(size, int) else None for size in node.shape), np.dtype(_DTYPES[node.type]))
