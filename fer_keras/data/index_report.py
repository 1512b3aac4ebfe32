"""What was found in a data set's files and what was left out, counted by reason."""

from copy import deepcopy
from dataclasses import dataclass, field

_EXAMPLES = 5  # ids kept a reason


@dataclass
class IndexReport:
    """What was found in the files and what was left out, by reason.

    Attributes:
        found: rows read.
        dropped: reason -> rows that cannot be used.
        missing_labels: reason -> labels that count as missing in rows that are used.
        warnings: reason -> count of what concerns no row.
        examples: reason -> the first few rows it holds for, as split/id.
    """

    found: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    missing_labels: dict[str, int] = field(default_factory=dict)
    warnings: dict[str, int] = field(default_factory=dict)
    examples: dict[str, list[str]] = field(default_factory=dict)

    def count(self, table: str, reason: str, split: str, row_id: str) -> None:
        """Count one row in `dropped`, `missing_labels` or `warnings`, keeping the first few as examples."""
        counts = getattr(self, table)
        counts[reason] = counts.get(reason, 0) + 1
        examples = self.examples.setdefault(reason, [])
        if len(examples) < _EXAMPLES:
            examples.append(f"{split}/{row_id}" if split else row_id)

    def copy(self) -> "IndexReport":
        """Return a report that can be counted in without touching this one."""
        return deepcopy(self)

    def lines(self) -> list[str]:
        """Return the report for a terminal, one line a reason."""
        out = [f"{self.found:,} rows found, {self.found - sum(self.dropped.values()):,} used"]
        for title, counts in (
            ("dropped", self.dropped),
            ("label missing", self.missing_labels),
            ("note", self.warnings),
        ):
            for reason, count in sorted(counts.items(), key=lambda item: -item[1]):
                examples = ", ".join(self.examples.get(reason, ())[:3])
                out.append(f"  {title}: {count:,} x {reason}" + (f" ({examples})" if examples else ""))
        return out
