"""Nets of this package's own, built from stock layers into a flat graph."""

from keras import layers

#: How the fixed convolution that makes luma of RGB is called; it never trains.
LUMA_SUFFIX = "_luma"


def build_small(tensor):
    """A plain residual net of 0.7 M parameters that trains on a CPU in minutes and is good at 48 to 96 px.

    Args:
        tensor: (batch, height, width, 3) scaled RGB.

    Returns:
        (batch, height / 8, width / 8, 128) features.
    """
    x = convolve(tensor, 32, 3, 2, name="small_stem")
    x = layers.ReLU(name="small_stem_relu")(x)
    for number, (filters, stride) in enumerate([(32, 1), (64, 2), (64, 1), (128, 2), (128, 1)], 1):
        x = residual(x, filters, stride, name=f"small_block{number}")
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
    x = convolve(tensor, 32, 3, 2, name="compact_stem")
    x = layers.ReLU(name="compact_stem_relu")(x)
    for number, (filters, stride) in enumerate([(32, 1), (64, 2), (64, 1), (128, 2), (128, 1), (256, 2), (256, 1)], 1):
        x = residual(x, filters, stride, name=f"compact_block{number}", excite=True)
    return x


def build_resnet18(tensor):
    """ResNet-18 with its basic blocks: 11.69 M trained parameters with ImageNet's classifier, 11.18 M without.

    `keras.applications` has no such net, so there are no ImageNet weights for it here.

    Args:
        tensor: (batch, height, width, 3) scaled RGB.

    Returns:
        (batch, height / 32, width / 32, 512) features.

    Source: He et al., Deep Residual Learning for Image Recognition, 2016.
    """
    x = convolve(tensor, 64, 7, 2, name="resnet18_stem")
    x = layers.ReLU(name="resnet18_stem_relu")(x)
    x = layers.MaxPooling2D(3, 2, padding="same", name="resnet18_stem_pool")(x)
    for number, filters in enumerate([64, 64, 128, 128, 256, 256, 512, 512], 1):
        x = residual(x, filters, 1 if filters == x.shape[-1] else 2, name=f"resnet18_block{number}")
    return x


def build_grey_cnn224(tensor):
    """Three blocks of convolution, batch normalisation, ReLU and max pooling, of 32, 64 and 128 channels, on luma.

    Args:
        tensor: (batch, height, width, 3) scaled RGB; grey faces have three equal channels.

    Returns:
        (batch, height / 8, width / 8, 128) features: at 224 px 100,352 values.
    """
    x = _luma(tensor, "grey_cnn224")
    for number, filters in enumerate([32, 64, 128], 1):
        name = f"grey_cnn224_block{number}"
        x = layers.Conv2D(filters, 3, padding="same", kernel_initializer="he_normal", name=f"{name}_conv")(x)
        x = layers.ReLU(name=f"{name}_relu")(layers.BatchNormalization(name=f"{name}_bn")(x))
        x = layers.MaxPooling2D(2, name=f"{name}_pool")(x)
    return x


def build_grey_cnn48(tensor):
    """Three blocks of two convolutions with ReLU, max pooling and dropout 0.25, of 64, 128 and 256 channels, on luma.

    Args:
        tensor: (batch, height, width, 3) scaled RGB; grey faces have three equal channels.

    Returns:
        (batch, height / 8, width / 8, 256) features: at 48 px 9,216 values.
    """
    x = _luma(tensor, "grey_cnn48")
    for number, filters in enumerate([64, 128, 256], 1):
        name = f"grey_cnn48_block{number}"
        for place in (1, 2):
            x = layers.Conv2D(filters, 3, padding="same", kernel_initializer="he_normal", name=f"{name}_conv{place}")(x)
            x = layers.ReLU(name=f"{name}_relu{place}")(x)
        x = layers.MaxPooling2D(2, name=f"{name}_pool")(x)
        x = layers.Dropout(0.25, name=f"{name}_dropout")(x)
    return x


def _luma(x, name: str):
    """Return the luma of RGB (ITU-R BT.601) by a fixed convolution; scaled RGB gives luma scaled alike, for 1 is their sum."""
    x = layers.Rescaling([0.299, 0.587, 0.114], name=f"{name}_luma_shares")(x)
    return layers.Conv2D(1, 1, use_bias=False, kernel_initializer="ones", trainable=False, name=f"{name}{LUMA_SUFFIX}")(
        x
    )


def convolve(x, filters: int, size: int, stride: int, *, name: str):
    """Add a convolution without bias and its batch normalisation."""
    x = layers.Conv2D(
        filters, size, stride, padding="same", use_bias=False, kernel_initializer="he_normal", name=f"{name}_conv"
    )(x)
    return layers.BatchNormalization(momentum=0.9, name=f"{name}_bn")(x)


def residual(x, filters: int, stride: int, *, name: str, excite: bool = False):
    """Add a basic block of two convolutions of 3x3, by default without squeeze and excitation."""
    shortcut = x if stride == 1 and x.shape[-1] == filters else convolve(x, filters, 1, stride, name=f"{name}_shortcut")
    x = layers.ReLU(name=f"{name}_relu1")(convolve(x, filters, 3, stride, name=f"{name}_1"))
    x = convolve(x, filters, 3, 1, name=f"{name}_2")
    x = layers.Add(name=f"{name}_add")([shortcut, _excite(x, filters, f"{name}_se") if excite else x])
    return layers.ReLU(name=f"{name}_relu2")(x)


def _excite(x, filters: int, name: str):
    """Scale each channel by a gate computed from its mean over the map (squeeze and excitation)."""
    gate = layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_pool")(x)
    gate = layers.Conv2D(max(filters // 8, 8), 1, activation="relu", name=f"{name}_reduce")(gate)
    gate = layers.Conv2D(filters, 1, activation="sigmoid", name=f"{name}_expand")(gate)
    return layers.Multiply(name=f"{name}_scale")([x, gate])
