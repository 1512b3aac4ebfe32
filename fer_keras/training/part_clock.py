"""A clock that divides time among named parts."""

import contextlib
import time
from collections import defaultdict
from collections.abc import Callable, Iterator


class PartClock:
    """Gives every second to exactly one part, so that the parts' sum is the time that has passed.

    Args:
        part: what the time from now on belongs to.
        now: returns seconds; another one only in tests.

    Example:
        >>> clock = PartClock("step", now=iter(range(10)).__next__)
        >>> with clock.inside("callbacks"):
        ...     pass
        >>> clock.take()
        {'step': 2, 'callbacks': 1}
    """

    def __init__(self, part: str, now: Callable[[], float] = time.perf_counter):
        self._parts, self._now, self._seconds = [part], now, defaultdict(int)
        self._since = now()

    def switch(self, part: str) -> None:
        """Let the time from now on, outside of `inside`, belong to a part."""
        self._charge()
        self._parts[0] = part

    @contextlib.contextmanager
    def inside(self, part: str) -> Iterator[None]:
        """Let the time of the block belong to a part, and to no part around it."""
        self._charge()
        self._parts.append(part)
        try:
            yield
        finally:
            self._charge()
            self._parts.pop()

    def move(self, seconds: float, source: str, target: str) -> None:
        """Give seconds of one part, at most those that it has, to another."""
        self._charge()
        seconds = min(seconds, self._seconds[source])
        self._seconds[source] -= seconds
        self._seconds[target] += seconds

    def take(self) -> dict[str, float]:
        """Return the seconds of each part since the last time that this was called."""
        self._charge()
        taken, self._seconds = dict(self._seconds), defaultdict(int)
        return taken

    def _charge(self) -> None:
        now = self._now()
        self._seconds[self._parts[-1]] += now - self._since
        self._since = now
