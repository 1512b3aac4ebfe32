"""Building a multi-output model, and choosing which of its layers train."""

import keras

from fer_keras.labels import EMOTIONS, OUTPUTS
from fer_keras.models.backbones import get_backbone
from fer_keras.models.heads import build_heads, is_head_layer
from fer_keras.models.nets import LUMA_SUFFIX
from fer_keras.models.stock import name_layers
from fer_keras.models.weights import load_weights

_PRETRAINED_TRAINABLE = 50  # top layers that fine-tune by default, as in the systems this package grew from


def build_model(
    backbone: str = "resnet50",
    image_size: int | None = None,
    outputs: tuple[str, ...] = OUTPUTS,
    num_emotions: int = len(EMOTIONS),
    weights: str | None = None,
    dropout: float = 0.3,
    dtype: str | None = None,
    head: str = "shared",
    head_units: tuple[int, ...] = (256,),
    head_norm: bool = False,
) -> keras.Model:
    """Build a model of facial expression: backbone, pooling, one head an output or group of outputs.

    The graph is flat and of stock layers only, scaling of pixels included, so that its `.h5` loads in other programs.

    Args:
        backbone: a key of `fer_keras.models.backbones.BACKBONES`.
        image_size: side of the square input in pixels; default: the backbone's.
        outputs: which of emotion, valence, arousal.
        num_emotions: number of emotion classes.
        weights: imagenet, none, a weights file, or auto: imagenet where the backbone has them. Default: none.
        dropout: before each head's last layer.
        head, head_units, head_norm: kind of the heads, see `build_heads`.
        dtype: compute policy of the backbone, such as mixed_float16; default: Keras's. Heads are float32 always.

    Returns:
        A functional model from (batch, image_size, image_size, 3) RGB 0..255 to a dict: emotion (batch, num_emotions)
        probabilities; valence, arousal (batch, 1) in -1..1.

    Raises:
        ValueError: an unknown backbone, head or output, or weights that cannot be had.
        FileNotFoundError: no weights file there.

    Example:
        >>> sorted(build_model("small", 48).output)
        ['arousal', 'emotion', 'valence']
    """
    entry = get_backbone(backbone)
    unknown = [name for name in outputs if name not in OUTPUTS]
    if unknown or not outputs:
        raise ValueError(f"outputs expects some of {', '.join(OUTPUTS)}. Received: {outputs}.")
    side = image_size or entry.image_size
    previous = keras.config.dtype_policy()
    keras.config.set_dtype_policy(dtype or previous)
    try:
        image = keras.Input((side, side, 3), name="image", dtype="float32")
        scaled = keras.layers.Rescaling(entry.scale, _plain(entry.offset), name=f"{backbone}_scaling")(image)
        features = entry.build(scaled)
        name_layers(keras.Model(image, features), backbone)
        heads = build_heads(
            features, tuple(outputs), num_emotions, dropout, head, tuple(head_units), head_norm, entry.flatten
        )
        model = keras.Model(image, heads, name=f"fer_{backbone}")
    finally:
        keras.config.set_dtype_policy(previous)
    weights = resolve_weights(backbone, weights or "none")
    if weights != "none":
        load_weights(model, backbone, entry, weights)
    return model


def resolve_weights(backbone: str, weights: str) -> str:
    """Return what `auto` means for a backbone: imagenet where it has such weights, else none; others unchanged."""
    if weights != "auto":
        return weights
    return "none" if get_backbone(backbone).application is None else "imagenet"


def _plain(value):
    return list(value) if isinstance(value, tuple) else value


def backbone_layers(model: keras.Model) -> list:
    """Return the layers of a model that belong to its backbone, from input to output."""
    return [layer for layer in model.layers if not is_head_layer(layer.name)]


def set_trainable_layers(model: keras.Model, trainable: str | int, pretrained: bool, train_norm: bool = False) -> None:
    """Choose which layers of the backbone train; heads always do.

    Batch normalisation of a pretrained backbone does not train unless asked for: its statistics are those of millions of
    images, and small batches of faces spoil them. In Keras a frozen batch normalisation also runs in inference mode.

    Args:
        model: as `build_model` makes it.
        trainable: number of top layers, "all", or "auto": 50 of a pretrained backbone, all of one from scratch.
        pretrained: whether the backbone started from trained weights.
        train_norm: whether its batch normalisation trains all the same, as for a second round on the same faces.

    Raises:
        ValueError: neither a number nor one of those words.
    """
    chain = backbone_layers(model)
    trainable = resolve_trainable(trainable, pretrained)
    first = 0 if trainable == "all" else max(len(chain) - int(trainable), 0)
    for number, layer in enumerate(chain):
        frozen_norm = pretrained and not train_norm and isinstance(layer, keras.layers.BatchNormalization)
        layer.trainable = number >= first and not frozen_norm and not layer.name.endswith(LUMA_SUFFIX)


def resolve_trainable(trainable: str | int, pretrained: bool) -> str:
    """Return what `auto` means: the top 50 layers of a pretrained backbone, all of one from scratch; others checked.

    Raises:
        ValueError: neither a number nor "all" nor "auto".
    """
    if trainable == "auto":
        return str(_PRETRAINED_TRAINABLE) if pretrained else "all"
    if trainable != "all" and not str(trainable).isdecimal():
        raise ValueError(f"--trainable-layers expects a number, all or auto. Received: {trainable!r}.")
    return str(trainable)
