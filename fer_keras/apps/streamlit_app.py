"""The page that `python -m fer_keras.app` shows, run by Streamlit: camera, files, and what the model is.

Frames and files are read on the machine that serves the page and kept in its memory while they are read; nothing is stored or
sent on. A video that is uploaded lies in a temporary file until it is read.
"""

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

import numpy as np
import streamlit as st

# Before any model: pylibsrtp, which this loads, crashes the process where TensorFlow was loaded first (pylibsrtp 1.0.0,
# TensorFlow 2.21.0).
from streamlit_webrtc import WebRtcMode, webrtc_streamer

from fer_keras.apps.detectors import DETECTORS
from fer_keras.apps.display import DisplaySmoother, as_image, bars_svg, colour_text, plane_svg
from fer_keras.apps.drawing import draw_faces, draw_plane, label_of
from fer_keras.apps.finder import FaceFinder, FinderOptions
from fer_keras.apps.frames import VIDEO_SUFFIXES, VideoFile
from fer_keras.apps.live import LiveFaces, Newest, ReadingThread, Seen
from fer_keras.apps.overview import plot_time_line
from fer_keras.apps.reader import VIDEO_COLUMNS, FaceReader
from fer_keras.apps.video import VideoOptions, VideoReadings, read_video
from fer_keras.prediction.predictor import Predictor
from fer_keras.prediction.records import columns_of, flatten, records_of
from fer_keras.prediction.sources import load_image
from fer_keras.preprocessing import IMAGE_SUFFIXES, image_extent
from fer_keras.runtimes.table import RUNTIMES

_MOST_CHARTS = 3
_REFRESH = 0.25  # seconds
_LARGEST = 50e6  # pixels of an uploaded photo


@st.cache_resource(max_entries=2, show_spinner="Loading the model ...")
def load_reader(model: str, engine: str, detector: str, detector_model: str | None) -> FaceReader:
    """Return a reader, shared by all who look at the page."""
    return FaceReader(Predictor.load(model, engine), FaceFinder(FinderOptions(detector, detector_model)))


class Camera:
    """One visitor's live picture: frames come in from the browser and go back drawn on."""

    def __init__(self, reader: FaceReader, smoothing: float):
        self.frames: Newest[np.ndarray] = Newest()
        self.reading = ReadingThread(self.frames, LiveFaces(reader, smoothing))
        self.smoother = DisplaySmoother(0.85)
        self.bars = self.plane = False
        self.reading.start()

    @property
    def seen(self) -> Seen:
        """What was read last."""
        return self.reading.seen.value or Seen()

    def answer(self, frame):
        """Return a frame of the browser with the newest readings drawn on it."""
        import av

        image = frame.to_ndarray(format="rgb24")
        self.frames.put(image.copy())
        draw_faces(image, self.seen.readings, self.bars)
        if self.plane:
            draw_plane(image, self.seen.readings, self.seen.trails)
        return av.VideoFrame.from_ndarray(image, format="rgb24")

    def close(self) -> None:
        """End its thread."""
        self.frames.close()
        self.reading.close()


def main() -> None:
    """Draw the page."""
    args = _arguments()
    st.set_page_config("fer_keras", layout="wide")
    page = st.sidebar.radio("Page", ["Live camera", "Photos and videos", "About the model"])
    model = st.sidebar.selectbox("Model", args.model, format_func=lambda path: Path(path).name or path)
    engine = st.sidebar.selectbox("Engine", ["auto", *(name for name, entry in RUNTIMES.items() if entry.installed)])
    names = ["auto", *(name for name, entry in DETECTORS.items() if entry.installed)]
    detector = st.sidebar.selectbox("Face detector", names, index=names.index(args.faces) if args.faces in names else 0)
    smoothing = st.sidebar.slider("Smoothing over time", 0.0, 0.95, 0.7, 0.05)
    try:
        reader = load_reader(model, engine, detector, args.detector_model)
    except (ValueError, OSError) as error:
        st.error(str(error))
        return
    st.sidebar.caption(
        f"{reader.predictor.file.format} by {reader.predictor.file.engine}, {reader.finder.detector.name}"
    )
    if page == "Live camera":
        show_camera(reader, smoothing, _ice_servers())
    elif page == "Photos and videos":
        show_files(reader, smoothing)
    else:
        show_model(reader)


def show_camera(reader: FaceReader, smoothing: float, ice_servers: list[dict]) -> None:
    """Draw the page of the live camera."""
    key = (id(reader), smoothing)
    if st.session_state.get("live_key") != key:
        if "live" in st.session_state:
            st.session_state["live"].close()
        st.session_state["live"], st.session_state["live_key"] = Camera(reader, smoothing), key
    camera: Camera = st.session_state["live"]
    picture, charts = st.columns([3, 2])
    with picture:
        switches = st.columns(2)
        camera.bars = switches[0].checkbox("Bars in the picture")
        camera.plane = switches[1].checkbox("Plane in the picture")
        context = webrtc_streamer(
            key="webrtc",
            mode=WebRtcMode.SENDRECV,
            rtc_configuration={"iceServers": ice_servers},
            media_stream_constraints={"video": {"width": {"ideal": 640}, "frameRate": {"ideal": 25}}, "audio": False},
            video_frame_callback=camera.answer,
        )
        st.caption("Frames are read on the machine that serves this page and are not stored.")
    with charts:
        if context.state.playing:
            _charts(camera, reader.predictor.labels)
        else:
            st.info("Press START and allow the camera.")


