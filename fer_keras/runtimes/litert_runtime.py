"""TensorFlow Lite files through LiteRT; loads no TensorFlow."""

import threading
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from fer_keras.cli import one_line
from fer_keras.quiet import quiet
from fer_keras.runtimes.runtime import Runtime, Tensor
from fer_keras.runtimes.tflite_check import check_tflite

SIGNATURE = "serving_default"


class LiteRTRuntime(Runtime):
    """A TensorFlow Lite file, float or quantised, run on the CPU by LiteRT.

    Outputs are taken by name from the file's signature, since the converter does not keep their order.

    Args:
        path: of the .tflite file.
        threads: most that one call may use.

    Raises:
        ValueError: a damaged file, one with custom operators, weights in other files or outputs without names, or another kind of
            model.
    """

    def __init__(self, path: Path, threads: int):
        check_tflite(path)
        try:
            with quiet(2):  # its note on its delegate has no switch; errors are raised
                self._interpreter = Interpreter(str(path), num_threads=threads)
                self._interpreter.allocate_tensors()
            signatures = self._interpreter.get_signature_list()
        except (ValueError, RuntimeError) as error:
            raise ValueError(f"{path} is not a whole TensorFlow Lite file: {one_line(error)}.") from error
        if SIGNATURE not in signatures or len(signatures[SIGNATURE]["inputs"]) != 1:
            raise ValueError(
                f"{path} has no signature {SIGNATURE!r} of one input, so its outputs have no names. Export it again."
            )
        self._runner = self._interpreter.get_signature_runner(SIGNATURE)
        self._lock = threading.Lock()  # an interpreter serves one call at a time
        (self._input, details), *_ = self._runner.get_input_details().items()
        outputs = self._runner.get_output_details()
        super().__init__("litert", _tensor(details), {name: _tensor(value) for name, value in outputs.items()})

    def _call(self, images):
        with self._lock:
            return self._runner(**{self._input: images})


def _tensor(details: dict) -> Tensor:
    scale, zero_point = details["quantization"]
    sizes = details["shape_signature"]
    sizes = sizes if len(sizes) else details["shape"]
    shape = tuple(None if size < 0 else int(size) for size in sizes)
    return Tensor(shape, np.dtype(details["dtype"]), float(scale), int(zero_point))
