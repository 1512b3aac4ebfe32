"""Write a data set once as TensorFlow Datasets shards: few large files in place of many small ones.

python -m fer_keras.prepare --data-spec affectnet --data-dir AffectNet --output-dir AffectNet-224
python -m fer_keras.train --data-dir AffectNet-224 --backbone resnet50 --output-dir runs/affectnet
"""

import sys

from fer_keras.beam import BeamOptions, parse_beam_options
from fer_keras.cli import Parser, run_cli
from fer_keras.config.flags import add_flags, settings_from


def build_parser() -> Parser:
    """Return the parser of this command line."""
    parser = Parser(prog="python -m fer_keras.prepare", description=__doc__)
    parser.add_argument("--data-spec", default="synthetic", metavar="NAME", help="data spec (default: synthetic)")
    parser.add_argument("--data-dir", metavar="DIR", help="folder of the data")
    parser.add_argument("--output-dir", required=True, metavar="OUT", help="folder to make")
    parser.add_argument("--image-size", type=int, metavar="N", help="side of the faces in pixels (default: the spec's)")
    parser.add_argument(
        "--file-format", default="tfrecord", metavar="NAME", help="tfrecord (default), or array_record: random access"
    )
    parser.add_argument(
        "--image-format",
        default="png",
        metavar="NAME",
        help="png (default): the same pixels, or jpeg: nearly, but smaller",
    )
    parser.add_argument("--jpeg-quality", type=int, metavar="N", help="1 to 100, with jpeg (default: 95)")
    parser.add_argument("--beam", action="store_true", help="write with Apache Beam, on the runner of --beam-options")
    add_flags(parser, BeamOptions)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run the command line; see `build_parser`."""
    return run_cli(_prepare, build_parser().parse_args(argv))


def _prepare(args) -> int:
    from fer_keras.batches.shards import prepare_set
    from fer_keras.data.loading import load_index, resolve_data_dir
    from fer_keras.readers.spec import find_spec

    options = parse_beam_options(settings_from(args, BeamOptions).beam_options, args.beam, "--beam")
    image_format = _image_format(args)
    if "," in args.data_spec:
        raise ValueError(
            "prepare writes one data set at a time, with its own labels and licence. Prepare each, then name their folders "
            f"with commas between: train --data-spec {args.data_spec} --data-dir OUT1,OUT2. Received: --data-spec "
            f"{args.data_spec}."
        )
    spec = find_spec(args.data_spec, args.data_dir)
    image_size = args.image_size or spec.image_size
    if not image_size:
        raise ValueError(f"--image-size is needed: faces of {spec.name} vary in size.")
    index = load_index(spec, resolve_data_dir(spec, args.data_dir))
    print(spec.title, *index.report.lines(), sep="\n")
    written = prepare_set(index, args.output_dir, image_size, args.file_format, options, image_format)
    print(f"{args.output_dir}: " + ", ".join(f"{name} {count:,}" for name, count in sorted(written.items())) + " faces")
    left_out = len(index) - sum(written.values())
    if left_out:
        print(f"  left out: {left_out:,} x unreadable image (fer_keras.inspect --decode-all names them)")
    return 0


def _image_format(args):
    from fer_keras.batches.image_format import ImageFormat

    if args.jpeg_quality is None:
        return ImageFormat(args.image_format)
    if args.image_format == "png":
        raise ValueError(f"--jpeg-quality goes with --image-format jpeg. Received: {args.jpeg_quality}, with png.")
    return ImageFormat(args.image_format, args.jpeg_quality)


if __name__ == "__main__":
    sys.exit(main())
