"""The machine of a run: seeds, accelerators, and memory."""

import ctypes
import os
import re
import sys
from importlib import import_module
from pathlib import Path

import keras


def set_up(seed: int, memory_growth: bool = True) -> str:
    """Seed every generator, let the GPU's memory grow, and return the names of the devices that the run computes on."""
    keras.utils.set_random_seed(seed)
    keep_freed_memory()
    devices = accelerators()
    if memory_growth and devices and keras.backend.backend() == "tensorflow":
        _grow_memory()
    return ", ".join(devices) or f"CPU, {os.cpu_count()} cores"


def _grow_memory() -> None:
    import tensorflow as tf

    for device in tf.config.list_physical_devices("GPU"):
        try:
            tf.config.experimental.set_memory_growth(device, True)
        except RuntimeError as error:  # the GPU is in use already, in a notebook's second run
            print(f"note: {error}", file=sys.stderr)


def keep_freed_memory() -> bool:
    """Let the C library keep freed blocks instead of giving each back to the system; return whether it does.

    A training step on a CPU allocates and frees hundreds of megabytes, and so do the batches of faces beside a GPU. With
    glibc's defaults every large block is mapped anew and its pages are zeroed by the kernel; `benchmarks/cpu_memory.py`
    measures what that costs a step, `benchmarks/input_speed.py --freed-memory returned` what it costs the input.
    """
    m_trim_threshold, m_top_pad, m_mmap_max = -1, -2, -4  # of glibc's malloc.h
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):  # not glibc
        return False
    return all([mallopt(m_mmap_max, 0), mallopt(m_trim_threshold, 2**31 - 1), mallopt(m_top_pad, 1 << 28)])


def computes_bfloat16(processor: str | None = None) -> bool | None:
    """Return whether this machine's processor has bfloat16 arithmetic; without it TensorFlow computes it by detours.

    Args:
        processor: text of /proc/cpuinfo; default: this machine's. Where there is none, or it names no flags, as on other
            systems and processors than x86 Linux, the answer is None: nothing is known.

    Example:
        >>> computes_bfloat16("flags : fma avx2"), computes_bfloat16("flags : avx2 amx_bf16"), computes_bfloat16("")
        (False, True, None)
    """
    if processor is None:
        try:
            processor = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return None
    flags = re.search(r"^flags\s*:(.*)$", processor, re.MULTILINE)
    return bool({"avx512_bf16", "amx_bf16"}.intersection(flags[1].split())) if flags else None


def fitting_precision() -> str:
    """Return what `--mixed-precision auto` means here: bfloat16 where the hardware computes it, none elsewhere.

    Of accelerators, only NVIDIA's before Ampere (compute capability 8) are known not to, such as P100 and T4.
    """
    if not accelerators():
        return "bfloat16" if computes_bfloat16() else "none"
    if keras.backend.backend() != "tensorflow":
        return "bfloat16"
    capabilities = (details.get("compute_capability", (8, 0)) for details in _tensorflow_details())
    return "bfloat16" if min(capabilities) >= (8, 0) else "none"


def accelerators() -> list[str]:
    """Return the names of the accelerators that Keras's backend sees; an empty list means that it computes on the CPU."""
    return {"tensorflow": _tensorflow_gpus, "jax": _jax_devices, "torch": _torch_gpus}[keras.backend.backend()]()


def _tensorflow_gpus() -> list[str]:
    return [details.get("device_name", "GPU") for details in _tensorflow_details()]


def _tensorflow_details() -> list[dict]:
    import tensorflow as tf

    return [tf.config.experimental.get_device_details(device) for device in tf.config.list_physical_devices("GPU")]


def _jax_devices() -> list[str]:
    jax = import_module("jax")
    return [device.device_kind for device in jax.local_devices() if device.platform != "cpu"]


def _torch_gpus() -> list[str]:
    cuda = import_module("torch").cuda
    return [cuda.get_device_name(number) for number in range(cuda.device_count())] if cuda.is_available() else []


def peak_memory_mb() -> float | None:
    """Return the peak memory of this process so far, in MiB, or None if the system does not report it."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1024 if sys.platform != "darwin" else 1024**2), 1)
