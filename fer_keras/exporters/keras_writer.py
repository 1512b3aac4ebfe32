"""Keras's own files, written so that other versions read them: `.h5` from Keras 2.15 on, `.keras` in Keras 3.

Keras writes settings into a file that only the writing version understands. The weights are the same in every version, so
only the model's configuration is rewritten, to what all versions understand.
"""

import json
import zipfile
from pathlib import Path

#: Keys that some Keras versions do not know, with the values that mean the same as no key.
_NEW_KEYS = {
    "input_axes": (None,),
    "output_axes": (None,),
    "quantization_config": (None,),
    "optional": (False,),
    "synchronized": (False,),
    "renorm": (False,),
    "renorm_clipping": (None,),
    "renorm_momentum": (0.99,),
    "rms_scaling": (False,),
    "seed": (None,),
    "score_mode": ("dot",),  # Keras 3 takes the word for its function dot where it reads an `.h5`
}
_CONFIG_MEMBER = "config.json"


def export_h5(source, path: Path) -> dict:
    """Write one `.h5` that Keras 2.15, tf_keras and Keras 3 load with plain `keras.models.load_model(path)`.

    Args:
        source: an `ExportSource` of a flat functional model.
        path: the file to write.

    Returns:
        Facts for the bundle: the Keras version that wrote the weights.

    Raises:
        ValueError: a model that Keras 2 cannot represent.
    """
    import h5py
    import keras
    from absl import logging

    verbosity = logging.get_verbosity()
    logging.set_verbosity(logging.ERROR)  # Keras warns of .h5, which older versions need
    try:
        source.model.save(path, include_optimizer=False)
    finally:
        logging.set_verbosity(verbosity)
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        file.attrs["model_config"] = json.dumps(keras2_config(config)).encode()
        if "training_config" in file.attrs:
            del file.attrs["training_config"]
    return {"keras": keras.__version__}


def export_keras(source, path: Path) -> dict:
    """Write a `.keras` file without what older versions of Keras 3 do not know; it loads without fer_keras.

    See `export_h5` for arguments and result.
    """
    import keras

    whole = source.scratch / "whole.keras"
    source.model.save(whole)
    with zipfile.ZipFile(whole) as old, zipfile.ZipFile(path, "w") as new:
        for member in old.infolist():
            data = old.read(member)
            if member.filename == _CONFIG_MEMBER:
                data = json.dumps(_without_new_keys(json.loads(data))).encode()
            new.writestr(member, data)
    whole.unlink()
    return {"keras": keras.__version__}


def keras2_config(config: dict) -> dict:
    """Rewrite a Keras 3 functional model's serialised configuration so that Keras 2 and 3 both read it.

    Args:
        config: {"class_name": "Functional", "config": {...}} as in an `.h5` file's `model_config`.

    Returns:
        A new configuration.

    Raises:
        ValueError: a nested model, or a layer called with more than tensors.
    """
    inner = dict(_without_new_keys(config["config"]))
    inner["layers"] = [_keras2_layer(layer) for layer in inner["layers"]]
    return {"class_name": "Functional", "config": {key: inner[key] for key in _MODEL_KEYS if key in inner}}


_MODEL_KEYS = ("name", "trainable", "layers", "input_layers", "output_layers")


def _keras2_layer(layer: dict) -> dict:
    if "layers" in layer["config"]:
        raise ValueError(
            f"Model {layer['name']!r} is nested. Expected a flat model: build the backbone with input_tensor."
        )
    config = {key: _keras2_value(value) for key, value in layer["config"].items() if key != "activity_regularizer"}
    if "batch_shape" in config:
        config["batch_input_shape"] = config.pop("batch_shape")
    if layer["class_name"] == "DepthwiseConv2D":
        config.pop("groups", None)
    nodes = [_keras2_node(node, layer["name"]) for node in layer["inbound_nodes"]]
    return {"class_name": layer["class_name"], "config": config, "name": layer["name"], "inbound_nodes": nodes}


def _keras2_value(value):
    """Return a dtype policy as its name, and an initializer, regularizer or constraint as class and configuration."""
    if isinstance(value, dict) and value.get("class_name") == "DTypePolicy":
        return value["config"]["name"]
    if isinstance(value, dict) and "class_name" in value:
        return {"class_name": value["class_name"], "config": value["config"]}
    return value


def _keras2_node(node: dict, name: str) -> list:
    # Keras 3 writes how the layer was first called (training: False); each call of the model decides that again.
    extra = {key: value for key, value in node["kwargs"].items() if value not in (None, False)}
    tensors = node["args"][0] if len(node["args"]) == 1 and isinstance(node["args"][0], list) else node["args"]
    histories = [tensor.get("config", {}).get("keras_history") for tensor in tensors if isinstance(tensor, dict)]
    if extra or len(histories) != len(tensors) or None in histories:
        raise ValueError(
            f"Layer {name!r} is called with more than tensors, which Keras 2 cannot represent. Received: {node}."
        )
    return [[*history, {}] for history in histories]


def _without_new_keys(value):
    """Copy a configuration without keys that have no effect and that some versions refuse."""
    if isinstance(value, dict):
        return {
            key: _without_new_keys(entry)
            for key, entry in value.items()
            if not (key in _NEW_KEYS and entry in _NEW_KEYS[key])
        }
    if isinstance(value, list):
        return [_without_new_keys(entry) for entry in value]
    return value
