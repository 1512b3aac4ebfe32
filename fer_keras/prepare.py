"""Write a data set once as TensorFlow Datasets shards: few large files in place of many small ones.

python -m fer_keras.prepare --data-spec affectnet --data-dir AffectNet --output-dir AffectNet-224
python -m fer_keras.train --data-dir AffectNet-224 --backbone resnet50 --output-dir runs/affectnet
"""

import sys
from dataclasses import dataclass

from fer_keras.beam import BeamOptions, parse_beam_options
from fer_keras.cli import Parser, run_cli
from fer_keras.config.run_config import DataConfig
from fer_keras.config.settings import Settings, add_flags, setting, setting_like, settings_from


def _file_formats() -> tuple[str, ...]:
    from fer_keras.batches.shards import FILE_FORMATS

    return FILE_FORMATS


def _image_formats() -> tuple[str, ...]:
    from fer_keras.batches.image_format import IMAGE_FORMATS

    return IMAGE_FORMATS


@dataclass(frozen=True)
class PrepareConfig(Settings):
    """Which data set is written as shards, and how.

    Raises:
        ValueError: a bad value, several data sets, or a JPEG quality without JPEG.
    """

    data_spec: str = setting("synthetic", "data spec by name (affectnet, ferplus, ...) or path of a TOML file")
    data_dir: str | None = setting(None, "folder or file of the data set")
    image_size: int | None = setting_like(
        DataConfig, "image_size", help="side of the faces in pixels; default: the spec's"
    )
    file_format: str = setting("tfrecord", "array_record gives random access", choices=_file_formats)
    image_format: str = setting(
        "png", "png keeps the pixels as they are, jpeg nearly so in smaller files", choices=_image_formats
    )
    jpeg_quality: int | None = setting(None, "with jpeg; default: 95", low=1, high=100)
    beam: bool = setting(False, "write with Apache Beam, on the runner of --beam-options")

    def __post_init__(self):
        super().__post_init__()
        if "," in self.data_spec:
            raise ValueError(
                "prepare writes one data set at a time, with its own labels and licence. Prepare each, then name their "
                f"folders with commas between them: train --data-spec {self.data_spec} --data-dir OUT1,OUT2. Received: "
                f"--data-spec {self.data_spec}."
            )
        if self.jpeg_quality is not None and self.image_format != "jpeg":
            raise ValueError(
                f"--jpeg-quality expects --image-format jpeg. Received: {self.jpeg_quality}, with {self.image_format}."
            )


def build_parser() -> Parser:
    """Return the parser of this command line."""
    parser = Parser(prog="python -m fer_keras.prepare", description=__doc__)
    parser.add_argument("--output-dir", required=True, metavar="DIR", help="folder to make")
    add_flags(parser, PrepareConfig)
    add_flags(parser, BeamOptions)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run the command line; see `build_parser`."""
    return run_cli(_prepare, build_parser().parse_args(argv))


def _prepare(args) -> int:
    config = settings_from(args, PrepareConfig)
    beam_options = parse_beam_options(settings_from(args, BeamOptions).beam_options, config.beam, "--beam")
    from fer_keras.batches.shards import prepare_set
    from fer_keras.data.loading import load_index, resolve_data_dir
    from fer_keras.readers.spec import find_spec

    spec = find_spec(config.data_spec, config.data_dir)
    image_size = config.image_size or spec.image_size
    if not image_size:
        raise ValueError(f"--image-size is needed: faces of {spec.name} vary in size.")
    index = load_index(spec, resolve_data_dir(spec, config.data_dir))
    print(spec.title, *index.report.lines(), sep="\n")
    written = prepare_set(
        index,
        args.output_dir,
        image_size,
        file_format=config.file_format,
        image_format=_image_format(config),
        beam_options=beam_options,
    )
    print(f"{args.output_dir}: " + ", ".join(f"{name} {count:,}" for name, count in sorted(written.items())) + " faces")
    left_out = len(index) - sum(written.values())
    if left_out:
        print(f"  left out: {left_out:,} x unreadable image (fer_keras.inspect --decode-all names them)")
    return 0


def _image_format(config: PrepareConfig):
    from fer_keras.batches.image_format import ImageFormat

    quality = {} if config.jpeg_quality is None else {"quality": config.jpeg_quality}
    return ImageFormat(config.image_format, **quality)


if __name__ == "__main__":
    sys.exit(main())
