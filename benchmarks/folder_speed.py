"""Photos a second of `predict folder/` against what its parts take alone: decoding, the detector, the network.

  FER_KERAS_YUNET=face_detection_yunet_2026may.onnx python benchmarks/folder_speed.py
  python benchmarks/folder_speed.py --quick --faces haar

The photos are JPEG files of 300 x 300 and of 1920 x 1080 pixels with the face of scikit-image's astronaut (public domain) in one
to three places on a coarse pattern. The parts, in one process and each with the threads that the package gives it: every file
read and decoded; the detector on every decoded picture, shrunk as `predict` shrinks it; the engine on the tensor of all
faces, in batches of 32, as many views of each as `predict` takes. The limit is as many photos a second as the three in a row
allow. `folder` is a whole `predict` of the folder into a CSV file, models loaded before. Parts and folder alternate. With
`--package DIR` another copy of fer_keras is measured by this script too, in turn, each in a process of its own.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

PARTS = ("decode", "detector", "network")
SIZES = {"300 px": (300, 300), "1080p": (1080, 1920)}


def write_photos(folder: Path, size: tuple[int, int], count: int) -> None:
    """Write JPEG files of one size."""
    import cv2
    import numpy as np
    from skimage.data import astronaut

    rng = np.random.default_rng(0)
    folder.mkdir()
    face = astronaut()[20:230, 118:328, ::-1]
    for number in range(count):
        coarse = rng.integers(60, 200, (9, 16, 3)).astype(np.uint8)
        photo = cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_CUBIC)
        for place in range(1 + number % 3):
            side = int(min(size) * rng.uniform(0.25, 0.32))
            x = place * size[1] // 3 + int(rng.integers(0, max(1, size[1] // 3 - side)))
            y = int(rng.integers(0, size[0] - side))
            photo[y : y + side, x : x + side] = cv2.resize(face, (side, side), interpolation=cv2.INTER_AREA)
        cv2.imwrite(str(folder / f"{number:05}.jpg"), photo, [cv2.IMWRITE_JPEG_QUALITY, 92])


def measure(folder: Path, faces: str, rounds: int) -> dict[str, list[float]]:
    """Return the seconds of each part and of the whole, a number a round; and how many faces were found."""
    from fer_keras.config.settings import build_settings
    from fer_keras.jobs.picture_run import load_job, read_pictures
    from fer_keras.jobs.predict_options import PredictConfig
    from fer_keras.prediction.results_file import ResultsFile
    from fer_keras.prediction.sources import list_sources

    job = load_job(build_settings(PredictConfig, {"detector": faces}))
    parts: dict[str, list[float]] = {name: [] for name in (*PARTS, "parts' processor", "folder", "processor", "faces")}
    for number in range(rounds + 1):  # the first one warms up
        times = time_parts(job.reader, sorted(folder.iterdir()))
        out = folder.parent / f"out{number}-{os.getpid()}.csv"
        started, cpu = time.perf_counter(), time.process_time()
        pictures = list_sources([folder])[0]
        results = ResultsFile(out, job.reader.predictor.labels, job.settings)
        rows = read_pictures(job, pictures, results)
        times |= {"folder": time.perf_counter() - started, "processor": time.process_time() - cpu}
        times["faces"] = sum(row["face"] is not None for row in rows)
        out.unlink()
        for name, value in times.items():
            parts[name] += [value] * bool(number)
    return parts


def time_parts(reader, paths: list[Path]) -> dict[str, float]:
    """Return the seconds that each part takes alone."""
    import cv2
    import numpy as np

    marks, images = [time.perf_counter()], []
    cpu = time.process_time()
    for path in paths:
        images.append(cv2.cvtColor(cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB))
    marks.append(time.perf_counter())
    found = [reader.finder.detect(image, 1280) for image in images]
    marks.append(time.perf_counter())
    count = sum(map(len, found)) * (2 if reader.predictor.tta == "flip" else 1)
    tensor = np.zeros((count, *reader.predictor.image_size, 3), np.uint8)
    marks.append(time.perf_counter())
    for start in range(0, count, 32):
        reader.predictor.runtime.run(tensor[start : start + 32])
    marks.append(time.perf_counter())
    times = {"decode": marks[1] - marks[0], "detector": marks[2] - marks[1], "network": marks[4] - marks[3]}
    return times | {"parts' processor": time.process_time() - cpu}


def main() -> None:
    """Print a row for each size and package."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=300, help="of each size")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--faces", default="yunet", help="the detector")
    parser.add_argument(
        "--package", action="append", default=[], metavar="DIR", help="folder of another copy of fer_keras"
    )
    parser.add_argument("--quick", action="store_true", help="24 photos, one round")
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.inside:
        print(json.dumps(measure(Path(args.inside), args.faces, args.rounds)))
        return
    photos, rounds = (24, 1) if args.quick else (args.photos, args.rounds)
    print(f"{photos} photos of each size, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    columns = ("photos", "package", "decode, detector, network: ms a photo", "limit, photos/s", "folder, photos/s")
    columns += ("of the limit", "processor: parts, ms a photo", "processor: folder")
    print(f"| {' | '.join(columns)} |\n|---|---|---{'|---:' * 5}|")
    for name, size in SIZES.items():
        with tempfile.TemporaryDirectory() as scratch:
            write_photos(Path(scratch) / "photos", size, photos)
            for package in [*args.package, ""]:
                environment = {**os.environ, "PYTHONPATH": package or os.environ.get("PYTHONPATH", "")}
                command = [sys.executable, __file__, "--inside", f"{scratch}/photos", "--faces", args.faces]
                done = subprocess.run(
                    [*command, "--rounds", str(rounds)], env=environment, capture_output=True, text=True
                )
                if done.returncode:
                    raise SystemExit(done.stderr[-2000:])
                print(row_of(name, package or "this one", json.loads(done.stdout.splitlines()[-1]), photos), flush=True)


def row_of(name: str, package: str, parts: dict[str, list[float]], photos: int) -> str:
    """Return a row of the table."""
    single = ", ".join(f"{1e3 * median(parts[part]) / photos:.1f}" for part in PARTS)
    sums = [sum(three) for three in zip(*(parts[part] for part in PARTS), strict=True)]
    ratios = [whole / folder for whole, folder in zip(sums, parts["folder"], strict=True)]
    processor = [1e3 * median(parts[part]) / photos for part in ("parts' processor", "processor")]
    cells = (photos / median(sums), photos / median(parts["folder"]), median(ratios), *processor)
    return (
        f"| {name}, {parts['faces'][0]} faces | {package} | {single} | "
        + " | ".join(f"{cell:.2f}" for cell in cells)
        + " |"
    )


if __name__ == "__main__":
    main()
