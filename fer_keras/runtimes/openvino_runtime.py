"""ONNX files through OpenVINO; loads no TensorFlow and no ONNX Runtime. OpenVINO's telemetry stays out."""

from pathlib import Path

import numpy as np

from fer_keras.cli import one_line
from fer_keras.quiet import without_openvino_telemetry
from fer_keras.runtimes.onnx_check import check_onnx
from fer_keras.runtimes.runtime import Runtime, Tensor

with without_openvino_telemetry():
    import openvino

_DTYPES = {"f32": np.float32, "u8": np.uint8, "i8": np.int8}


class OpenVINORuntime(Runtime):
    """An ONNX file, float or quantised, run on the CPU by OpenVINO.

    A float file is computed in float32. OpenVINO's own default is bfloat16 where the CPU has it, which changed
    probabilities of the bundled model by up to 0.005.

    Args:
        path: of the .onnx file.
        threads: most that one call may use.

    Raises:
        ValueError: a damaged file, one with custom operators or weights in other files, or another kind of model.
    """

    def __init__(self, path: Path, threads: int):
        check_onnx(path)
        settings = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": threads,
            "INFERENCE_PRECISION_HINT": "f32",
            # Threads that are bound to cores stand still where a decoder or another program has the core.
            "ENABLE_CPU_PINNING": False,
        }
        try:
            core = openvino.Core()
            self._model = core.compile_model(core.read_model(path), "CPU", settings)
        except Exception as error:  # OpenVINO's errors share no base but this
            raise ValueError(f"{path} is not a whole ONNX file: {one_line(error)}.") from error
        if len(self._model.inputs) != 1:
            raise ValueError(
                f"{path} expects {len(self._model.inputs)} inputs. Expected a model of one input, a batch of faces."
            )
        self._idle: list = []  # requests; each serves one call at a time
        outputs = {node.any_name: _tensor(node) for node in self._model.outputs}
        super().__init__("openvino", _tensor(self._model.inputs[0]), outputs)

    def _call(self, images):
        try:
            request = self._idle.pop()
        except IndexError:
            request = self._model.create_infer_request()
        found = request.infer({0: images}, share_inputs=True)
        outputs = {node.any_name: found[node] for node in self._model.outputs}
        self._idle.append(request)
        return outputs


def _tensor(node) -> Tensor:
    kind = node.element_type.get_type_name()
    if kind not in _DTYPES:
        raise ValueError(f"Expected an ONNX model of {', '.join(_DTYPES)}. Received: {node.any_name} of {kind}.")
    sizes = (None if size.is_dynamic else size.get_length() for size in node.partial_shape)
    return Tensor(tuple(sizes), np.dtype(_DTYPES[kind]))
