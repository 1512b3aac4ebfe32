"""The page's live camera: frames come in from the browser, are read by a thread of their own and go back drawn on."""

import numpy as np
import streamlit as st
from streamlit_webrtc import WebRtcMode, webrtc_streamer

from fer_keras.drawing.bars import bars_svg
from fer_keras.drawing.boxes import draw_faces, label_of
from fer_keras.drawing.palette import id_colour
from fer_keras.drawing.plane import draw_plane, plane_svg
from fer_keras.faces.face_reader import FaceReader
from fer_keras.page.display import DisplaySmoother, as_image
from fer_keras.video.live import LiveFaces, Newest, ReadingThread, Seen

_MOST_CHARTS = 3
_REFRESH = 0.25  # seconds
_PATIENCE = 5.0  # seconds without a frame after which the visitor has left


class Camera:
    """One visitor's live picture: frames come in from the browser and go back drawn on."""

    def __init__(self, reader: FaceReader, smoothing: float):
        self.frames: Newest[np.ndarray] = Newest()
        self.smoother = DisplaySmoother(0.85)
        self.bars = self.plane = False
        self._faces = LiveFaces(reader, smoothing)
        self.reading = ReadingThread(self.frames, self._faces, _PATIENCE)
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
        if not (self.reading.alive or self.reading.error or self.frames.finished):  # frames had stopped for a while
            self.reading = ReadingThread(self.frames, self._faces, _PATIENCE)
            self.reading.start()
        draw_faces(image, self.seen.readings, self.bars)
        if self.plane:
            draw_plane(image, self.seen.readings, self.seen.trails)
        return av.VideoFrame.from_ndarray(image, format="rgb24")

    def close(self) -> None:
        """End its thread."""
        self.frames.close()
        self.reading.close()


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
    st.caption(f"Faces: {len(seen.readings)}, frames read per second: {seen.rate:.0f}")
    by_id = {reading.id: reading for reading in largest}
    for face, (shares, _) in sorted(shown.items()):
        st.markdown(f"**{label_of(by_id[face])}**")
        if shares:
            st.html(as_image(bars_svg(shares, labels, id_colour(face)), "bars"))
    if any(trail for _, trail in shown.values()):
        st.html(as_image(plane_svg({face: trail for face, (_, trail) in shown.items()}), "plane"))
