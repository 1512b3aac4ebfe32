"""Live video: capture and reading on threads of their own, each passing on its newest result only."""

import threading
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import cv2
import numpy as np

from fer_keras.faces.face_reader import FaceReader
from fer_keras.faces.frame_finder import FrameFinder
from fer_keras.faces.tracking import FaceTracker
from fer_keras.faces.tracking_options import TrackingOptions
from fer_keras.prediction.reading import FaceReading

T = TypeVar("T")
_TRAIL = 30  # points of a face's way over the plane


class Newest(Generic[T]):
    """Passes the newest value from one thread to others; older ones that no thread took are dropped."""

    def __init__(self):
        self._changed = threading.Condition()
        self._value: T | None = None
        self._number = 0
        self._closed = False

    def put(self, value: T) -> None:
        """Put a value in place of the one before."""
        with self._changed:
            self._value, self._number = value, self._number + 1
            self._changed.notify_all()

    def close(self) -> None:
        """Say that no more will come."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def get(self, after: int, timeout: float | None = None) -> tuple[int, T | None]:
        """Wait for a value newer than number `after`.

        Returns:
            Its number and the value; or (`after`, None) after the time-out, or where no more will come.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._number > after or self._closed, timeout)
            return (self._number, self._value) if self._number > after else (after, None)

    @property
    def value(self) -> T | None:
        """The newest value, without waiting."""
        return self._value

    @property
    def finished(self) -> bool:
        """Whether no more will come."""
        return self._closed


class Rate:
    """Counts how often something happens per second, over the last two seconds."""

    def __init__(self):
        self._times: deque[float] = deque()

    def tick(self) -> None:
        """Count one."""
        now = time.monotonic()
        self._times.append(now)
        while now - self._times[0] > 2:
            self._times.popleft()

    @property
    def value(self) -> float:
        """Times per second; 0 at first."""
        times = list(self._times)
        return (len(times) - 1) / (times[-1] - times[0]) if len(times) > 1 and times[-1] > times[0] else 0.0


class Worker:
    """A thread that works until it is done or told to stop; subclasses say at what in `_run`."""

    def __init__(self):
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """Stop, and wait until what is being done is done."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(10)

    @property
    def alive(self) -> bool:
        """Whether it works."""
        return self._thread.is_alive()

    def _run(self) -> None:
        raise NotImplementedError


class Camera(Worker):
    """Reads a camera, or a file as if it were one, on a thread; `frames` holds the newest frame, RGB.

    Args:
        source: number of a camera, or path or address of a video, which is played at its own speed.
        mirror: turn frames left to right.

    Attributes:
        size: (height, width) of the frames.
        rate: frames per second as announced; 25 where nothing is.

    Raises:
        FileNotFoundError, ValueError: no such file, or a camera that does not open.
    """

    def __init__(self, source: int | str, mirror: bool = False):
        super().__init__()
        live = isinstance(source, int) or "://" in source
        if not live and not Path(source).is_file():
            raise FileNotFoundError(f"No such file. Received: --source {source}.")
        # What fails is told below, in one line.
        level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
        self._capture = cv2.VideoCapture(source)
        whole, frame = self._capture.read() if self._capture.isOpened() else (False, None)
        cv2.utils.logging.setLogLevel(level)
        if not whole:
            what = (
                f"camera {source} gives no picture; try --camera 1, or" if live else f"{source} is no readable video;"
            )
            raise ValueError(f"Expected a camera or a video: {what} name a video by --source FILE.")
        self.size = frame.shape[:2]
        rate = self._capture.get(cv2.CAP_PROP_FPS)
        self.rate = float(rate) if 0 < rate < 1000 else 25.0
        self.frames: Newest[np.ndarray] = Newest()
        self._mirror, self._pause, self._first = mirror, 0.0 if live else 1 / self.rate, frame

    def _run(self) -> None:
        frame, due = self._first, time.monotonic()
        try:
            while frame is not None and not self._stop.is_set():
                image = cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
                self.frames.put(np.ascontiguousarray(image[:, ::-1]) if self._mirror else image)
                due += self._pause
                self._stop.wait(max(0.0, due - time.monotonic()))
                frame = self._capture.read()[1]
        finally:
            self.frames.close()
            self._capture.release()


@dataclass(frozen=True)
class Seen:
    """The readings of the newest frame that was read.

    Attributes:
        readings: with ids, smoothed.
        trails: id -> earlier (valence, arousal), oldest first.
        rate: frames read per second.
    """

    readings: tuple[FaceReading, ...] = ()
    trails: dict[int, tuple[tuple[float, float], ...]] | None = None
    rate: float = 0.0


class LiveFaces:
    """Reads the faces of successive frames: ids, smoothed scores, trails on the plane.

    Args:
        reader: finds and reads.
        smoothing: see `FaceTracker`.
    """

    def __init__(self, reader: FaceReader, smoothing: float = TrackingOptions.smoothing):
        self._reader, self._finder, self._rate = reader, FrameFinder(reader.finder), Rate()
        self._tracker = FaceTracker(smoothing, 10, reader.predictor.min_confidence)
        self._trails: dict[int, deque] = {}

    def read(self, image: np.ndarray) -> Seen:
        """Return what is seen in the next frame (height, width, 3) uint8 RGB."""
        found = self._finder.find(image, time.monotonic())
        readings = self._tracker.update(self._reader.read_found([image], [found])[0])
        present = {reading.id for reading in readings}
        self._trails = {face: trail for face, trail in self._trails.items() if face in present}
        for reading in readings:
            if reading.valence is not None and reading.arousal is not None:
                trail = self._trails.setdefault(reading.id, deque(maxlen=_TRAIL))
                trail.append((reading.valence, reading.arousal))
        self._rate.tick()
        return Seen(tuple(readings), {face: tuple(trail) for face, trail in self._trails.items()}, self._rate.value)


class ReadingThread(Worker):
    """Reads the newest frame of a camera again and again; `seen` holds the newest result.

    Args:
        frames: of a `Camera`.
        faces: reads them.
        patience: seconds without a new frame after which it ends, or None for never; so that a page that was closed leaves
            no thread.

    Attributes:
        error: what ended the reading, or None.
    """

    def __init__(self, frames: Newest[np.ndarray], faces: LiveFaces, patience: float | None = None):
        super().__init__()
        self.seen: Newest[Seen] = Newest()
        self.error: Exception | None = None
        self._frames, self._faces, self._patience = frames, faces, patience or float("inf")

    def _run(self) -> None:
        number, latest = 0, time.monotonic()
        try:
            while not self._stop.is_set():
                number, frame = self._frames.get(number, 0.2)
                if frame is not None:
                    self.seen.put(self._faces.read(frame))
                    latest = time.monotonic()
                elif self._frames.finished or time.monotonic() - latest > self._patience:
                    break
        except Exception as error:  # handed to the thread that shows the frames
            self.error = error
        finally:
            self.seen.close()
