"""TensorFlow's threads and GPU memory, set before it computes anything."""

import contextlib


def set_up_tensorflow(threads: int) -> None:
    """Let TensorFlow use this many threads an operation and take GPU memory as needed, where it has not begun yet.

    Once TensorFlow has computed something in a process its threads cannot be changed; it then goes on as it is.
    """
    import tensorflow as tf

    with contextlib.suppress(RuntimeError):
        tf.config.threading.set_intra_op_parallelism_threads(threads)
    for device in tf.config.list_physical_devices("GPU"):
        with contextlib.suppress(RuntimeError):
            tf.config.experimental.set_memory_growth(device, True)
