"""What reading costs by engine: a fresh process's time to its first face, the model's time with 1 and 16 faces, memory, size.

  python benchmarks/predict_start.py --model runs/demo
  python benchmarks/predict_start.py --model out --engines onnx,tflite,tflite-int8 --starts 9

Each start is a process of its own that imports the package, loads the model and reads one picture; engines take turns, so
that other work on the machine falls on all of them. Printed are the median and the extremes of the time to the first face,
the processor time until then, which other work on the machine stretches less, the medians of the model's own time and
processor time for a batch, the most memory held, and the size on disk of the model file and of the engine's package.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import cv2
import numpy as np

_CHILD = """
import importlib.util, json, pathlib, resource, sys, time
from statistics import median
begun = float(sys.argv[1])
from fer_keras import Predictor
predictor = Predictor.load(sys.argv[2], engine=sys.argv[3], threads=int(sys.argv[5]) or None)
predictor.read(sys.argv[4])
done, cpu = time.time(), time.process_time()

def seconds(work, clock=time.perf_counter, times=30):
    marks = []
    for _ in range(times):
        started = clock()
        work()
        marks.append(clock() - started)
    return median(marks)

import numpy as np
faces = np.random.default_rng(0).integers(0, 256, (16, *predictor.image_size, 3), np.uint8)
predictor.runtime.run(faces)
found = {
    "total": done - begun,
    "cpu": cpu,
    "read": seconds(lambda: predictor.read(sys.argv[4])),
    "one": seconds(lambda: predictor.runtime.run(faces[:1])),
    "sixteen": seconds(lambda: predictor.runtime.run(faces)),
    "one_cpu": seconds(lambda: predictor.runtime.run(faces[:1]), time.process_time),
    "sixteen_cpu": seconds(lambda: predictor.runtime.run(faces), time.process_time),
    "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
}
from fer_keras.formats import ENGINES

def size(path):
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return sum(file.stat().st_size for file in files) / 1e6

package = ENGINES[predictor.file.engine].package
found["file"] = size(predictor.file.path)
found["package"] = size(pathlib.Path(importlib.util.find_spec(package).origin).parent)
found["heavy"] = [name for name in ("tensorflow", "keras", "onnxruntime", "ai_edge_litert") if name in sys.modules]
print(json.dumps(found))
"""
_COLUMNS = (
    "engine",
    "start to first face s",
    "least",
    "most",
    "processor s",
    "next reads ms",
    "model, 1 face ms (processor)",
    "model, 16 faces ms (processor)",
    "memory MiB",
    "file MB",
    "package MB",
    "loaded",
)


def start(model: str, engine: str, picture: Path, threads: int) -> dict:
    """Return the seconds and sizes of one fresh process."""
    command = [sys.executable, "-c", _CHILD, str(time.time()), model, engine, str(picture), str(threads)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{engine}: {done.stderr.strip().splitlines()[-1]}")
    return json.loads(done.stdout)


def row(engine: str, runs: list[dict]) -> str:
    """Return an engine's line of the table, the first start, which warms the disk, left out."""
    total = [run["total"] for run in runs[1:]]
    middle = {key: median(run[key] for run in runs[1:]) for key in runs[0] if key != "heavy"}
    cells = [engine, *(f"{value:.2f}" for value in (median(total), min(total), max(total), middle["cpu"]))]
    cells += [f"{1000 * middle['read']:.1f}"]
    cells += [f"{1000 * middle[key]:.1f} ({1000 * middle[key + '_cpu']:.1f})" for key in ("one", "sixteen")]
    cells += [
        f"{middle['memory']:.0f}",
        f"{middle['file']:.1f}",
        f"{middle['package']:.0f}",
        ", ".join(runs[0]["heavy"]),
    ]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Start the processes and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="runs/demo", help="run or folder of exports with a file for each engine")
    parser.add_argument("--engines", default="litert,onnx,saved_model,keras", help="engines or formats")
    parser.add_argument("--starts", type=int, default=7, help="processes per engine")
    parser.add_argument("--threads", type=int, default=0, help="of the engine; default: the number of cores")
    args = parser.parse_args()
    engines = args.engines.split(",")
    with tempfile.TemporaryDirectory() as scratch:
        picture = Path(scratch) / "face.png"
        noise = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
        cv2.imwrite(str(picture), cv2.resize(noise, (128, 128)))
        found = {engine: [] for engine in engines}
        for _ in range(args.starts + 1):
            for engine in engines:
                found[engine].append(start(args.model, engine, picture, args.threads))
    print(f"{args.model}, {args.starts} starts per engine after one to warm the disk, {time.strftime('%Y-%m-%d')}")
    print(f"| {' | '.join(_COLUMNS)} |\n|---|{'---:|' * (len(_COLUMNS) - 2)}---|")
    print("\n".join(row(engine, runs) for engine, runs in found.items()))


if __name__ == "__main__":
    main()
