"""Whether the training input stays as fast and as small when a data set grows: faces a second and memory by their number.

  python benchmarks/input_growth.py --folder AffectNet --sizes 1000,20000,287651

FOLDER is a data set in AffectNet's layout; without one, as many samples as the largest size are generated
(`index_speed.py`). For each size, in an interpreter of its own: the pipeline (decode, change, batch, prefetch) over that many
of the set's training faces, a warm-up and then `--batches` of 128, with the memory of the process before and after them.
"""

import argparse
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from index_speed import generate

BATCH = 128


def memory() -> float:
    """Return the megabytes that this process has in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def measure(folder: str, size: int, side: int, batches: int) -> None:
    """Print faces a second, microseconds of processor time a face, and the memory before and after."""
    from fer_keras.batches.batches import TrainingBatches
    from fer_keras.batches.inputs import open_split
    from fer_keras.batches.pipeline import training_data
    from fer_keras.config.run_config import AugmentConfig
    from fer_keras.data.loading import load_index
    from fer_keras.readers.spec import load_spec
    from fer_keras.training.machine import keep_freed_memory

    keep_freed_memory()
    index = load_index(load_spec("affectnet"), folder)
    rows = np.sort(np.random.default_rng(0).permutation(len(index))[:size])
    opened = open_split(index.take(rows), (side, side), index.spec.targets)
    del index
    data = TrainingBatches(opened.loader, opened.targets, BATCH, augmentation=AugmentConfig())
    passes = iter(training_data(data, 0, 3 + 2 * batches * BATCH // size))
    for _ in itertools.islice(passes, batches // 4):
        pass
    before, started, spent = memory(), time.perf_counter(), time.process_time()
    for _ in itertools.islice(passes, batches):
        pass
    seconds, spent, faces = time.perf_counter() - started, time.process_time() - spent, batches * BATCH
    print(json.dumps([faces / seconds, spent / faces * 1e6, before, memory()]))


def main() -> None:
    """Measure each size and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", help="in AffectNet's layout; default: samples generated for this run")
    parser.add_argument("--sizes", default="1000,5000,20000", help="numbers of faces (default: 1000,5000,20000)")
    parser.add_argument("--side", type=int, default=64, help="side of the faces in pixels (default: 64)")
    parser.add_argument("--batches", type=int, default=200)
    parser.add_argument("--quick", action="store_true", help="1,000 and 2,000 faces, 20 batches")
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        return measure(args.measure[0], int(args.measure[1]), args.side, args.batches)
    sizes = [1000, 2000] if args.quick else [int(size) for size in args.sizes.split(",")]
    more = ["--side", str(args.side), "--batches", str(20 if args.quick else args.batches)]
    with tempfile.TemporaryDirectory() as scratch:
        environment = {**os.environ, "FER_KERAS_CACHE": f"{scratch}/cache", "TF_CPP_MIN_LOG_LEVEL": "3"}
        folder = args.folder or f"{scratch}/faces"
        if not args.folder:
            generate(Path(folder), max(sizes))
        print(f"{time.strftime('%Y-%m-%d')}, faces of {args.side} px\n")
        print("| faces | faces/s | processor time a face, us | MB before | after |\n|---:|---:|---:|---:|---:|")
        for size in sizes:
            command = [sys.executable, __file__, "--measure", folder, str(size), *more]
            answer = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment).stdout
            rate, spent, before, after = json.loads(answer.splitlines()[-1])
            print(f"| {size:,} | {rate:,.0f} | {spent:.0f} | {before:.0f} | {after:.0f} |", flush=True)


if __name__ == "__main__":
    main()
