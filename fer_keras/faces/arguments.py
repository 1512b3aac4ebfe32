"""Flags that the apps share: which model, which faces, which address; and what must be installed."""

import argparse
import importlib.util

from fer_keras.cli import Parser
from fer_keras.formats import ENGINES, FORMATS

#: Each picture is one face already; nothing is looked for.
WHOLE = "whole"


def add_model_arguments(parser: Parser, min_confidence: float = 0.0) -> None:
    """Add the flags that choose a model and how it runs."""
    parser.add_argument(
        "--model",
        metavar="RUN",
        help="run directory, folder of exports, or model file beside its bundle (default: the model in the box)",
    )
    parser.add_argument(
        "--engine",
        default="auto",
        metavar="NAME",
        help=f"what runs the model: auto (the first of the formats that is there), an engine ({', '.join(ENGINES)}), or a "
        f"format ({', '.join(FORMATS)}) (default: auto)",
    )
    parser.add_argument("--threads", type=int, help="of the engine; default: the number of cores")
    parser.add_argument(
        "--min-confidence",
        type=float,
        default=min_confidence,
        help=f"mark answers under this as uncertain (default: {min_confidence:g})",
    )


def add_face_arguments(parser: Parser, whole: bool = False) -> None:
    """Add the flags that say how faces are found.

    Args:
        parser: gets them.
        whole: offer to take pictures as faces.
    """
    choice = "auto (yunet where its file is, else haar), yunet, haar, mtcnn, mediapipe, dlib" + f", {WHOLE}" * whole
    meaning = f"; {WHOLE}: each picture is one face" * whole
    parser.add_argument("--faces", default="auto", metavar="HOW", help=f"{choice}{meaning} (default: auto)")
    parser.add_argument("--detector-model", metavar="FILE", help="model file of yunet or mediapipe")
    parser.add_argument("--detector-confidence", type=float, help="least score of a face; default: the detector's own")
    parser.add_argument("--min-face", type=int, default=20, help="pass over faces under so many pixels (default: 20)")
    parser.add_argument(
        "--padding", type=float, default=0.0, help="widen boxes on each side by this share (default: 0)"
    )
    parser.add_argument(
        "--max-side",
        type=int,
        help="shrink larger pictures to this for finding faces only (default: 1280; frames of videos 640, for yunet 320)",
    )
    parser.add_argument("--clahe", action="store_true", help="raise local contrast for finding faces in dark photos")
    parser.add_argument(
        "--align",
        action=argparse.BooleanOptionalAction,
        help="turn faces until their eyes are level, or not (default: as the model was trained)",
    )


def add_address_arguments(parser: Parser, port: int) -> None:
    """Add --host and --port of what listens to browsers and programs."""
    parser.add_argument("--host", default="127.0.0.1", help="address to listen to (default: 127.0.0.1)")
    parser.add_argument("--port", type=int, default=port, help=f"port to listen to (default: {port})")


def check_service(args, extra: str, packages: tuple[str, ...]) -> None:
    """Refuse what cannot be served, before anything heavy is loaded.

    Args:
        args: with those of `add_address_arguments`.
        extra: of this package that brings `packages`, called as the command is.
        packages: must be installed.

    Raises:
        ValueError: a missing package, or no port.
    """
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    if missing:
        raise ValueError(f'{extra} needs {", ".join(missing)}: pip install "fer_keras[{extra}]".')
    if not 0 < args.port < 65536:
        raise ValueError(f"--port expects 1 to 65535. Received: {args.port}.")


def load_finder(args):
    """Return the `FaceFinder` that the flags ask for."""
    from fer_keras.faces.finder import FaceFinder, FinderOptions

    return FaceFinder(
        FinderOptions(
            args.faces,
            args.detector_model,
            args.detector_confidence,
            args.min_face,
            args.padding,
            args.max_side,
            args.clahe,
            args.align,
        )
    )


def load_reader(args, **options):
    """Return the `FaceReader` that the flags ask for; options go to `Predictor.load`."""
    from fer_keras.faces.face_reader import FaceReader
    from fer_keras.prediction.predictor import Predictor

    finder = load_finder(args)  # first: it fails sooner
    predictor = Predictor.load(args.model, args.engine, args.threads, min_confidence=args.min_confidence, **options)
    return FaceReader(predictor, finder)
