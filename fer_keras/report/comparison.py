"""Comparison of evaluated runs: every score of every run, and which wins where the intervals show a difference."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

from matplotlib.figure import Figure

from fer_keras.drawing.palette import ALERT
from fer_keras.report.rendering import markdown_table
from fer_keras.report.score_table import UNDEFINED, format_interval, format_score, scored_outputs
from fer_keras.report.sections import Table
from fer_keras.report.sheets import plot_compare_bars

_PLOTTED = ("emotion accuracy", "emotion f1_macro", "emotion auc_roc", "valence ccc", "arousal ccc", "p_va")
_LATENCY = "latency_ms, batch"
_RESOURCES = ("parameters", "size_mb", "training_seconds", "peak_memory_mb")


#: The verdict where the intervals of the two best runs overlap: the difference may be chance.
NO_DIFFERENCE = "no difference shown"


@dataclass(frozen=True)
class RunSummary:
    """The values of one run that are compared; None for what was not measured.

    Args:
        name: the run's name, different for each run.
        scores: from `fer_keras.metrics.scores.score_predictions`.
        parameters: number of the model's weights.
        size_mb: size of the saved model.
        training_seconds: duration of the training.
        peak_memory_mb: peak of the memory used.
        latency_ms: milliseconds per batch, by batch size: {1: 4.2, 16: 31.0}.
        dataset: name of the evaluated data set.
        split: name of the evaluated split.
        fingerprint: fingerprint of the evaluated data.
    """

    name: str
    scores: Mapping
    parameters: int | None = None
    size_mb: float | None = None
    training_seconds: float | None = None
    peak_memory_mb: float | None = None
    latency_ms: Mapping[int, float] = field(default_factory=dict)
    dataset: str | None = None
    split: str | None = None
    fingerprint: str | None = None


@dataclass(frozen=True)
class ComparisonRow:
    """One score or resource of all runs.

    `values` holds one {"value", "low", "high"} per run (None if the run has no value; low and high are None without an
    interval). `winner` and `runner_up` are names or None. `verdict` is one of "wins", "wins, no interval",
    "no difference shown" (the intervals overlap), "tie", "only value", "no value", "not comparable"; `warning` gives the reason.
    """

    score: str
    better: str
    names: tuple[str, ...]
    values: tuple[dict[str, float | None] | None, ...]
    winner: str | None
    runner_up: str | None
    verdict: str
    warning: str = ""


def comparison_rows(runs: Sequence[RunSummary]) -> list[ComparisonRow]:
    """Return the rows of `score_rows` (same arguments and errors), then one row per resource, of which less is better."""
    names = [run.name for run in runs]
    resources = {title: dict(zip(names, values, strict=True)) for title, values in _resources(runs).items()}
    return score_rows(runs) + [_row(title, "lower", values) for title, values in resources.items()]


def score_rows(runs: Sequence[RunSummary]) -> list[ComparisonRow]:
    """Return one row per score, with its winner.

    Scores of runs that were not evaluated on the same data, split and fingerprint, on the same labels or on the same
    number of faces get no winner but a warning. Two 95 % intervals that overlap leave the order open; intervals apart
    settle it. The rule is cautious: the runs saw the same faces, so a paired test would find more differences.

    Args:
        runs: two or more with different names.

    Raises:
        ValueError: fewer than two runs, or two of the same name.
    """
    names = tuple(run.name for run in runs)
    if len(names) < 2 or len(set(names)) != len(names):
        raise ValueError(
            "A comparison needs two or more runs with different names. "
            f"Received: {', '.join(names) or 'none'}. Name the runs apart."
        )
    everywhere = _data_warning(runs)
    rows = []
    for (output, score), better in _score_names(runs).items():
        values = {run.name: _score_value(run.scores, output, score) for run in runs}
        rows.append(_row(f"{output} {score}".strip(), better, values, everywhere or _output_warning(runs, output)))
    return rows


def _data_warning(runs: Sequence[RunSummary]) -> str:
    differing = []
    for what in ("dataset", "split", "fingerprint"):
        values = [getattr(run, what) or "not recorded" for run in runs]
        if len(set(values)) > 1:
            by_run = ", ".join(f"{run.name}: {value}" for run, value in zip(runs, values, strict=True))
            differing.append(f"{what} ({by_run})")
    return f"Not comparable: the runs were not evaluated on the same {' and '.join(differing)}." if differing else ""


def _output_warning(runs: Sequence[RunSummary], output: str) -> str:
    """Return a warning if the runs that have an output were scored on different labels or numbers of faces."""
    parts = {run.name: run.scores[output] for run in runs if output and run.scores.get(output)}
    for what, values in (
        ("numbers of faces", {name: str(part.get("n")) for name, part in parts.items()}),
        ("labels", {name: "/".join(part.get("labels") or ()) for name, part in parts.items()}),
    ):
        if len(set(values.values())) > 1:
            by_run = ", ".join(f"{name}: {value}" for name, value in values.items())
            return f"Not comparable: {output} was scored on different {what} ({by_run})."
    return ""


def _score_names(runs: Sequence[RunSummary]) -> dict[tuple[str, str], str]:
    """(output, score) -> which direction is better, for all scores that any run has, in the report's order."""
    found = {}
    for output in ("emotion", "valence", "arousal"):
        tables = [scored_outputs(run.scores).get(output) for run in runs]
        table = next((table for table in tables if table), {})
        for name, (_, better) in table.items():
            if any(name in (run.scores.get(output) or {}) for run in runs):
                found[output, name] = better
    if any(run.scores.get("p_va") for run in runs):
        found["", "p_va"] = "higher"
    return found


