"""Runs that differ in their seed alone, as one result: mean, standard deviation and range of every score."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fer_keras.report.comparison import ComparisonRow, comparison_warnings
from fer_keras.report.rendering import markdown_table
from fer_keras.report.score_table import format_score
from fer_keras.report.sections import Table


@dataclass(frozen=True)
class SeedSpread:
    """One score over several seeds.

    Attributes:
        score: its name, as in `ComparisonRow`.
        n: runs that have a value.
        mean: over them.
        deviation: their standard deviation (ddof 1), an estimate of the effect of another seed; None for fewer than two.
        low, high: the lowest and highest of them.
    """

    score: str
    n: int
    mean: float
    deviation: float | None
    low: float
    high: float


def seed_spreads(rows: Sequence[ComparisonRow]) -> list[SeedSpread]:
    """Return mean and spread of each row that has a value.

    The deviation estimates how much another training run on the same faces would differ; the intervals in each run's report
    estimate how much other faces would. Neither includes the other.

    Args:
        rows: of `score_rows`.

    Raises:
        ValueError: the scores are not comparable, so that a mean has no meaning.
    """
    warnings = comparison_warnings(rows)
    if warnings:
        raise ValueError(f"A mean over seeds expects runs scored on the same faces and labels. {warnings[0]}")
    spreads = []
    for row in rows:
        values = np.array([value["value"] for value in row.values if value is not None], float)
        if len(values):
            deviation = float(values.std(ddof=1)) if len(values) > 1 else None
            spreads.append(
                SeedSpread(
                    score=row.score,
                    n=len(values),
                    mean=float(values.mean()),
                    deviation=deviation,
                    low=float(values.min()),
                    high=float(values.max()),
                )
            )
    return spreads


def format_spreads(spreads: Sequence[SeedSpread]) -> str:
    """Return the spreads as a Markdown table that also reads well in a terminal."""
    cells = []
    for spread in spreads:
        numbers = (spread.mean, spread.deviation, spread.low, spread.high)
        cells.append((spread.score, *map(format_score, (*numbers, spread.n))))
    header = ("Score", "Mean", "Standard deviation", "Lowest", "Highest", "Seeds")
    return "\n".join(markdown_table(Table(header, tuple(cells))))
