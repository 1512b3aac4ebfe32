"""Export a trained run to other programs' formats, each proved to answer as Keras does.

python -m fer_keras.export --model runs/latest --formats h5,saved_model,tflite,onnx
python -m fer_keras.export --model runs/latest --formats all --output-dir out

The same faces go through Keras and through each export. A float format is kept if no output differs by more than 1e-4
(float16 5e-3) and no top class changes, a quantised one if it loses at most --max-drop of accuracy and of each CCC. Exit
status: 0 if all were written, 1 if one was refused or failed.
"""

import sys
from pathlib import Path

from fer_keras.cli import Parser, run_cli
from fer_keras.formats import FORMATS, install_hint, missing_packages, parse_formats


def build_parser() -> Parser:
    """Return the parser of this command line."""
    parser = Parser(prog="python -m fer_keras.export", description=__doc__)
    parser.add_argument("--model", required=True, metavar="RUN", help="run directory with model.keras and bundle.json")
    parser.add_argument(
        "--formats",
        default="all",
        metavar="A,B",
        help=f"formats with commas between them: {', '.join(FORMATS)} (default: all that can be written here)",
    )
    parser.add_argument("--output-dir", metavar="DIR", help="where the files and a copy of the bundle go; default: RUN")
    parser.add_argument("--data-spec", metavar="NAME", help="data spec; default: the one the model was trained on")
    parser.add_argument("--data-dir", metavar="DIR", help="folder of the data; default: the one of training")
    parser.add_argument("--split", default="validation", help="faces that judge the exports (default: validation)")
    parser.add_argument("--samples", type=int, default=1000, help="most faces that judge (default: 1000)")
    parser.add_argument(
        "--calibration-samples", type=int, default=300, help="training faces that int8 is scaled on (default: 300)"
    )
    parser.add_argument(
        "--max-drop",
        type=float,
        default=0.01,
        help="largest loss of accuracy or CCC of a quantised format (default: 0.01, one point)",
    )
    parser.add_argument("--force", action="store_true", help="keep formats that would be refused")
    parser.add_argument("--seed", type=int, default=0, help="seed of the draws of faces (default: 0)")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run the command line; see `build_parser`."""
    return run_cli(_export, build_parser().parse_args(argv))


def _export(args) -> int:
    from fer_keras.exporters.export_lines import closing_lines, header, result_line
    from fer_keras.exporters.export_run import ExportOptions, export_run
    from fer_keras.runs.bundle import load_bundle

    formats = parse_formats(args.formats)
    for flag, value, low in (
        ("--samples", args.samples, 1),
        ("--calibration-samples", args.calibration_samples, 1),
        ("--max-drop", args.max_drop, 0),
        ("--seed", args.seed, 0),
    ):
        if not value >= low:
            raise ValueError(f"{flag} expects at least {low}. Received: {value}.")
    for name in FORMATS if args.formats.strip() == "all" else ():
        if missing_packages(name):
            print(f"not written: {name} {install_hint(name)}")
    bundle = load_bundle(args.model)
    names = ("data_spec", "data_dir", "split", "samples", "calibration_samples", "max_drop", "force", "seed")
    options = ExportOptions(**{name: getattr(args, name) for name in names})

    def say(line: str) -> None:
        print(f"{line}\n\n{header()}", flush=True)

    directory = Path(args.output_dir) if args.output_dir else None
    results = export_run(
        bundle, formats, directory, options, lambda result: print(result_line(result), flush=True), say
    )
    print("\n".join(["", *closing_lines(results), f"exports: {directory or bundle.directory}"]))
    return 0 if all(result.written for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
