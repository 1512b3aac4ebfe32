"""Train a model of facial expression and leave a run directory.

python -m fer_keras.train
python -m fer_keras.train --data-spec affectnet --data-dir AffectNet --backbone resnet50 --output-dir runs/affectnet
python -m fer_keras.train --recipe ferplus_compact --data-dir ferplus.npz --output-dir runs/compact
python -m fer_keras.train --config run.toml
python -m fer_keras.train --output-dir runs/affectnet --resume
KERAS_BACKEND=jax python -m fer_keras.train --machines 10.0.0.1:8476,10.0.0.2 --machine 0 ... (and --machine 1 there)
"""

import os
import sys

from fer_keras.cli import Parser, run_cli
from fer_keras.config.toml_flags import add_config_flags, given_flags
from fer_keras.recipes import recipe_names
from fer_keras.runs.run_directory import resolve_config


def build_parser() -> Parser:
    """Return the parser of this command line; its flags are the fields of `TrainConfig`."""
    parser = Parser(prog="python -m fer_keras.train", description=__doc__)
    parser.add_argument(
        "--recipe", metavar="NAME", help=f"recipe by name ({', '.join(recipe_names())}) or path; --config counts more"
    )
    parser.add_argument("--config", metavar="FILE", help="TOML file with any of the keys below; flags count more")
    again = parser.add_mutually_exclusive_group()
    again.add_argument(
        "--resume", action="store_true", help="go on with the run in --output-dir, with its configuration"
    )
    again.add_argument("--overwrite", action="store_true", help="replace the run in --output-dir")
    parser.add_argument(
        "--machines", metavar="LIST", help="address:port of the first machine, addresses of the others, commas between"
    )
    parser.add_argument("--machine", type=int, default=0, metavar="N", help="place of this machine among them, from 0")
    add_config_flags(parser)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run the command line; see `build_parser`."""
    args = build_parser().parse_args(argv)
    code = run_cli(_train, args)
    if code and args.machines:
        # JAX would wait at its end for machines that are gone, and then abort with a trace that buries what was said.
        sys.stdout.flush()
        os._exit(code)
    return code


def _train(args) -> int:
    config = resolve_config(given_flags(args), args.config, args.resume, args.recipe)
    from fer_keras.training.training_run import train_run

    run = train_run(config, args.resume, args.overwrite, args.machines, args.machine)
    if args.machine:
        print("trained; the first machine evaluates and writes the run")
        return 0
    from fer_keras.evaluation.closing_lines import show_results

    show_results(run, config.monitor)
    return 0


if __name__ == "__main__":
    sys.exit(main())
