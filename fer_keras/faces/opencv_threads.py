"""OpenCV's own threads, while other threads do its work side by side."""

import contextlib
import threading

import cv2

#: Most threads that look for faces at the same time, each with a detector of its own.
MOST_THREADS = 8


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