def _score_value(scores: Mapping, output: str, name: str) -> dict[str, float | None] | None:
    score = ((scores.get(output) if output else scores) or {}).get(name) or {}
    if score.get("value") is None:
        return None
    return {"value": score["value"], "low": score.get("low"), "high": score.get("high")}


def _resources(runs: Sequence[RunSummary]) -> dict[str, tuple]:
    columns = {name: [getattr(run, name) for run in runs] for name in _RESOURCES}
    for batch in sorted({batch for run in runs for batch in run.latency_ms}):
        columns[f"{_LATENCY} {batch}"] = [run.latency_ms.get(batch) for run in runs]
    return {
        title: tuple(None if value is None else {"value": value, "low": None, "high": None} for value in values)
        for title, values in columns.items()
        if any(value is not None for value in values)
    }


def _row(score: str, better: str, values: dict[str, dict | None], warning: str = "") -> ComparisonRow:
    ranked = [name for name, value in values.items() if value is not None]
    ranked.sort(key=lambda name: values[name]["value"], reverse=better == "higher")
    winner = runner_up = None
    if not ranked:
        verdict = "no value"
    elif len(ranked) == 1:
        verdict = "only value"
    elif warning:
        verdict = "not comparable"
    elif values[ranked[0]]["value"] == values[ranked[1]]["value"]:
        verdict = "tie"
    else:
        verdict = _verdict(values[ranked[0]], values[ranked[1]])
        winner, runner_up = ranked[:2] if verdict != NO_DIFFERENCE else (None, None)
    warning = warning if len(ranked) > 1 else ""
    return ComparisonRow(
        score,
        better,
        names=tuple(values),
        values=tuple(values.values()),
        winner=winner,
        runner_up=runner_up,
        verdict=verdict,
        warning=warning,
    )


def _verdict(best: Mapping, second: Mapping) -> str:
    """Whether two intervals share a point (touching ends count as overlap)."""
    if None in (best["low"], best["high"], second["low"], second["high"]):
        return "wins, no interval"
    overlap = best["low"] <= second["high"] and second["low"] <= best["high"]
    return NO_DIFFERENCE if overlap else "wins"


def compare_runs(runs: Sequence[RunSummary]) -> dict:
    """Return the whole comparison as plain data for JSON: {"runs", "warnings", "rows", "text"}.

    "rows" are `ComparisonRow` as dicts, "text" is `format_comparison` of them. Arguments and errors: `comparison_rows`.
    """
    rows = comparison_rows(runs)
    described = ("name", "dataset", "split", "fingerprint")
    return {
        "runs": [{key: getattr(run, key) for key in described} for run in runs],
        "warnings": comparison_warnings(rows),
        "rows": [asdict(row) for row in rows],
        "text": format_comparison(rows),
    }


def comparison_warnings(rows: Sequence[ComparisonRow]) -> list[str]:
    """Return each reason why scores are not comparable, once."""
    return list(dict.fromkeys(row.warning for row in rows if row.warning))


def format_comparison(rows: Sequence[ComparisonRow]) -> str:
    """Return the comparison as Markdown that also reads well in a terminal, warnings first.

    Raises:
        ValueError: there are no rows.
    """
    if not rows:
        raise ValueError("A comparison must have at least one row. Received: none. Pass what comparison_rows returned.")
    lines = [f"WARNING: {warning}\n" for warning in comparison_warnings(rows)]
    header = ("Score", *rows[0].names, "Better", "Verdict")
    cells = []
    for row in rows:
        verdict = f"{row.winner} {row.verdict}" if row.winner else row.verdict
        cells.append((row.score, *(_cell(row.score, value) for value in row.values), row.better, verdict))
    return "\n".join([*lines, *markdown_table(Table(header, tuple(cells), words=(len(header) - 2, len(header) - 1)))])


def _cell(title: str, value: Mapping | None) -> str:
    if value is None:
        return UNDEFINED
    number, interval = value["value"], format_interval(value)
    resource = title in _RESOURCES or title.startswith(_LATENCY)
    shown = f"{number:,}" if isinstance(number, int) else f"{number:,.1f}" if resource else format_score(number)
    return f"{shown} ({interval})" if interval else shown


def plot_comparison(runs: Sequence[RunSummary]) -> Figure:
    """Draw the headline scores of the runs as bars with their 95 % intervals, one panel per score.

    Arguments and errors as `comparison_rows`; also a ValueError if no run has a headline score. A comparison that is
    not valid says so above the panels.
    """
    rows = comparison_rows(runs)
    none = {"value": None, "low": None, "high": None}
    panels = {
        row.score: [tuple((value or none).values()) for value in row.values] for row in rows if row.score in _PLOTTED
    }
    figure = plot_compare_bars([run.name for run in runs], panels)
    if comparison_warnings(rows):
        figure.suptitle(
            "Not comparable: not evaluated on the same faces and labels",
            fontsize=10,
            color=ALERT,
            x=0.01,
            ha="left",
        )
    return figure
