"""Find the faces in pictures and videos and read emotion, valence and arousal from each.

python -m fer_keras.predict photo.jpg
python -m fer_keras.predict photos/ video.mp4 --model runs/latest --output faces.csv --annotate annotated/ --overview seen/
python -m fer_keras.predict faces/ --faces whole --model out/model.onnx --output faces.parquet --resume
python -m fer_keras.predict photos/ --output faces.parquet --runner beam --beam-options="--runner=FlinkRunner"

Unreadable files are listed with the reason and stop nothing. Exit status: 0, or 1 if not one picture could be read.
"""

import sys

from fer_keras.cli import Parser, run_cli
from fer_keras.config.file_limits import FileLimits
from fer_keras.config.settings import add_flags, settings_from
from fer_keras.jobs.predict_options import NOT_FLAGS, PredictConfig


def build_parser() -> Parser:
    """Return the parser of this command line."""
    parser = Parser(prog="python -m fer_keras.predict", description=__doc__)
    parser.add_argument("sources", nargs="*", metavar="FILE_OR_FOLDER", help="pictures, videos, and folders of them")
    add_flags(parser, PredictConfig, leave_out=NOT_FLAGS)
    add_flags(parser, FileLimits)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run the command line; see `build_parser`."""
    args = build_parser().parse_args(argv)
    return run_cli(_predict, args, resumes=getattr(args, "output", None) is not None)


def _predict(args) -> int:
    config = settings_from(args, PredictConfig)
    settings_from(args, FileLimits).apply()
    from fer_keras.jobs.predict_run import predict_run

    return predict_run(config, args.sources)


if __name__ == "__main__":
    sys.exit(main())
