"""What a command says last: how many files and rows were passed over, why, and the first of their names."""

from collections.abc import Iterable, Mapping

from fer_keras.data.index import IndexReport

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


def passed_over_lines(report: IndexReport | Mapping, unreadable: Iterable[tuple[str, str]] = ()) -> list[str]:
    """Return what was passed over, in lines for a terminal.

    Args:
        report: of the index, or the same as a bundle keeps it.
        unreadable: (split/id, reason) of each face that could not be read when it was needed.

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
        told = f"unreadable face ({_short(reason)})"
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
