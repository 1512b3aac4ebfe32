"""The webcam's view: what is shown, keys, a window of OpenCV, a file; the loop that joins them."""

import contextlib
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from fer_keras.drawing.boxes import draw_faces
from fer_keras.drawing.lettering import draw_text
from fer_keras.drawing.plane import draw_plane
from fer_keras.video.frames import VideoWriter
from fer_keras.video.live import Camera, LiveFaces, Rate, ReadingThread, Seen

TITLE = "fer_keras"
KEYS = "q or Esc quit, v valence-arousal plane, p or s bars, f frame rate, c screenshot"


@dataclass
class View:
    """What is shown, and what keys change of it.

    Attributes:
        bars, plane, rate: shown or not.
        screenshots: folder for pictures that c takes.
    """

    bars: bool = True
    plane: bool = True
    rate: bool = True
    screenshots: Path = Path()

    def draw(self, frame: np.ndarray, seen: Seen, shown: float) -> np.ndarray:
        """Return a copy of a frame (height, width, 3) RGB with what was seen on it."""
        canvas = draw_faces(frame.copy(), seen.readings, self.bars)
        if self.plane:
            draw_plane(canvas, seen.readings, seen.trails)
        if self.rate:
            draw_text(canvas, f"{shown:.0f} frames/s, {seen.rate:.0f} read")
        return canvas

    def press(self, key: int, canvas: np.ndarray) -> bool:
        """Do what a key asks for; return whether to go on.

        Args:
            key: its code, as `cv2.waitKey` gives it.
            canvas: what is shown now, RGB.
        """
        letter = chr(key & 0xFF) if key > 0 else ""
        if letter in ("q", "Q", "\x1b"):
            return False
        if letter == "v":
            self.plane = not self.plane
        elif letter in ("p", "s"):
            self.bars = not self.bars
        elif letter == "f":
            self.rate = not self.rate
        elif letter == "c":
            print(f"screenshot: {self.save(canvas)}", file=sys.stderr)
        return True

    def save(self, canvas: np.ndarray) -> Path:
        """Write a picture into the folder of screenshots under a name of its own; return its path."""
        self.screenshots.mkdir(parents=True, exist_ok=True)
        encoded = cv2.imencode(".png", np.ascontiguousarray(canvas[:, :, ::-1]))[1].tobytes()
        stem, number = time.strftime("fer_keras-%Y%m%d-%H%M%S"), 0
        while True:
            path = self.screenshots / f"{stem}{f'-{number}' if number else ''}.png"
            with (
                contextlib.suppress(FileExistsError),
                open(path, "xb") as file,
            ):  # never over another file, or through a link
                file.write(encoded)
                return path
            number += 1


class Window:
    """A window of OpenCV.

    Raises:
        ValueError: no screen, or an OpenCV without windows.
    """

    def __init__(self):
        if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
            raise ValueError("There is no screen to show a window on. Use --no-window with --output FILE.")
        try:
            # Without the tool bar of Qt, which takes a part of the picture's room.
            cv2.namedWindow(TITLE, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL)
        except cv2.error as error:
            raise ValueError(
                f"OpenCV {cv2.__version__} has no windows (a headless build?). Install opencv-python, or use --no-window."
            ) from error
        self._sized = False

    def show(self, canvas: np.ndarray) -> int:
        """Show a picture (height, width, 3) RGB; return the key that was pressed, -1 for none, q if it was closed."""
        if not self._sized:
            cv2.resizeWindow(TITLE, canvas.shape[1], canvas.shape[0])
            self._sized = True
        cv2.imshow(TITLE, np.ascontiguousarray(canvas[:, :, ::-1]))
        key = cv2.waitKey(1)
        return key if cv2.getWindowProperty(TITLE, cv2.WND_PROP_VISIBLE) >= 1 else ord("q")

    def close(self) -> None:
        """Close the window."""
        cv2.destroyAllWindows()


class Recorder(VideoWriter):
    """Writes pictures for as long as they were shown: one that stood longer is written several times.

    Args:
        path, size, rate: see `VideoWriter`.
    """

    def __init__(self, path: str | Path, size: tuple[int, int], rate: float):
        super().__init__(path, size, rate)
        self._rate, self._shown, self._started = rate, 0, time.monotonic()

    def write(self, image: np.ndarray) -> None:
        due = (time.monotonic() - self._started) * self._rate
        while self._shown <= due:
            super().write(image)
            self._shown += 1


@dataclass
class LiveRun:
    """The counts of a live run.

    Attributes:
        shown: frames shown or recorded.
        seconds: it took.
        faces: most faces seen at once.
    """

    shown: int = 0
    seconds: float = 0.0
    faces: int = 0


def run_live(
    camera: Camera,
    faces: LiveFaces,
    view: View,
    *,
    show: Callable[[np.ndarray], int] | None = None,
    output: Path | None = None,
    seconds: float | None = None,
) -> LiveRun:
    """Show a camera's frames with what is read in them, until a key, the source's end or a time.

    Args:
        camera: not started yet.
        faces: reads its frames.
        view: draws them.
        show: shows a picture and returns a key, see `Window.show`; None: nothing is shown.
        output: video to write what is shown to, .mp4 or .avi, or None.
        seconds: to run at most.
    """
    reading = ReadingThread(camera.frames, faces)
    writer = Recorder(output, camera.size, camera.rate) if output else None
    run, rate, started = LiveRun(), Rate(), time.monotonic()
    camera.start()
    reading.start()
    number, whole = 0, False
    try:
        while seconds is None or time.monotonic() - started < seconds:
            number, frame = camera.frames.get(number, 0.2)
            if reading.error:
                raise reading.error
            if frame is None:
                if camera.frames.finished:
                    break
                continue
            seen = reading.seen.value or Seen()
            rate.tick()
            canvas = view.draw(frame, seen, rate.value)
            run.shown, run.faces = run.shown + 1, max(run.faces, len(seen.readings))
            if writer:
                writer.write(canvas)
            if show and not view.press(show(canvas), canvas):
                break
        whole = True
    finally:
        camera.close()
        reading.close()
        if writer:
            writer.close(keep=run.shown > 0 and (whole or isinstance(sys.exc_info()[1], KeyboardInterrupt)))
    run.seconds = time.monotonic() - started
    return run
