"""Attention rollout: from which places of a face a net with attention layers took what it answered from (Keras engine only).

It follows the attention alone: it says where, not for which answer, and knows nothing of what else a block does. Grad-CAM
tells what supports one class.

Source: Abnar, Zuidema: Quantifying attention flow in transformers, ACL 2020.
"""

import cv2
import numpy as np

from fer_keras.prediction.grad_cam import explained_model, lay_over
from fer_keras.prediction.predictor import Predictor
from fer_keras.prediction.sources import load_image
from fer_keras.preprocessing import crop_face


def attention_rollout(predictor: Predictor, source, *, face_box=None) -> np.ndarray:
    """Return how much of each place of a face reaches the answer through the attention of all blocks.

    Args:
        predictor: with the Keras engine.
        source: one image, as `Predictor.read` takes it; arrays in RGB.
        face_box: see `Predictor.read`.

    Returns:
        (height, width) float32, of the model's image size, scaled so that the least place has 0 and the most 1; zeros where
        all places count alike.

    Raises:
        ValueError: several models, another engine, a model without attention layers, or one whose attention is not between
            the places of one map.
    """
    model = explained_model(predictor, "Attention rollout")
    if not has_attention(model):
        raise ValueError(
            f"Attention rollout expects a model with attention layers, such as vit. Received: "
            f"{predictor.bundle.model.backbone}, which has none; Grad-CAM shows where it looked."
        )
    face = crop_face(load_image(source), predictor.image_size, face_box)
    shares = roll_out(attention_scores(model, face))
    heat = cv2.resize(_as_map(shares, predictor.image_size), predictor.image_size[::-1], interpolation=cv2.INTER_LINEAR)
    least, reach = heat.min(), np.ptp(heat)
    return ((heat - least) / reach if reach > 1e-9 else np.zeros_like(heat)).astype(np.float32)


def attention_overlay(predictor: Predictor, source, **options) -> np.ndarray:
    """Return the face with its rollout laid over it, (height, width, 3) uint8 RGB; options as for `attention_rollout`."""
    heat = attention_rollout(predictor, source, **options)
    return lay_over(crop_face(load_image(source), predictor.image_size, options.get("face_box")), heat)


def has_attention(model) -> bool:
    """Return whether a Keras model has layers of attention."""
    return bool(_attention_layers(model))


def attention_scores(model, face: np.ndarray) -> list[np.ndarray]:
    """Return the attention of one face in each block, from input to output.

    Args:
        model: a functional Keras model with `Attention` layers, one per head, or `MultiHeadAttention`.
        face: (height, width, 3) RGB 0..255.

    Returns:
        (heads, queries, keys) of each block, rows summing to 1.
    """
    import keras

    from fer_keras.models.transformers import block_of_head

    found = _attention_layers(model)
    # Called outside the graph: calling a layer in it once more would give it a second place in the model.
    wanted = {f"{layer.name}/{place}": tensor for layer in found for place, tensor in enumerate(layer.input)}
    values = keras.Model(model.input, wanted)(face[None].astype("float32"), training=False)
    blocks: dict[str, list[np.ndarray]] = {}
    for layer in found:
        inputs = [values[f"{layer.name}/{place}"] for place in range(len(layer.input))]
        several = isinstance(layer, keras.layers.MultiHeadAttention)
        arguments = inputs if several else [inputs]
        scores = np.asarray(keras.ops.convert_to_numpy(layer(*arguments, return_attention_scores=True)[1]), np.float64)
        blocks.setdefault(block_of_head(layer.name), []).append(scores[0] if several else scores)
    return [np.concatenate(heads) for heads in blocks.values()]


def roll_out(scores: list[np.ndarray]) -> np.ndarray:
    """Return from which places what stands at each place after the last block came.

    R = (0.5 A_n + 0.5 I) ... (0.5 A_1 + 0.5 I), with A_i the mean over the heads of block i; the identity stands for the
    sum around each block.

    Args:
        scores: (heads, n, n) of each block, from input to output, rows summing to 1.

    Returns:
        R, (n, n) float64, rows summing to 1: row i has the shares of what stands at place i.

    Raises:
        ValueError: blocks that are not between the same places.

    Example:
        >>> roll_out([np.array([[[0.0, 1.0], [0.0, 1.0]]])]).tolist()
        [[0.5, 0.5], [0.0, 1.0]]
    """
    shapes = {block.shape[1:] for block in scores}
    if len(shapes) != 1 or len(set(*shapes)) != 1:
        raise ValueError(
            f"Attention rollout expects blocks that attend between the same places. Received: {sorted(shapes)}."
        )
    places = len(scores[0][0])
    rolled = np.eye(places)
    for block in scores:
        rolled = (0.5 * block.mean(0) + 0.5 * np.eye(places)) @ rolled
    return rolled


def _as_map(rolled: np.ndarray, image_size: tuple[int, int]) -> np.ndarray:
    """Return the shares as a map: the mean of all rows, or the row of a class token that stands before the places."""
    count = len(rolled)
    if grid := _grid(count, image_size):
        return rolled.mean(0).reshape(grid)
    if grid := _grid(count - 1, image_size):
        return rolled[0, 1:].reshape(grid)
    raise ValueError(
        f"Attention rollout expects the places of one map, with or without a class token. Received: {count}."
    )


def _grid(count: int, image_size: tuple[int, int]) -> tuple[int, int] | None:
    """Return rows and columns of a map of so many places with the image's proportions, or None."""
    rows, columns = (round((count * one / other) ** 0.5) for one, other in (image_size, image_size[::-1]))
    return (rows, columns) if rows * columns == count else None


def _attention_layers(model) -> list:
    import keras

    return [
        layer for layer in model.layers if isinstance(layer, keras.layers.Attention | keras.layers.MultiHeadAttention)
    ]
