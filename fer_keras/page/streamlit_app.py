"""The page that `python -m fer_keras.app` shows, run by Streamlit: camera, files, and what the model is.

Frames and files are read on the machine that serves the page and kept in its memory while they are read; nothing is stored or
sent on. A video that is uploaded lies in a temporary file until it is read. `.streamlit/config.toml` beside this file turns
Streamlit's usage statistics off.
"""

import argparse
import json
import os
import sys
from pathlib import Path

import streamlit as st

from fer_keras.faces.detectors import DETECTORS
from fer_keras.faces.face_reader import FaceReader
from fer_keras.formats import ENGINES

# Imported before any model is loaded: pylibsrtp, which streamlit_webrtc loads, crashes the process where TensorFlow was loaded
# first (pylibsrtp 1.0.0, TensorFlow 2.21.0).
from fer_keras.page.streamlit_camera import show_camera
from fer_keras.page.streamlit_files import show_files
from fer_keras.page.streamlit_server import keep_quiet
from fer_keras.runs.bundle import Bundle


@st.cache_resource(max_entries=2, show_spinner="Loading the model ...")
def load_reader(model: str, engine: str, faces: str, **options) -> FaceReader:
    """Return a reader, shared by all visitors of the page."""
    return FaceReader.load(model, engine, faces, **options)


def main() -> None:
    """Draw the page."""
    keep_quiet()  # where Streamlit was started in another way than by `fer_keras.app`
    args = _arguments()
    st.set_page_config("fer_keras", layout="wide")
    page = st.sidebar.radio("Page", ["Live camera", "Photos and videos", "About the model"])
    model = st.sidebar.selectbox("Model", args.model, format_func=lambda path: Path(path).name or path)
    engine = st.sidebar.selectbox("Engine", ["auto", *(name for name, entry in ENGINES.items() if entry.installed)])
    names = ["auto", *(name for name, entry in DETECTORS.items() if entry.installed)]
    detector = st.sidebar.selectbox("Face detector", names, index=names.index(args.faces) if args.faces in names else 0)
    clahe = st.sidebar.checkbox("Raise contrast for finding faces in dark photos")
    smoothing = st.sidebar.slider("Smoothing over time", 0.0, 0.95, 0.7, 0.05)
    try:
        reader = load_reader(model, engine, detector, detector_model=_model_file(detector, args), clahe=clahe)
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


def show_model(reader: FaceReader) -> None:
    """Draw the page that explains the model and its limits."""
    predictor, bundle = reader.predictor, reader.predictor.bundle
    st.header("What this model is")
    height, width = predictor.image_size
    st.markdown(
        f"A **{bundle.model.backbone}** network of {bundle.model.parameters or 0:,} parameters that takes a face of {width} x "
        f"{height} pixels and predicts {', '.join(predictor.outputs)}. Emotions: {', '.join(predictor.labels) or 'none'}. "
        f"Trained on: {bundle.data.title or 'not recorded'}."
    )
    for line in _accuracy_lines(bundle):
        st.markdown(line)
    st.header("What its numbers mean")
    if bundle.config.get("derive_va", "none") != "none":
        st.markdown(
            "**Valence and arousal were not labelled: they are derived from the emotion and add nothing to it.**"
        )
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
    card = predictor.file.path.parent / "MODEL_CARD.md"
    if card.is_file():
        with st.expander("The model's card: training, data, scores, limits"):
            st.markdown(card.read_text(encoding="utf-8"))
    st.header("Your pictures")
    st.markdown("They are read on the machine that serves this page. Nothing is stored or sent to others.")


def _accuracy_lines(bundle: Bundle) -> list[str]:
    """Return a line per split with the accuracy that was measured on it."""
    lines = []
    for split, scores in bundle.scores.items():
        accuracy = scores.measured.get("emotion", {}).get("accuracy")
        if accuracy:
            chosen = split.split("/")[-1] == bundle.selected.split
            lines.append(
                f"- {split}: accuracy {accuracy['value']:.3f} (95 % interval {accuracy['low']:.3f} to "
                f"{accuracy['high']:.3f}, n = {accuracy['n']:,})"
                + "; optimistic, because its best epoch was chosen on these faces too"
                * chosen
            )
    return lines


def _model_file(detector: str, args) -> str | None:
    """Return the model file that was named, for the detector that it was named for."""
    meant = ("auto", "yunet") if args.faces == "auto" else (args.faces,)
    return args.detector_model if detector in meant else None


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
