"""The page's files: photos and videos to upload, drawn on, with a table of all faces to download."""

import json
import tempfile
from pathlib import Path

import numpy as np
import streamlit as st

from fer_keras.faces.face_reader import FaceReader
from fer_keras.jobs.overview import plot_time_line
from fer_keras.prediction.csv_cells import csv_row
from fer_keras.prediction.reading import records_of
from fer_keras.prediction.result_rows import VIDEO_COLUMNS, columns_of, flatten
from fer_keras.prediction.sources import VIDEO_SUFFIXES
from fer_keras.preprocessing import IMAGE_SUFFIXES, image_extent
from fer_keras.video.frames import VideoFile
from fer_keras.video.video_reading import VideoOptions, VideoReadings, read_video

_LARGEST = 50e6  # pixels of an uploaded photo


def show_files(reader: FaceReader, smoothing: float) -> None:
    """Draw the page of files to upload."""
    kinds = [suffix[1:] for suffix in (*IMAGE_SUFFIXES, *VIDEO_SUFFIXES)]
    files = st.file_uploader("Photos and videos, one or many", kinds, accept_multiple_files=True)
    every = st.number_input("Of videos, read every N-th frame", 1, 100, 1)
    _forget_others({file.file_id for file in files or []})
    rows: list[dict] = []
    for file in files or []:
        with st.expander(file.name, expanded=len(files) <= 4):
            try:
                if Path(file.name).suffix.lower() in VIDEO_SUFFIXES:
                    rows += _show_video(reader, file, VideoOptions(every=int(every), smoothing=smoothing))
                else:
                    rows += _show_photo(reader, file)
            except (ValueError, OSError) as error:
                st.error(str(error))
                rows += [{**records_of(file.name, [])[0], "error": str(error)}]
    if rows:
        _show_table(rows, reader)


def _once(key: tuple, read):
    """Return what `read` gives, read once per visit: Streamlit runs the page anew at every click."""
    known = st.session_state.setdefault("read", {})
    if key not in known:
        known[key] = read()
    return known[key]


def _forget_others(present: set[str]) -> None:
    """Drop what was read from files that are no longer there, annotated videos among it."""
    known = st.session_state.get("read", {})
    st.session_state["read"] = {key: value for key, value in known.items() if key[0] in present}


def _show_photo(reader: FaceReader, file) -> list[dict]:
    picture, rows = _once((file.file_id, id(reader)), lambda: _read_photo(reader, file))
    st.image(picture, caption=f"Faces: {sum(row['face'] is not None for row in rows)}")
    return rows


def _read_photo(reader: FaceReader, file) -> tuple[np.ndarray, list[dict]]:
    data = file.getvalue()
    extent = image_extent(data)
    if extent and extent[0] * extent[1] > _LARGEST:
        raise ValueError(f"Expected at most {_LARGEST / 1e6:.0f} megapixels. Received: {extent[1]} x {extent[0]}.")
    readings = reader.read(data)
    return readings.draw(), records_of(file.name, readings)


def _show_video(reader: FaceReader, file, options: VideoOptions) -> list[dict]:
    found, annotated = _once((file.file_id, id(reader), options), lambda: _read_video(reader, file, options))
    st.write(f"{found.read:,} of {found.frames:,} frames read, {found.broken:,} broken, {found.faces:,} faces followed")
    rows = [{**row, "path": file.name} for row in found.rows]
    if found.faces:
        st.pyplot(plot_time_line(rows))
    st.download_button(
        "Annotated video", annotated, f"{Path(file.name).stem}-annotated.mp4", key=f"video-{file.file_id}"
    )
    return rows


def _read_video(reader: FaceReader, file, options: VideoOptions) -> tuple[VideoReadings, bytes]:
    bar, count = st.progress(0.0, "Reading the video ..."), [0]
    with tempfile.TemporaryDirectory() as folder:
        path, copy = Path(folder) / f"video{Path(file.name).suffix}", Path(folder) / "annotated.mp4"
        path.write_bytes(file.getvalue())
        total = max(1, VideoFile(path).announced)

        def advance(frames: int) -> None:
            count[0] += frames
            if count[0] % 20 == 0:
                bar.progress(min(1.0, count[0] / total), f"{count[0]:,} of {total:,} frames")

        found = read_video(path, reader, options, annotated=copy, advance=advance)
        annotated = copy.read_bytes()
    bar.empty()
    return found, annotated


def _show_table(rows: list[dict], reader: FaceReader) -> None:
    columns = columns_of(reader.predictor.labels, 0, VIDEO_COLUMNS)
    flat = [flatten(row, columns) for row in rows]
    used = [name for name in columns if any(row[name] is not None for row in flat)]
    table = [{name: row[name] for name in used} for row in flat]
    st.subheader("All faces")
    st.dataframe(table, hide_index=True)
    lines = [csv_row(used), *(csv_row(row.values()) for row in table)]
    st.download_button("Table as CSV", "".join(lines), "faces.csv", "text/csv")
    st.download_button("Everything as JSON", json.dumps(rows, indent=2), "faces.json", "application/json")
