"""Batch normalisation by one kernel while a net trains on TensorFlow.

Keras 3 normalises by a chain of elementwise operations, in float32 even where the net computes in bfloat16; on a CPU they can
take longer than the net's convolutions. TensorFlow has one kernel for the chain, and one for its gradient (oneDNN's, cuDNN's).
The layers stay Keras's own: their files, variables and answers after training are the same.
"""

import types

import keras
from keras import ops


def fuse_normalization(net: keras.Model) -> int:
    """Let the batch normalisation layers of a net normalise by TensorFlow's kernel in training; return how many do.

    Output, gradients and moving statistics are those of Keras's layer to rounding. A layer that the kernel cannot stand for
    stays as it is: another axis than the last, inputs other than images, statistics across devices, renormalisation, and
    any layer on another backend than TensorFlow.

    Args:
        net: built; changed in place. A copy made from its configuration is Keras's again.
    """
    if keras.backend.backend() != "tensorflow":
        return 0
    layers = [layer for layer in net.layers if isinstance(layer, keras.layers.BatchNormalization) and _fits(layer)]
    for layer in layers:
        layer.call = types.MethodType(_call, layer)
    return len(layers)


def _fits(layer: keras.layers.BatchNormalization) -> bool:
    images = layer.input_spec is not None and layer.input_spec.ndim == 4 and layer.axis in (-1, 3)
    special = layer.synchronized or getattr(layer, "renorm", False)  # an option of newer Keras
    return images and not special and layer.compute_dtype in ("float32", "float16", "bfloat16")


def _call(layer: keras.layers.BatchNormalization, inputs, training=None, mask=None):
    if training is not True or not layer.trainable or mask is not None:
        return type(layer).call(layer, inputs, training=training, mask=mask)
    outputs, mean, variance = _normalize(layer, ops.cast(inputs, layer.compute_dtype))
    for moving, value in ((layer.moving_mean, mean), (layer.moving_variance, variance)):
        moving.assign(moving * layer.momentum + value * (1.0 - layer.momentum))
    return outputs


def _normalize(layer: keras.layers.BatchNormalization, images):
    """Return the normalised images, and mean and variance of the batch as Keras takes them, (channels,) float32."""
    import tensorflow as tf

    channels = (images.shape[-1],)
    scale = tf.convert_to_tensor(layer.gamma) if layer.scale else tf.ones(channels)
    shift = tf.convert_to_tensor(layer.beta) if layer.center else tf.zeros(channels)
    outputs, mean, variance = tf.compat.v1.nn.fused_batch_norm(images, scale, shift, epsilon=layer.epsilon)
    count = tf.cast(tf.reduce_prod(tf.shape(images)[:3]), variance.dtype)
    # The kernel gives the unbiased variance, over count - 1; Keras's moving average is of the biased one.
    return outputs, mean, variance * tf.maximum(count - 1, 1) / count
