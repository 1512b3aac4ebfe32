"""Several data sets as one: named together, each split by its own rule, joined with labels matched by name.

Labels that a set does not have stay missing, with weight 0: FER+ teaches the emotion, another set valence and arousal, and
the model has all three outputs.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from fer_keras.data.classes import relabel
from fer_keras.data.index import COLUMNS, FaceIndex, IndexReport, Member
from fer_keras.data.pixel_copies import pixel_contents
from fer_keras.data.splits import drop_shared
from fer_keras.labels import OUTPUTS, in_package_order
from fer_keras.readers.spec import SPEC_FILE, DataSpec, find_spec

_ELSEWHERE = " of another data set"
#: Values for the faces of a set without the column.
_BLANKS = {"votes": 0.0, "agreed": np.nan, "landmarks": np.nan, "face_box": np.nan}


def parse_sets(data_spec: str, data_dir: str | None = None) -> list[tuple[DataSpec, str | None]]:
    """Return the data sets that `--data-spec` and `--data-dir` name, each with its folder or file.

    Args:
        data_spec: one name or path of a spec, or several with commas between.
        data_dir: one place per spec in the same order, empty between two commas for a set that needs none; or None. With
            one spec it is a single path, which may contain commas.

    Raises:
        ValueError: an unknown spec, or the number of places differs from the number of specs.
        FileNotFoundError: the path of a spec does not exist.

    Example:
        >>> [(spec.name, place) for spec, place in parse_sets("ferplus,face_table", "faces.npz,mine.csv")]
        [('ferplus', 'faces.npz'), ('face_table', 'mine.csv')]
    """
    names = [name.strip() for name in data_spec.split(",")]
    if len(names) == 1:
        return [(find_spec(data_spec, data_dir), data_dir)]
    places = [None] * len(names) if data_dir is None else [place.strip() or None for place in data_dir.split(",")]
    if len(places) != len(names):
        raise ValueError(
            f"--data-dir expects one place for each of the {len(names)} data sets {data_spec}, with commas between. "
            f"Received: {len(places)}, {data_dir}. A path that contains a comma needs a link without one."
        )
    return [(find_spec(name, place), place) for name, place in zip(names, places, strict=True)]


def resolve_names(data_spec: str, sets: list[tuple[DataSpec, str | None]]) -> str:
    """Return `--data-spec` with the names of the specs that folders bring along, in place of the defaults they replaced."""
    names = [data_spec] if len(sets) == 1 else [name.strip() for name in data_spec.split(",")]
    own = [spec.name if spec.source.endswith(SPEC_FILE) else name for name, (spec, _) in zip(names, sets, strict=True)]
    return ",".join(own)


def set_names(data_spec: str) -> list[str]:
    """Return the names of the data sets that `--data-spec` names."""
    return [spec.name for spec, _ in parse_sets(data_spec)]


def absolute_places(data_spec: str, data_dir: str | None) -> str | None:
    """Return `--data-dir` with every place in it absolute, so that a run finds its data from anywhere."""
    if data_dir is None:
        return None
    places = [place for _, place in parse_sets(data_spec, data_dir)]
    return ",".join("" if place is None else str(Path(place).expanduser().resolve()) for place in places)


def parse_weights(text: str | None, sets: int) -> tuple[float, ...] | None:
    """Return the weight of each data set, or None where none are given.

    Args:
        text: numbers above 0 with commas between, one per data set.
        sets: how many there are.

    Raises:
        ValueError: `text` is something else, or there is only one set.

    Example:
        >>> parse_weights("1,2.5", 2)
        (1.0, 2.5)
    """
    if text is None:
        return None
    try:
        weights = tuple(float(part) for part in text.split(","))
    except ValueError:
        weights = ()
    if sets < 2 or len(weights) != sets or not all(0 < weight < float("inf") for weight in weights):
        raise ValueError(
            f"--set-weights expects a number above 0 for each of several data sets, with commas between; --data-spec "
            f"names {sets}. Received: {text!r}."
        )
    return weights


def join_indexes(indexes: Sequence[FaceIndex]) -> FaceIndex:
    """Return the faces of several data sets as one index, no image in two splits.

    Emotions are matched by name, in the package's order. A face that is also in a split of another set that counts more
    (test before validation before training) is dropped and counted; pictures of one size are compared by their pixels, so
    that a face in an array and the same face in a PNG file are one.

    Args:
        indexes: two or more indexes with splits assigned.

    Returns:
        The index; `members` lists its sets, `member` says which of them each face belongs to.
    """
    names = _unique([index.spec.name for index in indexes])
    found = {label for index in indexes for label in index.labels}
    labels = in_package_order(sorted(found))  # names of a set's own come last
    members = tuple(
        Member(name, index.spec, index.root, index.labels, index.report)
        for name, index in zip(names, indexes, strict=True)
    )
    parts = [relabel(index, labels) for index in indexes]
    columns = {
        name: _stacked(parts, name) for name in COLUMNS if any(getattr(part, name) is not None for part in parts)
    }
    owner = np.repeat(np.arange(len(indexes), dtype=np.int16), [len(index) for index in indexes])
    prefix = np.array([f"{name}/" for name in names])[owner]
    columns["id"] = np.char.add(prefix, columns["id"])
    columns["subject"] = np.where(columns["subject"] == "", "", np.char.add(prefix, columns["subject"]))
    columns["member"] = owner
    joined = FaceIndex(
        _joined_spec(names, indexes), Path(), labels, _joined_report(members), members=members, **columns
    )
    joined = drop_shared(joined, joined.content, _ELSEWHERE)
    return drop_shared(joined, pixel_contents(joined)[0], _ELSEWHERE)


def split_members(index: FaceIndex) -> dict[str, FaceIndex]:
    """Return the faces of each joined data set as an index of its own, with its name, labels and ids."""
    parts = {}
    for number, member in enumerate(index.members):
        part = index.take(index.member == number)
        blank = {name: None for name, value in _BLANKS.items() if _is_blank(getattr(part, name), value)}
        ids = np.array([text.removeprefix(f"{member.name}/") for text in part.id.tolist()], dtype=str)
        derived = index.spec.derived
        spec = replace(member.spec, targets=(*member.spec.targets, *derived), derived=derived)
        part = replace(
            part, **blank, spec=spec, root=member.root, report=member.report, id=ids, members=(), member=None
        )
        parts[member.name] = relabel(part, member.labels)
    return parts


def _is_blank(column: np.ndarray | None, value: float) -> bool:
    return column is None or bool((np.isnan(column) if np.isnan(value) else column == value).all())


def _unique(names: list[str]) -> list[str]:
    """Number the later ones of equal names: mine, mine-2."""
    return [
        name if name not in names[:place] else f"{name}-{names[: place + 1].count(name)}"
        for place, name in enumerate(names)
    ]


def _stacked(parts: list[FaceIndex], name: str) -> np.ndarray:
    columns = [getattr(part, name) for part in parts]
    shape = next(column.shape[1:] for column in columns if column is not None)
    return np.concatenate(
        [
            np.full((len(part), *shape), _BLANKS[name], np.float32) if column is None else column
            for part, column in zip(parts, columns, strict=True)
        ]
    )


def _joined_spec(names: list[str], indexes: Sequence[FaceIndex]) -> DataSpec:
    """Return the spec of the joined set: all titles, licences and notes, and every target that a set labels."""
    specs = [index.spec for index in indexes]
    texts = {key: [getattr(spec, key).strip() for spec in specs] for key in ("licence", "homepage", "citation", "note")}
    lines = {
        key: "; ".join(f"{name}: {text}" for name, text in zip(names, parts, strict=True) if text)
        for key, parts in texts.items()
    }
    targets = {target for spec in specs for target in spec.targets}
    return DataSpec(
        name="+".join(names),
        title=" + ".join(spec.title for spec in specs),
        reader="",
        targets=tuple(name for name in OUTPUTS if name in targets),
        **lines,
    )


def _joined_report(members: Sequence[Member]) -> IndexReport:
    """Return the sum of the sets' reports; examples get the set's name as a prefix."""
    total = IndexReport(found=sum(member.report.found for member in members))
    for member in members:
        for table in ("dropped", "missing_labels", "warnings"):
            counts = getattr(total, table)
            for reason, count in getattr(member.report, table).items():
                counts[reason] = counts.get(reason, 0) + count
        for reason, rows in member.report.examples.items():
            total.examples.setdefault(reason, []).extend(f"{member.name}/{row}" for row in rows)
    return total
