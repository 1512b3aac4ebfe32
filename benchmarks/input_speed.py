"""How many JPEG faces a second the training pipeline feeds, beside decoding alone and beside other loaders.

  python benchmarks/input_speed.py --package ../before --peers VENV/bin/python
  python benchmarks/input_speed.py --quick

Generates faces of 224 px (textured noise, about 16 kB each) in folders named after emotions, and copies of them in shards.
Then, round by round and each in an interpreter of its own that may use 1 and then 2 cores: the limit, which is
`cv2.imdecode` on as many threads, each with its part of the files, already read; fer_keras's pipeline (decode, change, batch,
prefetch), from files and from shards; with --package, the same from files by another copy of fer_keras (another checkout,
back to 2026-11-21); `keras.utils.image_dataset_from_directory`, with Keras's layers; and, with --peers and the Python of an
environment that has them, PyTorch's DataLoader and Grain. Passes over all faces warm up, the next ones are timed. The disk
cache is warm. `default` is what `train` does to faces if it is told nothing; `ferplus_compact` is today's recipe;
`memory returned` is the default without `keep_freed_memory`.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

import cv2
import numpy as np

SIZE, BATCH = 224, 64
BEFORE = ", by "  # between a line and the other copy that it is measured with
CHANGES, RETURNED = "INPUT_SPEED_CHANGES", ", memory returned"
PEERS = Path(__file__).with_name("foreign") / "feed_faces.py"


def write_faces(folder: Path, count: int, quality: int = 90) -> None:
    """Write faces: smooth colours with coarse and fine texture, as many bytes as photos of that size have."""
    rng = np.random.default_rng(0)
    for number in range(count):
        place = folder / "train" / ("happy", "sad", "anger", "fear")[number % 4]
        place.mkdir(parents=True, exist_ok=True)
        smooth = cv2.resize(rng.integers(0, 255, (7, 7, 3), np.uint8), (SIZE, SIZE), interpolation=cv2.INTER_CUBIC)
        coarse = cv2.resize(rng.normal(0, 18, (56, 56)), (SIZE, SIZE))
        texture = coarse + rng.normal(0, 4, (SIZE, SIZE))
        face = np.clip(smooth + texture[..., None], 0, 255).astype(np.uint8)
        cv2.imwrite(str(place / f"{number}.jpg"), face, [cv2.IMWRITE_JPEG_QUALITY, quality])


#: Faces a second, and microseconds of all threads' processor time for each.
Pace = tuple[float, float]


def decode_alone(folder: Path, threads: int, how: str) -> Pace:
    """Return the pace of OpenCV's libjpeg-turbo, files in memory: each thread goes through its part of them."""
    files = [np.fromfile(path, np.uint8) for path in sorted(folder.rglob("*.jpg"))]
    parts = [files[first::threads] for first in range(threads)]

    def decode(part) -> None:
        for data in part:
            cv2.imdecode(data, cv2.IMREAD_COLOR)

    cv2.setNumThreads(1)
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(decode, parts))
        passes = passes_of(len(files))
        started = time.perf_counter(), time.process_time()
        for _ in range(passes):
            list(pool.map(decode, parts))
        return pace(passes * len(files), started)


def ours(folder: Path, threads: int, how: str) -> Pace:
    """Return the pace of the training pipeline, of the copy of fer_keras that this interpreter finds."""
    from own_input import training_batches

    changes = json.loads(os.environ[CHANGES])[how.removesuffix(RETURNED)]
    freed = "returned" if how.endswith(RETURNED) else "kept"
    more = {"changes": changes, "threads": threads, "epochs": 99, "freed_memory": freed}
    return timed(*training_batches(folder, SIZE, BATCH, **more))


