"""Choose the faces of unlabelled pictures that are most worth a label.

python -m fer_keras.select --model runs/latest --data-dir unlabelled/ --most 500 --output-dir to_label/
python -m fer_keras.select --model runs/seed0,runs/seed1 --by members --data-dir unlabelled/ --output-dir to_label/
python -m fer_keras.select --data-dir faces/ --faces whole --known to_label/ --output-dir to_label_next/

The folder holds the faces, a table, a contact sheet; python -m fer_keras.label opens a page to label them.
"""

import sys

from fer_keras.cli import Parser, run_cli
from fer_keras.config.file_limits import FileLimits
from fer_keras.config.settings import add_flags, settings_from
from fer_keras.labelling.select_options import NOT_FLAGS, SelectConfig


def build_parser() -> Parser:
    """Return the parser of this command line."""
    parser = Parser(prog="python -m fer_keras.select", description=__doc__)
    add_flags(parser, SelectConfig, leave_out=NOT_FLAGS)
    add_flags(parser, FileLimits)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run the command line; see `build_parser`."""
    return run_cli(_select, build_parser().parse_args(argv))


def _select(args) -> int:
    config = settings_from(args, SelectConfig)
    settings_from(args, FileLimits).apply()
    from fer_keras.labelling.selection_run import select_run

    folder = select_run(config, say=lambda line: print(line, file=sys.stderr))
    print(f"python -m fer_keras.label {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
