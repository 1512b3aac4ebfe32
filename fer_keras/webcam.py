"""Read the faces before a camera, live, in a window.

python -m fer_keras.webcam --model runs/latest
python -m fer_keras.webcam --model out/model.onnx --source video.mp4 --output seen.mp4 --no-window

Keys: q or Esc quit, v valence-arousal plane, p or s bars of probabilities, f frame rate, c screenshot. Frames stay on this
machine and are stored only where --output or a screenshot asks for it.
"""

import sys
from dataclasses import dataclass, field

from fer_keras.cli import Parser, run_cli
from fer_keras.config.settings import add_flags, settings_from
from fer_keras.faces.reader_options import NOT_LIVE, ReaderOptions
from fer_keras.video.video_options import LiveOptions


@dataclass(frozen=True)
class WebcamConfig(ReaderOptions):
    """Everything that `webcam` can be asked for."""

    live: LiveOptions = field(default_factory=LiveOptions)


def build_parser() -> Parser:
    """Return the parser of this command line."""
    parser = Parser(prog="python -m fer_keras.webcam", description=__doc__)
    add_flags(parser, WebcamConfig, leave_out=NOT_LIVE)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run the command line; see `build_parser`."""
    return run_cli(_webcam, build_parser().parse_args(argv))


def _webcam(args) -> int:
    config = settings_from(args, WebcamConfig)
    from fer_keras.faces.face_reader import FaceReader
    from fer_keras.video.live_run import check_live, live_run

    check_live(config.live)
    return live_run(FaceReader.of(config), config.live)


if __name__ == "__main__":
    sys.exit(main())
