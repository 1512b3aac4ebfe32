"""The heads: from a backbone's features to named outputs, computed in float32 whatever the backbone's type.

A new kind of head is one entry of `HEADS`.
"""

from keras import layers

from fer_keras.hints import nearest
from fer_keras.labels import AXES, OUTPUTS

_EMOTION_UNITS, _AXIS_UNITS, _SHARED_UNITS = 256, 128, 512
_PLAIN = {"dtype": "float32"}


def is_head_layer(name: str) -> bool:
    """Return whether the layer of that name is part of a head; the others are the backbone's.

    Example:
        >>> is_head_layer("emotion_hidden"), is_head_layer("pool1_conv")
        (True, False)
    """
    return name.split("_")[0] in ("pool", "shared", "axes", *OUTPUTS)


def parse_units(text: str) -> tuple[int, ...]:
    """Return the widths of hidden layers: "512,256" -> (512, 256).

    Raises:
        ValueError: anything but whole numbers above 0 with commas between.

    Example:
        >>> parse_units("512, 256")
        (512, 256)
    """
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and int(part) for part in parts):
        raise ValueError(f"--head-units expects whole numbers above 0 with commas between. Received: {text!r}.")
    return tuple(int(part) for part in parts)


def build_heads(
    features,
    outputs: tuple[str, ...],
    num_emotions: int,
    dropout: float,
    head: str = "shared",
    units: tuple[int, ...] = (_EMOTION_UNITS,),
    norm: bool = False,
    flatten: bool = False,
) -> dict:
    """Add pooling and a branch an output or group of outputs.

    Args:
        features: (batch, height, width, channels) of the backbone.
        outputs: which of emotion, valence, arousal.
        num_emotions: width of the emotion output.
        dropout: before each output's last layer; in `fc` after each hidden layer.
        head: a key of `HEADS`: "shared", a layer of 512 units for all and one of 256 or 128 an output; or "fc", hidden
            layers of its own for the emotion, and others for valence and arousal together.
        units: of the hidden layers of `fc`.
        norm: whether they have batch normalisation before their ReLU.
        flatten: whether heads see the whole feature map and not each channel's mean.

    Returns:
        Output name -> tensor: emotion (batch, num_emotions) probabilities, valence and arousal (batch, 1) in -1..1.

    Raises:
        ValueError: no head of that name.
    """
    if head not in HEADS:
        raise ValueError(f"Unknown head. Expected one of {', '.join(HEADS)}. Received: {head!r}.{nearest(head, HEADS)}")
    pool = layers.Flatten if flatten else layers.GlobalAveragePooling2D
    return HEADS[head](pool(name="pool", **_PLAIN)(features), outputs, num_emotions, dropout, units, norm)


def _build_shared(x, outputs, num_emotions, dropout, units, norm) -> dict:
    shared = layers.Dense(_SHARED_UNITS, activation="relu", name="shared", **_PLAIN)(x)
    heads = {}
    for name in outputs:
        emotion = name == "emotion"
        hidden = _EMOTION_UNITS if emotion else _AXIS_UNITS
        x = layers.Dense(hidden, activation="relu", name=f"{name}_hidden", **_PLAIN)(shared)
        x = layers.Dropout(dropout, name=f"{name}_dropout", **_PLAIN)(x)
        heads[name] = _emotion(x, num_emotions) if emotion else layers.Dense(1, "tanh", name=name, **_PLAIN)(x)
    return heads


def _build_fc(x, outputs, num_emotions, dropout, units, norm) -> dict:
    heads = {}
    axes = [name for name in AXES if name in outputs]
    if "emotion" in outputs:
        heads["emotion"] = _emotion(_hidden(x, units, norm, dropout, "emotion"), num_emotions)
    if len(axes) == 1:
        heads[axes[0]] = layers.Dense(1, "tanh", name=axes[0], **_PLAIN)(_hidden(x, units, norm, dropout, axes[0]))
    elif axes:
        pair = layers.Dense(2, "tanh", name="axes", **_PLAIN)(_hidden(x, units, norm, dropout, "axes"))
        column = layers.Reshape((2, 1), name="axes_column", **_PLAIN)(pair)
        for place, name in enumerate(axes):
            x = layers.Cropping1D((place, 1 - place), name=f"{name}_crop", **_PLAIN)(column)
            heads[name] = layers.Reshape((1,), name=name, **_PLAIN)(x)
    return heads


def _emotion(x, num_emotions: int):
    return layers.Dense(num_emotions, activation="softmax", name="emotion", **_PLAIN)(x)


def _hidden(x, units: tuple[int, ...], norm: bool, dropout: float, name: str):
    for number, width in enumerate(units, 1):
        x = layers.Dense(width, name=f"{name}_fc{number}", **_PLAIN)(x)
        if norm:
            x = layers.BatchNormalization(momentum=0.9, name=f"{name}_bn{number}", **_PLAIN)(x)
        x = layers.ReLU(name=f"{name}_relu{number}", **_PLAIN)(x)
        x = layers.Dropout(dropout, name=f"{name}_dropout{number}", **_PLAIN)(x)
    return x


#: Name -> (pooled features, outputs, num_emotions, dropout, units, norm) -> output name -> tensor.
HEADS = {"shared": _build_shared, "fc": _build_fc}
