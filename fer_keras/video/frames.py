"""Video files in and out: frames with their time, broken ones counted; frames written atomically."""

import errno
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from fer_keras.files import path_aside, remove_leftovers
from fer_keras.prediction.sources import VIDEO_SUFFIXES
from fer_keras.quiet import quiet

#: This many unreadable frames in a row end a video.
_MOST_BROKEN = 50
#: A disk with fewer free bytes is full.
_NO_ROOM = 1_000_000


@dataclass(frozen=True)
class Frame:
    """A frame of a video.

    Attributes:
        number: from 0.
        seconds: since the video's start.
        image: (height, width, 3) uint8 RGB, or None for a frame that was skipped.
    """

    number: int
    seconds: float
    image: np.ndarray | None


class VideoFile:
    """A video to read.

    Args:
        path: a file that OpenCV's FFmpeg reads.

    Attributes:
        size: (height, width) of the frames as they are shown: pixels that are not square are made so.
        rate: frames per second; 25 where the file gives none.
        announced: frames that the file says it has, 0 if it does not say.
        decoded, broken: frames of either kind so far.

    Raises:
        FileNotFoundError: no such file.
        ValueError: no video, or one without a readable frame.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        if not self.path.is_file():
            raise FileNotFoundError(f"No such file or folder. Received: {path}.")
        # Absolute, since FFmpeg takes what stands before a colon in a relative name for a protocol.
        self._capture = cv2.VideoCapture(str(self.path.absolute()), cv2.CAP_FFMPEG)
        width, height = (self._capture.get(key) for key in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
        if not self._capture.isOpened() or not width or not height:
            raise ValueError(
                f"Unreadable video. Expected a whole {', '.join(VIDEO_SUFFIXES[:5])}. Received: {path}, which is none or cut."
            )
        self._stored = int(height), int(width)
        self.size = shown_size(self._stored, _pixel_aspect(self._capture))
        rate = self._capture.get(cv2.CAP_PROP_FPS)
        self.rate = float(rate) if 0 < rate < 1000 else 25.0
        self.announced = max(0, int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT)))
        self.decoded = self.broken = 0
        self._light = False  # whether a frame was not black
        # What frames are decoded into: new memory for each costs more than decoding.
        self._bgr: np.ndarray | None = None

    def frames(self, every: int = 1, all_images: bool = False) -> Iterator[Frame]:
        """Yield the frames; of those between every `every`-th one the images only where `all_images`.

        Raises:
            ValueError: at the end, if every frame was black: OpenCV makes that of interlaced video.
        """
        number = failed = 0
        try:
            while failed < _MOST_BROKEN:
                image = None
                if not self._capture.grab():
                    if number >= self.announced:
                        break
                    failed += 1
                    number += 1
                    continue
                seconds = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000 or number / self.rate
                if all_images or number % every == 0:
                    whole, self._bgr = self._capture.retrieve(self._bgr)
                    if not whole:
                        failed += 1
                        number += 1
                        continue
                    image = self._shown(self._bgr)
                    self._light = self._light or bool(image.any())
                self.broken, failed = self.broken + failed, 0
                self.decoded += 1
                yield Frame(number, seconds, image)
                number += 1
        finally:
            self.broken += failed if failed < _MOST_BROKEN else max(0, self.announced - self.decoded - self.broken)
            self._capture.release()
        if self.decoded and not self._light:
            raise ValueError(
                "Unreadable video. Expected frames that are not all black, as OpenCV gives those of interlaced video (camcorders, "
                f"DVD, television). Received: {self.path}. Deinterlace it: ffmpeg -i INPUT -vf yadif OUTPUT.mp4."
            )

    def _shown(self, image: np.ndarray) -> np.ndarray:
        """Return a decoded BGR frame as RGB, in the shape in which players show it."""
        image = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
        if self.size == self._stored:
            return image
        return cv2.resize(image, self.size[::-1], interpolation=cv2.INTER_LINEAR)


def shown_size(stored: tuple[int, int], aspect: float) -> tuple[int, int]:
    """Return the (height, width) in which a frame's pixels are square; no side becomes shorter.

    Args:
        stored: (height, width) of the frame as decoded.
        aspect: width of a pixel over its height, as shown.

    Example:
        >>> shown_size((1080, 1440), 4 / 3), shown_size((480, 720), 8 / 9)
        ((1080, 1920), (540, 720))
    """
    height, width = stored
    return (height, round(width * aspect)) if aspect >= 1 else (round(height / aspect), width)


def _pixel_aspect(capture) -> float:
    """Return a video's width of a pixel over its height; 1 where the file does not say, or says what cannot be."""
    above, below = (capture.get(key) for key in (cv2.CAP_PROP_SAR_NUM, cv2.CAP_PROP_SAR_DEN))
    if above <= 0 or below <= 0 or not 0.1 <= above / below <= 10:
        return 1.0
    turned = capture.get(cv2.CAP_PROP_ORIENTATION_META) % 180 == 90  # OpenCV turns such frames upright
    return below / above if turned else above / below


