"""The callback that keeps a run: best weights, learning rate, early stopping, history, checkpoint, bad batches.

Keras has a callback for each of these, but none of their counters survives a kill. Here they are one `TrainState`, written
after every epoch together with all variables.
"""

import math
import time
from collections.abc import Callable
from pathlib import Path

import keras

from fer_keras.config.fields import TrainConfig
from fer_keras.files import write_text
from fer_keras.metrics.metric_table import higher_is_better
from fer_keras.runs.run_directory import BEST_FILE, STATE_FILE, write_history
from fer_keras.training.checkpoint import TrainState, save_variables, state_facts


class NonFiniteLoss(ValueError):
    """The loss became NaN or infinite."""


class RunKeeper(keras.callbacks.Callback):
    """Keeps the state of a run on disk and decides what depends on the monitored score.

    Args:
        run: the run directory.
        config: of the run.
        state: counters, those of the checkpoint in a resumed run; changed in place.
        net: the model whose weights are kept.
        fingerprint: of the training data.
        batch_names: (epoch, step) -> names of the faces in that batch.
        average: the callback that swaps in averaged weights, or None.
        patient: whether early stopping and plateaus count in this stage.
        monitor: what chooses the best epoch of this stage; default: the run's.
        writes: whether this process writes the files; of several machines one does, and all decide alike.
    """

    def __init__(
        self,
        run: Path,
        config: TrainConfig,
        state: TrainState,
        net: keras.Model,
        fingerprint: str,
        batch_names: Callable[[int, int], list[str]],
        average=None,
        patient: bool = True,
        monitor: str | None = None,
        writes: bool = True,
    ):
        super().__init__()
        self.writes = writes
        self.run, self.config, self.state, self.net = run, config, state, net
        self.fingerprint, self.batch_names, self.average, self.patient = fingerprint, batch_names, average, patient
        self.monitor = monitor or config.monitor
        self.upward = higher_is_better(self.monitor)

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch, self._started = epoch, time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        if not math.isfinite(float((logs or {}).get("loss", 0.0))):
            names = self.batch_names(self._epoch, batch)
            path = write_text(self.run / "bad_batch.txt", "\n".join(names) + "\n")
            raise NonFiniteLoss(
                f"The loss is not finite at epoch {self._epoch + 1}, step {batch + 1}. Its faces: "
                f"{', '.join(names[:8])}{', ...' if len(names) > 8 else ''} (all in {path}). Look at them with "
                "fer_keras.inspect, or lower --learning-rate or set --gradient-clip 1."
            )

    def on_epoch_end(self, epoch, logs=None):
        logs = {name: float(value) for name, value in (logs or {}).items()}
        state, value = self.state, logs[self.monitor]
        seconds = time.perf_counter() - self._started
        rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
        state.history.append({"epoch": epoch + 1, "seconds": round(seconds, 3), "learning_rate": rate, **logs})
        state.epoch, state.seconds = epoch + 1, state.seconds + seconds
        if self._better(value, state.best_value):
            state.best_value, state.best_epoch, state.wait = value, epoch + 1, 0
            self._save_best()
        elif self.patient:
            state.wait += 1
        if self.patient:
            self._step_down(value, rate)
            if self.config.early_stopping and state.wait >= self.config.early_stopping:
                state.stopped = f"no better {self.monitor} for {state.wait} epochs"
                self.model.stop_training = True
        if self.writes:
            self._save_state()

    def _save_state(self) -> None:
        state = self.state
        write_history(self.run, state.history)
        save_variables(self.run / STATE_FILE, run_variables(self.model), state_facts(state, self.fingerprint))

    def _better(self, value: float, best: float | None) -> bool:
        if not math.isfinite(value):
            return False
        return best is None or (value > best if self.upward else value < best)

    def _save_best(self) -> None:
        if self.average:
            self.average.on_test_begin()
        if self.writes:  # the swaps about it are work in common
            save_variables(self.run / BEST_FILE, self.net.weights, {"epoch": self.state.best_epoch})
        if self.average:
            self.average.on_test_end()

    def _step_down(self, value: float, rate: float) -> None:
        state = self.state
        if self._better(value, state.plateau_best):
            state.plateau_best, state.plateau_wait = value, 0
            return
        state.plateau_wait += 1
        if self.config.schedule == "plateau" and state.plateau_wait >= self.config.plateau_patience:
            self.model.optimizer.learning_rate = rate * self.config.plateau_factor
            state.plateau_wait = 0


def run_variables(model: keras.Model) -> list:
    """Return every variable that decides how training goes on: weights, seeds of dropout, the optimizer's."""
    return [*model.variables, *model.optimizer.variables]
