"""Frames a second from a video in to an annotated video out, beside the PyPI package `fer` on the same video in one run.

  python -m venv peer && peer/bin/pip install fer==25.10.3 "setuptools<80" "opencv-python<5"
  FER_KERAS_YUNET=face_detection_yunet_2026may.onnx python benchmarks/video_fps.py --peer-python peer/bin/python
  python benchmarks/video_fps.py --quick --size 1080p --sides haar

The video is made of scikit-image's astronaut (public domain), 596 x 336 or 1920 x 1080, moving about. Each side decodes it,
finds and reads the faces of every frame, draws them and writes the video, in a process of its own, models loaded and once used
before the clock starts; `fer` by its own `Video.analyze` without its folder of single frames. Detectors have their defaults.
Sides alternate, so that other work on the machine meets all. Prints each round's frames a second, its milliseconds of
processor time a frame, which other work stretches less, and the faces found, one per frame being there; then the medians with
their ratios to `fer`, and of processor time. `--package DIR` adds the first side by another copy of fer_keras.
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

SIZES, RATE = {"small": (596, 336), "1080p": (1920, 1080)}, 25
#: Of this package: detector, engine, longer side to which frames are shrunk (0: the detector's own).
SIDES = {
    "yunet": ("yunet", "onnx", "0"),
    "haar": ("haar", "onnx", "0"),
    "yunet-640": ("yunet", "onnx", "640"),
    "yunet-int8": ("yunet", "tflite-int8", "0"),
}

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
started, cpu = time.perf_counter(), time.process_time()
found = video.analyze(detector, display=False, output="csv", save_frames=False, zip_images=False)
seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
print(json.dumps({"seconds": seconds, "cpu": cpu, "faces": sum(key.startswith("box") for row in found for key in row)}))
"""

OWN = """
import json, sys, time
from pathlib import Path
from fer_keras import Predictor
from fer_keras.faces.finder import FaceFinder, FinderOptions
from fer_keras.video.frames import VideoFile
from fer_keras.faces.face_reader import FaceReader
from fer_keras.video.video_reading import VideoOptions, read_video
path, folder, model, detector, engine, side = sys.argv[1:]
finder = FaceFinder(FinderOptions(detector, max_side=int(side) or None))
reader = FaceReader(Predictor.load(model, engine, tta="none"), finder)
reader.read(next(iter(VideoFile(path).frames())).image)
started, cpu = time.perf_counter(), time.process_time()
found = read_video(path, reader, VideoOptions(), annotated=Path(folder) / "own.mp4")
seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
print(json.dumps({"seconds": seconds, "cpu": cpu, "faces": sum(row["face"] is not None for row in found.rows)}))
"""


def write_video(path: Path, frames: int, size: tuple[int, int] = SIZES["small"]) -> None:
    """Write the astronaut moving about; size is (width, height)."""
    import cv2
    import numpy as np
    from skimage.data import astronaut

    (wide, high), scale = size, size[1] / 336
    side = round(400 * scale)
    picture = cv2.resize(astronaut(), (side, side), interpolation=cv2.INTER_AREA)[:, :, ::-1]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), RATE, size)
    for number in range(frames):
        frame = np.full((high, wide, 3), 120, np.uint8)
        x, y = round(scale * (98 + 90 * np.sin(number / 23))), round(scale * (-20 + 20 * np.sin(number / 17)))
        top, left = max(0, -y), max(0, x)
        part = picture[top : top + high - max(0, y)]
        frame[max(0, y) : max(0, y) + part.shape[0], left : left + side] = part[:, : wide - left]
        writer.write(frame)
    writer.release()


def run_side(python: str, folder: str, code: str, *arguments: str, package: str = "") -> dict:
    """Run one side in a process of its own, in a folder that it may litter; return what it printed last."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    if package:
        environment["PYTHONPATH"] = package
    done = subprocess.run([python, "-c", code, *arguments], capture_output=True, text=True, env=environment, cwd=folder)
    if done.returncode:
        raise SystemExit(f"{python} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of this command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=str(bundled_model()), help="default: the bundled model")
    parser.add_argument("--sides", default=",".join(SIDES), help="of this package, with commas between them")
    parser.add_argument("--size", default="small", choices=SIZES)
    parser.add_argument("--peer-python", help="of an environment that has fer; without, only this package runs")
    parser.add_argument("--package", metavar="DIR", help="folder of another copy of fer_keras")
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="50 frames, one round")
    return parser


def main() -> None:
    """Run all sides in turn and print the table."""
    args = build_parser().parse_args()
    frames, rounds = (50, 1) if args.quick else (args.frames, args.rounds)
    with tempfile.TemporaryDirectory() as folder:
        video = Path(folder) / "video.mp4"
        write_video(video, frames, SIZES[args.size])
        common = (str(video), folder, str(Path(args.model).resolve()))
        calls = {
            f"fer_keras, {name}": (sys.executable, folder, OWN, *common, *SIDES[name]) for name in args.sides.split(",")
        }
        packages = {}
        if args.package:
            first = next(iter(calls))
            calls[f"{first}, {args.package}"] = calls[first]
            packages[f"{first}, {args.package}"] = args.package
        if args.peer_python:
            calls["fer (Haar)"] = (args.peer_python, folder, PEER, str(video), folder)
        rates: dict[str, list[float]] = {name: [] for name in calls}
        work: dict[str, list[float]] = {name: [] for name in calls}
        print(f"{frames} frames of {SIZES[args.size]}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
        for number in range(rounds):
            for name, call in calls.items():
                found = run_side(*call, package=packages.get(name, ""))
                rates[name].append(frames / found["seconds"])
                work[name].append(1000 * found["cpu"] / frames)
                told = f"{rates[name][-1]:.1f} frames/s, {work[name][-1]:.2f} ms of processor, {found['faces']} faces"
                print(f"round {number + 1}: {name}: {told}", flush=True)
        report(rates, work)


def report(rates: dict[str, list[float]], work: dict[str, list[float]]) -> None:
    """Print the medians, and their ratios to the last side where that is the peer."""
    *_, last = rates
    for name, values in rates.items():
        line = f"median: {name}: {statistics.median(values):.1f} frames/s"
        if last.startswith("fer ("):
            pairs = zip(values, rates[last], strict=True)
            times = statistics.median(own / peer for own, peer in pairs)
            line += f", {times:.1f} times fer, "
            line += f"{statistics.median(work[last]) / statistics.median(work[name]):.1f} times by processor time"
        print(line)


if __name__ == "__main__":
    main()
