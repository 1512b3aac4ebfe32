"""How long a fresh process takes from its start to the first face read, engine by engine.

  python benchmarks/predict_start.py --model runs/demo

Each start is a process of its own that imports the package, loads the model and reads one picture; engines take turns, so
that other work on the machine falls on all of them. Printed are the medians and the extremes, the processor
time until the first face, which other work on the machine stretches less, and the packages loaded.
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

import cv2
import numpy as np

_CHILD = """
import json, sys, time
begun = float(sys.argv[1])
from fer_keras import Predictor
imported = time.time()
predictor = Predictor.load(sys.argv[2], engine=sys.argv[3])
loaded = time.time()
predictor.read(sys.argv[4])
done, cpu = time.time(), time.process_time()
for _ in range(20):
    predictor.read(sys.argv[4])
warm = (time.time() - done) / 20
heavy = [name for name in ("tensorflow", "keras", "onnxruntime", "ai_edge_litert") if name in sys.modules]
seconds = {"total": done - begun, "cpu": cpu, "load": loaded - imported, "first": done - loaded, "warm": warm}
print(json.dumps({**seconds, "heavy": heavy}))
"""


def start(model: str, engine: str, picture: Path) -> dict:
    """Return the seconds of one fresh process."""
    command = [sys.executable, "-c", _CHILD, str(time.time()), model, engine, str(picture)]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"})
    if done.returncode:
        raise SystemExit(f"{engine}: {done.stderr.strip().splitlines()[-1]}")
    return json.loads(done.stdout)


def main() -> None:
    """Start the processes and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="runs/demo", help="run or folder of exports with a file for each engine")
    parser.add_argument("--engines", default="litert,onnx,saved_model,keras")
    parser.add_argument("--starts", type=int, default=7, help="processes an engine")
    args = parser.parse_args()
    engines = args.engines.split(",")
    with tempfile.TemporaryDirectory() as scratch:
        picture = Path(scratch) / "face.png"
        noise = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
        cv2.imwrite(str(picture), cv2.resize(noise, (128, 128)))
        found = {engine: [] for engine in engines}
        for _ in range(args.starts + 1):
            for engine in engines:
                found[engine].append(start(args.model, engine, picture))
    print(f"{args.model}, {args.starts} starts an engine after one to warm the disk, {time.strftime('%Y-%m-%d')}")
    print(
        "| engine | start to first face s | least | most | processor s | load s | first face s | next faces ms | loaded |"
    )
    print("|---|---:|---:|---:|---:|---:|---:|---:|---|")
    for engine, runs in found.items():
        total = [run["total"] for run in runs[1:]]
        cpu, load, first, warm = (median(run[key] for run in runs[1:]) for key in ("cpu", "load", "first", "warm"))
        print(
            f"| {engine} | {median(total):.2f} | {min(total):.2f} | {max(total):.2f} | {cpu:.2f} | {load:.2f} | {first:.3f} "
            f"| {1000 * warm:.1f} | {', '.join(runs[0]['heavy'])} |"
        )


if __name__ == "__main__":
    main()
