"""How fast faces come from single files, from prepared shards, and from memory.

  python benchmarks/prepared_speed.py --samples 20000

Generates samples in AffectNet's layout (five tiny files each), prepares them as TFRecord and as ArrayRecord, then times for
each place: the first start (index made), a second start (index from its cache) until the first batch is there, and the faces
a second that the training pipeline gives, not augmented. Files are in the disk cache of the operating system, as after any
first epoch that fits it; from a network drive, which is what shards are for, single files are far slower than here.
"""

import argparse
import itertools
import os
import tempfile
import time
from pathlib import Path

from index_speed import generate

BATCH = 128


def start(place: Path, size: int, cache: str):
    """Return the training pipeline of a folder, its first batch taken, and the seconds until then."""
    from fer_keras.batches.batches import TrainingBatches
    from fer_keras.batches.inputs import open_split
    from fer_keras.batches.pipeline import training_data
    from fer_keras.data.loading import load_faces

    started = time.perf_counter()
    index = load_faces("affectnet", str(place), validation_fraction=0.0)
    opened = open_split(index, (size, size), index.spec.targets, cache=cache)
    batches = iter(training_data(TrainingBatches(opened.loader, opened.targets, BATCH), 0, 3))
    next(batches)
    return batches, len(index), time.perf_counter() - started


def throughput(batches, faces: int, passes: int) -> float:
    """Return faces a second over one pass, after `passes` earlier ones."""
    steps = faces // BATCH
    for _ in itertools.islice(batches, passes * steps - 1):
        pass
    started = time.perf_counter()
    for _ in itertools.islice(batches, steps):
        pass
    return steps * BATCH / (time.perf_counter() - started)


def main() -> None:
    """Make the three sets, time each and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=20_000)
    parser.add_argument("--size", type=int, default=96, help="side of the faces in pixels (default: 96)")
    args = parser.parse_args()
    from fer_keras.batches.shards import FILE_FORMATS, prepare_set
    from fer_keras.data.loading import load_index
    from fer_keras.readers.spec import load_spec

    with tempfile.TemporaryDirectory() as scratch:
        os.environ["FER_KERAS_CACHE"] = f"{scratch}/cache"
        files = Path(scratch) / "files"
        generate(files, args.samples, args.size)
        index = load_index(load_spec("affectnet"), files, Path(scratch) / "aside")
        places, seconds = {"single files": files}, {}
        for name in FILE_FORMATS:
            started = time.perf_counter()
            places[f"prepared, {name}"] = Path(scratch) / name
            prepare_set(index, Path(scratch) / name, args.size, file_format=name)
            seconds[f"prepared, {name}"] = time.perf_counter() - started
        print(f"{args.samples:,} faces of {args.size} px, {time.strftime('%Y-%m-%d')}\n")
        print("| from | prepared in s | first start s | second start s | faces/s |\n|---|---:|---:|---:|---:|")
        for name, place in places.items():
            first = start(place, args.size, "none")[2]
            batches, faces, second = start(place, args.size, "none")
            prepared = f"{seconds[name]:.0f}" if name in seconds else ""
            print(
                f"| {name} | {prepared} | {first:.1f} | {second:.1f} | {throughput(batches, faces, 1):,.0f} |",
                flush=True,
            )
        batches, faces, second = start(files, args.size, "memory")
        print(f"| memory, second pass | | | {second:.1f} | {throughput(batches, faces, 1):,.0f} |")


if __name__ == "__main__":
    main()
