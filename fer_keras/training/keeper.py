"""The callbacks of a run: `RunKeeper` keeps its state on disk and decides when to stop, `Progress` prints its scores.

Keras has a callback for each task of `RunKeeper` (best weights, learning rate, early stopping, history, checkpoint), but
their counters do not survive a kill. Here they are one `TrainState`, written after every epoch together with all variables.
"""

import math
import sys
import time

import keras

from fer_keras.files import write_text
from fer_keras.metrics.metric_table import higher_is_better
from fer_keras.runs.run_directory import BEST_FILE, STATE_FILE, write_history
from fer_keras.training.checkpoint import TrainState, save_variables, state_facts
from fer_keras.training.stages import Stage

_SHOWN = (
    ("val_loss", "val loss"),
    ("val_emotion_accuracy", "accuracy"),
    ("val_valence_ccc", "valence CCC"),
    ("val_arousal_ccc", "arousal CCC"),
)


class NonFiniteLoss(ValueError):
    """The loss became NaN or infinite."""


class RunKeeper(keras.callbacks.Callback):
    """Keeps the state of a run on disk and decides what depends on the monitored score, in one stage.

    Args:
        trainer: the `Trainer` that runs the stage; its `state` is changed in place. Of several machines only the leading one
            writes files, and all decide alike.
        stage: what is monitored, and whether early stopping and plateaus count.
        average: the callback that swaps in averaged weights, or None.
    """

    def __init__(self, trainer, stage: Stage, average: keras.callbacks.SwapEMAWeights | None = None):
        super().__init__()
        self.trainer, self.stage, self.average = trainer, stage, average
        self.run, self.state = trainer.run, trainer.state
        self.upward = higher_is_better(stage.monitor)

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch, self._started = epoch, time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        if not math.isfinite(float((logs or {}).get("loss", 0.0))):
            names = self.trainer.batch_names(self._epoch, batch)
            path = write_text(self.run / "bad_batch.txt", "\n".join(names) + "\n")
            raise NonFiniteLoss(
                f"The loss is not finite at epoch {self._epoch + 1}, step {batch + 1}. Its faces: "
                f"{', '.join(names[:8])}{', ...' if len(names) > 8 else ''} (all in {path}). Look at them with "
                "fer_keras.inspect, or lower --learning-rate or set --gradient-clip 1."
            )

    def on_epoch_end(self, epoch, logs=None):
        logs = {name: float(value) for name, value in (logs or {}).items()}
        state, value = self.state, logs[self.stage.monitor]
        seconds = time.perf_counter() - self._started
        rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
        state.history.append({"epoch": epoch + 1, "seconds": round(seconds, 3), "learning_rate": rate, **logs})
        state.epoch, state.seconds = epoch + 1, state.seconds + seconds
        if self._better(value, state.best_value):
            state.best_value, state.best_epoch, state.wait = value, epoch + 1, 0
            self._save_best()
        elif self.stage.patient:
            state.wait += 1
        if self.stage.patient:
            self._step_down(value, rate)
            patience = self.trainer.config.training.early_stopping
            if patience and state.wait >= patience:
                state.stopped = f"no better {self.stage.monitor} for {state.wait} epochs"
                self.model.stop_training = True
        if self.trainer.strategy.leads:
            self._save_state()

    def _save_state(self) -> None:
        state = self.state
        write_history(self.run, state.history)
        save_variables(self.run / STATE_FILE, run_variables(self.model), state_facts(state, self.trainer.fingerprint))

    def _better(self, value: float, best: float | None) -> bool:
        if not math.isfinite(value):
            return False
        return best is None or (value > best if self.upward else value < best)

    def _save_best(self) -> None:
        if self.average:
            self.average.on_test_begin()
        if self.trainer.strategy.leads:  # all machines swap the averages in and out together
            save_variables(self.run / BEST_FILE, self.trainer.net.weights, {"epoch": self.state.best_epoch})
        if self.average:
            self.average.on_test_end()

    def _step_down(self, value: float, rate: float) -> None:
        state = self.state
        if self._better(value, state.plateau_best):
            state.plateau_best, state.plateau_wait = value, 0
            return
        state.plateau_wait += 1
        config = self.trainer.config.optimizer
        if config.schedule == "plateau" and state.plateau_wait >= config.plateau_patience:
            self.model.optimizer.learning_rate = rate * config.plateau_factor
            state.plateau_wait = 0


def run_variables(model: keras.Model) -> list:
    """Return every variable that decides how training continues: weights, seeds of dropout, the optimizer's."""
    return [*model.variables, *model.optimizer.variables]


class Progress(keras.callbacks.Callback):
    """Shows a bar of steps (only in a terminal) and one line per epoch with the main scores.

    Args:
        epochs: of the whole run.
        steps: of one epoch.
        state: the run's counters, which tell whether the epoch was the best.
    """

    def __init__(self, epochs: int, steps: int, state: TrainState):
        super().__init__()
        self.epochs, self.steps, self.state = epochs, steps, state

    def on_epoch_begin(self, epoch, logs=None):
        self._started = time.perf_counter()
        self._bar = keras.utils.Progbar(self.steps) if sys.stdout.isatty() else None

    def on_train_batch_end(self, batch, logs=None):
        if self._bar:
            self._bar.update(batch + 1, [("loss", (logs or {}).get("loss", 0.0))], finalize=False)

    def on_epoch_end(self, epoch, logs=None):
        logs = logs or {}
        if self._bar:
            print()
        parts = [f"loss {logs.get('loss', float('nan')):.4f}"]
        parts += [f"{title} {logs[name]:.3f}" for name, title in _SHOWN if name in logs]
        best = "  best so far" if self.state.best_epoch == epoch + 1 else ""
        seconds = time.perf_counter() - self._started
        print(f"epoch {epoch + 1:>3}/{self.epochs}  {seconds:5.0f} s  {'  '.join(parts)}{best}", flush=True)
