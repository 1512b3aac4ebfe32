"""Exporting a run: every format is written to a temporary file, compared with Keras, and kept only if its outputs agree."""

import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from fer_keras.exporters.export_options import ExportOptions
from fer_keras.exporters.parity import compare_outputs, export_outputs, keras_outputs, reasons_to_refuse, score_loss
from fer_keras.exporters.source import ExportSource, FaceSource, JudgingFaces, drawn_faces, float32_model
from fer_keras.files import (
    Output,
    check_outputs,
    is_full,
    path_aside,
    remove,
    remove_leftovers,
    write_atomic,
    write_text,
)
from fer_keras.formats import FORMATS, Format
from fer_keras.runs.bundle import MODEL_FILE, Bundle, load_bundle
from fer_keras.runs.bundle_parts import Export
from fer_keras.runs.file_hashes import hash_file
from fer_keras.runs.run_directory import TRAINING_FACES_FILE

KEPT, FORCED, REFUSED, FAILED = "kept", "forced", "refused", "failed"
LABELS_FILE = "labels.txt"


@dataclass(frozen=True)
class ExportResult:
    """What became of one format.

    Attributes:
        format: key of `fer_keras.formats.FORMATS`.
        verdict: kept, forced (kept though its check failed), refused, or failed (could not be written).
        reasons: why its check failed or it could not be written.
        entry: its entry in the bundle, or None if it failed.
    """

    format: str
    verdict: str
    reasons: tuple[str, ...] = ()
    entry: Export | None = None

    @property
    def written(self) -> bool:
        """Whether the file was kept."""
        return self.verdict in (KEPT, FORCED)


def export_run(
    bundle: Bundle,
    formats: tuple[str, ...],
    output_dir: Path | None = None,
    options: ExportOptions | None = None,
    *,
    report: Callable[[ExportResult], None] = lambda result: None,
    say: Callable[[str], None] = lambda line: None,
) -> list[ExportResult]:
    """Export a bundle's model to some formats, each compared with Keras before it is kept.

    Args:
        bundle: of the run.
        formats: keys of `fer_keras.formats.FORMATS`.
        output_dir: folder for the files and a copy of the bundle; default: the run itself.
        options: see `ExportOptions`.
        report: called with each result as it is known.
        say: called with a line that names the faces compared on.

    Returns:
        A result for each format, in order. A format that is refused or fails leaves no file and does not stop the
        others.

    Raises:
        ValueError: a model or data that cannot be used, parts of a format that cannot be found or fetched, or an output
            directory with another model's exports or with other files of the same names.
        OSError: the output directory cannot be written.
    """
    options = options or ExportOptions()
    directory = Path(output_dir) if output_dir else bundle.directory
    target = _open_target(bundle, directory)
    _check_target(target, formats, options.overwrite)
    for name in formats:
        FORMATS[name].check_parts(options)
        for file in (FORMATS[name].file, f"old-{FORMATS[name].file}"):
            remove_leftovers(directory / file)
    model = float32_model(bundle.load_model())
    faces, judging = _find_faces(bundle, options, say)
    results = []
    with tempfile.TemporaryDirectory(prefix="fer_keras-") as scratch:
        source = ExportSource(model, bundle, Path(scratch), _training_faces(faces, options), options)
        writer = _Writer(source, target, judging, keras_outputs(model, judging.faces), options)
        for name in formats:
            result = writer.write(name)
            results.append(result)
            report(result)
    return results


