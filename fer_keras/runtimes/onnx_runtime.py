"""ONNX files through ONNX Runtime; loads no TensorFlow. The only module that imports ONNX Runtime: its telemetry is off."""

import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from fer_keras.cli import one_line
from fer_keras.quiet import disable_telemetry, quiet
from fer_keras.runtimes.onnx_check import check_onnx
from fer_keras.runtimes.providers import AUTO_PROVIDERS, ONE_CALL, PROVIDERS, choose_providers
from fer_keras.runtimes.runtime import Runtime, Tensor, joined

disable_telemetry()
with quiet(2):  # it writes notes on the devices that it does not find; an import that fails raises
    import onnxruntime
onnxruntime.disable_telemetry_events()  # for a process that had imported it before fer_keras
onnxruntime.set_default_logger_severity(3)  # errors only

#: With so many threads each runs a part of the batch by itself. Two that shared the work of each layer took 1.46 times as long
#: for 2 faces, 1.25 for 8 and 1.11 for 32, since idle ones sleep (`ferplus_faces`, 2 cores; with more it was not measured).
_SIDE_BY_SIDE = 2
_DTYPES = {"tensor(float)": np.float32, "tensor(uint8)": np.uint8, "tensor(int8)": np.int8}


class OnnxRuntime(Runtime):
    """An ONNX file, run by ONNX Runtime, on the CPU or where its build can.

    Args:
        path: of the .onnx file.
        threads: most that one call may use on the CPU.
        providers: see `fer_keras.runtimes.providers.choose_providers`.

    Attributes:
        providers: that run it, keys of `PROVIDERS`, best first.

    Raises:
        ValueError: a damaged file, one with custom operators or weights in other files, another kind of model, or a provider
            that is not there or does not start.
    """

    def __init__(self, path: Path, threads: int, providers: str = AUTO_PROVIDERS):
        check_onnx(path)
        wanted = choose_providers(providers, onnxruntime.get_available_providers())
        options = onnxruntime.SessionOptions()
        split = threads == _SIDE_BY_SIDE and wanted == ["cpu"]
        options.intra_op_num_threads = 1 if split else threads
        options.log_severity_level = 3  # errors only
        # Idle threads sleep instead of waiting in a loop, which took two thirds of the speed beside a camera, decoders or
        # other work on the same cores.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = _open(path, options, wanted, fall_back=providers == AUTO_PROVIDERS)
        running = self._session.get_providers()
        self.providers = [name for name in wanted if PROVIDERS[name] in running]
        if providers != AUTO_PROVIDERS and self.providers != wanted:
            raise ValueError(_not_started(providers, self.providers))
        self._turn = threading.Lock() if set(ONE_CALL) & set(self.providers) else contextlib.nullcontext()
        inputs = self._session.get_inputs()
        if len(inputs) != 1:
            raise ValueError(f"{path} expects {len(inputs)} inputs. Expected a model of one input, a batch of faces.")
        self._input = inputs[0].name
        super().__init__("onnx", _tensor(inputs[0]), {node.name: _tensor(node) for node in self._session.get_outputs()})
        split = split and self._image.shape[0] is None
        self._beside = ThreadPoolExecutor(1, thread_name_prefix="fer_keras") if split else None

    def _call(self, images):
        half = len(images) // 2
        if self._beside is None or not half:
            return self._run(images)
        rest = self._beside.submit(self._run, images[half:])
        return joined([self._run(images[:half]), rest.result()], self.outputs)

    def _run(self, images):
        with self._turn:
            found = self._session.run(self.outputs, {self._input: images})
        return dict(zip(self.outputs, found, strict=True))


def _open(path: Path, options, wanted: list[str], fall_back: bool):
    """Return a session on providers that are in the build, or on the CPU where they do not start and `fall_back` says so."""
    options.enable_mem_pattern = "directml" not in wanted  # which refuses it
    # A GPU's provider that lacks its libraries says so on standard error, at length.
    silence = contextlib.nullcontext() if wanted == ["cpu"] else quiet(2)
    try:
        with silence:
            # The fallback of ONNX Runtime only prints a page and fails again.
            names = [PROVIDERS[name] for name in wanted]
            return onnxruntime.InferenceSession(path, options, providers=names, enable_fallback=0)
    except Exception as error:  # ONNX Runtime's errors share no base but this
        if wanted == ["cpu"]:
            raise ValueError(f"{path} is not a whole ONNX file: {one_line(error)}.") from error
        if not fall_back:
            _open(path, options, ["cpu"], fall_back)  # a damaged file is told first
            raise ValueError(_not_started(",".join(wanted), ["cpu"])) from error
        return _open(path, options, ["cpu"], fall_back)


def _not_started(wanted: str, there: list[str]) -> str:
    return f"providers expects what starts here: {', '.join(there)}. Received: {wanted!r}, whose libraries or device are missing."


def _tensor(node) -> Tensor:
    if node.type not in _DTYPES:
        raise ValueError(f"Expected an ONNX model of {', '.join(_DTYPES)}. Received: {node.name} of {node.type}.")
    # A free size is a name or None.
    return Tensor(tuple(size if isinstance(size, int) else None for size in node.shape), np.dtype(_DTYPES[node.type]))


def load_quantization():
    """Return the module `onnxruntime.quantization`, for the exporters."""
    from onnxruntime import quantization
    from onnxruntime.quantization import shape_inference  # noqa: F401  makes quantization.shape_inference

    return quantization
