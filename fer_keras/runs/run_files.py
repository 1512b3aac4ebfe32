"""Which files of a directory runs made: what a new run replaces there, and what it has to leave alone.

A directory is a run's where a bundle or a run's configuration lies in it; `outputs.py` says why such signs decide. Folders in
it can hold files of others: only what this package writes there by name is a run's.
"""

import contextlib
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from fer_keras.config.config_file import dump_config, load_config
from fer_keras.files import remove
from fer_keras.outputs import Output, check_outputs, check_own_files, holds_keys
from fer_keras.runs.bundle_json import BUNDLE_FILE, exported_files

CONFIG_FILE, HISTORY_FILE, PREDICTIONS_FILE = "config.toml", "history.csv", "predictions.parquet"
CHECKPOINT_DIR, EVALUATIONS_DIR = "checkpoint", "evaluations"
STATE_FILE, BEST_FILE = f"{CHECKPOINT_DIR}/state.npz", f"{CHECKPOINT_DIR}/best.npz"
#: Of an evaluation, beside its plots, and what its sign holds.
REPORT_FILES = (PREDICTIONS_FILE, "metrics.json", "report.md", "report.html", "conditions.json", "conditions.md")
REPORT_SIGN, REPORT_KEYS = "metrics.json", ("scores", "context")
_RUN_FILES = (CONFIG_FILE, HISTORY_FILE, "model.keras", BUNDLE_FILE, "bad_batch.txt", STATE_FILE, BEST_FILE)
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
    for name in (STATE_FILE, BEST_FILE):
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
