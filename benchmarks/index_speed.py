"""How fast a folder in AffectNet's layout is indexed, beside a loop of numpy.load and beside reading its bytes and no more.

  python benchmarks/index_speed.py --samples 287651
  python benchmarks/index_speed.py --quick

Generates the samples (five tiny files each, with the release's types), then in turn, round by round: the loop that opens
every annotation with `numpy.load`; the limit, which opens, reads and closes all five files of each sample on as many
processes as the index; and, in an interpreter of its own, `load_index`: for the first time, which starts its processes;
again without its cache, which is what is compared; from its cache; and once one annotation was changed in place. It checks
and hashes every image too. `by processor time` is the loop's over that of an index made by one process: a machine that does
other work changes it little. Files are in the disk cache of the operating system.
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


def samples_of(root: Path) -> list[tuple[str, str]]:
    """Return split and id of every image."""
    return [
        (part, name[:-4]) for part in sorted(os.listdir(root)) for name in sorted(os.listdir(root / part / "images"))
    ]


def loop(root: Path) -> tuple[float, float]:
    """Return the seconds that a loop of numpy.load takes over every annotation, by the clock and of the processor."""
    started, spent = time.perf_counter(), time.process_time()
    for part, stem in samples_of(root):
        for ending in ENDINGS:
            np.load(f"{root}/{part}/annotations/{stem}{ending}")
    return time.perf_counter() - started, time.process_time() - spent


def limit(root: Path) -> float:
    """Return the seconds in which processes open, read and close every file."""
    started = time.perf_counter()
    names = samples_of(root)
    Parallel(n_jobs=-1)(delayed(_read)(str(root), names[at : at + 1000]) for at in range(0, len(names), 1000))
    return time.perf_counter() - started


def _read(root: str, names: list[tuple[str, str]]) -> None:
    for part, stem in names:
        paths = (f"{root}/{part}/annotations/{stem}{ending}" for ending in ENDINGS)
        for path in (f"{root}/{part}/images/{stem}.jpg", *paths):
            descriptor = os.open(path, os.O_RDONLY)
            os.read(descriptor, 1 << 16)
            os.close(descriptor)


def index(root: Path, cache: Path) -> dict:
    """Return what `measure` prints, run in an interpreter of its own."""
    command = [sys.executable, __file__, "--measure", str(root), str(cache)]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)


def measure(root: Path, cache: Path) -> None:
    """Print seconds of each kind of `load_index`, the peak memory in MB, and whether a changed file was seen."""
    import pyarrow.parquet  # noqa: F401  (an import, not the index's own time)

    import fer_keras.readers.affectnet  # noqa: F401

    seconds, found = {}, {}
    changed = root / "train_set" / "annotations" / "0_val.npy"
    for kind in ("first", "anew", "cached", "changed"):
        before = changed.read_bytes()
        if kind == "anew":
            shutil.rmtree(cache)
        if kind == "changed":
            np.save(changed, np.array("0.123456"))
        started = time.perf_counter()
        built = load_index(load_spec("affectnet"), root, cache)
        seconds[kind] = time.perf_counter() - started
        if kind == "changed":
            changed.write_bytes(before)
        found[kind] = float(built.valence[(built.id == "0") & (built.split == "train")][0])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    shutil.rmtree(cache)
    spent = time.process_time()
    load_index(load_spec("affectnet"), root, cache, jobs=1)
    spent = time.process_time() - spent
    seen = found["first"] == found["anew"] == found["cached"] != found["changed"]
    print(json.dumps({**seconds, "peak": peak, "seen": seen, "spent": spent}))


def one_round(root: Path, cache: Path) -> list[str]:
    """Return the cells of one line of the table."""
    (plain, spent), least = loop(root), limit(root)
    shutil.rmtree(cache, ignore_errors=True)
    found = index(root, cache)
    built = found["anew"]
    seconds = [f"{value:.2f}" for value in (plain, least, built)]
    others = [f"{found[kind]:.2f}" for kind in ("first", "cached")]
    seen = f"{found['changed']:.2f}, {'yes' if found['seen'] else 'NO'}"
    ratios = [f"{plain / built:.1f}", f"{least / built:.2f}"]
    return [*seconds, *ratios, f"{spent / found['spent']:.1f}", *others, seen, f"{found['peak']:.0f}"]


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
        return measure(*map(Path, args.measure))
    samples, rounds = (2000, 1) if args.quick else (args.samples, args.rounds)
    with tempfile.TemporaryDirectory() as scratch:
        root, cache = Path(args.folder or f"{scratch}/faces"), Path(scratch) / "cache"
        if not root.exists():
            generate(root, samples)
        limit(root)  # warms the disk cache
        print(f"{len(samples_of(root)):,} samples, {cpu_count()} processes, {time.strftime('%Y-%m-%d')}\n")
        heads = (
            "numpy.load s",
            "limit s",
            "index s",
            "times the loop",
            "of the limit",
            "by processor time",
            "with start of processes s",
        )
        heads += "from cache s", "one changed s, seen", "peak MB"
        print(f"| round | {' | '.join(heads)} |\n|{'---:|' * 11}")
        for number in range(1, rounds + 1):
            print(f"| {number} | {' | '.join(one_round(root, cache))} |", flush=True)


if __name__ == "__main__":
    main()
