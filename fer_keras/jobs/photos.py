"""Photos, folders and videos from a command line: which files, rows of all of them, pictures made from them."""

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from fer_keras.drawing.boxes import draw_faces
from fer_keras.faces.face_reader import FaceReader
from fer_keras.jobs.file_run import Picture, list_pictures
from fer_keras.prediction.progress_line import ProgressLine
from fer_keras.prediction.result_rows import path_text, records_of
from fer_keras.prediction.results_file import ResultsFile
from fer_keras.prediction.sources import load_image
from fer_keras.video.frames import VIDEO_SUFFIXES, VideoFile
from fer_keras.video.video_reading import VideoOptions, VideoReadings, read_video


def list_sources(sources: Iterable[str | Path]) -> tuple[list[Picture], list[Picture], int]:
    """Return the pictures and the videos that files and folders name, and how many other files the folders hold.

    Raises:
        FileNotFoundError: no such file or folder.
        ValueError: neither pictures nor videos.
    """
    sources = [Path(source) for source in sources]
    videos: dict[Path, Path] = {}
    inside = 0
    for source in sources:
        if source.is_dir():
            found = sorted(path for path in source.rglob("*") if _is_video(path.relative_to(source)))
            inside += len(found)
            videos |= {path: Path(source.resolve().name) / path.relative_to(source) for path in found}
        elif _is_video(source) and source.exists():
            videos[source] = Path(source.name)
    pictures, others = [], 0
    rest = [source for source in sources if source not in videos]
    if rest:
        try:
            pictures, others = list_pictures(rest)
        except ValueError:
            if not videos:
                raise
    return pictures, [Picture(path, copy) for path, copy in videos.items()], max(0, others - inside)


def read_videos(
    videos: list[Picture],
    reader: FaceReader,
    options: VideoOptions,
    top: int = 0,
    results: ResultsFile | None = None,
    annotated: Path | None = None,
) -> list[VideoReadings]:
    """Read videos one after the other, with a progress line each; one that cannot be read gets a row with the reason.

    Args:
        videos: see `list_sources`; those that `results` holds already are not read again.
        reader: finds and reads.
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
        copy = annotated / video.copy.with_suffix(".mp4") if annotated else None
        found.append(_read_one(video.path, reader, options, top, copy))
        if results:
            results.add([found[-1].rows])
    return found


def _read_one(path: Path, reader: FaceReader, options: VideoOptions, top: int, copy: Path | None) -> VideoReadings:
    from fer_keras.prediction.reading import Unreadable

    progress = None
    try:
        progress = ProgressLine(VideoFile(path).announced, what="frames")
        return read_video(path, reader, options, top, copy, progress.advance)
    except ValueError as error:
        return VideoReadings(path, records_of(path, [Unreadable(" ".join(str(error).split()))], top))
    finally:
        if progress:
            progress.close()


def annotated_photo(path: Path, readings: list) -> np.ndarray:
    """Return a picture with its found faces drawn on it, (height, width, 3) uint8 RGB."""
    return draw_faces(load_image(path), readings)


def grad_cam_faces(predictor, path: Path, readings: list, output: str) -> np.ndarray:
    """Return the found faces of a picture side by side with where the model looked; the picture itself without faces."""
    from fer_keras.prediction.grad_cam import grad_cam_overlay

    image = load_image(path)
    if not readings:
        return image
    faces = [grad_cam_overlay(predictor, image, output=output, face_box=reading.face_box) for reading in readings]
    return np.hstack(faces)


def video_lines(video: VideoReadings) -> list[str]:
    """Return what a video was read as, in lines for a terminal."""
    errors = [row["error"] for row in video.rows if row["error"]]
    if errors:
        return [f"{video.path}: {errors[0]}"]
    faces = [row for row in video.rows if row["face"] is not None]
    counted = f"{video.read:,} of {video.frames:,} frames read, {video.broken:,} broken; " if video.frames else ""
    lines = [f"{video.path}: {counted}{video.faces:,} faces followed, {len(faces):,} readings"]
    for face in sorted({row["id"] for row in faces}):
        rows = [row for row in faces if row["id"] == face]
        span = f"{rows[0]['seconds']:.1f} to {rows[-1]['seconds']:.1f} s"
        lines.append(f"  face {face}, {span}: {', '.join(_shares(rows))}")
    return lines[:12] + ([f"  and {len(lines) - 12:,} faces more"] if len(lines) > 12 else [])


def _shares(rows: list[dict]) -> list[str]:
    emotions = [row["emotion"] for row in rows if row["emotion"]]
    counts = sorted({name: emotions.count(name) for name in emotions}.items(), key=lambda item: -item[1])
    parts = [f"{name} {count / len(rows):.0%}" for name, count in counts[:3]]
    for axis in ("valence", "arousal"):
        known = [row[axis] for row in rows if row[axis] is not None]
        parts += [f"{axis} {np.mean(known):+.2f}"] if known else []
    marks = [mark for row in rows for mark in (row.get("marks") or "").split()]
    return parts + [f"{mark} {marks.count(mark) / len(rows):.0%}" for mark in sorted(set(marks))]


def write_overview(
    folder: Path, pictures: list[dict], videos: list[VideoReadings], summary: dict, say: Callable[[str], None] = print
) -> None:
    """Write what a run found for people to look at: `summary.json`, `contact_sheet.png`, a time line a video.

    Args:
        folder: made if it is not there.
        pictures: rows of pictures.
        videos: as read.
        summary: see `summarise`.
        say: gets the name of each file.
    """
    from fer_keras.drawing.overview import plot_contact_sheet, plot_time_line, save_figure
    from fer_keras.files import write_json

    folder.mkdir(parents=True, exist_ok=True)
    facts = [
        {"path": str(v.path), "frames": v.frames, "read": v.read, "broken": v.broken, "faces": v.faces} for v in videos
    ]
    say(str(write_json(folder / "summary.json", {**summary, "videos": facts})))
    if any(row["face"] is not None for row in pictures):
        say(str(save_figure(plot_contact_sheet(pictures), folder / "contact_sheet.png")))
    for number, video in enumerate(videos):
        if any(row["face"] is not None for row in video.rows):
            name = f"{video.path.stem}{f'-{number}' if number else ''}-time_line.png"
            say(str(save_figure(plot_time_line(video.rows), folder / name)))


def _is_video(path: Path) -> bool:
    return path.suffix.lower() in VIDEO_SUFFIXES and not any(
        part.startswith(".") for part in path.parts if part != ".."
    )
