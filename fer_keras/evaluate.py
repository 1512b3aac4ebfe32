"""Evaluate a trained run on one split and write a report.

python -m fer_keras.evaluate --model runs/latest --split test
python -m fer_keras.evaluate --model runs/ferplus --split validation --conditions
python -m fer_keras.evaluate --model runs/fer2013_resnet18 --tta crops
python -m fer_keras.evaluate --model runs/affectnet --data-spec image_folder --data-dir faces --split test
"""

import sys

from fer_keras.cli import Parser, run_cli
from fer_keras.config.settings import add_flags, settings_from
from fer_keras.evaluation.evaluate_config import EvaluateConfig


def build_parser() -> Parser:
    """Return the parser of this command line."""
    parser = Parser(prog="python -m fer_keras.evaluate", description=__doc__)
    parser.add_argument("--model", required=True, metavar="RUN", help="run directory with model.keras and bundle.json")
    add_flags(parser, EvaluateConfig)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run the command line; see `build_parser`."""
    return run_cli(_evaluate, build_parser().parse_args(argv))


def _evaluate(args) -> int:
    from fer_keras.evaluation.evaluation_run import evaluate_run
    from fer_keras.runs.bundle import load_bundle

    config = settings_from(args, EvaluateConfig)
    scores, directory = evaluate_run(load_bundle(args.model), config, say=lambda line: print(line, file=sys.stderr))
    from fer_keras.evaluation.evaluator import show_scores

    show_scores(scores, directory)
    if config.conditions:
        print((directory / "conditions.md").read_text(encoding="utf-8"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
