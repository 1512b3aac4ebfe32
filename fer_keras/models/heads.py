"""The heads: a shared layer, then one branch an output, computed in float32 whatever the backbone's type."""

from keras import layers

from fer_keras.labels import AXES

_EMOTION_UNITS, _AXIS_UNITS, _SHARED_UNITS = 256, 128, 512

#: Layers of a model that are no part of its backbone; the rest is.
HEAD_LAYERS = frozenset(
    [
        "pool",
        "shared",
        "emotion",
        *AXES,
        *(f"{name}_{part}" for name in ("emotion", *AXES) for part in ("hidden", "dropout")),
    ]
)


def build_heads(features, outputs: tuple[str, ...], num_emotions: int, dropout: float) -> dict:
    """Add pooling, the shared layer and a branch an output.

    Args:
        features: (batch, height, width, channels) of the backbone.
        outputs: which of emotion, valence, arousal.
        num_emotions: width of the emotion output.
        dropout: before each output's last layer.

    Returns:
        Output name -> tensor: emotion (batch, num_emotions) probabilities, valence and arousal (batch, 1) in -1..1.
    """
    pooled = layers.GlobalAveragePooling2D(name="pool", dtype="float32")(features)
    shared = layers.Dense(_SHARED_UNITS, activation="relu", name="shared", dtype="float32")(pooled)
    heads = {}
    for name in outputs:
        emotion = name == "emotion"
        x = layers.Dense(
            _EMOTION_UNITS if emotion else _AXIS_UNITS, activation="relu", name=f"{name}_hidden", dtype="float32"
        )(shared)
        x = layers.Dropout(dropout, name=f"{name}_dropout", dtype="float32")(x)
        heads[name] = layers.Dense(
            num_emotions if emotion else 1, activation="softmax" if emotion else "tanh", name=name, dtype="float32"
        )(x)
    return heads
