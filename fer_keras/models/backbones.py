"""The table of backbones. Every one takes RGB in 0..255 and scales it in its own first layers, all of them stock.

A new backbone is one entry of `BACKBONES`; nets of our own are in `nets.py` and, with attention, in `transformers.py`.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import keras
import numpy as np

from fer_keras.hints import nearest
from fer_keras.models.face_resnet import OFFSET, SCALE, build_face_resnet, build_face_resnet_whole
from fer_keras.models.nets import build_compact, build_grey_cnn48, build_grey_cnn224, build_resnet18, build_small
from fer_keras.models.stock import build_application
from fer_keras.models.transformers import build_hybrid, build_vit

_IMAGENET_MEAN = np.array([0.485, 0.456, 0.406])
_IMAGENET_STD = np.array([0.229, 0.224, 0.225])


@dataclass(frozen=True)
class Backbone:
    """How one backbone is built.

    Attributes:
        build: (scaled RGB tensor) -> feature map tensor; adds its layers to the same flat graph.
        image_size: side in pixels that it is meant for, the default.
        scale, offset: of its first layer, `scale * rgb + offset`; one number, or one per channel.
        application: the `keras.applications` function behind it, or None if it has no ImageNet weights.
        channels: the order of channels that ImageNet weights expect; for "bgr" the first kernel is reversed.
        flatten: whether heads see every value of the feature map instead of each channel's mean.
        faces: whether there are weights trained on faces for it, see `fer_keras.models.face_weights`.
    """

    build: Callable
    image_size: int
    scale: float | tuple[float, ...]
    offset: float | tuple[float, ...]
    application: Callable | None = None
    channels: str = "rgb"
    flatten: bool = False
    faces: bool = False


def _application(function: Callable) -> Callable:
    def build(tensor):
        return function(include_top=False, weights=None, input_tensor=tensor).output

    return build


def _rebuilt(function: Callable, name: str, scale, offset) -> Backbone:
    """A net whose graph is not all stock layers as Keras builds it, scaled in our first layer and not inside."""
    bare = partial(function, include_preprocessing=False)
    return Backbone(lambda tensor: build_application(bare, tensor, name), 224, scale, offset, function)


def _version2(function: Callable, scale, offset) -> Backbone:
    return Backbone(_application(partial(function, include_preprocessing=False)), 224, scale, offset, function)


# (x / 255 - mean) / deviation, as ImageNet's weights of PyTorch descent expect.
_STANDARD = (tuple((1 / 255 / _IMAGENET_STD).tolist()), tuple((-_IMAGENET_MEAN / _IMAGENET_STD).tolist()))


def _efficientnet(function: Callable) -> Backbone:
    # Keras's EfficientNet divides by 255 itself; the division by the deviation, which Keras adds to ImageNet's copy
    # alone, stands in our first layer, so that the graph is one whatever the weights.
    scale, offset = 1 / _IMAGENET_STD, -255 * _IMAGENET_MEAN / _IMAGENET_STD
    return Backbone(_application(function), 224, tuple(scale.tolist()), tuple(offset.tolist()), function)


BACKBONES = {
    "small": Backbone(build_small, 64, 1 / 127.5, -1.0),
    "compact": Backbone(build_compact, 48, 1 / 127.5, -1.0),
    "grey_cnn48": Backbone(build_grey_cnn48, 48, 1 / 127.5, -1.0, flatten=True),
    "grey_cnn224": Backbone(build_grey_cnn224, 224, 1 / 127.5, -1.0, flatten=True),
    "face_resnet": Backbone(build_face_resnet, 96, SCALE, OFFSET, faces=True),
    "face_resnet_whole": Backbone(build_face_resnet_whole, 150, SCALE, OFFSET, faces=True),
    "vit": Backbone(build_vit, 64, 1 / 127.5, -1.0),
    "hybrid": Backbone(build_hybrid, 64, 1 / 127.5, -1.0),
    "resnet18": Backbone(build_resnet18, 224, *_STANDARD),
    "resnet50": Backbone(
        _application(keras.applications.ResNet50),
        224,
        1.0,
        (-123.68, -116.779, -103.939),
        keras.applications.ResNet50,
        channels="bgr",
    ),
    "densenet121": Backbone(
        _application(keras.applications.DenseNet121), 224, *_STANDARD, keras.applications.DenseNet121
    ),
    "efficientnetb1": _efficientnet(keras.applications.EfficientNetB1),
    "efficientnetb2": _efficientnet(keras.applications.EfficientNetB2),
    "efficientnetv2b0": _version2(keras.applications.EfficientNetV2B0, *_STANDARD),
    "efficientnetv2s": _version2(keras.applications.EfficientNetV2S, 1 / 128, -1.0),
    "convnexttiny": _rebuilt(keras.applications.ConvNeXtTiny, "convnexttiny", *_STANDARD),
    "mobilenetv2": Backbone(
        _application(keras.applications.MobileNetV2), 224, 1 / 127.5, -1.0, keras.applications.MobileNetV2
    ),
    "mobilenetv3small": _rebuilt(keras.applications.MobileNetV3Small, "mobilenetv3small", 1 / 127.5, -1.0),
    "mobilenetv3large": _rebuilt(keras.applications.MobileNetV3Large, "mobilenetv3large", 1 / 127.5, -1.0),
}


def get_backbone(name: str) -> Backbone:
    """Return a backbone by name.

    Raises:
        ValueError: no backbone of that name.
    """
    if name not in BACKBONES:
        raise ValueError(
            f"Unknown backbone. Expected one of {', '.join(BACKBONES)}. Received: {name!r}.{nearest(name, BACKBONES)}"
        )
    return BACKBONES[name]


def name_layers(graph: keras.Model, name: str) -> None:
    """Rename layers that Keras numbers by session (rescaling_3), so that every process builds the same names."""
    counts: dict[str, int] = {}
    for layer in graph.layers:
        stem = re.sub("([a-z])([A-Z])", r"\1_\2", type(layer).__name__).lower()
        if re.fullmatch(rf"{stem}(_[0-9]+)?", layer.name):
            counts[stem] = counts.get(stem, 0) + 1
            layer.name = f"{name}_{stem}" + (f"_{counts[stem]}" if counts[stem] > 1 else "")
