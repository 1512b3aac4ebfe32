"""Train a model of facial expression and write a run directory.

python -m fer_keras.train
python -m fer_keras.train --data-spec affectnet --data-dir AffectNet --backbone resnet50 --output-dir runs/affectnet
python -m fer_keras.train --recipe ferplus_compact --data-dir ferplus.npz --output-dir runs/compact
python -m fer_keras.train --config run.toml
python -m fer_keras.train --output-dir runs/affectnet --resume
KERAS_BACKEND=jax python -m fer_keras.train --machines 10.0.0.1:8476,10.0.0.2 --machine 0 ... (and --machine 1 there)
"""

import json
import os
import sys
from pathlib import Path

from fer_keras.cli import Parser, run_cli
from fer_keras.config.config_file import load_config
from fer_keras.config.file_limits import FileLimits
from fer_keras.config.run_config import RunConfig
from fer_keras.config.settings import add_flags, given_flags, settings_from
from fer_keras.recipes import load_recipe, recipe_names


def build_parser() -> Parser:
    """Return the parser of this command line; its flags are the settings of `RunConfig`."""
    parser = Parser(prog="python -m fer_keras.train", description=__doc__)
    parser.add_argument(
        "--recipe",
        metavar="NAME",
        help=f"recipe by name ({', '.join(recipe_names())}) or path; --config overrides its values",
    )
    parser.add_argument("--config", metavar="FILE", help="TOML file with any of the keys below; flags override it")
    again = parser.add_mutually_exclusive_group()
    again.add_argument("--resume", action="store_true", help="continue the run in --output-dir, with its configuration")
    again.add_argument("--overwrite", action="store_true", help="replace the run in --output-dir")
    parser.add_argument(
        "--machines",
        metavar="LIST",
        help="address:port of the first machine and addresses of the others, with commas between them",
    )
    parser.add_argument("--machine", type=int, default=0, metavar="N", help="place of this machine among them, from 0")
    add_flags(parser, FileLimits)
    add_flags(parser, RunConfig)
    return parser


def resolve_config(args) -> RunConfig:
    """Return the configuration of a run: the flags given, over a TOML file, over a recipe, over the defaults.

    With `--resume` and neither file nor recipe, the configuration of the run in the output directory replaces the defaults.

    Args:
        args: parsed arguments of `build_parser`.
    """
    from fer_keras.runs.run_directory import CONFIG_FILE  # not for --help: it loads NumPy

    values = given_flags(args, RunConfig)
    config = load_recipe(args.recipe) if args.recipe else RunConfig()
    config = load_config(args.config, config) if args.config else config
    saved = Path(values.get("output_dir", config.training.output_dir)) / CONFIG_FILE
    if args.resume and not (args.config or args.recipe) and saved.is_file():
        config = load_config(saved)
    return config.replace(**values)


def main(argv: list[str] | None = None) -> int:
    """Run the command line; see `build_parser`."""
    args = build_parser().parse_args(argv)
    code = run_cli(_train, args, resumes=True)
    if code and args.machines:
        # JAX would wait at exit for machines that are gone, and then abort with a trace that hides the error.
        sys.stdout.flush()
        os._exit(code)
    return code


def _train(args) -> int:
    config = resolve_config(args)
    settings_from(args, FileLimits).apply()
    from fer_keras.training.training_run import train_run

    run = train_run(config, resume=args.resume, overwrite=args.overwrite, machines=args.machines, machine=args.machine)
    if args.machine:
        print("trained; the first machine evaluates and writes the run")
    else:
        show_results(run, config.training.monitor)
        show_profile(run, config.training.profile)
    return 0


def show_profile(run: Path, profiled: bool) -> None:
    """Print what `--profile` wrote, unless the run had finished before."""
    from fer_keras.runs.run_directory import PROFILE_FILE

    if profiled and (run / PROFILE_FILE).is_file():
        print("\n" + (run / PROFILE_FILE).read_text(encoding="utf-8"), end="")


def show_results(run: Path, monitor: str) -> None:
    """Print the scores that a training run wrote, the command that scores its test split, and what was passed over."""
    from fer_keras.data.facts import passed_over_lines
    from fer_keras.evaluation.evaluator import show_scores
    from fer_keras.runs.bundle import load_bundle

    content = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    split = content["context"]["split"]
    validated = monitor.startswith("val_")
    where = "on which the best epoch was chosen" if validated else "not used to choose the epoch, which was chosen"
    print(f"\n{split} split, {where} by {monitor}:")
    show_scores(content["scores"], run)
    data = load_bundle(run).data
    if "test" in data.splits:
        print(f"next: python -m fer_keras.evaluate --model {run} --split test")
    unreadable = {bad["id"]: bad["reason"] for bad in data.unreadable}
    unreadable.update(text.split(": ", 1) for text in content["context"].get("data_report", {}).get("unreadable", ()))
    print("\n".join(passed_over_lines(data.report, unreadable.items())))


if __name__ == "__main__":
    sys.exit(main())
