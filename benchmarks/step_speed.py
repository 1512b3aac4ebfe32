"""What a training step costs beside the bare model's: metrics, masks and callbacks, the input, number types, kernels.

  python benchmarks/step_speed.py --quick
  python benchmarks/step_speed.py --backbones small,compact,face_resnet --rounds 3

In one process, one epoch of each in turn, so that other work on the machine meets all alike:

- bare: `build_model` with Keras's losses, on batches that lie in memory, without metrics, weights and callbacks;
- plain: the same with Keras's metrics of our kinds (accuracy, F1; concordance, Pearson, RMSE, MAE of each axis);
- ours: what `fer_keras.train` compiles, with the callbacks that it gives to `fit`, on the same batches in memory;
- pipeline: the same on its input pipeline, faces cached in memory, with the default augmentation;
- files: the same, each face read from its file every time;
- bfloat16: as ours, with --mixed-precision bfloat16.

Then "ours" in fresh processes, with TensorFlow's oneDNN kernels off and on, and on one thread. --package adds the first
table by another copy of fer_keras that has today's modules.

Times are those of a step's processor time and wall time per face; ratios are medians over rounds, with their range.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

#: What is trained in one process -> what it is compared with.
VARIANTS = {
    "bare": None,
    "plain": "bare",
    "ours": "plain",
    "pipeline": "ours",
    "files": "ours",
    "bfloat16": "ours",
}
PROCESSES_BESIDE = {"oneDNN on": "oneDNN off", "oneDNN on, one thread": "oneDNN on"}
_FIRST = 4  # steps until the input runs evenly
GOALS = {"ours": "1.03", "pipeline": "1.05"}
PROCESSES = {
    "oneDNN off": {"TF_ENABLE_ONEDNN_OPTS": "0"},
    "oneDNN on": {"TF_ENABLE_ONEDNN_OPTS": "1"},
    "oneDNN on, one thread": {
        "TF_ENABLE_ONEDNN_OPTS": "1",
        "TF_NUM_INTRAOP_THREADS": "1",
        "TF_NUM_INTEROP_THREADS": "1",
    },
}
Times = tuple[float, float]  # processor and wall time


def open_trainer(folder: Path, backbone: str, args: argparse.Namespace, **settings):
    """Return a `Trainer` on the drawn faces of a folder."""
    from fer_keras.batches.inputs import open_training_splits
    from fer_keras.config.run_config import RunConfig
    from fer_keras.data.loading import load_faces
    from fer_keras.runs.run_directory import open_run
    from fer_keras.training.machine import set_up
    from fer_keras.training.trainer import Trainer
    from fer_keras.training.training_run import resolve

    set_up(0)
    settings |= {"backbone": backbone, "image_size": args.image_size, "batch_size": args.batch_size, "weights": "none"}
    places = {"data_dir": str(folder / "faces"), "output_dir": tempfile.mkdtemp(dir=folder)}
    config = resolve(RunConfig.of(validation_fraction=0.0, monitor="loss", **places, **settings))
    open_run(config, False, True)
    return Trainer(config, *open_training_splits(config, load_faces(config.data)))


def in_memory(trainer, *, weighted: bool):
    """Return the batches of one epoch as tensors, again and again."""
    import tensorflow as tf

    batches = [trainer.batches.load(*element) for element in trainer.batches.schedule(0, 1)]
    stacked = tf.nest.map_structure(lambda *arrays: tf.stack(arrays), *batches)
    return tf.data.Dataset.from_tensor_slices(stacked if weighted else stacked[:2]).repeat()


def keras_model(trainer, *, metrics: bool):
    """Return the trainer's model with Keras's own losses and, if asked for, metrics."""
    import keras

    from fer_keras.models.build import build_model

    kinds = keras.metrics
    of_axis = [
        kinds.ConcordanceCorrelation,
        kinds.PearsonCorrelation,
        kinds.RootMeanSquaredError,
        kinds.MeanAbsoluteError,
    ]
    axes = {name: [kind() for kind in of_axis] for name in ("valence", "arousal")}
    scores = {"emotion": [kinds.CategoricalAccuracy(), kinds.F1Score(average="macro")], **axes}
    model = build_model(trainer.config.model, trainer.config.data.image_size)
    losses = {"emotion": "categorical_crossentropy", "valence": "mse", "arousal": "mse"}
    model.compile("adam", losses, metrics=scores if metrics else None, jit_compile=False)
    return model


def timed_fit(model, data: Callable, steps: int, callbacks=()) -> Callable[[], Times]:
    """Return a function that fits for some steps and returns what each took, the first four left out."""
    import keras

    class Watch(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            if batch == _FIRST:
                self.started = time.process_time(), time.perf_counter()

        def on_train_batch_end(self, batch, logs=None):
            self.ended = time.process_time(), time.perf_counter()

    def run() -> Times:
        watch = Watch()
        model.fit(
            data(), steps_per_epoch=_FIRST + steps, callbacks=[*callbacks, watch], verbose=0, shuffle=False
        )  # fmt: skip
        return tuple(end - start for end, start in zip(watch.ended, watch.started, strict=True))

    return run


def build_variant(name: str, folder: Path, backbone: str, args: argparse.Namespace) -> Callable[[], Times]:
    """Return a function that trains for some steps in one of the ways that the module's docstring lists."""
    from fer_keras.batches.pipeline import training_data
    from fer_keras.training.keeper import RunKeeper
    from fer_keras.training.stages import plan_stages

    settings = {"cache": "none" if name == "files" else "memory", "early_stopping": 0}
    trainer = open_trainer(
        folder, backbone, args, mixed_precision="bfloat16" if name == "bfloat16" else "none", **settings
    )
    if name in ("bare", "plain"):
        held = in_memory(trainer, weighted=False)
        return timed_fit(keras_model(trainer, metrics=name == "plain"), lambda: held, args.steps)
    (stage,) = plan_stages(trainer.config)
    callbacks = trainer._callbacks(RunKeeper(trainer, stage), None)
    if name in ("pipeline", "files"):
        trainer.train.loader.load(range(len(trainer.train.loader)))  # into the cache, or the system's
        return timed_fit(
            trainer.compile_stage(stage), lambda: training_data(trainer.batches, 0, 99), args.steps, callbacks
        )
    held = in_memory(trainer, weighted=True)
    return timed_fit(trainer.compile_stage(stage), lambda: held, args.steps, callbacks)


