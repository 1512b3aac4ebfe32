"""Reading a video: its frames decoded, their faces found, read in batches, followed, drawn and encoded at the same time."""

import contextlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from fer_keras.drawing.boxes import draw_faces
from fer_keras.drawing.plane import draw_plane
from fer_keras.faces.face_reader import FaceReader
from fer_keras.faces.opencv_threads import one_opencv_thread
from fer_keras.faces.tracking import FaceTracker
from fer_keras.prediction.reading import FaceReading, records_of
from fer_keras.video.clip import find_in_clip
from fer_keras.video.frames import Frame, VideoFile, VideoWriter
from fer_keras.video.threads import staged
from fer_keras.video.video_options import VideoOptions

#: Frames whose faces are read together.
_FRAMES = 8


@dataclass
class VideoReadings:
    """What a video was read as.

    Attributes:
        path: of the video.
        rows: see `read_video`.
        frames, read, broken: frames decoded, those whose faces were read, those that could not be decoded.
        rate: frames per second.
        passed_over: faces that were seen in one frame only, which have no rows.
    """

    path: Path
    rows: list[dict] = field(default_factory=list)
    frames: int = 0
    read: int = 0
    broken: int = 0
    rate: float = 25.0
    passed_over: int = 0

    @property
    def faces(self) -> int:
        """How many different faces there are."""
        return len({row["id"] for row in self.rows if row["face"] is not None})


def read_video(
    path: str | Path,
    reader: FaceReader,
    options: VideoOptions | None = None,
    *,
    top: int = 0,
    annotated: Path | None = None,
    advance: Callable[[int], None] = lambda count: None,
) -> VideoReadings:
    """Read the faces of a video.

    Args:
        path: of the video.
        reader: finds and reads.
        options: see `VideoOptions`.
        top: see `records_of`.
        annotated: where to write the video with its readings drawn on it, .mp4 or .avi, or None.
        advance: called with the number of frames of each batch.

    Returns:
        Its rows are those of `records_of`, one per face and frame, with frame, seconds and id added and scores smoothed; a
        frame without faces has none, and a video without any has a single one without a face. What was seen in one frame
        only is no face: detectors err for a frame, and a face stays.

    Raises:
        FileNotFoundError, ValueError: no such video, or an unreadable one.
    """
    video = VideoFile(path)
    result = VideoReadings(Path(path), rate=video.rate)
    options = options or VideoOptions()
    stream = staged(video_readings(video, reader, options, annotated is not None), _FRAMES)
    with contextlib.ExitStack() as opened:
        opened.enter_context(one_opencv_thread)
        writer = opened.enter_context(VideoWriter(annotated, video.size, video.rate)) if annotated else None
        drawn = staged(_draw(stream, options, writer))
        opened.callback(drawn.close)
        for frame, readings in drawn:
            if readings is not None:
                result.read += 1
                result.rows += frame_rows(path, frame, readings, top)
            advance(1)
    result.frames, result.broken = video.decoded, video.broken
    if not result.frames:
        raise ValueError(f"Unreadable video: not one frame could be decoded. Received: {path}.")
    if result.read > 1:
        result.rows, result.passed_over = followed_rows(result.rows)
    result.rows = result.rows or [
        {**row, "frame": None, "seconds": None, "id": None} for row in records_of(path, [], top)
    ]
    return result


def followed_rows(rows: list[dict]) -> tuple[list[dict], int]:
    """Return the rows of the faces that were seen in more than one frame, and how many others there were."""
    frames = Counter(row["id"] for row in rows)
    once = {face for face, count in frames.items() if count == 1}
    return [row for row in rows if row["id"] not in once], len(once)


def video_readings(
    video: VideoFile, reader: FaceReader, options: VideoOptions, all_images: bool = False
) -> Iterator[tuple[Frame, list[FaceReading] | None]]:
    """Yield a video's frames with their faces, followed and smoothed; None for frames that were skipped.

    Args:
        video: just opened.
        reader: finds and reads.
        options: see `VideoOptions`.
        all_images: keep the images of frames that are skipped.
    """
    tracker = FaceTracker(
        options.smoothing, round(options.patience * video.rate / options.every), reader.predictor.min_confidence
    )
    frames = staged(video.frames(options.every, all_images))
    found = staged(find_in_clip(frames, reader.finder, options.every), _FRAMES)
    for chunk in _chunks(found, _FRAMES):
        searched = [(frame, faces) for frame, faces in chunk if faces is not None]
        readings = iter(reader.read_found([frame.image for frame, _ in searched], [faces for _, faces in searched]))
        for frame, faces in chunk:
            yield frame, None if faces is None else tracker.update(next(readings))


def frame_rows(path, frame: Frame, readings: list[FaceReading], top: int = 0) -> list[dict]:
    """Return the rows of a frame's faces; none without faces."""
    if not readings:
        return []
    place = {"frame": frame.number, "seconds": round(frame.seconds, 3)}
    return [{**row, **place} for row in records_of(path, readings, top)]


def _draw(stream: Iterable[tuple], options: VideoOptions, writer: VideoWriter | None) -> Iterator[tuple]:
    """Write each frame with the latest readings on it, and pass it on; a face is drawn from its second frame on."""
    latest: list[FaceReading] = []
    known: set[int | None] = set()
    for frame, readings in stream:
        if readings is not None:
            latest = [reading for reading in readings if reading.id in known or not known]
            known |= {reading.id for reading in readings}
        if writer:
            image = draw_faces(frame.image, latest, options.bars)
            writer.write(draw_plane(image, latest) if options.plane else image)
        yield frame, readings


def _chunks(values: Iterator, size: int) -> Iterator[list]:
    while chunk := list(islice(values, size)):
        yield chunk
