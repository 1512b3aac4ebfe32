"""TensorFlow's threads and GPU memory, set before it computes anything."""

import contextlib


def set_up_tensorflow(threads: int) -> None:
    """Let TensorFlow use this many threads per operation, and allocate GPU memory as needed.

    Neither can be changed once TensorFlow has computed something in this process; both then stay as they are.
    """
    import tensorflow as tf

    with contextlib.suppress(RuntimeError):
        tf.config.threading.set_intra_op_parallelism_threads(threads)
    for device in tf.config.list_physical_devices("GPU"):
        with contextlib.suppress(RuntimeError):
            tf.config.experimental.set_memory_growth(device, True)