def _open_target(bundle: Bundle, directory: Path) -> Bundle:
    """Return the bundle beside the exports: the run's own, or a copy in another directory.

    Raises:
        ValueError: the directory holds the exports of another model, or is a file.
        OSError: it cannot be written.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        if directory.samefile(bundle.directory):
            _check_writable(directory)
            return bundle
        _check_writable(directory)
    except FileExistsError:
        raise ValueError(f"--output-dir expects a directory. Received: {directory}, a file.") from None
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else error
        raise OSError(f"{directory} cannot be written ({reason}). Choose another --output-dir.") from error
    there = _bundle_there(directory)
    if there is None:
        return replace(bundle, directory=directory, model=replace(bundle.model, file=None, sha256=None), exports={})
    if _identity(there) != _identity(bundle):
        raise ValueError(
            f"{directory} holds another model ({there.model.backbone}, {there.created}), whose files would be mixed with "
            "this one's labels. Choose another --output-dir, or remove that one."
        )
    model = replace(bundle.model, file=there.model.file, sha256=there.model.sha256)
    return replace(bundle, directory=directory, model=model, exports=dict(there.exports))


def _identity(bundle: Bundle) -> tuple:
    """Return what tells one model from another: when and how it was trained, and of an ensemble its members and its size."""
    members = bundle.ensemble.members if bundle.ensemble else ()
    return bundle.created, bundle.config, bundle.image_size, members


def _check_target(target: Bundle, formats: tuple[str, ...], overwrite: bool) -> None:
    """Refuse files of the exports' names that this model's exports did not make: the bundle beside them lists its own.

    Raises:
        ValueError: a file that is there, unless it may be replaced.
    """
    own = {target.model.file, *(entry.file for entry in target.exports.values())}
    own |= {LABELS_FILE} if target.exports else set()
    own |= {TRAINING_FACES_FILE} if target.model.file else set()
    kinds = [FORMATS[name] for name in formats]
    outputs = [Output(target.directory / kind.file, "--output-dir", folder=kind.folder) for kind in kinds]
    if any(kind.file == MODEL_FILE for kind in kinds):
        outputs.append(Output(target.directory / TRAINING_FACES_FILE, "--output-dir"))
    if target.labels:
        outputs.append(Output(target.directory / LABELS_FILE, "--output-dir"))
    check_outputs(outputs, may_replace=lambda path: overwrite or path.name in own)


def _bundle_there(directory: Path) -> Bundle | None:
    """Return the bundle in a folder for exports, or None."""
    try:
        return load_bundle(directory)
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise ValueError(f"{error} Or choose another --output-dir, or remove that file.") from error


def _check_writable(directory: Path) -> None:
    with tempfile.TemporaryFile(dir=directory):
        pass


def _find_faces(
    bundle: Bundle, options: ExportOptions, say: Callable[[str], None]
) -> tuple[FaceSource | str, JudgingFaces]:
    """Return the data, or why it cannot be read, and the faces to compare on."""
    try:
        source = FaceSource(bundle, options.data_spec, options.data_dir, options.seed)
        judging = source.judging(options.split, options.samples)
    except (ValueError, OSError) as error:
        if options.data_spec or options.data_dir:  # the user named it
            raise
        judging = drawn_faces(bundle.image_size, seed=options.seed)
        say(f"the model's data cannot be read ({error}); compared on {len(judging.faces)} drawn faces")
        return str(error), judging
    say(f"compared on {len(judging.faces):,} faces of {judging.data_spec}, split {judging.split}")
    return source, judging


def _training_faces(source: FaceSource | str, options: ExportOptions) -> Callable[[], np.ndarray]:
    def load() -> np.ndarray:
        if isinstance(source, str):
            raise ValueError(f"int8 needs training faces, give --data-dir ({source})")
        if "training" not in found:
            found["training"] = source.training(options.calibration_samples)
        return found["training"]

    found: dict[str, np.ndarray] = {}
    return load


@dataclass(frozen=True)
class _Writer:
    """Writes formats of one model, each to a temporary file first, and keeps those whose outputs agree with Keras's."""

    source: ExportSource
    target: Bundle
    judging: JudgingFaces
    expected: dict[str, np.ndarray]
    options: ExportOptions

    def write(self, name: str) -> ExportResult:
        """Write one format, compare it, and keep it or remove it."""
        kind = FORMATS[name]
        aside = path_aside(self.target.directory / kind.file)
        try:
            entry, reasons = self._write_aside(kind, aside)
            if reasons and not self.options.force:
                return ExportResult(name, REFUSED, reasons, entry)
            self._keep(name, entry, aside)
            return ExportResult(name, FORCED if reasons else KEPT, reasons, entry)
        except Exception as error:  # converters raise many kinds; one format's failure does not stop the others
            return ExportResult(name, FAILED, (_reason(error, self.target.directory),))
        finally:
            remove(aside)

    def _keep(self, name: str, entry: Export, aside: Path) -> None:
        """Put a file in its place, after the bundle lists it: what the bundle lists, a later export may replace.

        So an export that is killed here, or finds no room for the bundle, does not stand in the way of the next one.
        """
        target, model, exports = self.target, self.target.model, dict(self.target.exports)
        try:
            _record(target, name, entry, self.source.labels)
            if entry.file == MODEL_FILE:
                _copy_training_faces(self.source.bundle.directory, target.directory)
            _put_in_place(aside, target.directory / entry.file)
        except Exception:
            target.model, target.exports = model, exports
            raise

    def _write_aside(self, kind: Format, aside: Path) -> tuple[Export, tuple[str, ...]]:
        """Return the file's entry for the bundle, and why it is to be refused."""
        export = kind.load_exporter()
        started = time.perf_counter()
        details = export(self.source, aside)
        seconds = time.perf_counter() - started
        parity = self._compare(kind, aside)
        reasons = tuple(reasons_to_refuse(parity, kind.tolerance, self.options.max_drop))
        entry = Export(
            kind.file,
            bytes=file_bytes(aside),
            sha256=hash_file(aside),
            seconds=round(seconds, 2),
            details=details,
            parity=parity,
            forced=bool(reasons),
            date=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        return entry, reasons

    def _compare(self, kind: Format, path: Path) -> dict:
        judging = self.judging
        found, milliseconds = export_outputs(kind.model_path(path), kind.engine, judging.faces)
        parity = compare_outputs(self.expected, found, kind.tolerance or 0.0)
        parity |= {"split": judging.split, "data_spec": judging.data_spec, "ms_per_face": round(milliseconds, 3)}
        if kind.quantised and judging.index is not None:
            parity["scores"] = score_loss(self.expected, found, judging, self.source.labels)
        return parity


def _reason(error: Exception, directory: Path) -> str:
    """Return in one line why a format could not be written; each library reports a full disk in its own words."""
    text = " ".join(str(error).split())
    return f"no space left on the disk of {directory}" if is_full(error) else text[:300] or type(error).__name__


def _copy_training_faces(run: Path, directory: Path) -> None:
    """Put the run's index of training faces beside a copy of its Keras model, which can be evaluated and trained on."""
    index, copy = run / TRAINING_FACES_FILE, directory / TRAINING_FACES_FILE
    if index.is_file() and not (copy.exists() and copy.samefile(index)):
        write_atomic(copy, lambda temporary: temporary.write_bytes(index.read_bytes()))


def _record(target: Bundle, name: str, entry: Export, labels: tuple[str, ...]) -> None:
    """Save a format's entry in the bundle, after each format, so that a killed export loses none."""
    target.exports[name] = entry
    if entry.file == MODEL_FILE:
        target.model = replace(target.model, file=MODEL_FILE, sha256=entry.sha256)
    target.save()
    if labels:
        write_text(target.directory / LABELS_FILE, "\n".join(labels) + "\n")


def file_bytes(path: Path) -> int:
    """Return the size of a file, or of all files of a folder."""
    files = [entry for entry in path.rglob("*") if entry.is_file()] if path.is_dir() else [path]
    return sum(entry.stat().st_size for entry in files)


def _put_in_place(aside: Path, path: Path) -> None:
    """Rename a finished export; a folder of that name is moved out of the way first."""
    if not path.is_dir():
        os.replace(aside, path)
        return
    old = path_aside(path.with_name(f"old-{path.name}"))
    os.replace(path, old)
    os.replace(aside, path)
    remove(old)
