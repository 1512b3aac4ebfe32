"""The bundle: `bundle.json` beside a model, with all that a stranger needs to use it and to believe it."""

import json
import platform
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import fer_keras
from fer_keras.cli import one_line
from fer_keras.files import write_json
from fer_keras.preprocessing import GEOMETRY

BUNDLE_FORMAT = 1
MODEL_FILE, BUNDLE_FILE = "model.keras", "bundle.json"
_PACKAGES = ("keras", "numpy", "opencv-python")
_BACKENDS = ("tensorflow", "jax", "torch")


@dataclass(frozen=True)
class Bundle:
    """A trained model with its facts.

    Attributes:
        directory: where it lies.
        facts: the content of `bundle.json`.
    """

    directory: Path
    facts: dict

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the emotion output's classes, in order."""
        return tuple(self.facts["labels"])

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the model's outputs."""
        return tuple(self.facts["outputs"])

    @property
    def image_size(self) -> tuple[int, int]:
        """(height, width) of the model's input."""
        return tuple(self.facts["image_size"])

    @property
    def aligned(self) -> bool:
        """Whether the model was trained on faces turned until their eyes are level, and is to be fed such."""
        return bool(self.facts.get("input", {}).get("align", False))

    def trained_on(self, set_names: Iterable[str]) -> bool:
        """Return whether data sets of these names are those of training, or some of several."""
        data = self.facts.get("data", {})
        return {data.get("spec"), *(member["name"] for member in data.get("sets", ()))}.issuperset(set_names)

    def load_model(self):
        """Return the Keras model, not compiled; nothing from its file is executed.

        Raises:
            FileNotFoundError: the model file is missing.
            ValueError: it cannot be read, or the bundle lies beside exports without a Keras model.
        """
        if self.facts["model"] is None:
            raise ValueError(
                f"{self.directory} holds exports only ({', '.join(self.facts.get('exports', {})) or 'none'}). Expected a "
                "Keras model. Load them with Predictor, or export the run's model here with --formats keras."
            )
        import keras

        path = self.directory / self.facts["model"]
        if not path.is_file():
            raise FileNotFoundError(f"The bundle names a model that is not there: {path}.")
        try:
            return keras.models.load_model(path, compile=False, safe_mode=True)
        except Exception as error:  # Keras raises many kinds
            raise ValueError(f"{path} cannot be loaded, it may be truncated: {one_line(error)}.") from error

    def save(self) -> None:
        """Write `bundle.json` atomically."""
        write_json(self.directory / BUNDLE_FILE, self.facts)


def load_bundle(directory: str | Path) -> Bundle:
    """Read the bundle of a run directory.

    Raises:
        FileNotFoundError: no bundle there.
        ValueError: an unreadable one, or one of a newer format.
    """
    directory = Path(directory)
    path = directory / BUNDLE_FILE
    if not path.is_file():
        state = (
            "a run that has not finished (train --resume ends it)" if (directory / "config.toml").exists() else "no run"
        )
        raise FileNotFoundError(
            f"No model bundle in {directory}. Expected a run directory with {BUNDLE_FILE}. Received: {state}."
        )
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        newer = facts["format"] > BUNDLE_FORMAT
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is not a bundle: {error}.") from error
    if newer:
        raise ValueError(
            f"{path} was written by a newer fer_keras (bundle format {facts['format']}, this one reads "
            f"{BUNDLE_FORMAT}). Upgrade fer_keras."
        )
    return Bundle(directory, facts)


def model_facts(model, backbone: str, labels: tuple[str, ...], outputs: tuple[str, ...], align: bool = False) -> dict:
    """Return what a program needs to feed a model and to read its answers.

    Args:
        model: the Keras model.
        backbone: its name.
        labels: of the emotion output, in order.
        outputs: of the model.
        align: whether its faces were turned until their eyes were level.
    """
    shape = {"colour": "RGB", "range": [0, 255], "layout": "batch, height, width, 3"}
    height, width = (int(side) for side in model.input.shape[1:3])
    kinds = {
        name: {"activation": "softmax", "range": [0, 1]}
        if name == "emotion"
        else {"activation": "tanh", "range": [-1, 1]}
        for name in outputs
    }
    return {
        "format": BUNDLE_FORMAT,
        "model": MODEL_FILE,
        "backbone": backbone,
        "parameters": int(model.count_params()),
        "image_size": [height, width],
        "labels": list(labels),
        "outputs": kinds,
        "input": {**shape, "geometry": GEOMETRY, "align": align},
    }


def versions() -> dict[str, str]:
    """Return the versions of the package and of what it runs on; of Keras's backends, those that this process loaded."""
    found = {"fer_keras": fer_keras.__version__, "python": platform.python_version(), "platform": sys.platform}
    for name in (*(name for name in _BACKENDS if name in sys.modules), *_PACKAGES):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
