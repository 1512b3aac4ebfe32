"""Find the faces in pictures and videos and read emotion, valence and arousal from each.

python -m fer_keras.predict photo.jpg
python -m fer_keras.predict photos/ video.mp4 --model runs/latest --output faces.csv --annotate annotated/ --overview seen/
python -m fer_keras.predict faces/ --faces whole --model out/model.onnx --output faces.parquet --resume
python -m fer_keras.predict photos/ --output faces.parquet --runner beam --beam-options="--runner=FlinkRunner"

Unreadable files are listed with the reason and stop nothing. Exit status: 0, or 1 if not one picture could be read.
"""

import contextlib
import sys
from pathlib import Path

from fer_keras.beam import add_beam_options, import_beam, parse_beam_options
from fer_keras.cli import Parser, run_cli
from fer_keras.faces.arguments import WHOLE, add_face_arguments, add_model_arguments


def build_parser() -> Parser:
    """Return the parser of this command line."""
    parser = Parser(prog="python -m fer_keras.predict", description=__doc__)
    parser.add_argument("sources", nargs="*", metavar="FILE_OR_FOLDER", help="pictures, videos, and folders of them")
    add_model_arguments(parser)
    parser.add_argument("--output", metavar="FILE", help="results as .csv, .json or .parquet; default: on the screen")
    again = parser.add_mutually_exclusive_group()
    again.add_argument("--resume", action="store_true", help="keep the rows that --output holds, read only the rest")
    again.add_argument("--overwrite", action="store_true", help="replace what --output holds")
    parser.add_argument("--json", action="store_true", help="print results as JSON, not as lines")
    parser.add_argument(
        "--annotate", metavar="DIR", help="write copies of the pictures with the readings drawn on them"
    )
    parser.add_argument("--grad-cam", metavar="DIR", help="write the faces with where the model looked (Keras engine)")
    parser.add_argument("--batch-size", type=int, default=32, help="faces a call of the model (default: 32)")
    parser.add_argument(
        "--top-k", type=int, default=0, help="show this many likeliest emotions, and a column of them (default: 0)"
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
    add_face_arguments(parser, whole=True)
    parser.add_argument(
        "--overview", metavar="DIR", help="write a summary, a contact sheet of faces and each video's time line"
    )
    parser.add_argument(
        "--every", type=int, default=1, metavar="N", help="of a video, read every N-th frame (default: 1)"
    )
    parser.add_argument(
        "--smoothing", type=float, default=0.7, help="share of a face's earlier scores kept in videos (default: 0.7)"
    )
    parser.add_argument(
        "--runner",
        default="local",
        choices=("local", "beam"),
        help="read the pictures in this process, or by the workers of Apache Beam (default: local)",
    )
    add_beam_options(parser)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run the command line; see `build_parser`."""
    return run_cli(_predict, build_parser().parse_args(argv))


def _predict(args) -> int:
    from fer_keras.prediction.results_file import check_output

    if args.top_k < 0:
        raise ValueError(f"--top-k expects 0 or more. Received: {args.top_k}.")
    beam_options = _check_runner(args)
    if args.output:
        check_output(Path(args.output), args.resume, args.overwrite)
    elif args.resume or args.overwrite:
        raise ValueError(f"--{'resume' if args.resume else 'overwrite'} goes with --output.")
    if args.calibrate:
        if args.model is None:
            raise ValueError("--calibrate expects the --model to be calibrated. Received: none.")
        _calibrate(args.model)
        if not args.sources:
            return 0
    from fer_keras.jobs.photos import list_sources

    if not args.sources:
        raise ValueError("Expected pictures, videos or folders to read. Received: none.")
    pictures, videos, others = list_sources(args.sources)
    if videos and args.faces == WHOLE:
        raise ValueError(f"--faces {WHOLE} goes with pictures. Received: {videos[0].path}, a video.")
    if videos and beam_options is not None:
        raise ValueError(f"--runner beam reads pictures; read videos without it. Received: {videos[0].path}, a video.")
    return _report(args, *_read(args, pictures, videos, beam_options), others)


def _check_runner(args) -> list[str] | None:
    """Return the arguments of Beam's pipeline, or None for a run in this process."""
    on_beam = args.runner == "beam"
    options = parse_beam_options(args.beam_options, on_beam, "--runner beam")
    if on_beam:
        import_beam("--runner beam")
        if not args.output:
            raise ValueError("--runner beam goes with --output: rows come from many workers at once. Received: none.")
    return options


def _calibrate(model: str) -> None:
    from fer_keras.runs.bundle import load_bundle
    from fer_keras.runs.calibration import calibrate

    bundle = load_bundle(model)
    found = calibrate(bundle)
    bundle.save()
    print(
        f"temperature {found.temperature:.3f} from {found.faces:,} validation faces: calibration error "
        f"{found.ece_before:.3f} -> {found.ece_after:.3f}, negative log-likelihood {found.nll_before:.3f} -> "
        f"{found.nll_after:.3f}",
        file=sys.stderr,
    )


def _read(args, pictures, videos, beam_options: list[str] | None = None) -> tuple[list[dict], list]:
    """Return the rows of pictures, shown as they come where nothing else was asked for, and the videos as read."""
    from fer_keras.jobs.file_run import read_pictures
    from fer_keras.jobs.photos import read_videos
    from fer_keras.jobs.picture_job import load_job
    from fer_keras.video.video_reading import VideoOptions

    moving = VideoOptions(args.every, args.smoothing)
    _name_files_wholly(args)
    job = load_job(args)
    if job.finder is None and job.predictor.bundle.aligned:
        print(f"note: the model was trained on levelled faces; --faces {WHOLE} reads them as they are", file=sys.stderr)
    results = _open_results(args, job, bool(videos)) if args.output else None
    try:
        if beam_options is not None:
            return _read_on_beam(args, job, pictures, results, beam_options), []
        annotated = Path(args.annotate) if args.annotate else None
        clips = read_videos(videos, job.reader, moving, args.top_k, results, annotated)
        with _progress(args, len(pictures)) as options:
            records = read_pictures(job.reader, pictures, args.top_k, results, job.copies, **options)
    finally:
        if results:
            results.close()
    seen = {str(clip.path) for clip in clips}
    return [record for record in records if record["path"] not in seen], clips


def _name_files_wholly(args) -> None:
    """Make the paths of models absolute: a worker of Beam, which loads them by the same flags, was started elsewhere."""
    for flag in ("model", "detector_model"):
        if getattr(args, flag):
            setattr(args, flag, str(Path(getattr(args, flag)).absolute()))


def _open_results(args, job, videos: bool):
    from fer_keras.faces.face_reader import FOUND_COLUMNS, VIDEO_COLUMNS
    from fer_keras.prediction.results_file import ResultsFile

    settings = {**job.settings, "every": args.every, "smoothing": args.smoothing} if videos else job.settings
    extra = VIDEO_COLUMNS if videos else FOUND_COLUMNS if job.finder else {}
    return ResultsFile(Path(args.output), job.predictor.labels, settings, args.top_k, args.resume, extra)


def _read_on_beam(args, job, pictures, results, beam_options: list[str]) -> list[dict]:
    from functools import partial

    from fer_keras.jobs.beam_run import read_on_beam
    from fer_keras.jobs.file_run import unread
    from fer_keras.jobs.picture_job import load_job

    print(f"reading {len(unread(pictures, results)):,} pictures on Apache Beam", file=sys.stderr)
    load = partial(load_job, args)
    return read_on_beam(load, pictures, results, job.reader.batch_size, args.top_k, beam_options)


@contextlib.contextmanager
def _progress(args, total: int):
    """Give `read_pictures` its way of showing how far it is: the rows themselves, or a line."""
    from fer_keras.prediction.progress_line import ProgressLine
    from fer_keras.prediction.summary import face_line

    if not (args.output or args.json):
        yield {"show": lambda rows: print("\n".join(face_line(row, args.top_k) for row in rows), flush=True)}
        return
    line = ProgressLine(total)
    try:
        yield {"advance": line.advance}
    finally:
        line.close()


def _report(args, records: list[dict], clips: list, others: int) -> int:
    from fer_keras.jobs.photos import video_lines, write_overview
    from fer_keras.prediction.summary import summarise, summary_lines

    summary = summarise(records)
    moving = [row for clip in clips for row in clip.rows]
    if args.json and not args.output:
        import json

        print(json.dumps({"readings": moving + records, "summary": summary}, indent=2))
    else:
        for clip in clips:
            print("\n".join(video_lines(clip)))
        if len(records) > 1 or (records and args.output):
            print("\n".join([""] * (not args.output) + summary_lines(summary)))
    _report_files(args, records, others)
    if args.overview:
        write_overview(
            Path(args.overview), records, clips, summary, lambda path: print(f"overview: {path}", file=sys.stderr)
        )
    return 0 if any(not record["error"] for record in moving + records) else 1


def _report_files(args, records: list[dict], others: int) -> None:
    empty = sum(record["face"] is None and not record["error"] for record in records)
    if empty:
        hint = f"--faces {WHOLE} takes each picture as one face" if empty == len(records) else "--annotate shows them"
        print(
            f"{empty:,} of {len({record['path'] for record in records}):,} pictures have no face that was found; {hint}",
            file=sys.stderr,
        )
    if others:
        print(f"{others:,} files in the folders are no pictures and were passed over", file=sys.stderr)
    for what, place in (("results", args.output), ("annotated copies", args.annotate), ("Grad-CAM", args.grad_cam)):
        if place:
            print(f"{what}: {place}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
