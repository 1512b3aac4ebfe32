"""Finding the faces of a video file: forwards as in a live video, and newcomers backwards to where they came in."""

from collections.abc import Iterable, Iterator

from fer_keras.apps.faces import DetectedFace
from fer_keras.apps.finder import FaceFinder, FrameFinder, apart
from fer_keras.apps.frames import Frame

#: A file is looked at everywhere this much more seldom than a live video, for newcomers are found backwards.
_SELDOM = 2
#: Most frames that are kept between two looks everywhere.
_MOST_KEPT = 20

Found = tuple[Frame, list[DetectedFace] | None]


def find_in_clip(frames: Iterable[Frame], finder: FaceFinder, every: int = 1) -> Iterator[Found]:
    """Yield a video's frames with their faces, best first, padded and marked; None for frames that are passed over.

    Detectors with a `sweep` look everywhere while there is no face, where one was lost, and else once in two sweeps or 20
    frames. A face that joins others is found then, and looked for backwards from there, frame by frame. So it is found
    where it came in; it is missed if it is gone again before anyone looked everywhere.

    Args:
        frames: in order.
        finder: finds.
        every: faces are found in every so many-th frame.
    """
    following = FrameFinder(finder, _SELDOM * finder.detector.sweep)
    kept: list[Found] = []  # since the last look everywhere; faces as detected
    for frame in frames:
        if frame.number % every:
            kept.append((frame, None))
            continue
        followed, joined = following.follow(frame.image, frame.seconds, len(kept) >= _MOST_KEPT)
        if joined:
            _trace_back(finder, kept, joined)
        kept.append((frame, followed + (joined or [])))
        if joined is not None:
            yield from _finished(following, kept)
            kept = []
    yield from _finished(following, kept)


def _trace_back(finder: FaceFinder, kept: list[Found], faces: list[DetectedFace]) -> None:
    """Add newcomers to the frames before, the latest first, until they are not there or are known there."""
    for frame, known in reversed(kept):
        if known is None:
            continue
        faces = [face for face in finder.look_near(frame.image, faces) if apart(face, known)]
        if not faces:
            return
        known += faces


def _finished(following: FrameFinder, kept: list[Found]) -> Iterator[Found]:
    for frame, faces in kept:
        yield frame, None if faces is None else following.finished(frame.image, faces)
