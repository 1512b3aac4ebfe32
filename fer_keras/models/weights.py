"""Weights to start from: ImageNet's through keras.applications, weights trained on faces, or another fer_keras model."""

from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np

from fer_keras.bundled import bundled_model, is_bundled
from fer_keras.cli import one_line
from fer_keras.models.backbones import BACKBONES, Backbone, name_layers
from fer_keras.models.face_weights import FACES, SUFFIXES, find_face_weights, load_face_weights
from fer_keras.models.keras_file import check_weights_file, load_keras_model
from fer_keras.models.stock import flat_layers

#: Name of the layer that gives the probabilities of the emotions.
HEAD = "emotion"


def load_weights(model: keras.Model, name: str, backbone: Backbone, weights: str) -> None:
    """Put pretrained weights into a model's backbone, or into all of it where the file is a fer_keras model.

    Args:
        model: as `build_model` makes it.
        name: the backbone's name.
        backbone: its entry in the table.
        weights: "imagenet"; the path of a weights file of the `keras.applications` model without top (`.h5`,
            `.weights.h5`); "faces", or a `.dat` or `.npz` file, for a backbone with weights trained on faces; a `.keras`
            model or run directory of this package; or a bundled model, by name.

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: the weights cannot be loaded or do not fit; the message says what to do.
    """
    if weights != "imagenet":
        path = weights_path(weights)
        if path.suffix == ".keras":
            return _copy_by_name(load_keras_model(path), model, str(path))
        if weights == FACES or path.suffix in SUFFIXES:
            return _load_faces(model, name, path, weights=weights)
        weights = str(path)
    if backbone.application is None:
        raise ValueError(
            f"Backbone {name!r} has no ImageNet weights. Use --weights none, or the .keras file of a run. "
            f"Received: --weights {weights}."
        )
    source = _pretrained(name, backbone, weights)
    name_layers(source, name)
    _copy_backbone(source, model, backbone.channels)


def _load_faces(model: keras.Model, name: str, path: Path, *, weights: str) -> None:
    if not BACKBONES[name].faces:
        expected = " or ".join(key for key, entry in BACKBONES.items() if entry.faces)
        raise ValueError(f"--weights {weights} expects --backbone {expected}. Received: {name}.")
    load_face_weights(model, name, path)


def weights_path(weights: str) -> Path:
    """Return the file behind `--weights`: of a bundled model or "faces" by name, of a run by its directory, or the file itself.

    Raises:
        FileNotFoundError: no such file.
    """
    path = Path(weights).expanduser()
    if weights == FACES and not path.exists():
        return find_face_weights()
    path = bundled_model(weights) if is_bundled(weights) and not path.exists() else path
    path = path / "model.keras" if path.is_dir() else path
    if not path.is_file():
        raise FileNotFoundError(
            "No weights there. Expected imagenet, faces, none, bundled, a run directory or a weights file. Received: --weights "
            f"{weights}."
        )
    return path


def copy_emotion_head(model: keras.Model, path: Path, places: Sequence[int]) -> None:
    """Copy the emotion output's layer of another model class by class; classes that it does not have stay as they are.

    Args:
        model: as `build_model` makes it.
        path: of the other model's `.keras` file.
        places: for each class of `model` its place in the other model, or -1.
    """
    theirs = load_keras_model(path).get_layer(HEAD).get_weights()
    mine = model.get_layer(HEAD).get_weights()
    if theirs[0].shape[0] != mine[0].shape[0]:
        return  # heads of another width start anew
    for code, place in enumerate(places):
        if place >= 0:
            mine[0][:, code], mine[1][code] = theirs[0][:, place], theirs[1][place]
    model.get_layer(HEAD).set_weights(mine)


def _pretrained(name: str, backbone: Backbone, weights: str) -> keras.Model:
    try:
        if weights != "imagenet":
            check_weights_file(Path(weights))
        return backbone.application(include_top=False, weights=weights, input_shape=(224, 224, 3))
    except Exception as error:  # keras.utils.get_file raises a bare Exception
        if "fetch failure" in str(error):
            address = str(error).split(" on ")[-1].split(": ")[0]
            raise ValueError(
                f"ImageNet weights of {name} could not be downloaded ({address}). Fetch that file on another "
                "machine and give it as --weights FILE, or train from scratch with --weights none."
            ) from error
        raise ValueError(f"{weights} holds no weights of {name} without top: {one_line(error)}.") from error


def _copy_backbone(source: keras.Model, model: keras.Model, channels: str) -> None:
    """Copy layer by layer by name, reshaping kernels that are depthwise here.

    Normalization of pixels is not copied: our first layer does its work.
    """
    kernel_turned = channels == "rgb"
    for layer in flat_layers(source):
        values = layer.get_weights()
        if not values or isinstance(layer, keras.layers.Normalization):
            continue
        if not kernel_turned and isinstance(layer, keras.layers.Conv2D):
            # Trained on BGR: reverse the kernel once instead of every image.
            values[0], kernel_turned = np.ascontiguousarray(values[0][:, :, ::-1, :]), True
        target = model.get_layer(layer.name)
        target.set_weights(
            [value.reshape(mine.shape) for value, mine in zip(values, target.get_weights(), strict=True)]
        )


def _copy_by_name(source: keras.Model, model: keras.Model, path: str) -> None:
    """Copy every layer that both models have in the same shape; the whole backbone must fit."""
    from fer_keras.models.heads import is_head_layer

    theirs = {layer.name: layer.get_weights() for layer in source.layers}
    for layer in model.layers:
        mine, found = layer.get_weights(), theirs.get(layer.name, [])
        if [value.shape for value in mine] == [value.shape for value in found]:
            layer.set_weights(found)
        elif not is_head_layer(layer.name):
            raise ValueError(f"{path} has another backbone: its layer {layer.name!r} is missing or of another shape.")
