"""Stages of work on their own threads, in order: one decodes while the next finds, reads, draws and encodes."""

import contextlib
import queue
import threading
from collections.abc import Iterable, Iterator
from typing import TypeVar

import cv2

T = TypeVar("T")
_END = object()


class _OneThread(contextlib.ContextDecorator):
    """Lets each call of OpenCV use a single thread while any thread is inside; the earlier number comes back after the last.

    The number belongs to the whole process, so this is its one owner: other uses of OpenCV meanwhile get one thread too,
    and the same results. Stages keep the cores busy by themselves, and OpenCV's own threads wait for their parts in a loop,
    which takes from the other stages what it gives to one.
    """

    def __init__(self):
        self._lock, self._inside, self._before = threading.Lock(), 0, 0

    def __enter__(self) -> None:
        with self._lock:
            if not self._inside:
                self._before = cv2.getNumThreads()
                cv2.setNumThreads(1)
            self._inside += 1

    def __exit__(self, *_) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                cv2.setNumThreads(self._before)


#: Entered around stages that run at the same time.
one_opencv_thread = _OneThread()


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
