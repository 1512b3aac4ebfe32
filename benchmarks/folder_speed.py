"""Photos a second of `predict folder/` against what its parts take alone: decoding, the detector, the network.

  FER_KERAS_YUNET=face_detection_yunet_2026may.onnx python benchmarks/folder_speed.py
  python benchmarks/folder_speed.py --sizes 300 --photos 10000 --rounds 1
  python benchmarks/folder_speed.py --quick --faces haar --peer fer=peer/bin/python

The photos are JPEG files of 300 x 300 and of 1920 x 1080 pixels with the face of scikit-image's astronaut (public domain) in one
to three places on a coarse pattern; beyond 500 they are hard links to the first. The parts, in one process and each with the
threads that the package gives it, on at most 300 photos: every file read and decoded; the detector on every decoded picture,
shrunk as `predict` shrinks it; the engine on the tensor of all faces, in batches of 32, two views of each. The limit is as
many photos a second as the three in a row allow. `folder` is the whole command into a CSV file, its model loaded once more, in
a process that has read some photos before. `--package DIR` measures the command of another copy of fer_keras too. Peers, in
environments of their own, on the photos of the parts: `fer` finds by its Haar cascade and reads; `deepface` finds only, by
OpenCV's Haar cascade, or (deepface-yunet) by YuNet, whose file must lie where deepface looks for it. All take turns.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

PARTS = ("decode", "detector", "network")
SIZES = {"300": (300, 300), "1080p": (1080, 1920)}
#: Most different photos; most that the parts and peers see.
DISTINCT, SAMPLE = 500, 300

FOLDER = """
import contextlib, io, json, pathlib, resource, sys, threading, time
from fer_keras.predict import main
few, photos, out, *flags = sys.argv[1:]
def run(folder):
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        assert main([folder, "--output", out, "--overwrite", *flags]) == 0
run(few)
memory, over = [], threading.Event()
def watch():
    while not over.wait(0.2):
        memory.append(int(pathlib.Path("/proc/self/statm").read_text().split()[1]) / 256)
