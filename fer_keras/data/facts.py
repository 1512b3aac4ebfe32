"""Facts about a data set for terminal, bundle and report: what it holds, what was left out, what is derived."""

from dataclasses import asdict

import numpy as np

from fer_keras.data.circumplex import SOURCE
from fer_keras.data.index import FaceIndex
from fer_keras.data.several import split_members
from fer_keras.data.unusable import one_class_note, unknown_names
from fer_keras.labels import AXES
from fer_keras.readers.label_names import UnknownLabels


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
