"""Look at a data set before training: counts, bad rows by reason, duplicates, labels and faces.

python -m fer_keras.inspect --data-spec affectnet --data-dir AffectNet
"""

import sys
from pathlib import Path

from fer_keras.cli import Parser, run_cli


def build_parser() -> Parser:
    """Return the parser of this command line."""
    parser = Parser(prog="python -m fer_keras.inspect", description=__doc__)
    parser.add_argument(
        "--data-spec", default="synthetic", metavar="NAME", help="data spec, or several: a,b (default: synthetic)"
    )
    parser.add_argument("--data-dir", metavar="DIR", help="folder of the data, one a spec")
    parser.add_argument("--validation-fraction", type=float, default=0.1, help="as for training (default: 0.1)")
    parser.add_argument("--test-fraction", type=float, default=0.1, help="as for training (default: 0.1)")
    parser.add_argument("--split-seed", type=int, default=0, help="as for training (default: 0)")
    parser.add_argument("--per-class", type=int, default=6, help="faces of each emotion on the sheet (default: 6)")
    parser.add_argument("--decode-all", action="store_true", help="decode every image to find unreadable ones")
    parser.add_argument("--output-dir", metavar="DIR", help="default: runs/inspect-<data spec>")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run the command line; see `build_parser`."""
    return run_cli(_inspect, build_parser().parse_args(argv))


def _inspect(args) -> int:
    from fer_keras.data.facts import describe_faces
    from fer_keras.data.loading import load_faces
    from fer_keras.evaluation.inspection import inspect_index

    index = load_faces(args.data_spec, args.data_dir, args.validation_fraction, args.test_fraction, args.split_seed)
    directory = Path(args.output_dir or f"runs/inspect-{index.spec.name}")
    facts = inspect_index(index, directory, args.per_class, args.decode_all)
    print("\n".join(describe_faces(index)))
    same = facts["duplicates"]
    print(
        f"  duplicates: {same['faces']:,} faces in {same['groups']:,} groups, {same['groups_with_different_emotions']:,} of "
        f"them with different emotions; {same['dropped_across_splits']:,} dropped because another split has them"
    )
    for name, why in list(facts["unreadable"].items())[:5]:
        print(f"  unreadable: {name}: {why}")
    print(
        f"decoded {facts['decoded']:,} faces, {len(facts['unreadable']):,} unreadable\n{directory / 'dataset.png'}\n"
        f"{directory / 'dataset.json'}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
