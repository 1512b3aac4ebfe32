"""Whether memory stays flat over many predictions, engine by engine, each in a process of its own.

  python benchmarks/predict_memory.py --model runs/demo --count 10000

Reads random pictures of changing size, singly and in batches of changing size, as programs do, and prints the memory of
the process (resident set) every thousand predictions.
"""

import argparse
import json
import subprocess
import sys
import time

import numpy as np


def resident_mb() -> float:
    """Return the memory that this process holds, in MiB (Linux)."""
    with open("/proc/self/status", encoding="ascii") as file:
        line = next(line for line in file if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def watch(model: str, engine: str, count: int, every: int) -> list[tuple[int, float]]:
    """Return (predictions, MiB) every so many predictions."""
    from fer_keras import Predictor

    predictor = Predictor.load(model, engine=engine, batch_size=16)
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, (*rng.integers(40, 120, 2), 3), np.uint8) for _ in range(64)]
    done, marks = 0, []
    while done < count:
        size = int(rng.choice([1, 1, 1, 3, 16, 20]))
        predictor.read([pictures[number] for number in rng.integers(0, 64, size)])
        before, done = done, done + size
        if done // every > before // every:
            marks.append((done // every * every, round(resident_mb(), 1)))
    return marks


def main() -> None:
    """Start a process an engine and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="runs/demo", help="run or folder of exports with a file for each engine")
    parser.add_argument("--engines", default="litert,onnx,saved_model,keras")
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--every", type=int, default=1000)
    parser.add_argument("--watch", metavar="ENGINE", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.watch:
        print(json.dumps(watch(args.model, args.watch, args.count, args.every)))
        return
    found = {}
    for engine in args.engines.split(","):
        options = ["--model", args.model, "--count", str(args.count), "--every", str(args.every), "--watch", engine]
        done = subprocess.run([sys.executable, __file__, *options], stdout=subprocess.PIPE, text=True, check=True)
        found[engine] = json.loads(done.stdout)
    print(f"{args.model}, MiB resident after so many predictions, {time.strftime('%Y-%m-%d')}")
    print(f"| predictions | {' | '.join(found)} |\n|---:|{'---:|' * len(found)}")
    for row in zip(*found.values(), strict=True):
        print(f"| {row[0][0]:,} | {' | '.join(f'{memory:.1f}' for _, memory in row)} |")


if __name__ == "__main__":
    main()
