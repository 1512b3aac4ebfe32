"""A backbone of three layers, so that whole runs take seconds."""

import pytest


@pytest.fixture(scope="session", autouse=True)
def tiny_backbone():
    """Put the backbone `tiny` into the table: a convolution with batch normalisation, 32 px."""
    from keras import layers

    from fer_keras.models.backbones import BACKBONES, Backbone

    def build(tensor):
        x = layers.Conv2D(8, 5, 4, name="tiny_conv")(tensor)
        return layers.ReLU(name="tiny_relu")(layers.BatchNormalization(momentum=0.9, name="tiny_bn")(x))

    BACKBONES["tiny"] = Backbone(build, 32, 1 / 127.5, -1.0)
    yield
    del BACKBONES["tiny"]
