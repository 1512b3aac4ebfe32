"""Finding the faces of a video file: forwards as in a live video, and newcomers backwards to where they came in."""

import contextlib
from collections.abc import Iterable, Iterator

from fer_keras.faces.detection import DetectedFace
from fer_keras.faces.finder import FaceFinder
from fer_keras.faces.frame_finder import FrameFinder, apart
from fer_keras.video.frames import Frame
from fer_keras.video.threads import staged

#: The whole frame of a file is searched less often than a live video's, by this factor: newcomers are found backwards.
_SELDOM = 2
#: Most frames between two searches of the whole frame; this many are kept.
_MOST_KEPT = 20

Found = tuple[Frame, list[DetectedFace] | None]


def find_in_clip(frames: Iterable[Frame], finder: FaceFinder, every: int = 1) -> Iterator[Found]:
    """Yield a video's frames with their faces, best first, padded and marked; None for frames that are skipped.

    Detectors with a `sweep` search the whole frame once in two sweeps or 20 frames, on a thread of its own, and where a face
    was lost or none is known; otherwise only around known faces. A face that joins others is then searched for backwards,
    frame by frame. So it is found where it came in; it is missed if it is gone again before the whole frame is searched.

    Args:
        frames: in order.
        finder: finds.
        every: faces are found in every N-th frame.
    """
    following = FrameFinder(finder)
    kept: list[Found] = []  # since the whole frame was searched; faces as detected
    looks = staged(_look_seldom(frames, following, _SELDOM * finder.detector.sweep, every), _MOST_KEPT)
    with contextlib.closing(looks):
        for frame, everywhere in looks:
            if frame.number % every:
                if kept:
                    kept.append((frame, None))
                else:
                    yield frame, None
                continue
            followed, joined = following.follow(frame.image, everywhere)
            if joined:
                _trace_back(finder, kept, joined)
            kept.append((frame, followed + (joined or [])))
            if joined is not None:
                yield from _finished(following, kept)
                kept = []
        yield from _finished(following, kept)


def _look_seldom(frames: Iterable[Frame], following: FrameFinder, pause: float, every: int) -> Iterator[Found]:
    """Yield frames, now and then with the faces of the whole frame; never where `pause` (seconds) is 0."""
    latest, passed = -pause, 0
    for frame in frames:
        everywhere, passed = None, passed + 1
        due = passed >= _MOST_KEPT or not 0 <= frame.seconds - latest < pause
        if pause and due and frame.number % every == 0:
            everywhere, latest, passed = following.detect(frame.image), frame.seconds, 0
        yield frame, everywhere


def _trace_back(finder: FaceFinder, kept: list[Found], faces: list[DetectedFace]) -> None:
    """Add newcomers to the frames before, the latest first, until they are not there or are known there."""
    for frame, known in reversed(kept):
        if known is None:
            continue
        faces = [face for face in finder.detect_near(frame.image, faces) if apart(face, known)]
        if not faces:
            return
        known += faces


def _finished(following: FrameFinder, kept: list[Found]) -> Iterator[Found]:
    for frame, faces in kept:
        yield frame, None if faces is None else following.finished(frame.image, faces)
