"""Exporting a run: every format written aside, held against Keras, and put in place only if it answers alike."""

import errno
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from fer_keras.exporters.export_options import ExportOptions
from fer_keras.exporters.judging_faces import FaceSource, JudgingFaces, drawn_faces
from fer_keras.exporters.parity import compare_outputs, export_outputs, keras_outputs, reasons_to_refuse, score_loss
from fer_keras.exporters.source import ExportSource, float32_model
from fer_keras.files import path_aside, remove, remove_leftovers, write_text
from fer_keras.formats import FORMATS, Format
from fer_keras.outputs import Output, check_outputs
from fer_keras.runs.bundle import MODEL_FILE, Bundle, load_bundle
from fer_keras.runs.bundle_parts import Export

KEPT, FORCED, REFUSED, FAILED = "kept", "forced", "refused", "failed"
LABELS_FILE = "labels.txt"


@dataclass(frozen=True)
class ExportResult:
    """What became of one format.

    Attributes:
        format: key of `fer_keras.formats.FORMATS`.
        verdict: kept, forced (would have been refused), refused, or failed (could not be made).
        reasons: why it is not simply kept.
        entry: what the bundle says of it, or None where it failed.
    """

    format: str
    verdict: str
    reasons: tuple[str, ...] = ()
    entry: Export | None = None

    @property
    def written(self) -> bool:
        """Whether the file is there."""
        return self.verdict in (KEPT, FORCED)


def export_run(
    bundle: Bundle,
    formats: tuple[str, ...],
    output_dir: Path | None = None,
    options: ExportOptions | None = None,
    report: Callable[[ExportResult], None] = lambda result: None,
    say: Callable[[str], None] = lambda line: None,
) -> list[ExportResult]:
    """Export a bundle's model to some formats, each proved against Keras before it is kept.

    Args:
        bundle: of the run.
        formats: keys of `fer_keras.formats.FORMATS`.
        output_dir: where files go, with a copy of the bundle; default: the run itself.
        options: see `ExportOptions`.
        report: called with each result as it is known.
        say: called with a line on what the formats are judged by.

    Returns:
        A result for each format, in order. A format that is refused or fails leaves no file and does not stop the
        others.

    Raises:
        ValueError: a model or data that cannot be used, or an output directory with another model's exports or with other
            files of the same names.
        OSError: the output directory cannot be written.
    """
    options = options or ExportOptions()
    directory = Path(output_dir) if output_dir else bundle.directory
    target = _open_target(bundle, directory)
    _check_target(target, formats, options.overwrite)
    for name in formats:
        for file in (FORMATS[name].file, f"old-{FORMATS[name].file}"):
            remove_leftovers(directory / file)
    model = float32_model(bundle.load_model())
    source, judging = _find_faces(bundle, options, say)
    expected = keras_outputs(model, judging.faces)
    results = []
    with tempfile.TemporaryDirectory(prefix="fer_keras-") as scratch:
        export_source = ExportSource(model, bundle, Path(scratch), _training_faces(source, options))
        for name in formats:
            result = _export(name, export_source, target, judging, expected, options)
            results.append(result)
            report(result)
    return results


