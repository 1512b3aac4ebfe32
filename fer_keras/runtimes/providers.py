"""ONNX Runtime's execution providers, what computes a model: their names, and the choice among those that are there."""

from collections.abc import Sequence

from fer_keras.hints import nearest

#: The first provider of `_AUTO` that is there.
AUTO_PROVIDERS = "auto"
#: What `--providers` takes -> ONNX Runtime's name.
PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "directml": "DmlExecutionProvider",
}
#: CUDA and DirectML are in builds of ONNX Runtime that were installed for their sake. Not taken unasked: TensorRT, which
#: compiles for each new number of faces, and Core ML, which is in every build for macOS and may compute in float16.
_AUTO = ("cuda", "directml")
#: Providers on which a session serves one call at a time.
ONE_CALL = ("directml",)


def choose_providers(wanted: str, there: Sequence[str]) -> list[str]:
    """Return the providers to run a model on, best first, with the CPU last for what the others cannot compute.

    Args:
        wanted: auto, or keys of `PROVIDERS` with commas between them, in order of preference.
        there: ONNX Runtime's names of those that its build has, as `get_available_providers` gives them.

    Raises:
        ValueError: an unknown name, or one that is not there; those that are there are listed.

    Example:
        >>> choose_providers("auto", ["CUDAExecutionProvider", "CPUExecutionProvider"])
        ['cuda', 'cpu']
    """
    known = [name for name, full in PROVIDERS.items() if full in there]
    if wanted == AUTO_PROVIDERS:
        return [*[name for name in _AUTO if name in known][:1], "cpu"]
    names = [name.strip().lower() for name in wanted.split(",")]
    for name in names:
        if name not in known:
            hint = _BUILDS.get(name) or nearest(name, [AUTO_PROVIDERS, *PROVIDERS])
            raise ValueError(
                f"providers expects {AUTO_PROVIDERS} or some of those that are here: {', '.join(known)}. Received: {name!r}.{hint}"
            )
    return list(dict.fromkeys([*names, "cpu"]))


_BUILDS = {
    "cuda": " It comes with onnxruntime-gpu.",
    "tensorrt": " It comes with onnxruntime-gpu and TensorRT.",
    "coreml": " It comes with onnxruntime on macOS.",
    "directml": " It comes with onnxruntime-directml on Windows.",
}
