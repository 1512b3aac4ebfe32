"""Look at a data set before training: counts, bad rows by reason, duplicates, labels and faces.

python -m fer_keras.inspect --data-spec affectnet --data-dir AffectNet
"""

import sys
from dataclasses import dataclass
from pathlib import Path

from fer_keras.cli import Parser, run_cli
from fer_keras.config.file_limits import FileLimits
from fer_keras.config.run_config import DataConfig
from fer_keras.config.settings import Settings, add_flags, setting, setting_like, settings_from
from fer_keras.files import Output, check_outputs


@dataclass(frozen=True)
class InspectConfig(Settings):
    """Which data set is inspected, split as for training, and what is drawn of it."""

    data_spec: str = setting_like(DataConfig, "data_spec")
    data_dir: str | None = setting_like(DataConfig, "data_dir")
    validation_fraction: float = setting_like(DataConfig, "validation_fraction")
    test_fraction: float = setting_like(DataConfig, "test_fraction")
    split_seed: int = setting_like(DataConfig, "split_seed")
    per_class: int = setting(6, "faces of each emotion on the contact sheet", low=1)
    decode_all: bool = setting(
        False, "decode every image to find unreadable ones and copies, whatever it costs", switch=True
    )
    write_spec: str | None = setting(
        None,
        "write a copy of the data spec with a line for each label or folder that it does not know",
        metavar="FILE.toml",
    )
    output_dir: str | None = setting(None, "directory of the report; default: runs/inspect-<data spec>", metavar="DIR")
    overwrite: bool = setting(
        False, "replace files in --output-dir that have the report's names and are none", switch=True
    )


def build_parser() -> Parser:
    """Return the parser of this command line."""
    parser = Parser(prog="python -m fer_keras.inspect", description=__doc__)
    add_flags(parser, InspectConfig)
    add_flags(parser, FileLimits)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run the command line; see `build_parser`."""
    return run_cli(_inspect, build_parser().parse_args(argv))


def _inspect(args) -> int:
    config = settings_from(args, InspectConfig)
    settings_from(args, FileLimits).apply()
    from fer_keras.data.facts import describe_faces, passed_over_lines
    from fer_keras.evaluation.inspection import check_inspection_place, inspect_index

    if config.write_spec:
        check_outputs([Output(Path(config.write_spec), "--write-spec")], advice="It is not replaced: move it away")
    if config.output_dir:
        check_inspection_place(Path(config.output_dir), overwrite=config.overwrite)
    index = _load(config)
    if index is None:
        return 0
    directory = Path(config.output_dir or f"runs/inspect-{index.spec.name}")
    check_inspection_place(directory, overwrite=config.overwrite)
    facts = inspect_index(index, directory, per_class=config.per_class, decode_all=config.decode_all)
    print("\n".join([*describe_faces(index), *_copies(facts)]))
    print(f"decoded {facts['decoded']:,} faces, {len(facts['unreadable']):,} unreadable")
    print(f"{directory / 'dataset.png'}\n{directory / 'dataset.json'}")
    print("\n".join(passed_over_lines(index.report, facts["unreadable"].items())))
    return 0


def _load(config: InspectConfig):
    """Return the index, or None where a spec was written in place of an inspection that the old one does not allow.

    Raises:
        ValueError: data that cannot be used.
    """
    from fer_keras.data.index_building import WrongScale
    from fer_keras.data.loading import load_faces
    from fer_keras.data.unusable import unknown_names
    from fer_keras.readers.names import UnknownLabels

    splits = {name: getattr(config, name) for name in ("validation_fraction", "test_fraction", "split_seed")}
    try:
        index = load_faces(config.data_spec, config.data_dir, **splits)
    except (UnknownLabels, WrongScale) as error:
        if not config.write_spec:
            raise
        print(error)
        _write_spec(config, getattr(error, "names", ()), getattr(error, "range", None))
        return None
    if config.write_spec:
        _write_spec(config, tuple(unknown_names(index.report)))
    return index


def _write_spec(config: InspectConfig, names: tuple[str, ...], va_range: tuple[float, float] | None = None) -> None:
    from fer_keras.data.several import parse_sets
    from fer_keras.readers.names import write_spec_copy

    sets = parse_sets(config.data_spec, config.data_dir)
    if len(sets) > 1:
        raise ValueError(f"--write-spec expects one data spec. Received: {config.data_spec}.")
    path = write_spec_copy(config.write_spec, sets[0][0], names, va_range)
    print(f"wrote {path}: check its lines, then --data-spec {path}")


def _copies(facts: dict) -> list[str]:
    """Return what was found of equal and of similar faces, in lines for a terminal."""
    same, near = facts["duplicates"], facts["near_copies"]
    lines = [
        f"  duplicates: {same['faces']:,} faces in {same['groups']:,} groups, {same['groups_with_different_emotions']:,} of "
        f"them with different emotions; {same['dropped_across_splits']:,} dropped because another split has them"
    ]
    if same["equal_pixels_across_splits"]:
        lines.append(
            f"  equal pixels: {same['equal_pixels_across_splits']:,} faces are in another split too; not dropped"
        )
    if near["faces"]:
        face, other, _ = near["pairs"][0]
        lines.append(
            f"  near copies: {near['faces']:,} of the faces of validation and test look like one of another split, "
            f"such as {face} like {other}; not dropped"
        )
    if near["left"]:
        lines.append(f"  near copies: not looked for among {near['left']:,} faces, for time; --decode-all does")
    return lines


if __name__ == "__main__":
    sys.exit(main())
