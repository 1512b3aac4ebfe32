"""Nets of this package's own, built from stock layers into a flat graph."""

from keras import layers


def build_small(tensor):
    """A plain residual net of 0.7 M parameters that trains on a CPU in minutes and is good at 48 to 96 px.

    Args:
        tensor: (batch, height, width, 3) scaled RGB.

    Returns:
        (batch, height / 8, width / 8, 128) features.
    """
    x = _convolve(tensor, 32, 3, 2, "small_stem")
    x = layers.ReLU(name="small_stem_relu")(x)
    for number, (filters, stride) in enumerate([(32, 1), (64, 2), (64, 1), (128, 2), (128, 1)], 1):
        x = _residual(x, filters, stride, f"small_block{number}")
    return x


def build_compact(tensor):
    """A residual net with squeeze-and-excitation for 48 px, 2.8 M parameters: half a ResNet-18, without its pooling.

    The channels double as the map halves, so that most weights work on small maps: at 48 px it trains on a CPU at nearly
    the speed of nets with a quarter of its parameters.

    Args:
        tensor: (batch, height, width, 3) scaled RGB.

    Returns:
        (batch, height / 16, width / 16, 256) features.

    Sources: He et al., Deep Residual Learning for Image Recognition, 2016; Hu et al., Squeeze-and-Excitation Networks, 2018.
    """
    x = _convolve(tensor, 32, 3, 2, "compact_stem")
    x = layers.ReLU(name="compact_stem_relu")(x)
    for number, (filters, stride) in enumerate([(32, 1), (64, 2), (64, 1), (128, 2), (128, 1), (256, 2), (256, 1)], 1):
        x = _residual(x, filters, stride, f"compact_block{number}", excite=True)
    return x


def _convolve(x, filters: int, size: int, stride: int, name: str):
    x = layers.Conv2D(
        filters, size, stride, padding="same", use_bias=False, kernel_initializer="he_normal", name=f"{name}_conv"
    )(x)
    return layers.BatchNormalization(momentum=0.9, name=f"{name}_bn")(x)


def _residual(x, filters: int, stride: int, name: str, excite: bool = False):
    shortcut = x if stride == 1 and x.shape[-1] == filters else _convolve(x, filters, 1, stride, f"{name}_shortcut")
    x = layers.ReLU(name=f"{name}_relu1")(_convolve(x, filters, 3, stride, f"{name}_1"))
    x = _convolve(x, filters, 3, 1, f"{name}_2")
    x = layers.Add(name=f"{name}_add")([shortcut, _excite(x, filters, f"{name}_se") if excite else x])
    return layers.ReLU(name=f"{name}_relu2")(x)


def _excite(x, filters: int, name: str):
    """Scale each channel by what the whole map says of it."""
    gate = layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_pool")(x)
    gate = layers.Conv2D(max(filters // 8, 8), 1, activation="relu", name=f"{name}_reduce")(gate)
    gate = layers.Conv2D(filters, 1, activation="sigmoid", name=f"{name}_expand")(gate)
    return layers.Multiply(name=f"{name}_scale")([x, gate])
