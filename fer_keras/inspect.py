"""Look at a data set before training: counts, bad rows by reason, duplicates, labels and faces.

python -m fer_keras.inspect --data-spec affectnet --data-dir AffectNet
"""

import sys
from dataclasses import dataclass
from pathlib import Path

from fer_keras.cli import Parser, run_cli
from fer_keras.config.flags import add_flags, settings_from
from fer_keras.config.run_config import DataConfig
from fer_keras.config.settings import Settings, setting, setting_like


@dataclass(frozen=True)
class InspectConfig(Settings):
    """Which data set is inspected, split as for training, and what is drawn of it."""

    data_spec: str = setting_like(DataConfig, "data_spec")
    data_dir: str | None = setting_like(DataConfig, "data_dir")
    validation_fraction: float = setting_like(DataConfig, "validation_fraction")
    test_fraction: float = setting_like(DataConfig, "test_fraction")
    split_seed: int = setting_like(DataConfig, "split_seed")
    per_class: int = setting(6, "faces of each emotion on the contact sheet", low=1)
    decode_all: bool = setting(False, "decode every image to find unreadable ones")
    output_dir: str | None = setting(None, "directory of the report; default: runs/inspect-<data spec>", metavar="DIR")
    overwrite: bool = setting(
        False, "replace files in --output-dir that have the report's names and are none", switch=True
    )


def build_parser() -> Parser:
    """Return the parser of this command line."""
    parser = Parser(prog="python -m fer_keras.inspect", description=__doc__)
    add_flags(parser, InspectConfig)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run the command line; see `build_parser`."""
    return run_cli(_inspect, build_parser().parse_args(argv))


def _inspect(args) -> int:
    config = settings_from(args, InspectConfig)
    from fer_keras.data.facts import describe_faces
    from fer_keras.data.loading import load_faces
    from fer_keras.evaluation.inspection import check_inspection_place, inspect_index

    if config.output_dir:
        check_inspection_place(Path(config.output_dir), overwrite=config.overwrite)
    splits = {name: getattr(config, name) for name in ("validation_fraction", "test_fraction", "split_seed")}
    index = load_faces(config.data_spec, config.data_dir, **splits)
    directory = Path(config.output_dir or f"runs/inspect-{index.spec.name}")
    check_inspection_place(directory, overwrite=config.overwrite)
    facts = inspect_index(index, directory, per_class=config.per_class, decode_all=config.decode_all)
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
