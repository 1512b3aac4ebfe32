"""Read emotion, valence and arousal from pictures of faces, each picture one face.

python -m fer_keras.predict face.jpg --model runs/latest
python -m fer_keras.predict faces/ --model runs/latest --output faces.csv --annotate annotated/
python -m fer_keras.predict faces/ --model out/model.onnx --output faces.parquet --resume

Unreadable files are listed with the reason and stop nothing. Exit status: 0, or 1 if not one picture could be read.
"""

import sys
from pathlib import Path

from fer_keras.cli import Parser, run_cli


def build_parser() -> Parser:
    """Return the parser of this command line."""
    parser = Parser(prog="python -m fer_keras.predict", description=__doc__)
    parser.add_argument("sources", nargs="*", metavar="FILE_OR_FOLDER", help="pictures, and folders of pictures")
    parser.add_argument(
        "--model",
        required=True,
        metavar="RUN",
        help="run directory, folder of exports, or model file beside its bundle",
    )
    parser.add_argument("--output", metavar="FILE", help="results as .csv, .json or .parquet; default: on the screen")
    again = parser.add_mutually_exclusive_group()
    again.add_argument("--resume", action="store_true", help="keep the rows that --output holds, read only the rest")
    again.add_argument("--overwrite", action="store_true", help="replace what --output holds")
    parser.add_argument("--json", action="store_true", help="print results as JSON, not as lines")
    parser.add_argument(
        "--annotate", metavar="DIR", help="write copies of the pictures with the readings drawn on them"
    )
    parser.add_argument("--grad-cam", metavar="DIR", help="write the faces with where the model looked (Keras engine)")
    parser.add_argument(
        "--engine",
        default="auto",
        metavar="NAME",
        help="keras, saved_model, litert, onnx, a format such as tflite-int8, or auto: the fastest there (default: auto)",
    )
    parser.add_argument("--threads", type=int, help="of the engine; default: the number of cores")
    parser.add_argument("--batch-size", type=int, default=32, help="faces a call of the model (default: 32)")
    parser.add_argument(
        "--top-k", type=int, default=0, help="show this many likeliest emotions, and a column of them (default: 0)"
    )
    parser.add_argument(
        "--min-confidence", type=float, default=0.0, help="mark answers under this as uncertain (default: 0)"
    )
    parser.add_argument(
        "--tta", default="none", metavar="HOW", help="average over views: none, flip, crops, crops+flip (default: none)"
    )
    parser.add_argument("--no-calibration", action="store_true", help="give the model's own probabilities")
    parser.add_argument(
        "--calibrate",
        action="store_true",
        help="first fit the run's temperature on its validation predictions, and keep it",
    )
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run the command line; see `build_parser`."""
    return run_cli(_predict, build_parser().parse_args(argv))


def _predict(args) -> int:
    from fer_keras.prediction.results_file import check_output

    if args.top_k < 0:
        raise ValueError(f"--top-k expects 0 or more. Received: {args.top_k}.")
    if args.output:
        check_output(Path(args.output), args.resume, args.overwrite)
    elif args.resume or args.overwrite:
        raise ValueError(f"--{'resume' if args.resume else 'overwrite'} goes with --output.")
    if args.calibrate:
        _calibrate(args.model)
        if not args.sources:
            return 0
    from fer_keras.prediction.file_run import list_pictures

    if not args.sources:
        raise ValueError("Expected pictures or folders to read. Received: none.")
    pictures, others = list_pictures(args.sources)
    records, shown = _read(args, pictures)
    _report(args, records, others, shown)
    return 0 if any(not record["error"] for record in records) else 1


def _calibrate(model: str) -> None:
    from fer_keras.engine.bundle import load_bundle
    from fer_keras.engine.calibration import calibrate

    bundle = load_bundle(model)
    facts = calibrate(bundle)
    bundle.save()
    print(
        f"temperature {facts['temperature']:.3f} from {facts['faces']:,} validation faces: calibration error "
        f"{facts['ece_before']:.3f} -> {facts['ece_after']:.3f}, log-likelihood loss {facts['nll_before']:.3f} -> "
        f"{facts['nll_after']:.3f}",
        file=sys.stderr,
    )


def _load_predictor(args):
    from fer_keras.prediction.predictor import Predictor

    engine = "keras" if args.grad_cam and args.engine == "auto" else args.engine
    predictor = Predictor.load(
        args.model,
        engine,
        args.threads,
        tta=args.tta,
        calibrated=not args.no_calibration,
        min_confidence=args.min_confidence,
        batch_size=args.batch_size,
    )
    if args.grad_cam and predictor.file.engine != "keras":
        raise ValueError(f"--grad-cam goes with --engine keras. Received: {args.engine}.")
    return predictor


def _read(args, pictures) -> tuple[list[dict], bool]:
    """Return the rows, and whether they were shown as they came."""
    from fer_keras.prediction.file_run import read_pictures, run_settings
    from fer_keras.prediction.progress import ProgressLine
    from fer_keras.prediction.results_file import ResultsFile
    from fer_keras.prediction.summary import face_line

    predictor = _load_predictor(args)
    results = None
    if args.output:
        settings = run_settings(predictor)
        results = ResultsFile(Path(args.output), predictor.labels, settings, args.top_k, args.resume)
    shown = not (args.output or args.json)
    progress = ProgressLine(len(pictures))

    def show(rows: list[dict]) -> None:
        print("\n".join(face_line(row, args.top_k) for row in rows), flush=True)

    try:
        options = {"show": show} if shown else {"advance": progress.advance}
        return read_pictures(predictor, pictures, args.top_k, results, _copies(args, predictor), **options), shown
    finally:
        progress.close()
        if results:
            results.close()


def _copies(args, predictor) -> dict:
    from fer_keras.prediction.file_run import annotated_copy

    copies = {}
    if args.annotate:
        copies[Path(args.annotate)] = lambda path, readings: annotated_copy(path, readings, args.top_k or 3)
    if args.grad_cam:
        from fer_keras.prediction.grad_cam import grad_cam_overlay

        output = "emotion" if "emotion" in predictor.outputs else predictor.outputs[0]
        copies[Path(args.grad_cam)] = lambda path, readings: grad_cam_overlay(predictor, path, output=output)
    return copies


def _report(args, records: list[dict], others: int, shown: bool) -> None:
    from fer_keras.prediction.summary import summarise, summary_lines

    summary = summarise(records)
    if args.json and not args.output:
        import json

        print(json.dumps({"readings": records, "summary": summary}, indent=2))
    elif len(records) > 1 or not shown:
        print("\n".join([""] * shown + summary_lines(summary)))
    if others:
        print(f"{others:,} files in the folders are no pictures and were passed over", file=sys.stderr)
    for what, place in (("results", args.output), ("annotated copies", args.annotate), ("Grad-CAM", args.grad_cam)):
        if place:
            print(f"{what}: {place}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
