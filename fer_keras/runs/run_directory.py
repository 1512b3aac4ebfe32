"""The run directory: which of its files are a run's, whether a run may start there, and its history."""

import contextlib
import csv
import io
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from fer_keras.config.config_file import dump_config, load_config
from fer_keras.config.run_config import RunConfig
from fer_keras.config.settings import flag_name, flat_values
from fer_keras.files import Output, check_outputs, check_own_files, holds_keys, remove, write_text
from fer_keras.runs.bundle_json import BUNDLE_FILE, exported_files

CONFIG_FILE, HISTORY_FILE, PREDICTIONS_FILE = "config.toml", "history.csv", "predictions.parquet"
TRAINING_FACES_FILE, PROFILE_FILE = "training_faces.npz", "profile.md"
CHECKPOINT_DIR, EVALUATIONS_DIR = "checkpoint", "evaluations"
STATE_FILE, BEST_FILE = f"{CHECKPOINT_DIR}/state.npz", f"{CHECKPOINT_DIR}/best.npz"
#: The answers of a run's teachers to its training faces.
TEACHER_FILE = f"{CHECKPOINT_DIR}/teacher.npz"
#: Of an evaluation, beside its plots, and what its sign holds.
REPORT_FILES = (PREDICTIONS_FILE, "metrics.json", "report.md", "report.html", "conditions.json", "conditions.md")
REPORT_SIGN, REPORT_KEYS = "metrics.json", ("scores", "context")
_RUN_FILES = (
    *(CONFIG_FILE, HISTORY_FILE, TRAINING_FACES_FILE, "model.keras", BUNDLE_FILE, "bad_batch.txt", PROFILE_FILE),
    *(STATE_FILE, BEST_FILE, TEACHER_FILE),
)
_FOREIGN = "No run made it, so --overwrite leaves it alone: move it away"


def is_run(directory: Path) -> bool:
    """Return whether a run was started in a directory, or its bundle put there."""
    if holds_keys(directory / BUNDLE_FILE, ("format", "outputs")):
        return True
    path = directory / CONFIG_FILE
    if not path.is_file():
        return False
    try:
        if path.read_text(encoding="utf-8") == dump_config(load_config(path)):
            return True  # nobody writes a configuration by hand with all that it could say
        signs = (STATE_FILE, HISTORY_FILE)  # of a run whose configuration was changed by hand
    except ValueError:
        signs = (STATE_FILE,)
    return any((directory / name).exists() for name in signs)


def check_run_files(directory: Path, inputs: Iterable[str | Path] = ()) -> None:
    """Refuse a directory in which a new run would replace files that no run made, or that it reads.

    Args:
        directory: of the new run.
        inputs: files that it reads, its weights for example.

    Raises:
        ValueError: the first of those files is named.
    """
    if is_run(directory):
        outputs = (Output(path, "--output-dir", folder=path.is_dir()) for path in run_files(directory))
        check_outputs(outputs, inputs, may_replace=lambda path: True)
        return
    names = [*_RUN_FILES, *REPORT_FILES]
    paths = [*(directory / name for name in names), *(directory / "plots").glob("*.png")]
    check_outputs([Output(path, "--output-dir") for path in paths], advice=_FOREIGN)


def run_files(directory: Path) -> Iterator[Path]:
    """Yield what a run and its evaluations and exports left in its directory: files, and folders of exports."""
    yield from (path for path in (directory / name for name in _RUN_FILES) if os.path.lexists(path))
    yield from (directory / "logs").glob("*/events.out.tfevents.*")
    yield from _report_files(directory)
    yield from _results(directory)


def _results(directory: Path) -> Iterator[Path]:
    """Yield what was made from a run's model: exports and evaluations."""
    exports = exported_files(directory / BUNDLE_FILE)
    names = [name for name in (*exports, *(["labels.txt"] if exports else [])) if name not in _RUN_FILES]
    yield from (path for path in (directory / name for name in names) if os.path.lexists(path))
    for report in (directory / EVALUATIONS_DIR).glob("*"):
        yield from _report_files(report)


def remove_run(directory: Path) -> None:
    """Remove a run from its directory, and the folders that are empty without it; other files stay.

    Raises:
        OSError: a file that cannot be removed.
    """
    if not is_run(directory):
        return
    _remove(directory, list(run_files(directory)))


def remove_results(directory: Path) -> None:
    """Remove exports and evaluations of a run whose model is about to be replaced; other files stay.

    Raises:
        OSError: a file that cannot be removed.
    """
    _remove(directory, list(_results(directory)))


def _remove(directory: Path, paths: list[Path]) -> None:
    for path in paths:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    folders = {folder for path in paths for folder in path.parents if directory in folder.parents}
    for folder in sorted(folders, key=lambda folder: -len(folder.parts)):
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


def remove_checkpoint(directory: Path) -> None:
    """Remove what a run needs to be continued, once it is whole; what cannot be removed stays."""
    for name in (STATE_FILE, BEST_FILE, TEACHER_FILE):
        remove(directory / name)
    with contextlib.suppress(OSError):  # somebody else's files are there too
        (directory / CHECKPOINT_DIR).rmdir()


