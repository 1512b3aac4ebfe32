"""What keeping freed memory gains in training on a CPU.

  python benchmarks/cpu_memory.py

Trains the small backbone on random faces in two processes, with the C library's defaults and with
`fer_keras.training.machine.keep_freed_memory`, in turn, and prints images per second and the ratio of each pair.
"""

import argparse
import subprocess
import sys
import time

STEP = """
import sys, time, numpy as np, keras, tensorflow as tf
from fer_keras.training.machine import keep_freed_memory
from fer_keras.models.build import build_model
if sys.argv[1] == "keep":
    keep_freed_memory()
model = build_model("small", int(sys.argv[2]), ("emotion",))
model.compile("adam", loss="categorical_crossentropy", jit_compile=False)
rng = np.random.default_rng(0)
batch = rng.uniform(0, 255, (128, int(sys.argv[2]), int(sys.argv[2]), 3)).astype("float32")
labels = {"emotion": np.eye(8, dtype="float32")[rng.integers(0, 8, 128)]}
for _ in range(3):
    model.train_on_batch(batch, labels)
started = time.perf_counter()
for _ in range(int(sys.argv[3])):
    model.train_on_batch(batch, labels)
print(128 * int(sys.argv[3]) / (time.perf_counter() - started))
"""


def speed(mode: str, side: int, steps: int) -> float:
    """Return the images per second of one fresh process."""
    command = [sys.executable, "-c", STEP, mode, str(side), str(steps)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[-1])


def main() -> None:
    """Run the pairs and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--image-size", type=int, default=48)
    parser.add_argument("--steps", type=int, default=20)
    args = parser.parse_args()
    print(f"small backbone, {args.image_size} px, batch 128, {args.steps} steps, {time.strftime('%Y-%m-%d')}")
    print("| pair | default images/s | kept images/s | ratio |\n|---:|---:|---:|---:|")
    for pair in range(1, args.pairs + 1):
        plain, kept = speed("default", args.image_size, args.steps), speed("keep", args.image_size, args.steps)
        print(f"| {pair} | {plain:.0f} | {kept:.0f} | {kept / plain:.2f} |", flush=True)


if __name__ == "__main__":
    main()
