"""Which objects the configuration of a Keras model may name: Keras's own layers and what they are made of, nothing that runs code.

Keras's safe mode refuses most of this too, but not in every version and not for every file (`.h5` before 3.11).
"""

_ROOMS = (
    *("activations", "constraints", "dtype_policies", "initializers", "layers", "losses", "metrics", "ops"),
    *("optimizers", "quantizers", "random", "regularizers"),
)
#: Classes and functions are looked up in these modules of Keras, and in none that reads files or fetches them.
_MODULES = {"builtins", *(f"keras.{room}" for room in _ROOMS)}
#: The same as some versions name them, such as `keras.src.ops.numpy`.
_SOURCES = tuple(f"keras.{start}{room}." for start in ("", "src.") for room in (*_ROOMS, "models"))
#: Of modules that hold functions for files too, these classes only.
_CLASSES = {
    *("Functional", "Model", "Sequential", "KerasTensor", "DTypePolicy", "FloatDTypePolicy"),
    *("QuantizedDTypePolicy", "QuantizedFloat8DTypePolicy", "DTypePolicyMap"),
}
_CLASS_MODULES = ("keras", "keras.models")
#: Layers whose configuration is code, or names a file or a package.
_PROGRAMS = {
    *("Lambda", "TFOpLambda", "SlicingOpLambda", "TensorFlowOpLayer", "TFSMLayer", "TorchModuleWrapper"),
    *("JaxLayer", "FlaxLayer", "StringLookup", "IntegerLookup", "TextVectorization"),
}
#: Values that are no classes.
_VALUES = {"__keras_tensor__", "__tensor__", "__numpy__", "__bytes__", "__ellipsis__", "__slice__", "__tuple__"}


def foreign_object(config) -> str | None:
    """Return the name of the first object in a model's configuration that is not one of Keras's own, or None.

    Args:
        config: the model's configuration as JSON holds it, of Keras 3 or 2.

    Example:
        >>> foreign_object({"module": "keras.layers", "class_name": "Dense", "config": {"units": 3}})
        >>> foreign_object({"layers": [{"module": "os", "class_name": "system", "config": {}}]})
        'os.system'
    """
    waiting = [config]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            if found := _foreign(node):
                return found
            waiting += node.values()
        elif isinstance(node, list):
            waiting += node
    return None


def _foreign(node: dict) -> str | None:
    """Return the name of what a node of a configuration stands for if it is not Keras's own, or None."""
    name = node.get("class_name")
    if not isinstance(name, str) or name in _VALUES:
        return None
    if name in _PROGRAMS or name.startswith("__"):
        return name
    module, registered = node.get("module"), node.get("registered_name")
    if not _is_known(module, name):
        return f"{module}.{name}"
    if ">" in name or (isinstance(registered, str) and ">" in registered):
        return f"the registered object {registered or name}"
    if name == "function" and registered not in (None, "function", node.get("config")):
        return f"function {node.get('config')}"
    return None


def _is_known(module, name: str) -> bool:
    if module in _CLASS_MODULES:
        return name in _CLASSES
    return module is None or (isinstance(module, str) and (module in _MODULES or module.startswith(_SOURCES)))
