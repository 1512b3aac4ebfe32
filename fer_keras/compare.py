"""Compare trained runs side by side: scores with intervals, size, training time, memory, latency.

python -m fer_keras.compare runs/a runs/b
python -m fer_keras.compare runs/seed0 runs/seed1 runs/seed2 --seeds
"""

import sys
from dataclasses import dataclass
from pathlib import Path

from fer_keras.cli import Parser, run_cli
from fer_keras.config.settings import Settings, add_flags, setting, settings_from


@dataclass(frozen=True)
class CompareConfig(Settings):
    """By which scores runs are compared, and how."""

    evaluation: str | None = setting(
        None, "which scores; default: common to all, test before validation", metavar="DATA/SPLIT"
    )
    repeats: int = setting(20, "timed calls per batch size for the latency; 0: none", low=0, metavar="N")
    seeds: bool = setting(
        False,
        "the runs differ only in their seed: print mean, standard deviation and range of their scores",
        switch=True,
    )
    output_dir: str = setting("runs/comparison", "directory of the comparison", metavar="DIR")
    overwrite: bool = setting(
        False, "replace files in --output-dir that have a comparison's name and are none", switch=True
    )


def build_parser() -> Parser:
    """Return the parser of this command line."""
    parser = Parser(prog="python -m fer_keras.compare", description=__doc__)
    parser.add_argument("runs", nargs="+", metavar="RUN", help="run directories, each evaluated on the same split")
    add_flags(parser, CompareConfig)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run the command line; see `build_parser`."""
    return run_cli(_compare, build_parser().parse_args(argv))


def _compare(args) -> int:
    config = settings_from(args, CompareConfig)
    from fer_keras.evaluation.run_comparison import average_seeds, check_comparison_place, compare_bundles
    from fer_keras.runs.bundle import load_bundle

    directory, bundles = Path(config.output_dir), [load_bundle(run) for run in args.runs]
    check_comparison_place(directory, seeds=config.seeds, overwrite=config.overwrite)
    if config.seeds:
        print(average_seeds(bundles, directory, config.evaluation))
        return 0
    print(compare_bundles(bundles, directory, config.evaluation, config.repeats))
    print(f"\nplot: {directory / 'comparison.png'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