def _open_target(bundle: Bundle, directory: Path) -> Bundle:
    """Return the bundle that will lie beside the exports: the run's own, or a copy in another directory.

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
        return replace(bundle, directory=directory, model=replace(bundle.model, file=None), exports={})
    if (there.created, there.config) != (bundle.created, bundle.config):
        raise ValueError(
            f"{directory} holds another model ({there.model.backbone}, {there.created}). Its labels would no longer be "
            "those of its files. Choose another --output-dir, or remove that one."
        )
    model = replace(bundle.model, file=there.model.file)
    return replace(bundle, directory=directory, model=model, exports=dict(there.exports))


def _check_target(target: Bundle, formats: tuple[str, ...], overwrite: bool) -> None:
    """Refuse files of the exports' names that this model's exports did not make: the bundle beside them lists its own.

    Raises:
        ValueError: a file that is there, unless it may be replaced.
    """
    own = {target.model.file, *(entry.file for entry in target.exports.values())}
    own |= {LABELS_FILE} if target.exports else set()
    kinds = (FORMATS[name] for name in formats)
    outputs = [Output(target.directory / kind.file, "--output-dir", folder=kind.folder) for kind in kinds]
    if target.labels:
        outputs.append(Output(target.directory / LABELS_FILE, "--output-dir"))
    check_outputs(outputs, may_replace=lambda path: overwrite or path.name in own)


def _bundle_there(directory: Path) -> Bundle | None:
    """Return the bundle that lies in a folder for exports, or None."""
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
    """Return the data, or why it is out of reach, and the faces that judge."""
    try:
        source = FaceSource(bundle, options.data_spec, options.data_dir, options.seed)
        judging = source.judging(options.split, options.samples)
    except (ValueError, OSError) as error:
        if options.data_spec or options.data_dir:  # asked for, so its absence is an error
            raise
        judging = drawn_faces(bundle.image_size, seed=options.seed)
        say(f"the model's data is out of reach ({error}); compared on {len(judging.faces)} drawn faces")
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


def _export(
    name: str, source: ExportSource, target: Bundle, judging: JudgingFaces, expected: dict, options: ExportOptions
) -> ExportResult:
    """Write one format aside, judge it, and put it in place or remove it."""
    kind = FORMATS[name]
    aside = path_aside(target.directory / kind.file)
    try:
        export = kind.load_exporter()
        started = time.perf_counter()
        details = export(source, aside)
        seconds = time.perf_counter() - started
        parity = _judge(kind, aside, source, judging, expected)
        reasons = tuple(reasons_to_refuse(parity, kind.tolerance, options.max_drop))
        entry = Export(
            kind.file,
            bytes=file_bytes(aside),
            seconds=round(seconds, 2),
            details=details,
            parity=parity,
            forced=bool(reasons),
            date=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        if reasons and not options.force:
            return ExportResult(name, REFUSED, reasons, entry)
        _put_in_place(aside, target.directory / kind.file)
        _record(target, name, entry, source.labels)
        return ExportResult(name, FORCED if reasons else KEPT, reasons, entry)
    except Exception as error:  # converters raise many kinds; one format's failure is not the others'
        return ExportResult(name, FAILED, (_reason(error, target.directory),))
    finally:
        remove(aside)


def _reason(error: Exception, directory: Path) -> str:
    """Say in one line why a format could not be made; each library tells of a full disk in its own words."""
    text = " ".join(str(error).split())
    full = getattr(error, "errno", None) == errno.ENOSPC or os.strerror(errno.ENOSPC) in text
    return f"no space left on the disk of {directory}" if full else text[:300] or type(error).__name__


def _judge(kind: Format, path: Path, source: ExportSource, judging: JudgingFaces, expected: dict) -> dict:
    found, milliseconds = export_outputs(path, kind.engine, judging.faces)
    parity = compare_outputs(expected, found, kind.tolerance or 0.0)
    parity |= {"split": judging.split, "data_spec": judging.data_spec, "ms_per_face": round(milliseconds, 3)}
    if kind.quantised and judging.index is not None:
        parity["scores"] = score_loss(expected, found, judging, source.labels)
    return parity


def _record(target: Bundle, name: str, entry: Export, labels: tuple[str, ...]) -> None:
    """Put what was measured into the bundle beside the file, after each format, so that a killed run loses none."""
    target.exports[name] = entry
    if entry.file == MODEL_FILE:
        target.model = replace(target.model, file=MODEL_FILE)
    if labels:
        write_text(target.directory / LABELS_FILE, "\n".join(labels) + "\n")
    target.save()


def file_bytes(path: Path) -> int:
    """Return the size of a file, or of all files of a folder."""
    files = [entry for entry in path.rglob("*") if entry.is_file()] if path.is_dir() else [path]
    return sum(entry.stat().st_size for entry in files)


def _put_in_place(aside: Path, path: Path) -> None:
    """Rename a finished export; a folder that is there already is moved out of the way first."""
    if not path.is_dir():
        os.replace(aside, path)
        return
    old = path_aside(path.with_name(f"old-{path.name}"))
    os.replace(path, old)
    os.replace(aside, path)
    remove(old)