def keras_own(folder: Path, threads: int, how: str) -> Pace:
    """Return the pace of Keras's own pipeline, with its layers for the default changes."""
    import keras
    import tensorflow as tf

    size = {"image_size": (SIZE, SIZE), "batch_size": BATCH}
    data = keras.utils.image_dataset_from_directory(folder / "train", shuffle=True, seed=0, verbose=False, **size)
    if how == "default":
        layers = [
            keras.layers.RandomFlip("horizontal"),
            keras.layers.RandomRotation(15 / 360, fill_mode="nearest"),
            keras.layers.RandomZoom(0.1, fill_mode="nearest"),
            keras.layers.RandomTranslation(0.1, 0.1, fill_mode="nearest"),
            keras.layers.RandomBrightness(0.1),
            keras.layers.RandomContrast(0.1),
        ]

        def change(faces, labels):
            for layer in layers:
                faces = layer(faces, training=True)
            return faces, labels

        data = data.map(change, num_parallel_calls=threads).prefetch(2)
    options = tf.data.Options()
    options.threading.private_threadpool_size = threads
    steps = len(list(folder.rglob("*.jpg"))) // BATCH
    return timed(iter(data.repeat().with_options(options)), steps)


def timed(batches, steps: int) -> Pace:
    """Return the pace after two passes or a few seconds, when all buffers are there."""
    _, started = take(batches, 2 * steps), (time.perf_counter(), time.process_time())
    return pace(take(batches, passes_of(steps * BATCH) * steps) * BATCH, started)


def take(batches, most: int, seconds: float = 4.0) -> int:
    """Take batches, at most so many and for about so long; return how many."""
    end = time.perf_counter() + seconds
    for number in range(most):
        next(batches)
        if time.perf_counter() > end:
            return number + 1
    return most


def passes_of(faces: int) -> int:
    """Return how many passes over a number of faces are timed: some thousand faces."""
    return -(-4000 // faces)


def pace(faces: int, started: tuple[float, float]) -> Pace:
    """Return the pace of faces that were begun at a time of the clock and of the processor."""
    return faces / (time.perf_counter() - started[0]), (time.process_time() - started[1]) / faces * 1e6


#: Line of the table -> who makes it, how, and the folder of the faces.
OWN = {
    "decoding alone": (decode_alone, "plain", "files"),
    "fer_keras": (ours, "plain", "files"),
    "fer_keras, default": (ours, "default", "files"),
    "fer_keras, default, memory returned": (ours, "default" + RETURNED, "files"),
    "fer_keras, ferplus_compact": (ours, "ferplus_compact", "files"),
    "fer_keras, JPEG shards": (ours, "plain", "jpeg"),
    "fer_keras, PNG shards": (ours, "plain", "png"),
    "Keras": (keras_own, "plain", "files"),
    "Keras layers, default": (keras_own, "default", "files"),
}


def measure(line: str, folder: Path, threads: int, args: argparse.Namespace) -> Pace:
    """Return the pace of one line, on the first cores only; NaN for processor time that is not known."""
    name, _, package = line.partition(BEFORE)
    command = [sys.executable, __file__, "--measure", name, str(folder), str(threads)]
    if name not in OWN:
        peer, _, how = name.partition(", ")
        command = [
            args.peers,
            str(PEERS),
            peer,
            str(folder / "files"),
            str(threads),
            str(BATCH),
            *([how] if how else []),
        ]
    cores = sorted(os.sched_getaffinity(0))[:threads]
    environment = {
        **os.environ,
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "CUDA_VISIBLE_DEVICES": "",
        CHANGES: json.dumps(changes()),
    }
    if package:
        environment |= {"PYTHONPATH": package, "FER_KERAS_CACHE": os.environ["FER_KERAS_CACHE"] + "-before"}
    limit = {"preexec_fn": lambda: os.sched_setaffinity(0, cores)}
    answer = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment, **limit)
    rate, spent = json.loads(answer.stdout.splitlines()[-1])
    return rate, float("nan") if spent is None else spent


def changes() -> dict[str, dict | None]:
    """Return the settings of each kind of augmentation."""
    from fer_keras.config.run_config import AugmentConfig
    from fer_keras.recipes import load_recipe

    recipe = "ferplus_compact"
    return {"plain": None, "default": asdict(AugmentConfig()), recipe: asdict(load_recipe(recipe).augment)}


