"""Grad-CAM: where in a face the model looked for its answer (Keras engine on TensorFlow only).

Source: Selvaraju et al., Grad-CAM: visual explanations from deep networks via gradient-based localization, ICCV 2017.
"""

import cv2
import numpy as np

from fer_keras.prediction.predictor import Predictor
from fer_keras.prediction.sources import load_image
from fer_keras.preprocessing import crop_face


def grad_cam(
    predictor: Predictor, source, *, output: str = "emotion", label: str | None = None, face_box=None
) -> np.ndarray:
    """Return how much each place of a face supports an answer.

    ReLU(sum_k a_k A_k), with A_k the maps of the last layer that has any and a_k the mean of the answer's gradient over
    A_k; scaled so that its largest value is 1.

    Args:
        predictor: with the Keras engine.
        source: one image, as `Predictor.read` takes it; arrays in RGB.
        output: emotion, valence or arousal.
        label: the emotion to explain; default: the likeliest one.
        face_box: see `Predictor.read`.

    Returns:
        (height, width) float32 in 0..1, of the model's image size; zeros where nothing supports the answer.

    Raises:
        ValueError: another engine, an output or label that the model does not have, or a model without maps.
    """
    model = explained_model(predictor, "Grad-CAM")
    if output not in predictor.outputs:
        raise ValueError(f"output expects one of {', '.join(predictor.outputs)}. Received: {output!r}.")
    if label is not None and (output != "emotion" or label not in predictor.labels):
        raise ValueError(f"label expects one of {', '.join(predictor.labels)}, for emotion. Received: {label!r}.")
    face = crop_face(load_image(source), predictor.image_size, face_box)
    maps, gradient = _maps_and_gradient(model, face, output, None if label is None else predictor.labels.index(label))
    heat = np.maximum((maps * gradient.mean((0, 1))).sum(-1), 0)
    heat = cv2.resize(heat, predictor.image_size[::-1], interpolation=cv2.INTER_LINEAR)
    return (heat / heat.max() if heat.max() > 0 else heat).astype(np.float32)


def grad_cam_overlay(predictor: Predictor, source, **options) -> np.ndarray:
    """Return the face with its Grad-CAM laid over it, (height, width, 3) uint8 RGB; options as for `grad_cam`."""
    heat = grad_cam(predictor, source, **options)
    face = crop_face(load_image(source), predictor.image_size, options.get("face_box"))
    return lay_over(face, heat)


def explained_model(predictor: Predictor, method: str):
    """Return the Keras model of a predictor.

    Args:
        predictor: of one model, with the Keras engine.
        method: what explains it, for the error.

    Raises:
        ValueError: several models, or another engine.
    """
    made_of = predictor.bundle.ensemble
    count = len(made_of.members) if made_of else len(predictor.members)
    if count > 1:
        raise ValueError(f"{method} explains one model. Received: an ensemble of {count}.")
    model = getattr(predictor.runtime, "model", None)
    if model is None:
        raise ValueError(
            f"{method} expects the Keras engine: Predictor.load(..., engine='keras'). Received: {predictor.file.engine}."
        )
    return model


def lay_over(face: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """Return a face (height, width, 3) uint8 RGB with a heat map (height, width) in 0..1 laid over it in colours."""
    colours = cv2.applyColorMap((heat * 255).astype(np.uint8), cv2.COLORMAP_JET)[:, :, ::-1]
    share = 0.5 * heat[:, :, None]
    return (face * (1 - share) + colours * share).astype(np.uint8)


def _maps_and_gradient(model, face: np.ndarray, output: str, code: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Return the last maps (height, width, channels) of one face, and the gradient of the answer with respect to them."""
    import keras

    if keras.backend.backend() != "tensorflow":
        raise ValueError(f"Grad-CAM expects Keras's TensorFlow backend. Received: {keras.backend.backend()}.")
    import tensorflow as tf

    spatial = [layer for layer in model.layers if len(getattr(layer.output, "shape", ())) == 4]
    if len(spatial) < 2:  # the input alone
        raise ValueError("Grad-CAM expects a model with convolutional layers.")
    inner = keras.Model(model.input, {"maps": spatial[-1].output, "answer": model.output[output]})
    image = tf.cast(face[None], tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(image)  # so that all is recorded, with weights that do not train too
        found = inner(image, training=False)
        answer = found["answer"][0]
        score = tf.math.log(answer[tf.argmax(answer) if code is None else code]) if output == "emotion" else answer[0]
    gradient = tape.gradient(score, found["maps"])
    return found["maps"][0].numpy().astype(np.float32), gradient[0].numpy().astype(np.float32)
