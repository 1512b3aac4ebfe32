"""Blur and JPEG's artefacts on whole batches in tf.data, a strength a face.

`tf.image.adjust_jpeg_quality` takes one image and encodes it for real; here what it does to the pixels is done by three
matrix products, so that a batch costs milliseconds.
"""

import math

import numpy as np
import tensorflow as tf

_BLOCK = 8
# Table K.1 of ITU-T T.81 (the JPEG standard), luminance.
_LUMINANCE = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ],
    np.float32,
)
_LUMA = (0.299, 0.587, 0.114)


def blur(images: tf.Tensor, deviation: tf.Tensor) -> tf.Tensor:
    """Return faces blurred by a Gaussian of its own width each; edges are repeated.

    Args:
        images: (b, height, width, 3) float32.
        deviation: (b,) as a share of the height; a face whose value is 0 or less stays as it is.

    Returns:
        (b, height, width, 3) float32.
    """
    height, width = images.shape[1], images.shape[2]
    sigma = tf.maximum(deviation * height, 1e-3)
    rows = tf.matmul(_kernel(height, sigma), tf.reshape(images, [-1, height, width * 3]))
    columns = tf.einsum("bxw,bhwc->bhxc", _kernel(width, sigma), tf.reshape(rows, [-1, height, width, 3]))
    return tf.ensure_shape(columns, images.shape)


def _kernel(side: int, sigma: tf.Tensor) -> tf.Tensor:
    """(b, side, side) matrices whose rows are Gaussians that sum to 1; what falls outside is given to the edge."""
    reach = max(side // 4, 1)
    place = np.arange(-reach, reach + 1, dtype=np.float32)
    weight = tf.exp(-0.5 * tf.square(place / sigma[:, None]))
    weight /= tf.reduce_sum(weight, axis=1, keepdims=True)
    source = np.clip(np.arange(side)[:, None] + place[None].astype(int), 0, side - 1)  # (side, taps)
    spread = np.eye(side, dtype=np.float32)[source]  # (side, taps, side)
    return tf.einsum("bt,rts->brs", weight, tf.constant(spread))


def add_noise(images: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
    """Return faces with noise added, kept in 0..255 as a sensor would."""
    return tf.clip_by_value(images + noise, 0.0, 255.0)


def compress(images: tf.Tensor, quality: tf.Tensor) -> tf.Tensor:
    """Return faces with the artefacts of JPEG at a quality of its own each.

    Luma is cut into blocks of 8 by 8, transformed by the DCT, divided by the standard's luminance table at that quality,
    rounded and turned back, as libjpeg does; chroma is left as it is.

    Args:
        images: (b, height, width, 3) float32, RGB 0..255.
        quality: (b,) from 1 to 100.

    Returns:
        (b, height, width, 3) float32 in 0..255.
    """
    height, width = images.shape[1], images.shape[2]
    luma = tf.tensordot(images, tf.constant(_LUMA), 1)
    down, right = -height % _BLOCK, -width % _BLOCK
    padded = tf.pad(luma, [[0, 0], [0, down], [0, right]], mode="SYMMETRIC") - 128.0
    rows, columns = (height + down) // _BLOCK, (width + right) // _BLOCK
    blocks = tf.transpose(tf.reshape(padded, [-1, rows, _BLOCK, columns, _BLOCK]), [0, 1, 3, 2, 4])
    basis = tf.constant(_dct_matrix())
    table = _table(quality)[:, None, None]
    coefficients = tf.round(tf.matmul(tf.matmul(basis, blocks), basis, transpose_b=True) / table) * table
    blocks = tf.matmul(tf.matmul(basis, coefficients, transpose_a=True), basis)
    again = tf.reshape(tf.transpose(blocks, [0, 1, 3, 2, 4]), [-1, rows * _BLOCK, columns * _BLOCK])
    change = again[:, :height, :width] + 128.0 - luma
    return tf.clip_by_value(tf.ensure_shape(images + change[..., None], images.shape), 0.0, 255.0)


def _dct_matrix() -> np.ndarray:
    """(8, 8) orthonormal DCT-II."""
    k, n = np.arange(_BLOCK)[:, None], np.arange(_BLOCK)[None]
    matrix = np.sqrt(2 / _BLOCK) * np.cos(math.pi * (2 * n + 1) * k / (2 * _BLOCK))
    matrix[0] /= math.sqrt(2)
    return matrix.astype(np.float32)


def _table(quality: tf.Tensor) -> tf.Tensor:
    """(b, 8, 8) quantisation tables by libjpeg's rule."""
    scale = tf.where(quality < 50, 50 / quality, (100 - quality) / 50)
    return tf.clip_by_value(tf.floor(_LUMINANCE * scale[:, None, None] + 0.5), 1.0, 255.0)
