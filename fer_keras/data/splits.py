"""Assigning faces to splits: official splits stay, others are stratified by emotion, and no face is in two of them."""

from dataclasses import replace

import numpy as np

from fer_keras.data.index import FaceIndex
from fer_keras.data.pixel_copies import NOT_COMPARED, pixel_contents

_RANK = {"train": 0, "validation": 1, "test": 2}

#: The report's words for a face whose duplicate is in the same split; both stay.
REPEATED = "face that repeats another of its split"
#: What follows where the files of two equal faces differ.
_OTHER_FILE = ", by equal pixels in another file"


def assign_splits(
    index: FaceIndex, validation_fraction: float = 0.1, test_fraction: float = 0.1, seed: int = 0
) -> FaceIndex:
    """Return the index with every face in a split and no image or subject in two.

    Official splits stay. Where the files have no validation split it is held out of training; where they have no splits
    at all, so is the test split. Held-out faces are stratified by emotion; equal faces and faces of one subject stay
    together. A training face that equals one of validation or test, or a validation face that equals one of test, is dropped
    and counted. Faces are equal by their files' bytes or by their pixels, see `pixel_contents`.

    Args:
        index: from `load_index`.
        validation_fraction, test_fraction: share of the faces that are split.
        seed: the same seed gives the same splits for any order of the files.

    Raises:
        ValueError: the fractions leave no training faces.
    """
    index = drop_shared(index)
    contents, left = pixel_contents(index)
    kept = _counts_most(index, contents)
    index, contents = drop_shared(index, contents, _OTHER_FILE), contents[kept]
    if left:
        index.report.warnings[NOT_COMPARED] = left
    present = set(index.split.tolist())
    unsplit = present == {""}
    shares = {}
    if "validation" not in present:
        shares["validation"] = validation_fraction
    if unsplit:
        shares["test"] = test_fraction
    if sum(shares.values()) >= 1:
        raise ValueError(
            f"validation_fraction and test_fraction leave no faces to train on: expected a sum below 1. Received: {shares}."
        )
    split = index.split.astype("U10")
    pool = np.flatnonzero((split == "") | (split == "train"))
    split[pool] = "train"
    for name, rows in _hold_out(index.take(pool), contents[pool], shares, seed).items():
        split[pool[rows]] = name
    return replace(index, split=split)


def limit_samples(index: FaceIndex, most: int | None, seed: int = 0) -> FaceIndex:
    """Return at most `most` faces, stratified by emotion; all of them if `most` is None or larger."""
    if most is None or len(index) <= most:
        return index
    order = np.lexsort((index.id, index.split))
    rng = np.random.default_rng([seed, 1])
    picked = []
    for code in np.unique(index.emotion):
        members = rng.permutation(order[index.emotion[order] == code])
        # The position of each member inside its class, as a share, interleaves the classes in proportion.
        picked.extend(zip((np.arange(len(members)) + 0.5) / len(members), members.tolist(), strict=True))
    rows = np.sort([row for _, row in sorted(picked)[:most]])
    return index.take(rows)


def drop_shared(index: FaceIndex, contents: np.ndarray | None = None, where: str = "") -> FaceIndex:
    """Drop faces that also occur in a higher split (test, validation, train), and count the duplicates that stay.

    Args:
        index: with or without splits.
        contents: (n,) text that is equal for equal faces, "" = unknown; default: `index.content`.
        where: text added to the reason, which says where the higher split is.
    """
    contents = index.content if contents is None else contents
    rank, best = _ranks(index, contents)
    keep = _counts_most(index, contents)
    report = index.report.copy()
    names = {value: name for name, value in _RANK.items()}
    for row in np.flatnonzero(~keep):
        report.count(
            "dropped",
            f"{names[rank[row]]} face that is also in {names[best[row]]}{where}",
            index.split[row],
            index.id[row],
        )
    kept = index.take(keep)
    extra = len(kept) - len(np.unique(np.char.add(kept.split, contents[keep])))
    if extra:
        report.warnings[REPEATED] = extra
    return replace(kept, report=report)


def equal_across_splits(index: FaceIndex) -> int:
    """Return how many faces have equal pixels in a split that counts more, whatever it costs to find them.

    Args:
        index: with splits assigned.
    """
    contents, _ = pixel_contents(index, float("inf"))
    return int((~_counts_most(index, contents)).sum())


def _ranks(index: FaceIndex, contents: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return how much the split of each face counts, and the most that any split counts that the face is in."""
    rank = np.array([_RANK.get(split, 0) for split in index.split.tolist()])
    highest: dict[str, int] = {}
    for content, value in zip(contents.tolist(), rank.tolist(), strict=True):
        highest[content] = max(value, highest.get(content, 0))
    return rank, np.array([highest[content] for content in contents.tolist()])


def _counts_most(index: FaceIndex, contents: np.ndarray) -> np.ndarray:
    """Return whether each face is in the split that counts most of those that it is in."""
    rank, best = _ranks(index, contents)
    return (rank == best) | (contents == "")


def group_rows(index: FaceIndex, contents: np.ndarray | None = None) -> np.ndarray:
    """Return for each face the number of its group: equal faces or faces of one subject, also by a chain.

    Args:
        index: of the faces.
        contents: as for `drop_shared`.
    """
    parent = np.arange(len(index))

    def root_of(row: int) -> int:
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = parent[row]
        return row

    for column in (index.content if contents is None else contents, index.subject):
        first: dict[str, int] = {}
        for row, value in enumerate(column.tolist()):
            if value and first.setdefault(value, row) != row:
                one, other = sorted((root_of(first[value]), root_of(row)))
                parent[other] = one
    return np.array([root_of(row) for row in range(len(index))])


def _hold_out(index: FaceIndex, contents: np.ndarray, shares: dict[str, float], seed: int) -> dict[str, np.ndarray]:
    """Return split -> rows held out; each class gives its share, at least one group where it has three or more."""
    groups = group_rows(index, contents)
    order = np.lexsort((index.id, index.split))
    members: dict[int, list[int]] = {}
    for row in order.tolist():
        members.setdefault(int(groups[row]), []).append(row)
    by_class: dict[int, list[list[int]]] = {}
    for rows in members.values():
        by_class.setdefault(int(index.emotion[rows[0]]), []).append(rows)
    rng = np.random.default_rng([seed, 0])
    held: dict[str, list[int]] = {name: [] for name in shares}
    for code in sorted(by_class):
        waiting = [by_class[code][i] for i in rng.permutation(len(by_class[code]))]
        total, enough = sum(map(len, waiting)), len(waiting) >= 3
        for name, share in shares.items():
            wanted = max(round(total * share), 1 if enough and share > 0 else 0)
            taken = 0
            while taken < wanted and len(waiting) > 1:
                rows = waiting.pop()
                held[name].extend(rows)
                taken += len(rows)
    return {name: np.array(rows, dtype=np.int64) for name, rows in held.items()}
