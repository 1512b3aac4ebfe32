"""Label faces in the browser, those that select chose.

python -m fer_keras.label to_label/
python -m fer_keras.label to_label/ --annotator anna --ask emotion

Keys 1 to 8 for the emotions, a click on the plane for valence and arousal, N not a face, S unsure, U undo. Each label is
written at once to labels.csv in the folder, which train reads: --data-spec face_table --data-dir to_label/labels.csv.
Stopped with Ctrl-C, started again it goes on where it stopped.
"""

import sys
from pathlib import Path

from fer_keras.cli import Parser, run_cli
from fer_keras.config.settings import add_flags, settings_from
from fer_keras.labelling.label_options import LabelConfig


def build_parser() -> Parser:
    """Return the parser of this command line."""
    parser = Parser(prog="python -m fer_keras.label", description=__doc__)
    parser.add_argument("folder", metavar="FOLDER", help="what select wrote")
    add_flags(parser, LabelConfig)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run the command line; see `build_parser`."""
    return run_cli(_label, build_parser().parse_args(argv))


def _label(args) -> int:
    config = settings_from(args, LabelConfig)
    import secrets

    from fer_keras.labelling.label_server import LabelJob, start_server
    from fer_keras.labelling.label_table import LabelTable
    from fer_keras.labelling.selection_files import read_selection, selection_id

    folder = Path(args.folder)
    rows = read_selection(folder)
    table = LabelTable(folder / config.file, [row["image"] for row in rows])
    job = LabelJob(folder, table, config.ask, config.annotator, selection_id(rows))
    secret = "" if config.is_local else secrets.token_urlsafe(16)
    with start_server(job, (config.host, config.port), secret) as server:
        _say(config, secret, f"{len(table.labels):,} of {len(rows):,} faces are labelled in {table.path}")
        try:
            server.serve_forever()
        except KeyboardInterrupt:  # the way to end it
            print(f"{len(table.labels):,} of {len(rows):,} faces are labelled in {table.path}")
    return 0


def _say(config: LabelConfig, secret: str, state: str) -> None:
    if not config.is_local:
        print("warning: faces and labels go over the network unencrypted, to who knows this address", file=sys.stderr)
    host = f"[{config.host}]" if ":" in config.host else config.host
    print(state, file=sys.stderr)
    print(f"http://{host}:{config.port}/{secret and f'{secret}/'}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
