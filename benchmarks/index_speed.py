"""How fast a folder in AffectNet's layout is indexed, beside a loop of numpy.load and beside reading its bytes and no more.

  python benchmarks/index_speed.py --samples 287651
  python benchmarks/index_speed.py --quick

Generates the samples (five tiny files each, with the release's types), then in turn, round by round: the loop that opens
every annotation with `numpy.load`; the limit, which opens, reads and closes all five files of each sample on as many
processes as the index; `load_index` without its cache, which also checks and hashes every image; from its cache; and once
one annotation was changed in place. Each `load_index` runs in an interpreter of its own, the start of its processes
included, imports not. Files are in the disk cache of the operating system.
"""

import argparse
import io
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
from joblib import Parallel, cpu_count, delayed

from fer_keras.data.loading import load_index
from fer_keras.readers.spec import load_spec

ENDINGS = ("_exp.npy", "_val.npy", "_aro.npy", "_lnd.npy")


def generate(folder: Path, samples: int, size: int = 64) -> None:
    """Write samples with the release's types; images are enlarged noise of `size` px, all different."""
    images, annotations = folder / "train_set" / "images", folder / "train_set" / "annotations"
    images.mkdir(parents=True)
    annotations.mkdir()
    chunks = [range(start, min(start + 1000, samples)) for start in range(0, samples, 1000)]
    Parallel(n_jobs=-1)(delayed(_generate)(f"{images}/", f"{annotations}/", chunk, size) for chunk in chunks)


def _generate(images: str, annotations: str, numbers: range, size: int) -> None:
    rng = np.random.default_rng(numbers.start)
    for number in numbers:
        noise = rng.integers(0, 255, (8, 8, 3), np.uint8)
        _write(f"{images}{number}.jpg", cv2.imencode(".jpg", cv2.resize(noise, (size, size)))[1].tobytes())
        valence, arousal = (np.array(f"{value:.6f}") for value in rng.uniform(-1, 1, 2))
        values = np.array(str(rng.integers(0, 8))), valence, arousal, rng.uniform(-5, size + 5, 136)
        for ending, value in zip(ENDINGS, values, strict=True):
            file = io.BytesIO()
            np.save(file, value)
            _write(f"{annotations}{number}{ending}", file.getvalue())


def _write(path: str, data: bytes) -> None:
    with open(path, "wb", buffering=0) as file:
        file.write(data)


def stems(folder: Path) -> list[str]:
    """Return the ids of a split's images."""
    return [name[:-4] for name in sorted(os.listdir(folder / "images"))]


def loop(folder: Path) -> float:
    """Return the seconds that a loop of numpy.load takes over every annotation."""
    started = time.perf_counter()
    for stem in stems(folder):
        for ending in ENDINGS:
            np.load(f"{folder}/annotations/{stem}{ending}")
    return time.perf_counter() - started


def limit(folder: Path) -> float:
    """Return the seconds in which processes open, read and close every file."""
    started = time.perf_counter()
    names = stems(folder)
    Parallel(n_jobs=-1)(delayed(_read)(str(folder), names[at : at + 1000]) for at in range(0, len(names), 1000))
    return time.perf_counter() - started


def _read(folder: str, names: list[str]) -> None:
    for stem in names:
        for path in (f"{folder}/images/{stem}.jpg", *(f"{folder}/annotations/{stem}{end}" for end in ENDINGS)):
            descriptor = os.open(path, os.O_RDONLY)
            os.read(descriptor, 1 << 16)
            os.close(descriptor)


def index(folder: Path, cache: Path) -> dict:
    """Return the seconds, peak memory in MB and fingerprint of `load_index`, run in an interpreter of its own."""
    command = [sys.executable, __file__, "--measure", str(folder), str(cache)]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def measure(folder: str, cache: str) -> None:
    """Print what `index` returns."""
    import pyarrow.parquet  # noqa: F401  (an import, not the index's own time)

    import fer_keras.readers.affectnet  # noqa: F401

    started = time.perf_counter()
    found = load_index(load_spec("affectnet"), folder, cache)
    seconds, peak = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "peak": peak, "fingerprint": found.fingerprint(), "faces": len(found)}))


def one_round(root: Path, cache: Path) -> list[str]:
    """Return the cells of one line of the table."""
    folder, changed = root / "train_set", root / "train_set" / "annotations" / "0_val.npy"
    plain, least = loop(folder), limit(folder)
    shutil.rmtree(cache, ignore_errors=True)
    built, warm = index(root, cache), index(root, cache)
    before = changed.read_bytes()
    np.save(changed, np.array("0.123456"))
    again = index(root, cache)
    changed.write_bytes(before)
    seen = warm["fingerprint"] == built["fingerprint"] != again["fingerprint"]
    ratios = [f"{plain / built['seconds']:.1f}", f"{least / built['seconds']:.2f}"]
    seconds = [f"{value:.2f}" for value in (plain, least, built["seconds"])]
    peaks = f"{built['peak']:.0f}, {warm['peak']:.0f}"
    return [*seconds, *ratios, f"{warm['seconds']:.2f}", f"{again['seconds']:.2f}, {'yes' if seen else 'NO'}", peaks]


def main() -> None:
    """Run the rounds and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=20_000, help="287651 is AffectNet's size; 6 GB (default: 20000)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="2,000 samples, one round")
    parser.add_argument("--folder", help="of samples generated before; default: generate them in a temporary folder")
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        return measure(*args.measure)
    samples, rounds = (2000, 1) if args.quick else (args.samples, args.rounds)
    with tempfile.TemporaryDirectory() as scratch:
        root, cache = Path(args.folder or f"{scratch}/faces"), Path(scratch) / "cache"
        if not root.exists():
            generate(root, samples)
        limit(root / "train_set")  # warms the disk cache
        count = len(stems(root / "train_set"))
        print(f"{count:,} samples, {cpu_count()} processes, {time.strftime('%Y-%m-%d')}\n")
        heads = (
            "numpy.load s",
            "limit s",
            "index s",
            "times the loop",
            "of the limit",
            "from cache s",
            "one changed s, seen",
        )
        print(f"| round | {' | '.join(heads)} | peak MB, index and cache |\n|{'---:|' * 9}")
        for number in range(1, rounds + 1):
            print(f"| {number} | {' | '.join(one_round(root, cache))} |", flush=True)


if __name__ == "__main__":
    main()
