"""Backbones, heads and weights: from names to a Keras functional model.

Importing this package loads nothing; each name below is loaded, and Keras with it, when it is first used.
"""

from fer_keras.lazy import lazy_names

_MODULES = {
    "BACKBONES": "fer_keras.models.backbones",
    "build_model": "fer_keras.models.build",
    "set_trainable_layers": "fer_keras.models.build",
}

__all__ = list(_MODULES)
__getattr__, __dir__ = lazy_names(__name__, _MODULES)