@st.fragment(run_every=_REFRESH)
def _charts(camera: Camera, labels: tuple[str, ...]) -> None:
    if camera.reading.error:
        st.error(str(camera.reading.error))
        return
    seen = camera.seen
    largest = sorted(seen.readings, key=lambda reading: -(reading.face_box[2] - reading.face_box[0]))[:_MOST_CHARTS]
    shown = camera.smoother.update(largest)
    st.caption(f"Faces: {len(seen.readings)}, frames read a second: {seen.rate:.0f}")
    by_id = {reading.id: reading for reading in largest}
    for face, (shares, _) in sorted(shown.items()):
        st.markdown(f"**{label_of(by_id[face])}**")
        if shares:
            st.html(as_image(bars_svg(shares, labels, colour_text(face)), "bars"))
    if any(trail for _, trail in shown.values()):
        st.html(as_image(plane_svg({face: trail for face, (_, trail) in shown.items()}), "plane"))


def show_files(reader: FaceReader, smoothing: float) -> None:
    """Draw the page of files to upload."""
    kinds = [suffix[1:] for suffix in (*IMAGE_SUFFIXES, *VIDEO_SUFFIXES)]
    files = st.file_uploader("Photos and videos, one or many", kinds, accept_multiple_files=True)
    every = st.number_input("Of videos, read every so many-th frame", 1, 100, 1)
    rows: list[dict] = []
    for file in files or []:
        with st.expander(file.name, expanded=len(files) <= 4):
            try:
                if Path(file.name).suffix.lower() in VIDEO_SUFFIXES:
                    rows += _show_video(reader, file, VideoOptions(int(every), smoothing))
                else:
                    rows += _show_photo(reader, file)
            except (ValueError, OSError) as error:
                st.error(str(error))
                rows += [{**records_of(file.name, [])[0], "error": str(error)}]
    if rows:
        _show_table(rows, reader)


def _once(key: tuple, read):
    """Return what `read` gives, read once a visit: Streamlit runs the page anew at every click."""
    known = st.session_state.setdefault("read", {})
    if key not in known:
        known[key] = read()
    return known[key]


def _show_photo(reader: FaceReader, file) -> list[dict]:
    picture, rows = _once((file.file_id, id(reader)), lambda: _read_photo(reader, file))
    st.image(picture, caption=f"Faces: {sum(row['face'] is not None for row in rows)}")
    return rows


def _read_photo(reader: FaceReader, file) -> tuple[np.ndarray, list[dict]]:
    data = file.getvalue()
    extent = image_extent(data)
    if extent and extent[0] * extent[1] > _LARGEST:
        raise ValueError(f"Expected at most {_LARGEST / 1e6:.0f} megapixels. Received: {extent[1]} x {extent[0]}.")
    image = load_image(data)
    readings = reader.read(image)
    return draw_faces(image.copy(), readings), records_of(file.name, readings)


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
    lines = [",".join(used)] + [",".join(_csv(row[name]) for name in used) for row in table]
    st.download_button("Table as CSV", "\n".join(lines) + "\n", "faces.csv", "text/csv")
    st.download_button("Everything as JSON", json.dumps(rows, indent=2), "faces.json", "application/json")


def _csv(value) -> str:
    text = "" if value is None else str(value)
    return '"' + text.replace('"', '""') + '"' if any(mark in text for mark in ',"\n') else text


def show_model(reader: FaceReader) -> None:
    """Draw the page that explains the model and its limits."""
    facts, predictor = reader.predictor.bundle.facts, reader.predictor
    st.header("What this model is")
    height, width = predictor.image_size
    st.markdown(
        f"A **{facts.get('backbone')}** network of {facts.get('parameters', 0):,} parameters that takes a face of {width} x "
        f"{height} pixels and tells {', '.join(predictor.outputs)}. Emotions: {', '.join(predictor.labels) or 'none'}. "
        f"Trained on: {(facts.get('data') or {}).get('title', 'not recorded')}."
    )
    for split, scores in (facts.get("scores") or {}).items():
        accuracy = (scores.get("emotion") or {}).get("accuracy")
        if accuracy:
            st.markdown(
                f"- {split}: accuracy {accuracy['value']:.3f} (95 % interval {accuracy['low']:.3f} to "
                f"{accuracy['high']:.3f}, n = {accuracy['n']:,})"
            )
    st.header("What its numbers mean")
    st.markdown(
        "Each face gets a probability for every emotion, and two numbers from -1 to 1: *valence*, from unpleasant to "
        "pleasant, and *arousal*, from calm to excited. In the camera and in videos the numbers are averaged over time."
    )
    st.header("What it cannot do")
    st.markdown(
        "A face shows an expression, not what a person feels. Labels are annotators' opinions, and data sets of faces from "
        "the web carry their biases: expect it to work less well on faces unlike theirs. Faces marked *small*, *blurred* or "
        "*cut* are read all the same and are often wrong. Do not use it to judge people."
    )
    st.header("Your pictures")
    st.markdown("They are read on the machine that serves this page. Nothing is stored or sent to others.")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", action="append", required=True)
    parser.add_argument("--faces", default="auto")
    parser.add_argument("--detector-model")
    return parser.parse_args(sys.argv[1:])


def _ice_servers() -> list[dict]:
    """Return the STUN and TURN servers of $FER_KERAS_ICE_SERVERS, a JSON list; none by default, so no one else is asked."""
    return json.loads(os.environ.get("FER_KERAS_ICE_SERVERS") or "[]")


if __name__ == "__main__":
    main()
