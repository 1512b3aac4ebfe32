"""Evaluate a trained run on one split and write a report.

python -m fer_keras.evaluate --model runs/latest --split test
python -m fer_keras.evaluate --model runs/ferplus --split validation --conditions
python -m fer_keras.evaluate --model runs/fer2013_resnet18 --tta crops
python -m fer_keras.evaluate --model runs/seed0,runs/seed1,runs/seed2 --split test --output-dir reports/mean
python -m fer_keras.evaluate --model runs/affectnet --data-spec image_folder --data-dir faces --split test
"""

import sys

from fer_keras.bundled import bundled_names, model_folder
from fer_keras.cli import Parser, run_cli
from fer_keras.config.settings import add_flags, settings_from
from fer_keras.evaluation.evaluate_config import EvaluateConfig


def build_parser() -> Parser:
    """Return the parser of this command line."""
    parser = Parser(prog="python -m fer_keras.evaluate", description=__doc__)
    parser.add_argument(
        "--model",
        required=True,
        metavar="RUN",
        help=f"run directory with model.keras and bundle.json, or one of {', '.join(bundled_names())}; several with commas "
        "between them are averaged",
    )
    add_flags(parser, EvaluateConfig)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run the command line; see `build_parser`."""
    return run_cli(_evaluate, build_parser().parse_args(argv))


def _evaluate(args) -> int:
    from fer_keras.evaluation.evaluation_run import evaluate_run
    from fer_keras.prediction.model_choice import model_names
    from fer_keras.runs.bundle import load_bundle

    config, names = settings_from(args, EvaluateConfig), model_names(args.model)
    if len(names) > 1:
        return _evaluate_ensemble(names, config)
    scores, directory = evaluate_run(load_bundle(model_folder(args.model)), config, say=_say)
    from fer_keras.evaluation.evaluator import show_scores

    show_scores(scores, directory)
    if config.conditions:
        print((directory / "conditions.md").read_text(encoding="utf-8"))
    return 0


def _evaluate_ensemble(names: list[str], config: EvaluateConfig) -> int:
    from fer_keras.evaluation.ensemble_run import evaluate_ensemble, gain_lines
    from fer_keras.evaluation.evaluator import show_scores
    from fer_keras.runs.bundle import load_bundle

    found = evaluate_ensemble([load_bundle(model_folder(name)) for name in names], config, say=_say)
    show_scores(found.scores, found.directory)
    print("\n".join(gain_lines(found)))
    return 0


def _say(line: str) -> None:
    print(line, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