def prepare(folder: Path, count: int) -> None:
    """Write the files and their shards, where they are not there yet."""
    from fer_keras.batches.image_format import IMAGE_FORMATS, ImageFormat
    from fer_keras.batches.shards import prepare_set
    from fer_keras.data.loading import load_faces

    write_faces(folder / "files", count)
    index = load_faces("image_folder", str(folder / "files"), validation_fraction=0.0)
    for name in IMAGE_FORMATS:
        prepare_set(index, folder / name, SIZE, image_format=ImageFormat(name))


def print_table(found: dict[int, dict[str, list[Pace]]]) -> None:
    """Print of each line the median pace, and each round's shares of decoding alone."""
    heads = ("faces/s", "of decoding alone", "processor time, of decoding's")
    titles = [f"{threads} core{'s' * (threads > 1)}: {head}" for threads in found for head in heads]
    print(f"| | {' | '.join(titles)} |\n|---|{'---:|---|---|' * len(found)}")
    for line in next(iter(found.values())):
        cells = []
        for rounds in found.values():
            rates, shares = [rate for rate, _ in rounds[line]], []
            for (rate, spent), (limit, least) in zip(rounds[line], rounds["decoding alone"], strict=True):
                shares.append((rate / limit, spent / least))
            spent = [ratio for _, ratio in shares if ratio == ratio]
            texts = (", ".join(f"{part:.2f}" for part in parts) for parts in ([share for share, _ in shares], spent))
            cells += [f"{statistics.median(rates):,.0f}", *texts]
        print(f"| {line} | {' | '.join(cells)} |")


def chosen_lines(args: argparse.Namespace) -> list[str]:
    """Return the lines of the table that were asked for."""
    peers = [f"{name}{how}" for name in ("torch", "grain") for how in ("", ", default")] if args.peers else []
    files = [line for line, (_, _, place) in OWN.items() if "fer_keras" in line and place == "files"]
    before = [f"{line}{BEFORE}{args.package}" for line in files] if args.package else []
    lines = [line for line in (*OWN, *before, *peers) if not (args.quick and "shards" in line)]
    asked = ["decoding alone", *args.lines.split(";")] if args.lines else lines
    return [line for line in lines if line in asked or line.partition(BEFORE)[0] in asked]


def main() -> None:
    """Run the rounds and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", default="1,2", help="numbers of cores (default: 1,2)")
    parser.add_argument("--peers", metavar="PYTHON", help="of an environment with torch, torchvision, grain and OpenCV")
    parser.add_argument("--package", metavar="DIR", help="folder of another copy of fer_keras")
    parser.add_argument("--lines", help="some of the lines, with semicolons between; decoding alone is always there")
    parser.add_argument("--folder", help="where the faces are kept for the next run (default: nowhere)")
    parser.add_argument("--quick", action="store_true", help="256 faces, one round, without shards")
    parser.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        line, folder, threads = args.measure
        run, how, place = OWN[line]
        print(json.dumps(run(Path(folder) / place, int(threads), how)))
        return
    lines = chosen_lines(args)
    rounds, threads = 1 if args.quick else args.rounds, [int(count) for count in args.threads.split(",")]
    found = {count: {line: [] for line in lines} for count in threads}
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["FER_KERAS_CACHE"] = f"{scratch}/cache"
        folder = Path(args.folder or scratch)
        if not (folder / "files").exists():
            if args.quick:
                write_faces(folder / "files", 256)
            else:
                prepare(folder, args.faces)
        for _ in range(rounds):
            for count, line in ((count, line) for count in threads for line in lines):
                found[count][line].append(measure(line, folder, count, args))
    print(f"{time.strftime('%Y-%m-%d')}, {rounds} rounds, faces of {SIZE} px in batches of {BATCH}\n")
    print_table(found)


if __name__ == "__main__":
    main()
