"""Read the faces before a camera, live, in a window.

python -m fer_keras.webcam --model runs/latest
python -m fer_keras.webcam --model out/model.onnx --source video.mp4 --output seen.mp4 --no-window

Keys: q or Esc quit, v valence-arousal plane, p or s bars of probabilities, f frame rate, c screenshot. Frames stay on this
machine and are stored only where --output or a screenshot asks for it.
"""

import sys
from pathlib import Path

from fer_keras.cli import Parser, run_cli
from fer_keras.faces.arguments import add_face_arguments, add_model_arguments, load_reader


def build_parser() -> Parser:
    """Return the parser of this command line."""
    parser = Parser(prog="python -m fer_keras.webcam", description=__doc__)
    add_model_arguments(parser)
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--camera", type=int, metavar="N", help="number of the camera (default: 0)")
    source.add_argument("--source", metavar="FILE", help="a video, played at its own speed, or a stream's address")
    parser.add_argument("--output", metavar="FILE", help="write what is shown to a video, .mp4 or .avi")
    parser.add_argument("--no-window", action="store_true", help="show nothing; for machines without a screen")
    parser.add_argument(
        "--no-mirror", action="store_true", help="show a camera's picture as it is, not as a mirror does"
    )
    parser.add_argument("--seconds", type=float, help="stop after so many seconds")
    parser.add_argument("--screenshots", default=".", metavar="DIR", help="folder of screenshots (default: this one)")
    parser.add_argument(
        "--smoothing", type=float, default=0.7, help="share of a face's earlier scores that is kept (default: 0.7)"
    )
    add_face_arguments(parser)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run the command line; see `build_parser`."""
    return run_cli(_webcam, build_parser().parse_args(argv))


def _webcam(args) -> int:
    if args.no_window and not args.output:
        raise ValueError("--no-window goes with --output FILE: nothing would come of it otherwise.")
    if args.seconds is not None and args.seconds <= 0:
        raise ValueError(f"--seconds expects more than 0. Received: {args.seconds}.")
    from fer_keras.video.live import Camera, LiveFaces
    from fer_keras.video.window import KEYS, View, Window, run_live

    faces = LiveFaces(load_reader(args), args.smoothing)
    window = None if args.no_window else Window()
    camera = Camera((args.camera or 0) if args.source is None else args.source, not (args.no_mirror or args.source))
    if window:
        print(KEYS, file=sys.stderr)
    output = Path(args.output) if args.output else None
    try:
        view = View(screenshots=Path(args.screenshots))
        run = run_live(camera, faces, view, window.show if window else None, output, args.seconds)
    finally:
        if window:
            window.close()
    rate = run.shown / run.seconds if run.seconds else 0.0
    print(f"{run.shown:,} frames in {run.seconds:.1f} s ({rate:.1f} a second), at most {run.faces:,} faces at once")
    if output and run.shown:
        print(f"video: {output}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
