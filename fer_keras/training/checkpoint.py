"""The state of a training run on disk: every variable and every counter, so that a killed run resumes without a trace."""

import json
import zipfile
import zlib
from dataclasses import asdict, dataclass, field
from pathlib import Path

import keras
import numpy as np

from fer_keras.cli import one_line
from fer_keras.files import write_atomic

#: What a damaged file makes its readers throw.
_DAMAGE = (ValueError, LookupError, OSError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError, TypeError)
_DAMAGE += (SyntaxError, RecursionError, MemoryError, OverflowError)


@dataclass
class TrainState:
    """The counters of a run, which are not in any variable.

    Attributes:
        epoch: number of finished epochs.
        best_value, best_epoch: of the monitored score; None before the first epoch.
        wait: epochs since the best one, for early stopping.
        plateau_best, plateau_wait: the same for the learning rate.
        seconds: of training so far, over all starts.
        stopped: why a stage ended before its last epoch, or "".
        selected: monitor, epoch and value that were chosen before the stage of valence and arousal alone, or None.
        history: one row per epoch, log name -> value.
    """

    epoch: int = 0
    best_value: float | None = None
    best_epoch: int | None = None
    wait: int = 0
    plateau_best: float | None = None
    plateau_wait: int = 0
    seconds: float = 0.0
    stopped: str = ""
    selected: dict | None = None
    history: list[dict[str, float]] = field(default_factory=list)

    def choose_anew(self, epoch: int, monitor: str, value: float | None) -> None:
        """Begin a stage with a monitor of its own at the best epoch so far, which stays the best until another is better.

        Args:
            epoch: the stage's first; a stage that stopped early leaves a gap before it.
            monitor: the score that chose so far.
            value: of the stage's own monitor at the best epoch so far, or None if it is not known.
        """
        self.selected = {"monitor": monitor, "epoch": self.best_epoch, "value": self.best_value}
        self.epoch, self.best_value, self.wait, self.stopped = epoch, value, 0, ""
        self.plateau_best, self.plateau_wait = value, 0


def save_variables(path: Path, variables: list, facts: dict) -> None:
    """Write variables and facts to one `.npz`, atomically."""
    arrays = {f"v{number}": keras.ops.convert_to_numpy(variable) for number, variable in enumerate(variables)}
    arrays["facts"] = np.frombuffer(json.dumps(facts).encode(), np.uint8)

    def write(temporary: Path) -> None:
        with open(temporary, "wb") as file:
            np.savez(file, **arrays)

    write_atomic(path, write)


def read_facts(path: Path) -> dict:
    """Return the facts of a file that `save_variables` wrote.

    Raises:
        ValueError: it cannot be read, or is another kind of file.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return json.loads(arrays["facts"].tobytes())
    except _DAMAGE as error:
        raise _unreadable(path, error) from error


def restore_variables(path: Path, variables: list) -> None:
    """Assign the values that `save_variables` wrote.

    Raises:
        ValueError: the file is damaged, or the number of its values or their shapes differ from those of the variables.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            found = [arrays[f"v{number}"] for number in range(len(arrays.files) - 1)]
    except _DAMAGE as error:
        raise _unreadable(path, error) from error
    if [value.shape for value in found] != [tuple(variable.shape) for variable in variables]:
        raise ValueError(
            f"Checkpoint {path} holds {len(found)} variables. Expected {len(variables)}, each of its shape: it is of "
            "another model or another version of Keras. Start again with --overwrite."
        )
    for variable, value in zip(variables, found, strict=True):
        variable.assign(value)


def _unreadable(path: Path, error: Exception) -> ValueError:
    return ValueError(f"Checkpoint {path} cannot be read: {one_line(error)}. Start again with --overwrite.")


def state_facts(state: TrainState, fingerprint: str) -> dict:
    """Return the facts stored beside the variables: the counters, and the fingerprint of the data they belong to."""
    return {"state": asdict(state), "fingerprint": fingerprint}
