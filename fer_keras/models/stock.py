"""The nets of `keras.applications` in stock layers alone, flat, so that every format and Keras 2 can express them.

Some of them add and multiply tensors by operators, nest models, or have layers of their own. Layers keep their names, so
that weights are still found by name.
"""

from collections.abc import Callable

import keras
from keras import layers


def build_application(function: Callable, tensor, name: str):
    """Add the features of an application to the graph of `tensor`.

    Args:
        function: of `keras.applications`, or one that takes its arguments.
        tensor: (batch, height, width, 3) scaled as the application expects it.
        name: prefix of the layers that replace operators.

    Returns:
        The application's last feature map.
    """
    model = function(include_top=False, weights=None, input_tensor=tensor)
    counts: dict[str, int] = {}

    def call(operation, *args, **kwargs):
        make = _stand_in(operation)
        if make is None:
            return operation(*args, **kwargs)
        counts[make.__name__] = counts.get(make.__name__, 0) + 1
        return make(operation, args, f"{name}{make.__name__}{counts[make.__name__]}")

    return keras.models.clone_model(model, model.input, call_function=call).output


def flat_layers(model: keras.Model) -> list:
    """Return the layers of a model, with nested models replaced by their layers."""
    parts = [flat_layers(layer) if isinstance(layer, keras.Model) else [layer] for layer in model.layers]
    return [layer for part in parts for layer in part]


def _sum(operation, args, name: str):
    if isinstance(args[1], (int, float)):
        return layers.Rescaling(1.0, args[1], name=name)(args[0])
    return layers.Add(name=name)(list(args[:2]))


def _product(operation, args, name: str):
    if isinstance(args[1], (int, float)):
        return layers.Rescaling(args[1], name=name)(args[0])
    return layers.Multiply(name=name)(list(args[:2]))


def _chain(operation, args, name: str):
    x = args[0]
    for layer in operation.layers:
        x = layer(x)
    return x


def _scale(operation, args, name: str):
    """One factor per channel is a depthwise convolution of one pixel."""
    start = keras.initializers.Constant(operation.init_values)
    return layers.DepthwiseConv2D(1, use_bias=False, depthwise_initializer=start, name=operation.name)(args[0])


def _depthwise(operation, args, name: str):
    """A convolution with one group per channel is depthwise; as such it trains on a CPU too."""
    return layers.DepthwiseConv2D(operation.kernel_size, padding=operation.padding, name=operation.name)(args[0])


def _hard_swish(operation, args, name: str):
    """x * relu6(x + 3) / 6, written out: Keras 2 has no such activation, and another hard sigmoid."""
    gate = layers.ReLU(6.0, name=f"{name}_relu")(layers.Rescaling(1.0, 3.0, name=f"{name}_shift")(args[0]))
    return layers.Multiply(name=name)([args[0], layers.Rescaling(1 / 6, name=f"{name}_scale")(gate)])


def _stand_in(operation) -> Callable | None:
    """Return what makes the stock layers of an operation, or None where it is such a layer itself."""
    kind = type(operation).__name__
    if not isinstance(operation, layers.Layer):
        return {"Add": _sum, "Multiply": _product}[kind]
    if isinstance(operation, layers.Activation) and operation.get_config()["activation"] == "hard_swish":
        return _hard_swish
    if isinstance(operation, layers.Conv2D) and operation.groups > 1:
        return _depthwise
    return {"Sequential": _chain, "LayerScale": _scale}.get(kind)
