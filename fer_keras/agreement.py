"""Compare the labels that two annotators gave the same faces: alpha, kappa, CCC with intervals, and where they differ.

python -m fer_keras.agreement to_label/labels-anna.csv to_label/labels-ben.csv --output-dir runs/agreement
"""

import sys
from dataclasses import dataclass
from pathlib import Path

from fer_keras.cli import Parser, run_cli
from fer_keras.config.settings import Settings, add_flags, setting, settings_from


@dataclass(frozen=True)
class AgreementConfig(Settings):
    """Where the comparison of two annotators goes."""

    output_dir: str = setting(
        "runs/agreement", "directory of the table, the picture and the disagreements", metavar="DIR"
    )
    overwrite: bool = setting(
        False, "replace files in --output-dir that have an agreement's name and are none", switch=True
    )


def build_parser() -> Parser:
    """Return the parser of this command line."""
    parser = Parser(prog="python -m fer_keras.agreement", description=__doc__)
    parser.add_argument(
        "labels", nargs=2, metavar="LABELS", help="tables of labels of the same faces, as label writes them"
    )
    add_flags(parser, AgreementConfig)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run the command line; see `build_parser`."""
    return run_cli(_agreement, build_parser().parse_args(argv))


def _agreement(args) -> int:
    config = settings_from(args, AgreementConfig)
    from fer_keras.labelling.agreement_report import check_agreement_place, write_agreement
    from fer_keras.labelling.annotator_scores import read_labels

    folder = Path(config.output_dir)
    check_agreement_place(folder, overwrite=config.overwrite)
    print(write_agreement(*map(read_labels, args.labels), folder))
    print(f"\n{folder / 'agreement.png'}\n{folder / 'disagreements.csv'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