def measure(names: list[str], backbone: str, args: argparse.Namespace) -> dict[str, list[Times]]:
    """Return the milliseconds per face of each variant in each round, in this process."""
    from fer_keras.synthetic.dataset import write_synthetic

    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_synthetic(folder / "faces", train=8 * args.batch_size, val=0, size=args.image_size, seed=0)
        runs = {name: build_variant(name, folder, backbone, args) for name in names}
        for run in runs.values():
            run()  # traces
        found: dict[str, list[Times]] = {name: [] for name in names}
        for _ in range(args.rounds):
            for name, run in runs.items():
                faces = args.steps * args.batch_size
                found[name].append(tuple(1000 * seconds / faces for seconds in run()))
    return found


def measure_apart(names: list[str], backbone: str, args: argparse.Namespace, **environment: str) -> dict:
    """Return what `measure` does in a fresh process."""
    command = [sys.executable, __file__, "--inside", ",".join(names), "--backbones", backbone]
    for option in ("image_size", "batch_size", "steps", "rounds"):
        command += ["--" + option.replace("_", "-"), str(getattr(args, option))]
    done = subprocess.run(command, env={**os.environ, **environment}, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def ratio(found: list[Times], beside: list[Times], column: int) -> str:
    """Return the median of the rounds' ratios and their range."""
    ratios = [one[column] / other[column] for one, other in zip(found, beside, strict=True)]
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


def rows(found: dict[str, list[Times]], beside: dict[str, str]) -> Iterator[str]:
    """Yield a row of the table for each variant."""
    for name, times in found.items():
        cpu, wall = (statistics.median(time[column] for time in times) for column in (0, 1))
        other = beside.get(name)
        compared = [ratio(times, found[other], column) for column in (0, 1)] if other else ["", ""]
        goal = GOALS.get(name, "")
        yield f"{name} | {cpu:.2f} | {wall:.2f} | {other or ''} | {compared[0]} | {compared[1]} | {goal}"


def processes(backbone: str, args: argparse.Namespace) -> dict[str, list[Times]]:
    """Return the times of "ours" in a fresh process for each round and setting, in turn."""
    once = argparse.Namespace(**{**vars(args), "rounds": 1})
    found: dict[str, list[Times]] = {name: [] for name in PROCESSES}
    for _ in range(args.rounds):
        for name, environment in PROCESSES.items():
            found[name] += measure_apart(["ours"], backbone, once, **environment)["ours"]
    return found


def tables(backbone: str, args: argparse.Namespace) -> Iterator[tuple[dict, dict]]:
    """Yield the times of each table, and what each line is compared with."""
    names = args.only.split(",") if args.only else list(VARIANTS)
    beside = {name: other for name, other in VARIANTS.items() if other in names or other is None}
    yield measure_apart(names, backbone, args), beside
    if args.package:
        found = measure_apart(names, backbone, args, PYTHONPATH=args.package)
        by = f", by {args.package}"
        yield (
            {name + by: times for name, times in found.items()},
            {name + by: other + by for name, other in beside.items() if other},
        )
    if not args.only:
        yield processes(backbone, args), PROCESSES_BESIDE


def main() -> None:
    """Measure each backbone and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backbones", default="small,compact")
    parser.add_argument("--image-size", type=int, default=64)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--steps", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--quick", action="store_true", help="the small net only, few steps, one round: a minute or two"
    )
    parser.add_argument("--package", metavar="DIR", help="folder of another copy of fer_keras")
    parser.add_argument("--only", help="some of the first table's lines, with commas between, and no second table")
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.inside:
        print("\n" + json.dumps(measure(args.inside.split(","), args.backbones, args)))
        return
    if args.quick:
        args.backbones, args.steps, args.rounds = "small", 6, 1
    print(
        f"{args.image_size} px, batch {args.batch_size}, {args.steps} steps, {args.rounds} rounds, {time.strftime('%F')}"
    )
    print("| backbone | what | CPU ms/face | wall ms/face | beside | CPU ratio | wall ratio | goal |")
    print("|---|---|---:|---:|---|---:|---:|---:|")
    for backbone in args.backbones.split(","):
        for found, beside in tables(backbone, args):
            for row in rows(found, beside):
                print(f"| {backbone} | {row} |", flush=True)


if __name__ == "__main__":
    main()
