"""The run directory: whether a run may start there, and its history; `run_files.py` knows which of its files are a run's."""

import csv
import io
import os
from collections.abc import Iterator
from pathlib import Path

from fer_keras.config.config_file import dump_config, load_config
from fer_keras.config.flags import flat_values
from fer_keras.config.run_config import RunConfig
from fer_keras.config.settings import flag_name
from fer_keras.files import write_text
from fer_keras.runs.bundle_json import BUNDLE_FILE
from fer_keras.runs.run_files import (
    CHECKPOINT_DIR,
    CONFIG_FILE,
    HISTORY_FILE,
    STATE_FILE,
    check_run_files,
    is_run,
    remove_run,
)

# What may differ between a run and its resumption without changing its result.
_FREE = {"output_dir", "workers", "cache", "in_memory", "memory_growth", "tensorboard", "strategy"}


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
    """Yield what a run reads, as far as that is files: its weights, or those of a run, and data that is one file."""
    weights = Path(config.model.weights)
    yield from weights.iterdir() if weights.is_dir() else [weights]
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
