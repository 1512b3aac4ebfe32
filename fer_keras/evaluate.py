"""Evaluate a trained run on one split and write a report.

python -m fer_keras.evaluate --model runs/latest --split test
python -m fer_keras.evaluate --model runs/ferplus --split validation --conditions
python -m fer_keras.evaluate --model runs/fer2013_resnet18 --tta crops
python -m fer_keras.evaluate --model runs/affectnet --data-spec image_folder --data-dir faces --split test
"""

import sys
from pathlib import Path

from fer_keras.cli import Parser, run_cli


def build_parser() -> Parser:
    """Return the parser of this command line."""
    parser = Parser(prog="python -m fer_keras.evaluate", description=__doc__)
    parser.add_argument("--model", required=True, metavar="RUN", help="run directory with model.keras and bundle.json")
    parser.add_argument(
        "--data-spec", metavar="NAME", help="data spec, or several: a,b; default: the one the model was trained on"
    )
    parser.add_argument("--data-dir", metavar="DIR", help="folder of the data; default: the one of training")
    parser.add_argument(
        "--split", default="test", help="train, validation or test, or its name in the files (default: test)"
    )
    parser.add_argument("--batch-size", type=int, default=64, help="faces a step (default: 64)")
    parser.add_argument("--workers", type=int, help="parallel decoding calls; default: the number of cores")
    parser.add_argument(
        "--conditions",
        action="store_true",
        help="score copies of the faces too: smaller, larger, compressed, tilted, cropped otherwise, coloured, mirrored",
    )
    parser.add_argument(
        "--tta", default="none", metavar="HOW", help="average over views: none, flip, crops, crops+flip (default: none)"
    )
    parser.add_argument("--output-dir", metavar="DIR", help="default: RUN/evaluations/<data spec>-<split>")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run the command line; see `build_parser`."""
    return run_cli(_evaluate, build_parser().parse_args(argv))


def _evaluate(args) -> int:
    from fer_keras.evaluation.evaluation_run import evaluate_run
    from fer_keras.runs.bundle import load_bundle

    if args.batch_size < 1:
        raise ValueError(f"--batch-size expects at least 1. Received: {args.batch_size}.")
    output = Path(args.output_dir) if args.output_dir else None
    scores, directory = evaluate_run(
        load_bundle(args.model),
        args.data_spec,
        args.data_dir,
        args.split,
        args.batch_size,
        args.workers,
        output,
        args.conditions,
        args.tta,
        lambda line: print(line, file=sys.stderr),
    )
    from fer_keras.evaluation.closing_lines import show_scores

    show_scores(scores, directory)
    if args.conditions:
        print((directory / "conditions.md").read_text(encoding="utf-8"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
