"""What a training run shows while it runs: a bar with the time left in a terminal, one line an epoch everywhere."""

import sys
import time

import keras

_SHOWN = (
    ("val_loss", "val loss"),
    ("val_emotion_accuracy", "accuracy"),
    ("val_valence_ccc", "valence CCC"),
    ("val_arousal_ccc", "arousal CCC"),
)


class Progress(keras.callbacks.Callback):
    """Shows a bar of steps (only in a terminal) and a line an epoch with the scores that matter.

    Args:
        epochs: of the whole run.
        steps: of one epoch.
        state: the run's counters, which tell whether the epoch was the best.
    """

    def __init__(self, epochs: int, steps: int, state):
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
