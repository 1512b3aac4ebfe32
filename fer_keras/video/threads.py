"""Stages of work on their own threads, in order: one decodes while the next finds, reads, draws and encodes."""

import queue
import threading
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")
_END = object()


def staged(values: Iterable[T], depth: int = 4) -> Iterator[T]:
    """Yield an iterable's values, made ahead on a thread of their own.

    Args:
        values: read on the thread; it should spend its time where Python's lock is free (OpenCV, a model's runtime).
        depth: how many values are made ahead.

    Yields:
        The values in their order. Closing this generator stops the thread and closes `values`.

    Raises:
        Exception: what reading `values` raised, where it was raised.

    Example:
        >>> list(staged(number * number for number in range(4)))
        [0, 1, 4, 9]
    """
    waiting: queue.Queue = queue.Queue(depth)
    stopped = threading.Event()

    def put(item) -> bool:
        while not stopped.is_set():
            try:
                waiting.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def work() -> None:
        error = None
        source = iter(values)
        try:
            for value in source:
                if not put((value, None)):
                    break
        except BaseException as caught:
            error = caught
        finally:
            getattr(source, "close", lambda: None)()
        put((_END, error))

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        while True:
            value, error = waiting.get()
            if value is _END:
                if error is not None:
                    raise error
                return
            yield value
    finally:
        stopped.set()
        thread.join()
