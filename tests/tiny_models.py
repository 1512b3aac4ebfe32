"""Models of a few layers with random but large weights, so that answers differ from face to face without training."""

import sys
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from fer_keras.labels import EMOTIONS, OUTPUTS


def tiny_model(side: int, outputs: tuple[str, ...] = OUTPUTS, classes: int = 3, seed: int = 0):
    """Return a Keras model of a convolution with batch normalisation and one small head."""
    import keras

    from fer_keras.config.run_config import ModelConfig
    from fer_keras.models.heads import build_heads

    keras.utils.set_random_seed(seed)
    image = keras.Input((side, side, 3), name="image")
    x = keras.layers.Rescaling(1 / 127.5, -1.0, name="scaling")(image)
    x = keras.layers.Conv2D(4, 8, 8, kernel_initializer="he_normal", name="conv")(x)
    x = keras.layers.ReLU(name="relu")(keras.layers.BatchNormalization(name="bn")(x))
    model = keras.Model(image, build_heads(x, outputs, classes, ModelConfig(head="fc", head_units="8", dropout=0.0)))
    model.set_weights([weights * 2 for weights in model.get_weights()])
    return model


def tiny_bundle(folder: Path, side: int, labels: tuple[str, ...] = EMOTIONS, *, seed: int = 0, **facts):
    """Write such a model with a bundle, `facts` being attributes of `Bundle`, and return the bundle."""
    from fer_keras.runs.bundle import Bundle, describe_model
    from fer_keras.runs.file_hashes import hash_file

    folder.mkdir(parents=True)
    model = tiny_model(side, classes=len(labels), seed=seed)
    model.save(folder / "model.keras")
    described = replace(describe_model(model, "tiny", labels, OUTPUTS), sha256=hash_file(folder / "model.keras"))
    bundle = Bundle(folder, described, created=f"2026-01-0{seed + 1}", **facts)
    bundle.save()
    return bundle
