"""The bundle: what lies beside a model, so that a stranger can use it and check what is claimed of it."""

import platform
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache
from importlib import metadata
from pathlib import Path

import fer_keras
from fer_keras.config.run_config import DataConfig
from fer_keras.preprocessing import GEOMETRY
from fer_keras.runs.bundle_json import BUNDLE_FILE, read_parts, write_parts
from fer_keras.runs.bundle_parts import (
    Calibration,
    Ensemble,
    Export,
    ModelDescription,
    ModelInput,
    ModelOutput,
    Selection,
    SplitScores,
    TrainingCost,
    TrainingData,
)
from fer_keras.runs.file_hashes import hash_file

MODEL_FILE = "model.keras"
_PACKAGES = ("keras", "numpy", "opencv-python")
_BACKENDS = ("tensorflow", "jax", "torch")
#: What finding the data of a run again takes.
_DATA_KEYS = ("data_spec", "data_dir", "validation_fraction", "test_fraction", "split_seed")


@dataclass
class Bundle:
    """A trained model and what is known of it. Change attributes or put entries, then `save`.

    Attributes:
        directory: where it lies.
        model: what feeding the model and reading its answers takes.
        config: of the training run, name of a setting -> value; empty where the bundle does not tell.
        baseline: what a guess without looking would say, see `fer_keras.data.facts.training_priors`, or None.
        versions: package -> version, of what trained the model.
        derived: which training labels were derived and how, see `fer_keras.data.facts.derived_facts`, or None.
        scores: "data set/split" -> the scores measured there.
        exports: format -> the file exported to it.
        created: date of the training run, ISO 8601.
        data: what the model was trained on.
        selected: which epoch it is of.
        training: how long training took, and where.
        calibration: of its probabilities, or None.
        ensemble: the models that it averages in its graph, or None for one model.
        extra: what a newer version of the package wrote and this one does not know; it is written back.

    Example:
        bundle = load_bundle("runs/mine")
        bundle.image_size, bundle.labels, bundle.exports["onnx"].file
        bundle.scores["ferplus/validation"].measured["emotion"]["accuracy"]["value"]
    """

    directory: Path
    model: ModelDescription
    config: Mapping = field(default_factory=dict)
    baseline: Mapping | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    derived: Mapping | None = None
    scores: dict[str, SplitScores] = field(default_factory=dict)
    exports: dict[str, Export] = field(default_factory=dict)
    created: str | None = None
    data: TrainingData = field(default_factory=TrainingData)
    selected: Selection = field(default_factory=Selection)
    training: TrainingCost = field(default_factory=TrainingCost)
    calibration: Calibration | None = None
    ensemble: Ensemble | None = None
    extra: Mapping = field(default_factory=dict, repr=False)

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the emotion output's classes, in order."""
        return self.model.labels

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the model's outputs."""
        return tuple(self.model.outputs)

    @property
    def image_size(self) -> tuple[int, int]:
        """(height, width) of the model's input."""
        return self.model.image_size

    @property
    def aligned(self) -> bool:
        """Whether the model was trained on faces turned until their eyes are level, and is to be fed such faces."""
        return self.model.input.align

    def trained_on(self, set_names: Iterable[str]) -> bool:
        """Return whether data sets of these names are those of training, or some of several."""
        return {self.data.spec, *(member["name"] for member in self.data.sets)}.issuperset(set_names)

    def data_config(self, data_spec: str | None = None, data_dir: str | None = None) -> DataConfig:
        """Return the configuration of the data of training, or of another data set split by the same rules.

        Args:
            data_spec: of the other data set; its labels are taken as training took them only if it is training's, or one of
                several that training joined.
            data_dir: its place, or another place of training's data.

        Raises:
            ValueError: the bundle does not say what the model was trained on.
        """
        missing = [name for name in _DATA_KEYS if name not in self.config]
        if missing:
            raise ValueError(
                f"{self.directory} does not say what the model was trained on: the config in its {BUNDLE_FILE} lacks "
                f"{', '.join(missing)}"
            )
        names = [item.name for item in fields(DataConfig)]
        config = DataConfig(**{name: self.config[name] for name in names if name in self.config})
        if data_spec is None:
            return replace(config, data_dir=data_dir or config.data_dir)
        from fer_keras.data.several import set_names

        if self.trained_on(set_names(data_spec)):
            return replace(config, data_spec=data_spec, data_dir=data_dir)
        own = {name: getattr(config, name) for name in ("validation_fraction", "test_fraction", "split_seed")}
        return DataConfig(data_spec, data_dir, **own)

    def load_model(self):
        """Return the Keras model, not compiled; nothing from its file is executed.

        Raises:
            FileNotFoundError: the model file is missing.
            ValueError: it cannot be read, is refused (see `check_file` and `fer_keras.models.keras_file`), or the bundle lies
                beside exports without a Keras model.
        """
        if self.model.file is None:
            raise ValueError(
                f"{self.directory} holds exports only ({', '.join(self.exports) or 'none'}). Expected a Keras model. Load "
                "them with Predictor, or export the run's model here with --formats keras."
            )
        path = self.directory / self.model.file
        if not path.is_file():
            raise FileNotFoundError(f"The bundle names a model that is not there: {path}.")
        self.check_file(self.model.file)
        from fer_keras.models.keras_file import load_keras_model

        return load_keras_model(path)

    def sha256(self, name: str) -> str | None:
        """Return the SHA-256 that the bundle has of one of its files, or None where it has none."""
        exported = [export.sha256 for export in self.exports.values() if export.file == name]
        return exported[0] if exported else self.model.sha256 if name == self.model.file else None

    def check_file(self, name: str) -> None:
        """Refuse a model file that is not the one that the bundle was written with, before anything reads it.

        A bundle of an older version has no hashes: a line on standard error says so, once in a process.

        Args:
            name: of the file, or of a SavedModel's folder, in the bundle's folder.

        Raises:
            ValueError: its SHA-256 is another one.
            OSError: it cannot be read.
        """
        path, expected = self.directory / name, self.sha256(name)
        if expected is None:
            _note_unhashed(path)
        elif (found := hash_file(path)) != expected:
            raise ValueError(
                f"{path} is damaged or not the file that its bundle was written with. Expected SHA-256 {expected[:16]}... "
                f"Received: {found[:16]}... Copy the whole folder again, or export the model again."
            )

    def keep_hashes(self) -> None:
        """Take the SHA-256 of every model file that is there into the bundle, and save it: for a bundle of an older version.

        Call it only on files that you know to be the right ones; training and exports do it by themselves.

        Raises:
            OSError: a file that cannot be read, or the bundle cannot be written.
        """
        for name, export in self.exports.items():
            if (self.directory / export.file).exists():
                self.exports[name] = replace(export, sha256=hash_file(self.directory / export.file))
        if self.model.file and (self.directory / self.model.file).exists():
            self.model = replace(self.model, sha256=hash_file(self.directory / self.model.file))
        self.save()

    def save(self) -> None:
        """Write `bundle.json` atomically."""
        write_parts(self)


