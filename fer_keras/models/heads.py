"""The heads: from a backbone's features to named outputs, computed in float32 whatever the backbone's type.

A new kind of head is one entry of `HEADS`.
"""

from keras import layers

from fer_keras.config.run_config import ModelConfig
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


def build_heads(
    features, outputs: tuple[str, ...], num_emotions: int, config: ModelConfig, *, flatten: bool = False
) -> dict:
    """Add pooling and one branch for each output or group of outputs.

    Args:
        features: (batch, height, width, channels) of the backbone.
        outputs: which of emotion, valence, arousal.
        num_emotions: width of the emotion output.
        config: the kind of `head`, with its `head_units`, `head_norm` and `dropout`. "shared": a layer of 512 units for
            all outputs, then one of 256 or 128 for each. "fc": hidden layers of its own for the emotion, and others for
            valence and arousal together.
        flatten: whether heads see the whole feature map and not each channel's mean.

    Returns:
        Output name -> tensor: emotion (batch, num_emotions) probabilities, valence and arousal (batch, 1) in -1..1.
    """
    pool = layers.Flatten if flatten else layers.GlobalAveragePooling2D
    return HEADS[config.head](pool(name="pool", **_PLAIN)(features), outputs, num_emotions, config)


def _build_shared(x, outputs: tuple[str, ...], num_emotions: int, config: ModelConfig) -> dict:
    shared = layers.Dense(_SHARED_UNITS, activation="relu", name="shared", **_PLAIN)(x)
    heads = {}
    for name in outputs:
        emotion = name == "emotion"
        hidden = _EMOTION_UNITS if emotion else _AXIS_UNITS
        x = layers.Dense(hidden, activation="relu", name=f"{name}_hidden", **_PLAIN)(shared)
        x = layers.Dropout(config.dropout, name=f"{name}_dropout", **_PLAIN)(x)
        heads[name] = _emotion(x, num_emotions) if emotion else layers.Dense(1, "tanh", name=name, **_PLAIN)(x)
    return heads


def _build_fc(x, outputs: tuple[str, ...], num_emotions: int, config: ModelConfig) -> dict:
    heads = {}
    axes = [name for name in AXES if name in outputs]
    if "emotion" in outputs:
        heads["emotion"] = _emotion(_hidden(x, "emotion", config), num_emotions)
    if len(axes) == 1:
        heads[axes[0]] = layers.Dense(1, "tanh", name=axes[0], **_PLAIN)(_hidden(x, axes[0], config))
    elif axes:
        pair = layers.Dense(2, "tanh", name="axes", **_PLAIN)(_hidden(x, "axes", config))
        column = layers.Reshape((2, 1), name="axes_column", **_PLAIN)(pair)
        for place, name in enumerate(axes):
            x = layers.Cropping1D((place, 1 - place), name=f"{name}_crop", **_PLAIN)(column)
            heads[name] = layers.Reshape((1,), name=name, **_PLAIN)(x)
    return heads


def _emotion(x, num_emotions: int):
    return layers.Dense(num_emotions, activation="softmax", name="emotion", **_PLAIN)(x)


def _hidden(x, name: str, config: ModelConfig):
    for number, width in enumerate(config.hidden_units, 1):
        x = layers.Dense(width, name=f"{name}_fc{number}", **_PLAIN)(x)
        if config.head_norm:
            x = layers.BatchNormalization(momentum=0.9, name=f"{name}_bn{number}", **_PLAIN)(x)
        x = layers.ReLU(name=f"{name}_relu{number}", **_PLAIN)(x)
        x = layers.Dropout(config.dropout, name=f"{name}_dropout{number}", **_PLAIN)(x)
    return x


#: Name -> (pooled features, outputs, num_emotions, config) -> output name -> tensor.
HEADS = {"shared": _build_shared, "fc": _build_fc}
