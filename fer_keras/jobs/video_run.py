"""Reading the videos of a command: rows of each, an annotated copy, lines for the screen."""

from pathlib import Path

import numpy as np

from fer_keras.faces.face_reader import FaceReader
from fer_keras.labels import AXES
from fer_keras.prediction.progress_line import ProgressLine
from fer_keras.prediction.reading import Unreadable, path_text, reason_of, records_of
from fer_keras.prediction.results_file import ResultsFile
from fer_keras.prediction.sources import Picture
from fer_keras.video.frames import VideoFile
from fer_keras.video.video_reading import VideoOptions, VideoReadings, read_video

_MOST_LINES = 12  # printed of one video


def read_videos(
    videos: list[Picture],
    reader: FaceReader,
    options: VideoOptions,
    *,
    top: int = 0,
    results: ResultsFile | None = None,
    annotated: Path | None = None,
) -> list[VideoReadings]:
    """Read videos one after the other, with a progress line each; one that cannot be read gets a row with the reason.

    Args:
        videos: see `list_sources`; those that `results` holds already are not read again.
        reader: finds the faces and reads them.
        options: see `VideoOptions`.
        top: see `records_of`.
        results: where each video's rows go, or None.
        annotated: folder for annotated copies, as .mp4, or None.
    """
    found = []
    for video in videos:
        key = path_text(video.path)
        if results and key in results.done:
            found.append(VideoReadings(video.path, results.done[key]))
            continue
        copy = annotated / video.copy if annotated else None
        found.append(_read_one(video.path, reader, options, top=top, annotated=copy))
        if results:
            results.add([found[-1].rows])
    return found


def _read_one(path: Path, reader: FaceReader, options: VideoOptions, *, top: int, annotated: Path | None):
    progress = None
    try:
        progress = ProgressLine(VideoFile(path).announced, what="frames")
        return read_video(path, reader, options, top=top, annotated=annotated, advance=progress.advance)
    except ValueError as error:
        return VideoReadings(path, records_of(path, [Unreadable(reason_of(error))], top))
    finally:
        if progress:
            progress.close()


def video_lines(video: VideoReadings) -> list[str]:
    """Return what a video was read as, in lines for a terminal."""
    errors = [row["error"] for row in video.rows if row["error"]]
    if errors:
        return [f"{video.path}: {errors[0]}"]
    faces = [row for row in video.rows if row["face"] is not None]
    counted = f"{video.read:,} of {video.frames:,} frames read, {video.broken:,} broken; " if video.frames else ""
    once = f"; {video.passed_over:,} seen in one frame only passed over" if video.passed_over else ""
    lines = [f"{video.path}: {counted}{video.faces:,} faces followed, {len(faces):,} readings{once}"]
    for face in sorted({row["id"] for row in faces}):
        rows = [row for row in faces if row["id"] == face]
        span = f"{rows[0]['seconds']:.1f} to {rows[-1]['seconds']:.1f} s"
        lines.append(f"  face {face}, {span}: {', '.join(_shares(rows))}")
    more = len(lines) - _MOST_LINES
    return lines[:_MOST_LINES] + ([f"  and {more:,} faces more"] if more > 0 else [])


def _shares(rows: list[dict]) -> list[str]:
    emotions = [row["emotion"] for row in rows if row["emotion"]]
    counts = sorted({name: emotions.count(name) for name in emotions}.items(), key=lambda item: -item[1])
    parts = [f"{name} {count / len(rows):.0%}" for name, count in counts[:3]]
    for axis in AXES:
        known = [row[axis] for row in rows if row[axis] is not None]
        parts += [f"{axis} {np.mean(known):+.2f}"] if known else []
    marks = [mark for row in rows for mark in (row.get("marks") or "").split()]
    return parts + [f"{mark} {marks.count(mark) / len(rows):.0%}" for mark in sorted(set(marks))]
