"""A line that shows the progress of a run over many pictures."""

import sys
import time

_WIDE = 20  # characters of the bar


class ProgressLine:
    """Shows pictures done, pictures per second and the time left, on stderr: redrawn in a terminal, otherwise now and then.

    Args:
        total: how many there are to read.
        seconds: between two lines where stderr is not a terminal.
        what: the word for what is counted.
    """

    def __init__(self, total: int, seconds: float = 30.0, what: str = "pictures"):
        self.total, self.done, self.what = total, 0, what
        self._terminal = sys.stderr.isatty()
        self._pause = 0.1 if self._terminal else seconds
        self._started = self._shown = time.perf_counter()

    def advance(self, count: int) -> None:
        """Count some pictures as done."""
        self.done += count
        now = time.perf_counter()
        if now - self._shown >= self._pause or (self._terminal and self.done == self.total):
            self._shown = now
            rate = self.done / max(now - self._started, 1e-9)
            left = (self.total - self.done) / rate
            line = f"{self.done:,} of {self.total:,} {self.what}, {rate:,.0f} a second, {max(0.0, left):,.0f} s left"
            full = round(_WIDE * min(1.0, self.done / max(1, self.total)))
            bar = f"\r[{'#' * full}{'.' * (_WIDE - full)}] {line:<70}"
            print(bar if self._terminal else line, end="" if self._terminal else "\n", file=sys.stderr)
            sys.stderr.flush()

    def close(self) -> None:
        """End the line."""
        if self._terminal and self.done:
            print(file=sys.stderr)