threading.Thread(target=watch).start()
started, cpu = time.perf_counter(), time.process_time()
run(photos)
seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
over.set()
faces = sum(1 for line in open(out)) - 1
memory = memory or [resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]
print(json.dumps({"seconds": seconds, "processor": cpu, "faces": faces, "memory": [memory[len(memory) // 5], max(memory)]}))
"""

PEERS = {
    "fer": """
from fer.fer import FER
detector = FER()
look = lambda path: len(detector.detect_emotions(cv2.imread(path)))
""",
    "deepface": """
from deepface import DeepFace
look = lambda path: len(DeepFace.extract_faces(path, detector_backend="opencv", enforce_detection=False))
""",
    "deepface-yunet": """
from deepface import DeepFace
look = lambda path: len(DeepFace.extract_faces(path, detector_backend="yunet", enforce_detection=False))
""",
}
_PEER = """
import json, pathlib, sys, time
import cv2
{load}
paths = sorted(map(str, pathlib.Path(sys.argv[1]).iterdir()))
for path in paths[:5]: look(path)
started, cpu = time.perf_counter(), time.process_time()
faces = sum(map(look, paths))
print(json.dumps({{"seconds": time.perf_counter() - started, "processor": time.process_time() - cpu, "faces": faces}}))
"""


@dataclass(frozen=True)
class Photos:
    """A folder of photos, one of some of them, which parts and peers see, and one of a few, to warm up."""

    all: Path
    sample: Path
    few: Path


def write_photos(folder: Path, size: tuple[int, int], count: int) -> Photos:
    """Write JPEG files of one size."""
    import cv2
    import numpy as np
    from skimage.data import astronaut

    rng = np.random.default_rng(0)
    photos = Photos(folder / "photos", folder / "sample", folder / "few")
    for path in (photos.all, photos.sample, photos.few):
        path.mkdir()
    face = astronaut()[20:230, 118:328, ::-1]
    for number in range(count):
        path = photos.all / f"{number:06}.jpg"
        if number >= DISTINCT:
            os.link(photos.all / f"{number % DISTINCT:06}.jpg", path)
            continue
        coarse = rng.integers(60, 200, (9, 16, 3)).astype(np.uint8)
        photo = cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_CUBIC)
        for place in range(1 + number % 3):
            side = int(min(size) * rng.uniform(0.25, 0.32))
            x = place * size[1] // 3 + int(rng.integers(0, max(1, size[1] // 3 - side)))
            y = int(rng.integers(0, size[0] - side))
            photo[y : y + side, x : x + side] = cv2.resize(face, (side, side), interpolation=cv2.INTER_AREA)
        cv2.imwrite(str(path), photo, [cv2.IMWRITE_JPEG_QUALITY, 92])
        for other, most in ((photos.sample, SAMPLE), (photos.few, 32)):
            if number < most:
                os.link(path, other / path.name)
    return photos


def time_parts(folder: Path, model: str, faces: str) -> dict[str, float]:
    """Return the milliseconds a photo of each part alone, and of processor time of all."""
    import cv2
    import numpy as np

    from fer_keras import FaceReader

    reader = FaceReader.load(model, faces=faces, tta="flip")
    paths = sorted(folder.iterdir())
    for warm in (paths[:8], paths):
        marks, images, cpu = [time.perf_counter()], [], time.process_time()
        for path in warm:
            images.append(cv2.cvtColor(cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB))
        marks.append(time.perf_counter())
        count = 2 * sum(len(reader.finder.detect(image, 1280)) for image in images)
        marks.append(time.perf_counter())
        tensor = np.zeros((count, *reader.predictor.image_size, 3), np.uint8)
        for start in range(0, count, 32):
            reader.predictor.runtime.run(tensor[start : start + 32])
        marks.append(time.perf_counter())
    spent = [*(1e3 * (end - start) / len(paths) for start, end in zip(marks, marks[1:], strict=False))]
    return dict(zip(PARTS, spent, strict=True)) | {"processor": 1e3 * (time.process_time() - cpu) / len(paths)}


def run_side(python: str, code: str, arguments: list[str], package: str = "") -> dict:
    """Run one side in a process of its own; return what it printed last."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    if package:
        environment["PYTHONPATH"] = package
    done = subprocess.run([python, "-c", code, *arguments], env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{python} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def measure(size: str, count: int, args) -> None:
    """Print the rows of one size."""
    with tempfile.TemporaryDirectory() as scratch:
        photos = write_photos(Path(scratch), SIZES[size], count)
        flags = ["--faces", args.faces, "--tta", "flip", "--model", str(Path(args.model).resolve())]
        folder = [str(photos.few), str(photos.all), f"{scratch}/out.csv", *flags]
        own = f"import json, sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); from pathlib import Path; "
        own += "from folder_speed import time_parts; print(json.dumps(time_parts(Path(sys.argv[1]), *sys.argv[2:])))"
        sides = {"this one": (sys.executable, FOLDER, folder)}
        sides |= {package: (sys.executable, FOLDER, folder, package) for package in args.package}
        for peer in args.peer:
            name, _, python = peer.partition("=")
            sides[name] = (python, _PEER.format(load=PEERS[name]), [str(photos.sample)])
        parts, found = [], {name: [] for name in sides}
        for _ in range(args.rounds):
            parts.append(run_side(sys.executable, own, [str(photos.sample), flags[-1], args.faces]))
            for name, call in sides.items():
                found[name].append(run_side(*call))
        limits = [sum(part[name] for name in PARTS) for part in parts]
        single = ", ".join(f"{name} {median(part[name] for part in parts):.2f}" for name in PARTS)
        processor = median(part["processor"] for part in parts)
        print(f"| {size} | parts: {single} ms | {1e3 / median(limits):.1f} | 1.00 | {processor:.2f} | | |")
        for name, runs in found.items():
            seen = min(count, SAMPLE) if name in PEERS else count
            print(row_of(size, name, seen, limits, runs), flush=True)


def row_of(size: str, name: str, photos: int, limits: list[float], runs: list[dict]) -> str:
    """Return a side's row of the table."""
    spent = [1e3 * run["seconds"] / photos for run in runs]
    shares = [limit / own for limit, own in zip(limits, spent, strict=True)]
    memory = " to ".join(f"{value:.0f}" for value in runs[-1].get("memory", []))
    cells = (f"{1e3 / median(spent):.1f}", f"{median(shares):.2f}")
    cells += (f"{median(1e3 * run['processor'] / photos for run in runs):.2f}", f"{runs[-1]['faces']}", memory)
    return f"| {size} | {name}, {photos} photos | {' | '.join(cells)} |"


def main() -> None:
    """Print a row for each size and side."""
    from fer_keras.bundled import bundled_model

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=str(bundled_model()), help="default: the bundled model")
    parser.add_argument("--sizes", default=",".join(SIZES), help="of the photos, with commas between them")
    parser.add_argument("--photos", type=int, default=300, help="of each size")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--faces", default="yunet", help="the detector")
    parser.add_argument("--package", action="append", default=[], metavar="DIR", help="another copy of fer_keras")
    parser.add_argument(
        "--peer", action="append", default=[], metavar="NAME=PYTHON", help=f"{', '.join(PEERS)} and its interpreter"
    )
    parser.add_argument("--quick", action="store_true", help="24 photos, one round")
    args = parser.parse_args()
    if args.quick:
        args.photos, args.rounds = 24, 1
    print(f"{args.photos} photos of each size, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    columns = (
        "size",
        "what",
        "photos/s",
        "of the limit",
        "ms of processor a photo",
        "faces",
        "memory, a fifth in, most",
    )
    print(f"| {' | '.join(columns)} |\n|---|---{'|---:' * 5}|")
    for size in args.sizes.split(","):
        measure(size, args.photos, args)


if __name__ == "__main__":
    main()
