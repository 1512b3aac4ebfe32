"""`python tiny_run.py DEVICES FLAGS...`: `fer_keras.train` with the backbone `tiny` on that many virtual CPU devices."""

import base64
import contextlib
import os
import sys
from pathlib import Path
from unittest import mock

#: The smallest PNG there is.
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)
_DRAWING = []  # the function that draws a report's pictures, kept while it is replaced

sys.path.insert(0, str(Path(__file__).parents[1]))


@contextlib.contextmanager
def pictures(drawn: bool):
    """Write the pictures of reports in full, or as one pixel each: drawing them takes longer than training a tiny net."""
    from fer_keras.report import page

    _DRAWING.append(_DRAWING[0] if _DRAWING else page._png)
    with mock.patch.object(page, "_png", _DRAWING[0] if drawn else lambda figure: PIXEL):
        yield
    _DRAWING.pop()


def set_devices(count: int) -> None:
    """Make virtual devices; it must come before anything is computed."""
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    if backend == "jax":
        os.environ["XLA_FLAGS"] = f"--xla_force_host_platform_device_count={count}"
    if backend != "tensorflow":
        return
    import tensorflow as tf

    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * count)


def add_tiny() -> None:
    """Put the backbone `tiny` into the table: a convolution with batch normalisation, 32 px."""
    from keras import layers

    from fer_keras.models.backbones import BACKBONES, Backbone

    def build(tensor):
        x = layers.Conv2D(8, 5, 4, name="tiny_conv")(tensor)
        return layers.ReLU(name="tiny_relu")(layers.BatchNormalization(momentum=0.9, name="tiny_bn")(x))

    BACKBONES["tiny"] = Backbone(build, 32, 1 / 127.5, -1.0)


if __name__ == "__main__":
    set_devices(int(sys.argv[1]))
    add_tiny()
    from fer_keras.train import main

    with pictures(drawn=False):
        sys.exit(main(sys.argv[2:]))