def load_bundle(directory: str | Path) -> Bundle:
    """Read the bundle of a run directory, or of a folder of exports.

    Raises:
        FileNotFoundError: no bundle there.
        ValueError: an unreadable one, one with a value that a bundle cannot have, or one of a newer format.
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
    return Bundle(directory, **read_parts(path))


@lru_cache
def _note_unhashed(path: Path) -> None:
    print(
        f"note: {path.parent / BUNDLE_FILE}, of an older version, has no SHA-256 of {path.name}, which is read unchecked",
        file=sys.stderr,
    )


def describe_model(
    model, backbone: str, labels: tuple[str, ...], outputs: tuple[str, ...], *, align: bool = False
) -> ModelDescription:
    """Return what a bundle says of a Keras model that lies beside it as `model.keras`.

    Args:
        model: the Keras model.
        backbone: its name.
        labels: of the emotion output, in order.
        outputs: of the model.
        align: whether its training faces were turned until their eyes were level.
    """
    height, width = (int(side) for side in model.input.shape[1:3])
    gives = {"emotion": ModelOutput("softmax", (0, 1))}
    return ModelDescription(
        (height, width),
        tuple(labels),
        {name: gives.get(name, ModelOutput("tanh", (-1, 1))) for name in outputs},
        file=MODEL_FILE,
        backbone=backbone,
        parameters=int(model.count_params()),
        input=ModelInput(geometry=GEOMETRY, align=align),
    )


def versions() -> dict[str, str]:
    """Return the versions of the package and of what it runs on; of Keras's backends, those that this process loaded."""
    found = {"fer_keras": fer_keras.__version__, "python": platform.python_version(), "platform": sys.platform}
    for name in (*(name for name in _BACKENDS if name in sys.modules), *_PACKAGES):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
