"""Frames a second from a video in to an annotated video out, beside the PyPI package `fer` on the same video in one run.

  python -m venv peer && peer/bin/pip install fer==25.10.3 "setuptools<80" "opencv-python<5"
  FER_KERAS_YUNET=face_detection_yunet_2026may.onnx python benchmarks/video_fps.py --peer-python peer/bin/python

The video is made of scikit-image's astronaut (public domain), 596 x 336, moving about. Each side decodes it, finds and reads
the faces of every frame, draws them and writes the video, in a process of its own, models loaded and once used before the
clock starts; `fer` by its own `Video.analyze` without its folder of single frames. Detectors have their defaults. Sides
alternate, so that other work on the machine meets both. Prints each round with the faces found, one per frame being there, its
ratios to `fer`, and those of the medians.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from fer_keras.bundled import bundled_model

SIZE, RATE = (596, 336), 25

PEER = """
import json, os, sys, time
import cv2
from fer.fer import FER
from fer.classes import Video
path, folder = sys.argv[1:]
detector = FER()  # Haar
frame = cv2.VideoCapture(path).read()[1]
detector.detect_emotions(frame)
video = Video(path, outdir=folder)
started = time.perf_counter()
found = video.analyze(detector, display=False, output="csv", save_frames=False, zip_images=False)
seconds = time.perf_counter() - started
print(json.dumps({"seconds": seconds, "faces": sum(key.startswith("box") for row in found for key in row)}))
"""

OWN = """
import json, sys, time
from pathlib import Path
from fer_keras import Predictor
from fer_keras.faces.finder import FaceFinder, FinderOptions
from fer_keras.video.frames import VideoFile
from fer_keras.faces.face_reader import FaceReader
from fer_keras.video.video_reading import VideoOptions, read_video
path, folder, model, engine, detector, side = sys.argv[1:]
finder = FaceFinder(FinderOptions(detector, max_side=int(side) or None))
reader = FaceReader(Predictor.load(model, engine), finder)
reader.read(next(iter(VideoFile(path).frames())).image)
started = time.perf_counter()
found = read_video(path, reader, VideoOptions(), annotated=Path(folder) / "own.mp4")
seconds = time.perf_counter() - started
print(json.dumps({"seconds": seconds, "faces": sum(row["face"] is not None for row in found.rows)}))
"""


def write_video(path: Path, frames: int) -> None:
    """Write the astronaut moving about."""
    import cv2
    import numpy as np
    from skimage.data import astronaut

    picture = cv2.resize(astronaut(), (400, 400), interpolation=cv2.INTER_AREA)[:, :, ::-1]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), RATE, SIZE)
    for number in range(frames):
        frame = np.full((SIZE[1], SIZE[0], 3), 120, np.uint8)
        x, y = round(98 + 90 * np.sin(number / 23)), round(-20 + 20 * np.sin(number / 17))
        top, left = max(0, -y), max(0, x)
        part = picture[top : top + SIZE[1] - max(0, y)]
        frame[max(0, y) : max(0, y) + part.shape[0], left : left + 400] = part[:, : SIZE[0] - left]
        writer.write(frame)
    writer.release()


def run_side(python: str, folder: str, code: str, *arguments: str) -> dict:
    """Run one side in a process of its own, in a folder that it may litter; return what it printed last."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run([python, "-c", code, *arguments], capture_output=True, text=True, env=environment, cwd=folder)
    if done.returncode:
        raise SystemExit(f"{python} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def main() -> None:
    """Run all sides in turn and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=str(bundled_model()), help="default: the bundled model")
    parser.add_argument("--engine", default="onnx")
    parser.add_argument("--peer-python", help="of an environment that has fer; without, only this package runs")
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        video = Path(folder) / "video.mp4"
        write_video(video, args.frames)
        common = (str(video), folder, str(Path(args.model).resolve()), args.engine)
        sides = {
            f"fer_keras, {name}": (sys.executable, OWN, *common, detector, side)
            for name, detector, side in (
                ("yunet", "yunet", "0"),
                ("haar", "haar", "0"),
                ("yunet at 640 px", "yunet", "640"),
            )
        }
        if args.peer_python:
            sides["fer (Haar)"] = (args.peer_python, PEER, str(video), folder)
        rates: dict[str, list[float]] = {name: [] for name in sides}
        print(f"{args.frames} frames of {SIZE[0]} x {SIZE[1]}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
        for number in range(args.rounds):
            for name, command in sides.items():
                found = run_side(command[0], folder, *command[1:])
                rates[name].append(args.frames / found["seconds"])
                print(f"round {number + 1}: {name}: {rates[name][-1]:.1f} frames/s, {found['faces']} faces", flush=True)
            if args.peer_python:
                *own, peer = (values[-1] for values in rates.values())
                print(f"round {number + 1}: times fer: {', '.join(f'{value / peer:.1f}' for value in own)}", flush=True)
        medians = {name: statistics.median(values) for name, values in rates.items()}
        peer = medians.get("fer (Haar)")
        for name, value in medians.items():
            print(f"median: {name}: {value:.1f} frames/s" + (f", {value / peer:.1f} times fer" if peer else ""))


if __name__ == "__main__":
    main()
