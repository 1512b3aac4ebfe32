"""The contents of an evaluation report as data: sections of tables, notices and pictures.

Every table is built once, here, from the scores; `rendering.py` writes the same sections as Markdown and HTML.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from matplotlib.figure import Figure

from fer_keras.report.score_table import (
    CLASS_SCORES,
    PAPER,
    UNDEFINED,
    format_interval,
    format_score,
    score_name,
    scored_outputs,
)

_MOST_IDS = 200
_SET_SCORES = {
    "emotion": {"accuracy": "accuracy", "f1_macro": "macro F1"},
    "valence": {"ccc": "CCC"},
    "arousal": {"ccc": "CCC"},
}


class Code(str):
    """A string that is shown as code: a path, a command, a fingerprint."""


@dataclass(frozen=True)
class Text:
    """A paragraph; a `notice` is set apart because the reader must not miss it."""

    text: str
    notice: bool = False


@dataclass(frozen=True)
class Table:
    """Rows of cells under a header; a column holds numbers (set to the right) unless it is the first or in `words`."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str = ""
    words: tuple[int, ...] = ()

    def is_numeric(self, column: int) -> bool:
        """Return whether a column is set to the right."""
        return column > 0 and column not in self.words


@dataclass(frozen=True)
class Tile:
    """One headline number: value, interval, n and baseline as text, and as places on a scale from 0 to 1."""

    title: str
    value: str
    interval: str
    count: str
    baseline: str
    places: dict[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Tiles:
    """The headline numbers, side by side."""

    tiles: tuple[Tile, ...]


@dataclass(frozen=True)
class Picture:
    """A figure saved as plots/`name`.png; a `wide` one takes the whole width of the page."""

    name: str
    figure: Figure
    alt: str
    caption: str
    wide: bool = False


@dataclass(frozen=True)
class Listing:
    """A long list that a reader opens when needed, for example ids."""

    title: str
    items: tuple[str, ...]
    left_out: int = 0


@dataclass(frozen=True)
class Section:
    """A heading and the blocks under it; the first section of a report has the report's title."""

    title: str
    blocks: tuple[Text | Table | Tiles | Picture | Listing, ...]


def summary_section(scores: Mapping, context: Mapping) -> Section:
    """Return the section that shows at a glance how good the model is, and compared with what."""
    where = " · ".join(str(part) for part in (context.get("dataset"), context.get("split")) if part)
    blocks: list = [Text(f"{where + ': ' if where else ''}{_counted(scores['n'], 'face')} evaluated.")]
    split = context.get("split")
    if context.get("selected_on") is not None and context["selected_on"] == split:
        blocks.append(
            Text(
                f"The model was selected on this same split ({split}): its checkpoint or settings were chosen because "
                "they did well here, so these scores are optimistic. Quote a split the model was not selected on.",
                notice=True,
            )
        )
    blocks.append(Tiles(tuple(_headline_tiles(scores))))
    blocks.extend(Text(sentence) for sentence in _baseline_sentences(scores))
    if scores.get("paper"):
        blocks.append(Text(_protocols(scores)))
    blocks.extend(Text(str(note)) for note in context.get("notes") or ())
    return Section(str(context.get("title") or "Evaluation report"), tuple(blocks))


def _protocols(scores: Mapping) -> str:
    paper, every = scores["paper"]["emotion"], scores["emotion"]
    return (
        f"By the protocol of the FER+ paper {paper['n']:,} faces count: those whose label "
        f"has more than half of the votes. Accuracy there {format_score(paper['accuracy']['value'])}; of all "
        f"{every['n']:,} faces with a single most frequent label {format_score(every['accuracy']['value'])}."
    )


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _headline_tiles(scores: Mapping) -> list[Tile]:
    paper = (scores.get("paper") or {}).get("emotion")
    wanted = {"emotion": ("accuracy", "f1_macro"), "valence": ("ccc",), "arousal": ("ccc",)}
    titles = {"accuracy": "Emotion accuracy", "f1_macro": "Emotion macro F1"}
    tiles = [_tile(f"{titles[name]}, {PAPER}", paper, name) for name in wanted["emotion"]] if paper else []
    for output in scored_outputs(scores):
        for name in wanted[output]:
            if name in scores[output]:
                title = titles.get(name, f"{score_name(output, scores[output]).capitalize()} CCC")
                tiles.append(_tile(title, scores[output], name))
    if scores.get("p_va"):
        tiles.append(
            _tile(
                score_name("P_VA, mean CCC", scores["p_va"]),
                {"p_va": scores["p_va"], "baseline": {"p_va": 0.0}},
                "p_va",
            )
        )
    return tiles


def _tile(title: str, part: Mapping, name: str) -> Tile:
    score, baseline = part[name], (part.get("baseline") or {}).get(name)
    count = f"{score.get('n', part['n']):,}" if "n" in part else ""
    places = {"value": score["value"], "low": score.get("low"), "high": score.get("high"), "baseline": baseline}
    return Tile(
        title,
        value=format_score(score["value"]),
        interval=format_interval(score) or UNDEFINED,
        count=count,
        baseline=format_score(baseline),
        places={key: None if place is None else min(max(place, 0.0), 1.0) for key, place in places.items()},
    )


def _baseline_sentences(scores: Mapping) -> list[str]:
    """Return sentences that describe the baselines and give the accuracy in percent."""
    sentences, rules = [], []
    emotion = scores.get("emotion")
    if emotion and emotion["accuracy"]["value"] is not None:
        accuracy, count = emotion["accuracy"], emotion["n"]
        right = round(accuracy["value"] * count)
        sentence = f"The emotion is right on {right:,} of {count:,} labelled faces ({100 * accuracy['value']:.1f} %)"
        baseline = (emotion.get("baseline") or {}).get("accuracy")
        sentence += "." if baseline is None else f"; the baseline is right on {100 * baseline:.1f} %."
        sentences.append(sentence)
    sources = set()
    for output in scored_outputs(scores):
        baseline = scores[output].get("baseline")
        if baseline:
            rules.append(f"{output} {baseline.get('rule', 'constant')}")
            sources.add(baseline.get("source", "source not recorded"))
    if rules:
        sentences.append(
            f"Baseline: a constant guess, {'; '.join(rules)} (from the {' and the '.join(sorted(sources))})."
        )
    return sentences


def score_table(part: Mapping, names: Mapping[str, tuple[str, str]]) -> Table:
    """Return every score of one output with its interval and baseline, and which direction is better."""
    baseline = part.get("baseline") or {}
    rows = [
        (title, format_score(part[name]["value"]), format_score(baseline.get(name)),
         format_interval(part[name]) or UNDEFINED, better)
        for name, (title, better) in names.items()
        if name in part
    ]  # fmt: skip
    return Table(
        ("Score", "Value", "Baseline", "95 % interval", "Better"), tuple(rows), f"n = {part['n']:,}", words=(4,)
    )


def class_table(emotion: Mapping) -> Table:
    """Return the scores of each class, in label order."""
    rows = []
    for label in emotion["labels"]:
        scores = emotion["per_class"][label]
        rows.append((label, *(format_score(scores.get(name)) for name in CLASS_SCORES)))
    return Table(("Class", *CLASS_SCORES.values()), tuple(rows), "Faces = how many have this label")


def axes_tables(scores: Mapping) -> list[Table]:
    """Return the score table of valence and of arousal, each with its name in the caption."""
    tables = scored_outputs(scores)
    return [
        replace(table, caption=f"{score_name(axis, scores[axis]).capitalize()}, {table.caption}")
        for axis in ("valence", "arousal")
        if axis in tables
        for table in [score_table(scores[axis], tables[axis])]
    ]


def sets_section(scores: Mapping, context: Mapping) -> list[Section]:
    """Return the main scores and the licence of each of several data sets; an empty list for one data set."""
    if not scores.get("sets"):
        return []
    rows = [
        (name, f"{score_name(output, part[output]).capitalize()} {title}", *_set_cells(part[output], score))
        for name, part in scores["sets"].items()
        for output, titles in _SET_SCORES.items()
        if output in part
        for score, title in titles.items()
    ]
    licences = {member["name"]: member["licence"] for member in context.get("sets") or ()}
    sets = [(name, f"{part['n']:,}", licences.get(name, "")) for name, part in scores["sets"].items()]
    tables = (
        Table(("Data set", "Score", "Value", "95 % interval", "n"), tuple(rows), words=(1,)),
        Table(("Data set", "Faces", "Licence"), tuple(sets), words=(2,)),
    )
    return [Section("Each data set", tables)]


def _set_cells(part: Mapping, score: str) -> tuple[str, str, str]:
    return format_score(part[score]["value"]), format_interval(part[score]) or UNDEFINED, f"{part['n']:,}"


def data_section(scores: Mapping, context: Mapping) -> Section:
    """Return what was read and what was left out: rows, dropped rows by reason, duplicates, unreadable files."""
    report = context.get("data_report") or {}
    unreadable = [str(identity) for identity in report.get("unreadable") or ()]
    dropped = dict(report.get("dropped") or {})
    rows = [("Rows in the index", _count(report.get("rows"))), ("Rows evaluated", _count(scores["n"]))]
    rows += [(f"Labelled with {output}", _count(scores[output]["n"])) for output in scored_outputs(scores)]
    rows += [(f"Dropped: {reason}", _count(count)) for reason, count in sorted(dropped.items())]
    if not dropped:
        rows.append(("Dropped", "0" if "dropped" in report else "not recorded"))
    if "duplicates" in report:
        rows.append(("Duplicates", _count(report["duplicates"])))
    rows.append(("Unreadable files", _count(len(unreadable)) if "unreadable" in report else "not recorded"))
    blocks: list = [Table(("Data", "Count"), tuple(rows))]
    if unreadable:
        shown = tuple(unreadable[:_MOST_IDS])
        blocks.append(Listing("Unreadable files", shown, len(unreadable) - len(shown)))
    return Section("Data", tuple(blocks))


def _count(value) -> str:
    return f"{value:,}" if isinstance(value, int) else "not recorded" if value is None else str(value)


def provenance_section(context: Mapping) -> Section:
    """Return where the numbers come from: model, data, command, time and versions."""
    facts = [
        ("Model", Code(context.get("model") or "")),
        ("Data set", str(context.get("dataset") or "")),
        ("Split", str(context.get("split") or "")),
        ("Model selected on", str(context.get("selected_on") or "")),
        ("Data fingerprint", Code(context.get("fingerprint") or "")),
        ("Command", Code(context.get("command") or "")),
        ("Date", str(context.get("date") or "")),
        ("Seconds", "" if context.get("seconds") is None else f"{float(context['seconds']):.1f}"),
    ]
    facts += [(f"{name} version", Code(version)) for name, version in (context.get("versions") or {}).items()]
    rows = tuple((name, value or "not recorded") for name, value in facts)
    return Section("Provenance", (Table(("Fact", "Value"), rows, words=(1,)),))


def mistakes_table(mistakes: Sequence[Mapping[str, str]]) -> Table:
    """Return the worst mistakes as a table, numbered like the faces on the sheet; each mistake maps title to text."""
    header = ("#", *mistakes[0])
    rows = tuple((str(number), *mistake.values()) for number, mistake in enumerate(mistakes, 1))
    return Table(header, rows, words=(1, 2, 4))
