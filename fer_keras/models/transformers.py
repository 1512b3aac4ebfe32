"""Nets with attention, of stock layers in a flat graph that every export format and Keras 2 can express.

Each head is a `keras.layers.Attention` of its own: the configuration of `MultiHeadAttention` in Keras 2 and in Keras 3
refuse each other's keys, so no one `.h5` file could hold it. Places come from a depthwise convolution in front of each
block, whose zero padding tells where the edges are, and not from a table of positions: the weights fit any image size, and
nothing is interpolated when it changes.

Sources: Dosovitskiy et al., An image is worth 16x16 words, ICLR 2021; Chu et al., Conditional positional encodings for vision
transformers, ICLR 2023; Dai et al., CoAtNet: marrying convolution and attention for all data sizes, NeurIPS 2021.
"""

import re

from keras import layers

from fer_keras.models.nets import convolve, residual

_WIDTH, _HEADS, _DROPOUT = 192, 3, 0.1
_HEAD = re.compile(r"(.+)_head\d+$")


def block_of_head(name: str) -> str:
    """Return the name of the block that an attention layer is a head of; a layer of any other name is its own block.

    Example:
        >>> block_of_head("vit_block2_head3"), block_of_head("mine")
        ('vit_block2', 'mine')
    """
    found = _HEAD.match(name)
    return found[1] if found else name


def build_vit(tensor):
    """A vision transformer on patches of 8 px: six blocks of three heads, 192 channels, 2.3 M parameters.

    Args:
        tensor: (batch, height, width, 3) scaled RGB.

    Returns:
        (batch, height / 8, width / 8, 192) features, sides rounded up.
    """
    x = layers.Conv2D(_WIDTH, 8, 8, padding="same", name="vit_patches")(tensor)
    return transform(x, 6, _HEADS, name="vit")


def build_hybrid(tensor):
    """Four residual blocks of convolutions, then four transformer blocks on what they see: 2.1 M parameters.

    Args:
        tensor: (batch, height, width, 3) scaled RGB.

    Returns:
        (batch, height / 8, width / 8, 192) features, sides rounded up.
    """
    x = convolve(tensor, 32, 3, 2, name="hybrid_stem")
    x = layers.ReLU(name="hybrid_stem_relu")(x)
    for number, (filters, stride) in enumerate([(32, 1), (64, 2), (64, 1), (_WIDTH, 2)], 1):
        x = residual(x, filters, stride, name=f"hybrid_conv{number}", excite=True)
    return transform(x, 4, _HEADS, name="hybrid")


def transform(x, blocks: int, heads: int, *, name: str):
    """Add transformer blocks, in which each place of a map attends to all others.

    Args:
        x: (batch, height, width, channels) features.
        blocks: how many.
        heads: of each block; the channels are a multiple of their number.
        name: of the net, the prefix of every layer.

    Returns:
        Features of the same shape.
    """
    for number in range(1, blocks + 1):
        x = _block(x, heads, f"{name}_block{number}")
    return layers.LayerNormalization(epsilon=1e-6, name=f"{name}_norm")(x)


def _block(x, heads: int, name: str):
    """x + positions(x), then x + attention(norm(x)), then x + dense(norm(x))."""
    places = layers.DepthwiseConv2D(3, padding="same", name=f"{name}_places")(x)
    x = layers.Add(name=f"{name}_place_add")([x, places])
    height, width, channels = x.shape[1:]
    tokens = layers.Reshape((height * width, channels), name=f"{name}_tokens")(x)
    tokens = layers.Add(name=f"{name}_attention_add")([tokens, _attention(tokens, heads, name)])
    tokens = layers.Add(name=f"{name}_dense_add")([tokens, _dense(tokens, name)])
    return layers.Reshape((height, width, channels), name=f"{name}_map")(tokens)


def _attention(tokens, heads: int, name: str):
    channels = tokens.shape[-1]
    size = channels // heads
    x = layers.LayerNormalization(epsilon=1e-6, name=f"{name}_attention_norm")(tokens)
    scaled = layers.Rescaling(size**-0.5, name=f"{name}_query_scale")(x)
    found = []
    for number in range(1, heads + 1):
        head = f"{name}_head{number}"
        query = layers.Dense(size, name=f"{head}_query")(scaled)
        # A bias of the keys adds the same to all scores of a query, which softmax takes away.
        key = layers.Dense(size, use_bias=False, name=f"{head}_key")(x)
        value = layers.Dense(size, name=f"{head}_value")(x)
        found.append(layers.Attention(name=head)([query, value, key]))
    joined = layers.Concatenate(name=f"{name}_heads")(found)
    joined = layers.Dense(channels, name=f"{name}_attention_out")(joined)
    return layers.Dropout(_DROPOUT, name=f"{name}_attention_dropout")(joined)


def _dense(tokens, name: str):
    x = layers.LayerNormalization(epsilon=1e-6, name=f"{name}_dense_norm")(tokens)
    # ReLU, for tf2onnx does not know the Erfc of TensorFlow's GELU.
    x = layers.Dense(3 * tokens.shape[-1], activation="relu", name=f"{name}_dense1")(x)
    x = layers.Dense(tokens.shape[-1], name=f"{name}_dense2")(x)
    return layers.Dropout(_DROPOUT, name=f"{name}_dense_dropout")(x)