def count_frames(path: Path) -> int:
    """Return how many frames lie whole in a video file; they are not decoded. 0 for a file that cannot be opened."""
    # A raw stream gives packets as they lie in the file.
    with quiet(2):  # FFmpeg says what is missing
        capture = cv2.VideoCapture(str(path.absolute()), cv2.CAP_FFMPEG, [cv2.CAP_PROP_FORMAT, -1])
        try:
            found = 0
            while capture.grab():
                found += 1
            return found
        finally:
            capture.release()


class VideoWriter:
    """A video to write, as MPEG-4 in .mp4 or as Motion JPEG in .avi; the file appears when it is closed whole.

    Args:
        path: of the file.
        size: (height, width) of the frames.
        rate: frames per second.

    Raises:
        ValueError: another suffix, or no encoder.
    """

    _CODECS = {".mp4": "mp4v", ".avi": "MJPG"}

    def __init__(self, path: str | Path, size: tuple[int, int], rate: float):
        self.path = Path(path)
        if self.path.suffix.lower() not in self._CODECS:
            raise ValueError(f"Videos are written as {' or '.join(self._CODECS)}. Received: {path}.")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        remove_leftovers(self.path)
        self._temporary = path_aside(self.path)
        self._written, self._size = 0, tuple(size)
        self._bgr: np.ndarray | None = None
        codec = cv2.VideoWriter_fourcc(*self._CODECS[self.path.suffix.lower()])
        self._writer = cv2.VideoWriter(str(self._temporary.absolute()), codec, rate, (size[1], size[0]))
        if not self._writer.isOpened():
            raise ValueError(f"{path} cannot be written. Expected a folder with room and OpenCV with FFmpeg.")

    def write(self, image: np.ndarray) -> None:
        """Add a frame (height, width, 3) uint8 RGB."""
        self._bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR, dst=self._bgr)
        self._writer.write(self._bgr)
        self._written += image.shape[:2] == self._size  # OpenCV drops others

    def close(self, keep: bool = True) -> None:
        """End the file and put it in its place, or drop it.

        The encoder tells of no error, so the frames that are in the file are counted before an earlier file is replaced.

        Raises:
            OSError: some frames are missing, because the disk is full or for another reason; an earlier file stays.
        """
        self._writer.release()
        try:
            if keep:
                self._check_whole()
                os.replace(self._temporary, self.path)
        finally:
            self._temporary.unlink(missing_ok=True)

    def _check_whole(self) -> None:
        found = count_frames(self._temporary)
        if found == self._written:
            return
        if shutil.disk_usage(self.path.parent).free < _NO_ROOM:
            raise OSError(errno.ENOSPC, f"No space left to write {self.path}")
        raise OSError(
            f"{self.path} could not be written whole: {found:,} of {self._written:,} frames. Nothing was replaced."
        )

    def __enter__(self) -> "VideoWriter":
        return self

    def __exit__(self, kind, *_) -> None:
        self.close(keep=kind is None)
