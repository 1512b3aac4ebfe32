"""The fused kernel stands for Keras's batch normalisation: same outputs, gradients and statistics."""

import keras
import numpy as np
import pytest

from fer_keras.training.fused_norm import fuse_normalization

tf = pytest.importorskip("tensorflow")


def net(**options) -> keras.Model:
    keras.utils.set_random_seed(1)
    image = keras.Input((6, 5, 3))
    x = keras.layers.Conv2D(4, 3, name="conv")(image)
    x = keras.layers.BatchNormalization(momentum=0.9, name="norm", **options)(x)
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.ReLU()(x))
    return keras.Model(image, keras.layers.Dense(2)(x))


def one_step(model: keras.Model, images: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, list, list]:
    with tf.GradientTape() as tape:
        answers = model(images, training=True)
        loss = keras.ops.mean(keras.ops.square(answers - targets))
    gradients = tape.gradient(loss, [variable.value for variable in model.trainable_variables])
    return np.array(answers), [np.array(gradient) for gradient in gradients], model.get_weights()


@pytest.mark.parametrize("options", [{}, {"scale": False}, {"center": False}, {"epsilon": 1e-2}], ids=str)
def test_equals_kerass_layer(options):
    rng = np.random.default_rng(0)
    images, targets = rng.normal(2, 3, (7, 6, 5, 3)).astype("float32"), rng.normal(size=(7, 2)).astype("float32")
    plain, fused = net(**options), net(**options)
    assert fuse_normalization(fused) == 1
    expected, found = one_step(plain, images, targets), one_step(fused, images, targets)
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-4, atol=1e-5)
    for parts in (1, 2):  # gradients; weights with the moving statistics
        for mine, theirs in zip(found[parts], expected[parts], strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=1e-3, atol=1e-5)


def test_a_trained_net_answers_as_kerass_own_copy(tmp_path):
    rng = np.random.default_rng(0)
    images, targets = rng.normal(size=(32, 6, 5, 3)).astype("float32"), rng.normal(size=(32, 2)).astype("float32")
    model = net()
    fuse_normalization(model)
    model.compile("adam", "mse")
    model.fit(images, targets, epochs=2, verbose=0)
    assert np.abs(model.get_layer("norm").moving_mean).max() > 0
    model.save(tmp_path / "net.keras")
    copy = keras.models.load_model(tmp_path / "net.keras")
    assert "call" not in vars(copy.get_layer("norm"))
    np.testing.assert_allclose(copy.predict(images, verbose=0), model.predict(images, verbose=0), atol=1e-6)


def test_a_frozen_layer_keeps_its_statistics():
    model = net()
    fuse_normalization(model)
    model.get_layer("norm").trainable = False
    images = np.random.default_rng(0).normal(5, 1, (4, 6, 5, 3)).astype("float32")
    before = model.get_layer("norm").get_weights()
    trained, read = np.array(model(images, training=True)), np.array(model(images, training=False))
    np.testing.assert_allclose(trained, read, atol=1e-6)
    for now, then in zip(model.get_layer("norm").get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_what_the_kernel_cannot_do_is_left_to_keras():
    row = keras.Input((8,))
    flat = keras.Model(row, keras.layers.BatchNormalization()(row))
    first = keras.Input((3, 6, 5))
    channels_first = keras.Model(first, keras.layers.BatchNormalization(axis=1)(first))
    assert fuse_normalization(flat) == fuse_normalization(channels_first) == 0
