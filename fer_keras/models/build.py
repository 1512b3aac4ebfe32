"""Building a multi-output model, and choosing which of its layers train."""

from collections.abc import Sequence
from dataclasses import replace

import keras

from fer_keras.config.run_config import ModelConfig
from fer_keras.labels import EMOTIONS, OUTPUTS
from fer_keras.models.backbones import get_backbone, name_layers
from fer_keras.models.heads import build_heads, is_head_layer
from fer_keras.models.nets import LUMA_SUFFIX
from fer_keras.models.weights import load_weights

_PRETRAINED_TRAINABLE = "50"  # top layers that fine-tune by default, as in the systems this package grew from


def build_model(
    backbone: str | ModelConfig,
    image_size: int | None = None,
    outputs: Sequence[str] = OUTPUTS,
    num_emotions: int = len(EMOTIONS),
    *,
    dtype: str | None = None,
    **settings,
) -> keras.Model:
    """Build a model of facial expression: backbone, pooling, one head for each output or group of outputs.

    The graph is flat and of stock layers only, scaling of pixels included, so that its `.h5` loads in other programs.

    Args:
        backbone: a key of `fer_keras.models.backbones.BACKBONES`, or the group `model` of a configuration.
        image_size: side of the square input in pixels; default: the backbone's.
        outputs: which of emotion, valence, arousal.
        num_emotions: number of emotion classes.
        dtype: compute policy of the backbone, such as mixed_float16; default: Keras's. Heads are always float32.
        **settings: settings of `ModelConfig`, over those of a group: `weights`, `trainable_layers`, `train_norm` (see
            `set_trainable_layers`), `head`, `head_units`, `head_norm` and `dropout` (see `build_heads`). A backbone given
            by name starts from random weights unless `weights` says otherwise, so that nothing is downloaded unasked.

    Returns:
        A functional model from (batch, image_size, image_size, 3) RGB 0..255 to a dict: emotion (batch, num_emotions)
        probabilities; valence, arousal (batch, 1) in -1..1.

    Raises:
        ValueError: an unknown backbone or output, a bad setting, or weights that cannot be loaded.
        FileNotFoundError: the weights file does not exist.

    Example:
        >>> model = build_model("small", 48, ("emotion", "valence"), head="fc", head_units=(64, 32))
        >>> model.input.shape, sorted(model.output)
        ((None, 48, 48, 3), ['emotion', 'valence'])
    """
    config = resolve_model(_model_config(backbone, settings))
    entry = get_backbone(config.backbone)
    unknown = [name for name in outputs if name not in OUTPUTS]
    if unknown or not outputs:
        raise ValueError(f"outputs expects some of {', '.join(OUTPUTS)}. Received: {outputs}.")
    previous = keras.config.dtype_policy()
    keras.config.set_dtype_policy(dtype or previous)
    try:
        image, features = _backbone_features(config.backbone, image_size)
        heads = build_heads(features, tuple(outputs), num_emotions, config, flatten=entry.flatten)
        model = keras.Model(image, heads, name=f"fer_{config.backbone}")
    finally:
        keras.config.set_dtype_policy(previous)
    if config.weights != "none":
        load_weights(model, config.backbone, entry, config.weights)
    set_trainable_layers(model, config)
    return model


def _model_config(backbone: str | ModelConfig, settings: dict) -> ModelConfig:
    if isinstance(backbone, str):
        settings = {**settings, "weights": settings.get("weights") or "none"}  # Keras users write weights=None
    if isinstance(settings.get("head_units"), Sequence) and not isinstance(settings["head_units"], str):
        settings = {**settings, "head_units": ",".join(map(str, settings["head_units"]))}
    return ModelConfig.of(backbone, **settings)


def _backbone_features(name: str, image_size: int | None) -> tuple:
    """Return the input of a new graph and the backbone's features, its layers named alike in every process."""
    entry = get_backbone(name)
    side = image_size or entry.image_size
    image = keras.Input((side, side, 3), name="image", dtype="float32")
    scaled = keras.layers.Rescaling(entry.scale, _plain(entry.offset), name=f"{name}_scaling")(image)
    features = entry.build(scaled)
    name_layers(keras.Model(image, features), name)
    return image, features


def _plain(value):
    return list(value) if isinstance(value, tuple) else value


def resolve_model(config: ModelConfig) -> ModelConfig:
    """Return the configuration with `auto` replaced by its meaning for the backbone.

    Weights are imagenet where the backbone has such weights, else none. Of a pretrained backbone the top 50 layers train, of
    one from scratch all.

    Raises:
        ValueError: no backbone of that name.

    Example:
        >>> config = resolve_model(ModelConfig("resnet50"))
        >>> config.weights, config.trainable_layers
        ('imagenet', '50')
    """
    entry, weights, layers = get_backbone(config.backbone), config.weights, config.trainable_layers
    if weights == "auto":
        weights = "none" if entry.application is None else "imagenet"
    if layers == "auto":
        layers = "all" if weights == "none" else _PRETRAINED_TRAINABLE
    return replace(config, weights=weights, trainable_layers=layers)


def backbone_layers(model: keras.Model) -> list:
    """Return the layers of a model that belong to its backbone, from input to output."""
    return [layer for layer in model.layers if not is_head_layer(layer.name)]


def set_trainable_layers(model: keras.Model, config: ModelConfig) -> None:
    """Choose which layers of the backbone train.

    Batch normalisation of a pretrained backbone does not train unless asked for: its statistics are those of millions of
    images, and small batches of faces spoil them. In Keras a frozen batch normalisation also runs in inference mode.

    Args:
        model: as `build_model` makes it.
        config: `trainable_layers` is the number of top layers, or all; `weights` says whether the backbone is pretrained;
            with `train_norm` its batch normalisation trains too, as for a second round on the same faces.
    """
    config, chain = resolve_model(config), backbone_layers(model)
    pretrained, count = config.weights != "none", config.trainable_layers
    first = 0 if count == "all" else max(len(chain) - int(count), 0)
    for number, layer in enumerate(chain):
        frozen_norm = pretrained and not config.train_norm and isinstance(layer, keras.layers.BatchNormalization)
        layer.trainable = number >= first and not frozen_norm and not layer.name.endswith(LUMA_SUFFIX)