def check_report_place(directory: Path, *, overwrite: bool = False) -> None:
    """Refuse a directory for the report of an evaluation, before anything is read.

    Raises:
        ValueError: it is a run, whose own report would be replaced, or files of the report's names that no evaluation made
            are there.
    """
    if is_run(directory):
        raise ValueError(
            f"{directory} is a run, and --output-dir would replace the report that its training wrote, whatever --overwrite "
            "says. Choose another --output-dir; by default reports lie under RUN/evaluations/."
        )
    names = (*REPORT_FILES, "plots/")
    check_own_files(directory, names, sign=REPORT_SIGN, keys=REPORT_KEYS, overwrite=overwrite)


def _report_files(folder: Path) -> Iterator[Path]:
    """Yield the files of an evaluation; its report names the plots."""
    if not holds_keys(folder / REPORT_SIGN, REPORT_KEYS):
        return
    yield from (path for path in (folder / name for name in REPORT_FILES) if path.exists())
    text = (
        (folder / "report.md").read_text(encoding="utf-8", errors="replace") if (folder / "report.md").is_file() else ""
    )
    names = dict.fromkeys(re.findall(r"\(plots/(\w+\.png)\)", text))
    yield from (path for path in (folder / "plots" / name for name in names) if path.exists())


# What may differ between a run and its resumption without changing its result.
_FREE = {"output_dir", "workers", "cache", "in_memory", "memory_growth", "tensorboard", "profile", "strategy"}


def check_run(config: RunConfig, resume: bool, overwrite: bool) -> None:
    """Refuse an output directory in which a run cannot start, before anything is read or written.

    Args:
        config: of the run that is to start.
        resume: whether it continues the run that is there.
        overwrite: whether it replaces that run.

    Raises:
        ValueError: a run is there and it is to be neither resumed nor replaced, or its configuration is another one; or files
            are there that no run made, or that the new run reads.
    """
    run = Path(config.training.output_dir)
    if run.exists() and not run.is_dir():
        raise ValueError(f"--output-dir expects a directory. Received: {run}, a file.")
    if not (resume and is_run(run) and _holds_run(run)):
        check_run_files(run, _inputs(config))
    if not _holds_run(run) or overwrite:
        return
    if not resume:
        raise ValueError(
            f"{run} already holds a run. Continue it (--resume), replace it (--overwrite), or choose another "
            "--output-dir."
        )
    _check_same(config, run)


def open_run(config: RunConfig, resume: bool, overwrite: bool) -> Path:
    """Prepare the run directory, write the resolved configuration into it and return its path.

    Args and errors are those of `check_run`. Overwriting removes the files of the run that is there; other files stay.

    Raises:
        OSError: the directory cannot be written.
    """
    check_run(config, resume, overwrite)
    run = Path(config.training.output_dir)
    try:
        if not (resume and _holds_run(run)):
            remove_run(run)
        (run / CHECKPOINT_DIR).mkdir(parents=True, exist_ok=True)
        write_text(run / CONFIG_FILE, dump_config(config))
    except OSError as error:
        raise OSError(f"{run} cannot be written ({os.strerror(error.errno)}). Choose another --output-dir.") from error
    return run


def _inputs(config: RunConfig) -> Iterator[Path]:
    """Yield what a run reads, as far as that is files: its weights, or those of runs, and data that is one file."""
    for source in (Path(config.model.weights), *map(Path, config.loss.teachers)):
        yield from source.iterdir() if source.is_dir() else [source]
    yield from (Path(place.strip()) for place in (config.data.data_dir or "").split(",") if place)


def _holds_run(run: Path) -> bool:
    """Whether an epoch was ever finished there: a start that failed at its data leaves nothing to lose."""
    return any((run / name).exists() for name in (STATE_FILE, HISTORY_FILE, "model.keras", BUNDLE_FILE))


def _check_same(config: RunConfig, run: Path) -> None:
    saved, asked = flat_values(load_config(run / CONFIG_FILE)), flat_values(config)
    changed = [name for name in asked if name not in _FREE and asked[name] != saved[name]]
    if changed == ["epochs"] and asked["epochs"] > saved["epochs"] and (run / BUNDLE_FILE).exists():
        if asked["va_epochs"]:
            raise ValueError(
                f"{run} ended with epochs of valence and arousal alone (--va-epochs), which more epochs cannot follow. "
                "Start another run from its weights."
            )
        return  # a run that has finished goes on for more epochs
    if changed:
        listing = ", ".join(f"{flag_name(name)} {saved[name]} -> {asked[name]}" for name in changed)
        raise ValueError(
            f"The run in {run} was started with another configuration ({listing}). Resume it with that one, or choose "
            "another --output-dir."
        )


def write_history(run: Path, history: list[dict[str, float]]) -> None:
    """Write `history.csv`: one row an epoch, columns in the order of their first appearance."""
    columns = list(dict.fromkeys(name for row in history for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(history)
    write_text(run / HISTORY_FILE, text.getvalue())


def read_history(run: Path) -> list[dict[str, float]] | None:
    """Return the rows of `history.csv`, or None where a run has none."""
    path = run / HISTORY_FILE
    if not path.is_file():
        return None
    with open(path, newline="", encoding="utf-8") as file:
        return [{name: float(value) for name, value in row.items() if value} for row in csv.DictReader(file)]
