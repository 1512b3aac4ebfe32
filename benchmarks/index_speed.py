"""How fast a folder in AffectNet's layout is indexed, beside a loop of numpy.load over the same files.

  python benchmarks/index_speed.py --samples 20000

Generates the samples (five tiny files each), then in turn, pair by pair: the loop that opens every annotation with
`numpy.load`, and `load_index` without its cache, which also reads, checks and hashes every image. Last, `load_index` with
its cache.
"""

import argparse
import shutil
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

from fer_keras.data.loading import load_index
from fer_keras.readers.spec import load_spec


def generate(folder: Path, samples: int, size: int = 64) -> None:
    """Write samples with the release's types; images are enlarged noise of `size` px, all different."""
    images, annotations = folder / "train_set" / "images", folder / "train_set" / "annotations"
    images.mkdir(parents=True)
    annotations.mkdir()
    rng = np.random.default_rng(0)
    for number in range(samples):
        noise = rng.integers(0, 255, (8, 8, 3), np.uint8)
        cv2.imwrite(str(images / f"{number}.jpg"), cv2.resize(noise, (size, size)))
        np.save(annotations / f"{number}_exp.npy", np.array(str(rng.integers(0, 8))))
        np.save(annotations / f"{number}_val.npy", np.array(f"{rng.uniform(-1, 1):.6f}"))
        np.save(annotations / f"{number}_aro.npy", np.array(f"{rng.uniform(-1, 1):.6f}"))
        np.save(annotations / f"{number}_lnd.npy", rng.uniform(-5, size + 5, 136))


def loop(folder: Path) -> float:
    """Return the seconds that a loop of numpy.load takes over every annotation."""
    started = time.perf_counter()
    for path in (folder / "train_set" / "images").iterdir():
        stem = folder / "train_set" / "annotations" / path.stem
        for what in ("exp", "val", "aro", "lnd"):
            np.load(f"{stem}_{what}.npy")
    return time.perf_counter() - started


def index(folder: Path, cache: Path) -> float:
    """Return the seconds that `load_index` takes."""
    started = time.perf_counter()
    load_index(load_spec("affectnet"), folder, cache)
    return time.perf_counter() - started


def main() -> None:
    """Run the pairs and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=20_000)
    parser.add_argument("--pairs", type=int, default=3)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder, cache = Path(scratch) / "faces", Path(scratch) / "cache"
        generate(folder, args.samples)
        index(folder, cache)  # warms the disk cache and the processes for both
        print(f"{args.samples:,} samples, {time.strftime('%Y-%m-%d')}")
        print("| pair | numpy.load s | index s | ratio | cached index s |\n|---:|---:|---:|---:|---:|")
        for pair in range(1, args.pairs + 1):
            plain = loop(folder)
            shutil.rmtree(cache)
            built, cached = index(folder, cache), index(folder, cache)
            print(f"| {pair} | {plain:.2f} | {built:.2f} | {plain / built:.1f} | {cached:.2f} |", flush=True)


if __name__ == "__main__":
    main()
