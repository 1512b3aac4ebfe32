"""Reading faces by each engine against the engine alone on the same tensor, for 1 face and for 16.

  python benchmarks/engine_speed.py --model out --threads 1
  python benchmarks/engine_speed.py --quick

`--model` is a folder of exports; each installed engine reads by each of its files there. "alone" is one call of the engine on
the tensor as its file takes it, "read" is `Predictor.read_faces` on the same faces as uint8 arrays of the model's size:
checked, stacked, converted, run, calibrated and made into readings, one view each. The two alternate call by call, so that
other work on the machine meets both. Printed are the median of the wall time in milliseconds a call and of the ratios of
neighbouring calls, and the same of processor time, which other work stretches less.
"""

import argparse
import os
import time
from collections.abc import Callable
from statistics import median

import numpy as np

from fer_keras.bundled import bundled_model
from fer_keras.formats import ENGINES, FORMATS, engines_of
from fer_keras.prediction.predictor import Predictor
from fer_keras.runs.bundle import load_bundle


def files_to_run(model: str, wanted: list[str]) -> list[tuple[str, str]]:
    """Return (format, engine) for each file of a folder and each wanted engine that runs it and is installed."""
    bundle = load_bundle(model)
    found = []
    for name in FORMATS:
        if name not in bundle.exports or FORMATS[name].folder:
            continue
        path = bundle.directory / bundle.exports[name].file
        engines = [engine for engine in engines_of(path) if ENGINES[engine].installed] if path.exists() else []
        found += [(name, engine) for engine in engines if engine in wanted]
    return found


def load(model: str, name: str, engine: str, threads: int | None) -> Predictor:
    """Load one file of a folder by one engine."""
    bundle = load_bundle(model)
    return Predictor.load(bundle.directory / bundle.exports[name].file, engine, threads, tta="none")


def once(work: Callable[[], object]) -> tuple[float, float]:
    """Return the seconds of one call and of the processor."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def compare(predictor: Predictor, faces: np.ndarray, seconds: float) -> list[float]:
    """Return the median of the wall time alone (ms) and of the ratios of read to alone, and the same of processor time."""
    tensor, runtime = predictor.runtime._image.store(faces), predictor.runtime
    images = list(faces)
    works = (lambda: runtime._call(tensor), lambda: list(predictor.read_faces(images)))
    for work in works:
        once(work), once(work)
    rounds, ends = [], time.perf_counter() + seconds
    while time.perf_counter() < ends or len(rounds) < 10:
        rounds.append([*once(works[0]), *once(works[1])])
    alone, alone_cpu, read, read_cpu = np.array(rounds).T
    ratios = median(read / alone), median(read_cpu) / max(median(alone_cpu), 1e-9)
    return [1e3 * median(alone), ratios[0], 1e3 * median(alone_cpu), ratios[1]]


def main() -> None:
    """Print a row for each file, engine and number of faces."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=str(bundled_model()), help="a folder of exports; default: the bundled model")
    parser.add_argument("--engines", default=",".join(ENGINES), help="with commas between them; default: all")
    parser.add_argument("--threads", type=int, help="of the engines; default: the number of cores")
    parser.add_argument("--seconds", type=float, default=5.0, help="for each row")
    parser.add_argument("--quick", action="store_true", help="half a second a row")
    args = parser.parse_args()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    columns = ("file", "engine", "faces", "ms alone", "read / alone", "ms of processor alone", "read / alone")
    print(f"| {' | '.join(columns)} |\n|---|---{'|---:' * 5}|")
    for name, engine in files_to_run(args.model, args.engines.split(",")):
        predictor = load(args.model, name, engine, args.threads)
        faces = np.random.default_rng(0).integers(0, 256, (16, *predictor.image_size, 3), np.uint8)
        for count in (1, 16):
            found = compare(predictor, faces[:count], 0.5 if args.quick else args.seconds)
            cells = " | ".join(f"{value:.2f}" for value in found)
            print(f"| {name} | {engine} | {count} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
