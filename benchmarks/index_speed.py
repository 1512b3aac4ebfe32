"""How fast a folder in AffectNet's layout is indexed, beside a loop of numpy.load and beside reading its bytes and no more.

  python benchmarks/index_speed.py --samples 287651
  python benchmarks/index_speed.py --quick
  git worktree add ../before c30f062 && python benchmarks/index_speed.py --package ../before

Generates the samples (five tiny files each, with the release's types), then in turn, round by round: the loop that opens
every annotation with `numpy.load`; the limits, which on as many processes as the index open, read and close all five files of
each sample, and ask for their states; and `load_index`, by `--package` too. An interpreter of its own makes the index for the
first time, which starts its processes, and again without the cache, which is what is compared; another one starts warm, with
nothing changed, and then once more with one annotation changed in place. `load_index` checks and hashes every image too.
`by processor time` is the loop's over that of an index made by one process: a machine that does other work changes it little.
Files are in the disk cache of the operating system; imports are not in the times.
"""

import argparse
import io
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
from joblib import Parallel, cpu_count, delayed

import fer_keras

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


def limit(root: Path, work) -> float:
    """Return the seconds in which processes do `work` for the files of every sample."""
    started = time.perf_counter()
    names = samples_of(root)
    Parallel(n_jobs=-1)(delayed(work)(str(root), names[at : at + 1000]) for at in range(0, len(names), 1000))
    return time.perf_counter() - started


def _paths(root: str, names: list[tuple[str, str]]):
    for part, stem in names:
        yield f"{root}/{part}/images/{stem}.jpg"
        for ending in ENDINGS:
            yield f"{root}/{part}/annotations/{stem}{ending}"


def read(root: str, names: list[tuple[str, str]]) -> None:
    """Open, read and close every file."""
    for path in _paths(root, names):
        descriptor = os.open(path, os.O_RDONLY)
        os.read(descriptor, 1 << 16)
        os.close(descriptor)


def ask(root: str, names: list[tuple[str, str]]) -> None:
    """Ask for the state of every file."""
    for path in _paths(root, names):
        os.stat(path)


#: Run in an interpreter of its own: prints the seconds of each load, the valence of one sample, the peak memory in MB, and the
#: processor time of an index made by one process.
LOADS = """
import json, resource, shutil, sys, time
from pathlib import Path
import numpy as np
import pyarrow.parquet
import fer_keras
if (Path(fer_keras.__file__).parent / "data" / "loading.py").exists():
    from fer_keras.data.loading import load_index
    from fer_keras.readers import affectnet
    from fer_keras.readers.spec import load_spec
else:  # before 2026-11-22
    from fer_keras.data import affectnet
    from fer_keras.data.index import load_index
    from fer_keras.data.spec import load_spec
root, cache, kinds = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3].split(",")
changed = next(root.glob("*/annotations")) / "0_val.npy"
seconds, valence = {}, {}
for kind in kinds:
    if kind in ("first", "anew"):
        shutil.rmtree(cache, ignore_errors=True)
    before = changed.read_bytes()
    if kind == "changed":
        np.save(changed, np.array("0.123456"))
    started = time.perf_counter()
    index = load_index(load_spec("affectnet"), root, cache)
    seconds[kind] = time.perf_counter() - started
    changed.write_bytes(before) if kind == "changed" else None
    valence[kind] = float(index.valence[index.id == "0"][0])
    if kind == kinds[0]:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    del index
spent = time.process_time()
if "anew" in kinds:
    shutil.rmtree(cache)
    load_index(load_spec("affectnet"), root, cache, jobs=1)
spent = time.process_time() - spent
print(json.dumps({"seconds": seconds, "valence": valence, "peak": peak, "spent": spent}))
"""


def load(package: str, root: Path, cache: Path, kinds: str) -> dict:
    """Return what `LOADS` prints with the copy of fer_keras in the folder `package`."""
    command = [sys.executable, "-c", LOADS, str(root), str(cache), kinds]
    environment = {**os.environ, "PYTHONPATH": package}
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment, cwd=cache.parent)
    return json.loads(done.stdout)


HEADS = (
    *("round", "package", "numpy.load s", "read limit s", "index s", "times the loop", "of the limit"),
    *("by processor time", "with start of processes s", "peak MB", "state limit s", "warm start s", "peak MB"),
    "one changed s, seen",
)


def one_round(root: Path, cache: Path, packages: list[str]) -> list[list[str]]:
    """Return the cells of one line of the table per package."""
    (plain, plain_spent), least, least_warm = loop(root), limit(root, read), limit(root, ask)
    lines = []
    for package in packages:
        cold = load(package, root, cache, "first,anew")
        warm = load(package, root, cache, "warm,changed")
        made = cold["seconds"]["anew"]
        told = {**cold["valence"], **warm["valence"]}
        seen = told["first"] == told["anew"] == told["warm"] != told["changed"] == np.float32(0.123456)
        cells = [f"{plain:.2f}", f"{least:.2f}", f"{made:.2f}", f"{plain / made:.1f}", f"{least / made:.2f}"]
        cells += [f"{plain_spent / cold['spent']:.1f}", f"{cold['seconds']['first']:.2f}", f"{cold['peak']:.0f}"]
        cells += [f"{least_warm:.2f}", f"{warm['seconds']['warm']:.2f}", f"{warm['peak']:.0f}"]
        lines.append([package, *cells, f"{warm['seconds']['changed']:.2f}, {'yes' if seen else 'NO'}"])
    return lines


def main() -> None:
    """Run the rounds and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=20_000, help="287651 is AffectNet's size; 6 GB (default: 20000)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="2,000 samples, one round")
    parser.add_argument("--folder", help="of samples generated before; default: generate them in a temporary folder")
    parser.add_argument(
        "--package", metavar="DIR", help="folder of another copy of fer_keras, measured before this one"
    )
    args = parser.parse_args()
    samples, rounds = (2000, 1) if args.quick else (args.samples, args.rounds)
    packages = [str(Path(args.package).resolve())] if args.package else []
    packages.append(str(Path(fer_keras.__file__).resolve().parents[1]))
    with tempfile.TemporaryDirectory() as scratch:
        root, cache = Path(args.folder or f"{scratch}/faces").resolve(), Path(scratch) / "cache"
        if not root.exists():
            generate(root, samples)
        limit(root, read)  # warms the disk cache, and starts its processes
        print(f"{len(samples_of(root)):,} samples, {cpu_count()} processes, {time.strftime('%Y-%m-%d')}\n")
        print(f"| {' | '.join(HEADS)} |\n|{'---:|' * len(HEADS)}")
        for number in range(1, rounds + 1):
            for line in one_round(root, cache, packages):
                print(f"| {number} | {' | '.join(line)} |", flush=True)


if __name__ == "__main__":
    main()
