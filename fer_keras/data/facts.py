"""Facts about a data set for terminal, bundle and report: what it holds, what was passed over, what is derived."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict

import numpy as np

from fer_keras.data.circumplex import SOURCE
from fer_keras.data.index import FaceIndex, IndexReport
from fer_keras.data.several import split_members
from fer_keras.data.unusable import one_class_note, unknown_names
from fer_keras.labels import AXES
from fer_keras.readers.names import UnknownLabels


def describe_faces(index: FaceIndex) -> list[str]:
    """Return what a data set holds and what was left out, in lines for a terminal; of several sets, each and the whole."""
    parts = split_members(index)
    lines = [line for part in parts.values() for line in _describe(part)]
    lines += [f"{len(parts)} data sets as one", *_describe(index)[1:]] if parts else _describe(index)
    if index.spec.derived:
        lines.append(f"  note: {' and '.join(index.spec.derived)} are derived from the emotions, not measured")
    if "emotion" in index.spec.targets and len(emotions_present(index)) < 2:
        lines.append(f"  note: {one_class_note(index.report, emotions_present(index))}")
    empty = [name for name in index.labels if not index.counts().get("train", {}).get(name)]
    if "emotion" in index.spec.targets and empty:
        lines.append(f"  note: no training face of {', '.join(empty)}; a model cannot learn what it never sees")
    return lines


def emotions_present(index: FaceIndex) -> tuple[str, ...]:
    """Return the emotions that at least one face has, in the index's order."""
    present = set(index.emotion.tolist())
    return tuple(name for code, name in enumerate(index.labels) if code in present)


def check_classes(index: FaceIndex, outputs: tuple[str, ...]) -> None:
    """Refuse to train an emotion output on faces of fewer than two emotions.

    Args:
        index: of all splits.
        outputs: of the model.

    Raises:
        UnknownLabels: it names the labels or folders that were not recognised, and the lines to write.
    """
    present = emotions_present(index)
    if "emotion" in outputs and len(present) < 2:
        raise UnknownLabels(one_class_note(index.report, present), unknown_names(index.report))


def _describe(index: FaceIndex) -> list[str]:
    lines = [index.spec.title, *index.report.lines()]
    for split, classes in index.counts().items():
        held = ", ".join(f"{name} {count:,}" for name, count in classes.items() if count)
        lines.append(f"  {split}: {sum(classes.values()):,} faces, {held}")
    return lines


def member_facts(index: FaceIndex, set_weights: tuple[float, ...] | None = None) -> list[dict]:
    """Return the facts about each joined data set that bundle and inspection record; an empty list for one data set.

    Returns:
        One dict per set: "name", "title", "licence", "homepage", "citation", "targets", "splits" (faces by split), "report",
        and "weight" where sets are drawn by weight.
    """
    facts = []
    for number, (member, part) in enumerate(zip(index.members, split_members(index).values(), strict=True)):
        told = {key: getattr(member.spec, key) for key in ("title", "licence", "homepage", "citation")}
        splits = {split: sum(classes.values()) for split, classes in part.counts().items()}
        entry = {"name": member.name, **told, "targets": list(member.spec.targets), "splits": splits}
        facts.append({**entry, "report": asdict(member.report)})
        if set_weights is not None:
            facts[-1]["weight"] = set_weights[number]
    return facts


def derived_facts(index: FaceIndex) -> dict | None:
    """Return which labels of an index are derived, how and from what source, or None if all are measured."""
    return {"axes": list(index.spec.derived), **SOURCE} if index.spec.derived else None


def training_priors(index: FaceIndex) -> dict:
    """Return what a constant guess would say: label shares and mean valence and arousal of the training faces.

    Returns:
        emotion: share of each label in order, or None; valence, arousal: mean or None; source: the split they were computed on.
    """
    codes = index.emotion[index.emotion >= 0]
    shares = np.bincount(codes, minlength=len(index.labels)) / len(codes) if len(codes) else None
    priors: dict = {"source": "training split", "emotion": None if shares is None else shares.tolist()}
    for axis in AXES:
        column = getattr(index, axis)
        known = column[~np.isnan(column)].astype(np.float64)
        priors[axis] = float(known.mean()) if len(known) else None
    return priors


_SHOWN = 3  # names shown per reason

#: Starts of the notes that concern faces and files which are used all the same; they are told apart.
_REMARKS = (
    "face that repeats",
    "face not compared",
    "face box that reaches",
    "valence, none",
    "class folder beside",
    "empty class folder",
    "table that is not UTF-8",
    "column ",
    "linked folder that is read already",
)


def passed_over_lines(
    report: IndexReport | Mapping, unreadable: Iterable[tuple[str, str]] = (), *, what: str = "face"
) -> list[str]:
    """Return what was passed over, in lines for a terminal.

    Args:
        report: of the index, or the same as a bundle keeps it.
        unreadable: (split/id, reason) of each face that could not be read when it was needed.
        what: what each of these is.

    Example:
        >>> passed_over_lines(IndexReport(dropped={"label 9": 2}, examples={"label 9": ["train/a", "train/b"]}))
        ['passed over: 2', '  2 x label 9: train/a, train/b']
        >>> passed_over_lines(IndexReport())
        ['passed over: nothing']
    """
    facts = report if isinstance(report, Mapping) else vars(report)
    counts: dict[str, int] = dict(facts.get("dropped", {}))
    names: dict[str, list[str]] = {reason: list(shown) for reason, shown in facts.get("examples", {}).items()}
    remarks: dict[str, int] = {}
    for reason, count in facts.get("warnings", {}).items():
        table = remarks if reason.startswith(_REMARKS) else counts
        table[reason] = table.get(reason, 0) + count
    for name, reason in unreadable:
        told = f"unreadable {what} ({_short(reason)})"
        counts[told] = counts.get(told, 0) + 1
        names.setdefault(told, []).append(name)
    total = f"{sum(counts.values()):,}" if counts else "nothing"
    return [f"passed over: {total}", *_lines(counts, names, "  "), *_lines(remarks, names, "note: ")]


def _lines(counts: dict[str, int], names: dict[str, list[str]], start: str) -> list[str]:
    lines = []
    for reason, count in sorted(counts.items(), key=lambda item: -item[1]):
        shown = names.get(reason, [])[:_SHOWN]
        more = ", ..." if shown and count > len(shown) else ""
        lines.append(f"{start}{count:,} x {reason}" + (f": {', '.join(shown)}{more}" if shown else ""))
    return lines


def _short(reason: str) -> str:
    """Return what an error says of a file, without what every such error says."""
    return reason.rpartition("Received: ")[2].rstrip(".") or reason
