"""How many faces a second single JPEG files and JPEG shards give where reading is slow.

  python benchmarks/slow_disk.py --folder FACES
  python benchmarks/slow_disk.py --quick

The faces and their shards are those of `input_speed.py` (--folder keeps them for the next run). Each line in an interpreter
of its own, without augmentation, in three conditions:

- warm: the files are in the disk cache;
- cold: the disk cache forgets every file before the pass (`posix_fadvise`), so that each is read from this machine's disk;
- 1 ms: the files are in the cache, but opening one takes a millisecond more, as on a network drive, which is asked at each
  opening whether the file is still the same. Shards are opened once in a run.

A slow reader is waited for by more threads than there are cores: `train --workers`, the last column.
"""

import argparse
import builtins
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from input_speed import BATCH, SIZE, prepare, take
from own_input import training_batches

PLACES = {"single files": "files", "JPEG shards": "jpeg"}
CONDITIONS = ("warm", "cold", "1 ms")


def forget(folder: Path) -> None:
    """Let the disk cache forget the files of a folder."""
    os.sync()  # what is not written yet is kept
    for path in folder.rglob("*"):
        if path.is_file():
            descriptor = os.open(path, os.O_RDONLY)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(descriptor)


def slow_down(folder: Path, seconds: float) -> None:
    """Let opening a file below a folder take longer in this process."""

    def slower(opened):
        def open_late(path, *args, **options):
            if str(path).startswith(str(folder)):
                time.sleep(seconds)
            return opened(path, *args, **options)

        return open_late

    os.open, builtins.open = slower(os.open), slower(builtins.open)


def measure(folder: Path, condition: str, workers: int) -> float:
    """Return the faces a second of most of one pass, or of some seconds where that is no more than a pass."""
    more = {"changes": None, "threads": workers, "epochs": 99}
    batches, steps = training_batches(folder, SIZE, BATCH, **more)
    take(batches, steps)  # all buffers, and what is to be warm
    ready = 2 * workers + 2  # batches made or begun before the condition holds
    if condition == "cold":
        del batches  # the cache keeps what a process has mapped
        forget(folder)
        batches, steps = training_batches(folder, SIZE, BATCH, **more)
    elif condition == "1 ms":
        slow_down(folder, 1e-3)
    take(batches, ready)
    started = time.perf_counter()
    taken = take(batches, steps - ready if condition == "cold" else 4 * steps)
    return taken * BATCH / (time.perf_counter() - started)


def measure_apart(folder: Path, condition: str, cores: int, workers: int) -> float:
    """Return what `measure` does in an interpreter of its own, on the first cores only."""
    command = [sys.executable, __file__, "--measure", str(folder), condition, str(workers)]
    first = sorted(os.sched_getaffinity(0))[:cores]
    limit = {"preexec_fn": lambda: os.sched_setaffinity(0, first)}
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
    answer = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment, **limit)
    return json.loads(answer.stdout.splitlines()[-1])


def main() -> None:
    """Measure each condition and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=int, default=3000)
    parser.add_argument("--cores", default="1,2", help="numbers of cores (default: 1,2)")
    parser.add_argument("--folder", help="where the faces are kept for the next run (default: nowhere)")
    parser.add_argument("--quick", action="store_true", help="512 faces")
    parser.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        folder, condition, workers = args.measure
        print(json.dumps(measure(Path(folder), condition, int(workers))))
        return
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["FER_KERAS_CACHE"] = f"{scratch}/cache"
        folder = Path(args.folder or scratch)
        if not (folder / "jpeg").exists():
            prepare(folder, 512 if args.quick else args.faces)
        print(f"{time.strftime('%Y-%m-%d')}, faces of {SIZE} px in batches of {BATCH}, faces/s\n")
        print("| cores | workers | reading | " + " | ".join(PLACES) + " | ratio |\n|---:|---:|---|---:|---:|---:|")
        for cores in [int(count) for count in args.cores.split(",")]:
            asked = [(condition, cores) for condition in CONDITIONS] + [("1 ms", 8 * cores)]
            for condition, workers in asked:
                one, other = (measure_apart(folder / place, condition, cores, workers) for place in PLACES.values())
                row = f"{cores} | {workers} | {condition} | {one:,.0f} | {other:,.0f} | {other / one:.1f}"
                print(f"| {row} |", flush=True)


if __name__ == "__main__":
    main()
