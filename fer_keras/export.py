"""Export a trained run to other programs' formats, each proved to answer as Keras does.

python -m fer_keras.export --model runs/latest --formats h5,saved_model,tflite,onnx
python -m fer_keras.export --model runs/latest --formats all --output-dir out
python -m fer_keras.export --model runs/a,runs/b --formats onnx,saved_model --output-dir mean
python -m fer_keras.export --formats web --output-dir page

The same faces go through Keras and through each export. A float format is kept if no output differs by more than 1e-4
(float16 5e-3) and no top class changes, a quantised one if it loses at most --max-drop of accuracy and of each CCC. Exit
status: 0 if all were written, 1 if one was refused or failed.
"""

import contextlib
import sys
import tempfile
from pathlib import Path

from fer_keras.bundled import DEFAULT, bundled_model, bundled_names, is_bundled
from fer_keras.cli import Parser, run_cli
from fer_keras.config.settings import add_flags, settings_from
from fer_keras.exporters.export_options import ExportOptions
from fer_keras.formats import FORMATS, parse_formats


def build_parser() -> Parser:
    """Return the parser of this command line."""
    parser = Parser(prog="python -m fer_keras.export", description=__doc__)
    parser.add_argument(
        "--model",
        metavar="RUN",
        help=f"run directory with model.keras and bundle.json, or one of {', '.join(bundled_names())} (default: {DEFAULT}); "
        "several with commas between them become one model that averages them",
    )
    parser.add_argument(
        "--formats",
        default="all",
        metavar="A,B",
        help=f"formats with commas between them: {', '.join(FORMATS)} (default: all that can be written here, without web)",
    )
    parser.add_argument("--output-dir", metavar="DIR", help="where the files and a copy of the bundle go; default: RUN")
    add_flags(parser, ExportOptions)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run the command line; see `build_parser`."""
    return run_cli(_export, build_parser().parse_args(argv))


def _export(args) -> int:
    options = settings_from(args, ExportOptions)
    from fer_keras.exporters.export_lines import closing_lines, header, not_installed_lines, page_lines, result_line
    from fer_keras.exporters.export_run import export_run

    formats = parse_formats(args.formats)
    print("".join(f"{line}\n" for line in not_installed_lines(args.formats)), end="")
    directory = Path(args.output_dir) if args.output_dir else None

    def say(line: str) -> None:
        print(f"{line}\n\n{header()}", flush=True)

    def report(result) -> None:
        print(result_line(result), flush=True)

    with contextlib.ExitStack() as stack:
        bundle = _bundle(args, options, stack)
        results = export_run(bundle, formats, directory, options, report=report, say=say)
    place = directory or bundle.directory
    print("\n".join(["", *closing_lines(results), f"exports: {place}", *page_lines(results, place)]))
    return 0 if all(result.written for result in results) else 1


def _bundle(args, options: ExportOptions, stack: contextlib.ExitStack):
    """Return the bundle of the model; several models are made one first, in a folder that goes with the stack."""
    from fer_keras.prediction.model_choice import model_names
    from fer_keras.runs.bundle import load_bundle

    names = model_names(args.model)
    if len(names) == 1 and options.image_size:
        raise ValueError(
            "--image-size is the input's of several models as one. Received: one model, which has its own."
        )
    if len(names) > 1 and args.output_dir is None:
        raise ValueError("--output-dir is needed for several models as one. Received: none. Name a folder.")
    found = {name: load_bundle(_model_folder(name, args.output_dir)) for name in names}
    if len(found) == 1:
        return found[names[0]]
    from fer_keras.exporters.ensemble import write_ensemble

    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="fer_keras-"))
    return write_ensemble(found, Path(folder), options, say=lambda line: print(line, flush=True))


def _model_folder(model: str | None, output_dir: str | None) -> Path:
    """Return the folder of the model; a bundled one is exported elsewhere, never into the package."""
    if model is not None and (Path(model).exists() or not is_bundled(model)):
        return Path(model)
    if output_dir is None:
        raise ValueError(
            "--output-dir is needed for a bundled model. Received: none. Name a folder, or a run by --model."
        )
    return bundled_model(model or DEFAULT)


if __name__ == "__main__":
    sys.exit(main())
