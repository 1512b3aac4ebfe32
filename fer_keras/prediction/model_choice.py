"""Which of a bundle's files to run: the first format in the table whose file and engine are there; labels are never guessed."""

from dataclasses import dataclass, replace
from pathlib import Path

from fer_keras.bundled import bundled_model, bundled_names, model_folder
from fer_keras.formats import ENGINES, FASTEST, FORMATS, engines_of
from fer_keras.hints import nearest
from fer_keras.runs.bundle import BUNDLE_FILE, Bundle, load_bundle


@dataclass(frozen=True)
class ModelFile:
    """A file of a bundle that can be run.

    Attributes:
        path: the file, or a SavedModel's folder.
        format: key of `fer_keras.formats.FORMATS`.
        engine: key of `fer_keras.formats.ENGINES`.
    """

    path: Path
    format: str
    engine: str

    def ways(self, wanted: str) -> "list[ModelFile]":
        """Return this file with each engine that runs it where `wanted` is asked for; none where that does not mean it.

        Args:
            wanted: auto, fastest, an engine or a format.
        """
        if wanted == FASTEST:
            return [replace(self, engine=engine) for engine in engines_of(self.path)]
        if wanted in ("auto", self.engine, self.format):
            return [self]
        runs = wanted in ENGINES and self.path.suffix.lower() in ENGINES[wanted].suffixes
        return [replace(self, engine=wanted)] if runs else []


def choose_model(model: str | Path | None = None, engine: str = "auto") -> tuple[Bundle, ModelFile]:
    """Find the bundle and the best of its model files; arguments and errors as of `usable_files`."""
    bundle, files = usable_files(model, engine)
    return bundle, files[0]


def usable_files(model: str | Path | None = None, engine: str = "auto") -> tuple[Bundle, list[ModelFile]]:
    """Find the bundle and those of its model files, best first, that can be run and that `engine` means.

    Args:
        model: a run directory, a folder of exports, or one model file with its bundle beside it, or a bundled model by
            name; default: the bundled model.
        engine: auto, a key of `fer_keras.formats.ENGINES`, or a key of `FORMATS` such as tflite-int8; or fastest, for which
            a file stands in the list once for each engine.

    Raises:
        FileNotFoundError: no such model, or no bundle beside it.
        ValueError: an unknown engine, no file for it, or an engine that is not installed.
    """
    model = bundled_model() if model is None else model_folder(model)
    known = dict.fromkeys(["auto", FASTEST, *ENGINES, *FORMATS])
    if engine not in known:
        raise ValueError(f"engine expects one of {', '.join(known)}. Received: {engine!r}.{nearest(engine, known)}")
    if not model.exists():
        names = bundled_names()
        raise FileNotFoundError(
            f"No model there. Expected a run, a folder of exports, a model file or a bundled model ({', '.join(names)}). "
            f"Received: {model}.{nearest(str(model), names)}"
        )
    if model.is_dir() and not (model / "saved_model.pb").is_file():
        bundle = load_bundle(model)
        return bundle, _usable(bundle, engine)
    bundle = _bundle_beside(model)
    own = [file for file in _model_files(bundle) if file.path.parent == bundle.directory]
    files = [file for file in own if file.path.name == model.name]
    if not files:
        listed = ", ".join(file.path.name for file in _model_files(bundle)) or "none"
        raise ValueError(f"The bundle beside {model} describes another file. Expected one of: {listed}.")
    ways = files[0].ways(engine)
    if not ways:
        raise ValueError(
            f"engine {engine} cannot run {model}. Expected {', '.join(engines_of(files[0].path))}, or auto."
        )
    return bundle, _installed(ways) or ways  # loading says what to install


def model_names(model: str | Path | None) -> list[str | Path | None]:
    """Return the models that a name means: several with commas between them, or one, whose path may have commas.

    Example:
        >>> model_names("runs/a,runs/b")
        ['runs/a', 'runs/b']
    """
    if not isinstance(model, str) or "," not in model or Path(model).exists():
        return [model]
    names = [name.strip() for name in model.split(",")]
    if not all(names) or len(set(names)) < len(names):
        raise ValueError(f"--model expects different models with commas between them. Received: {model}.")
    return names


def _bundle_beside(file: Path) -> Bundle:
    engines_of(file)  # first, since it refuses what is not a model file
    if not (file.parent / BUNDLE_FILE).is_file():
        raise FileNotFoundError(
            f"No {BUNDLE_FILE} beside {file}: it names the labels and the image size, which are never guessed. Copy it "
            "there from where the model was exported."
        )
    return load_bundle(file.parent)


def _model_files(bundle: Bundle) -> list[ModelFile]:
    """Return the bundle's model files, best first, whether they are still there or not; forced exports come last."""
    exports = bundle.exports
    names = {name: export.file for name, export in exports.items()}
    if bundle.model.file:
        names.setdefault("keras", bundle.model.file)
    order = sorted(
        (name for name in FORMATS if name in names), key=lambda name: name in exports and exports[name].forced
    )
    return [
        ModelFile(FORMATS[name].model_path(bundle.directory / names[name]), name, FORMATS[name].engine)
        for name in order
    ]


def _installed(files: list[ModelFile]) -> list[ModelFile]:
    return [file for file in files if ENGINES[file.engine].installed]


def _usable(bundle: Bundle, engine: str) -> list[ModelFile]:
    there = [file for file in _model_files(bundle) if file.path.exists()]
    wanted = [file for known in there for file in known.ways(engine)]
    if not wanted:
        found = ", ".join(f"{file.format} ({file.engine})" for file in there) or "no model files"
        raise ValueError(
            f"{bundle.directory} has no file for engine {engine}. Found: {found}. Choose one of these, or export it: "
            f"python -m fer_keras.export --model {bundle.directory} --formats FORMAT"
        )
    if installed := _installed(wanted):
        return installed
    needs = dict.fromkeys(f'pip install "{ENGINES[file.engine].install}"' for file in wanted)
    raise ValueError(f"Nothing installed can run {', '.join(file.path.name for file in wanted)}: {' or '.join(needs)}.")
