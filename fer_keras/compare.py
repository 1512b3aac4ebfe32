"""Compare trained runs side by side: scores with intervals, size, training time, memory, latency.

python -m fer_keras.compare runs/a runs/b
python -m fer_keras.compare runs/seed0 runs/seed1 runs/seed2 --seeds
"""

import sys
from pathlib import Path

from fer_keras.cli import Parser, run_cli


def build_parser() -> Parser:
    """Return the parser of this command line."""
    parser = Parser(prog="python -m fer_keras.compare", description=__doc__)
    parser.add_argument("runs", nargs="+", metavar="RUN", help="run directories, each evaluated on the same split")
    parser.add_argument(
        "--evaluation", metavar="DATA/SPLIT", help="which scores; default: common to all, test before validation"
    )
    parser.add_argument("--repeats", type=int, default=20, help="timed calls for the latency; 0: none (default: 20)")
    parser.add_argument(
        "--seeds",
        action="store_true",
        help="the runs differ in their seed alone: print mean, standard deviation and range of their scores",
    )
    parser.add_argument("--output-dir", metavar="DIR", default="runs/comparison", help="default: runs/comparison")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run the command line; see `build_parser`."""
    return run_cli(_compare, build_parser().parse_args(argv))


def _compare(args) -> int:
    from fer_keras.evaluation.run_comparison import average_seeds, compare_bundles
    from fer_keras.runs.bundle import load_bundle

    if args.repeats < 0:
        raise ValueError(f"--repeats expects 0 or more. Received: {args.repeats}.")
    directory, bundles = Path(args.output_dir), [load_bundle(run) for run in args.runs]
    if args.seeds:
        print(average_seeds(bundles, directory, args.evaluation))
        return 0
    print(compare_bundles(bundles, directory, args.evaluation, args.repeats))
    print(f"\nplot: {directory / 'comparison.png'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
