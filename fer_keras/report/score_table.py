"""How reports and comparisons name and write scores. Which scores there are, and their directions, is `METRICS`."""

from collections.abc import Mapping

from fer_keras.metrics.metric_table import METRICS

_TITLES = {
    "f1_macro": "F1, macro",
    "f1_weighted": "F1, weighted",
    "precision_macro": "Precision, macro",
    "recall_macro": "Recall, macro",
    "kappa": "Cohen's kappa",
    "krippendorff_alpha": "Krippendorff's alpha",
    "auc_roc": "AUC-ROC, mean",
    "auc_pr": "AUC-PR, mean",
    "ece": "Calibration error (ECE)",
    "ccc": "CCC",
    "sagr": "SAGR",
    "pcc": "PCC",
    "rmse": "RMSE",
    "mae": "MAE",
    "r2": "R2",
}


def _shown(kind: str) -> dict[str, tuple[str, str]]:
    """Title and better direction of every metric of a kind, in the order of `METRICS`."""
    return {
        name: (_TITLES.get(name, name.replace("_", " ").capitalize()), "higher" if metric.higher_is_better else "lower")
        for name, metric in METRICS.items()
        if metric.kind == kind
    }


#: Scores of the emotion output, and of valence and arousal: name -> (title, "higher" or "lower" is better).
EMOTION_SCORES, AXIS_SCORES = _shown("emotion"), _shown("axis")

#: Columns of the table of classes.
CLASS_SCORES = {
    "precision": "Precision",
    "recall": "Recall",
    "f1": "F1",
    "auc_roc": "AUC-ROC",
    "auc_pr": "AUC-PR",
    "support": "Faces",
}

#: The protocol of the FER+ paper: only faces whose label has more than half of the votes.
PAPER = "FER+ paper's faces"

#: Written where a value is undefined, for example the AUC of a class without examples.
UNDEFINED = "–"


def format_score(value: float | None, digits: int = 3) -> str:
    """Return a score with fixed decimals, an integer as it is, and a dash for None.

    Example:
        >>> format_score(0.71449), format_score(42), format_score(None)
        ('0.714', '42', '–')
    """
    if value is None:
        return UNDEFINED
    return str(value) if isinstance(value, int) else f"{value:.{digits}f}"


def format_interval(score: Mapping) -> str:
    """Return "low to high" of a score, or an empty string if it has no interval.

    Example:
        >>> format_interval({"value": 0.5, "low": 0.4, "high": 0.61}), format_interval({"value": 0.5})
        ('0.400 to 0.610', '')
    """
    low, high = score.get("low"), score.get("high")
    return "" if low is None or high is None else f"{format_score(low)} to {format_score(high)}"


def scored_outputs(scores: Mapping) -> dict[str, dict[str, tuple[str, str]]]:
    """Return, for each output present in `scores`, its table of scores: {"emotion": EMOTION_SCORES, ...}."""
    tables = {"emotion": EMOTION_SCORES, "valence": AXIS_SCORES, "arousal": AXIS_SCORES}
    return {output: table for output, table in tables.items() if scores.get(output)}


def score_name(output: str, part: Mapping) -> str:
    """Return the heading of an output's scores: its name, marked if its labels were derived from the emotion.

    Example:
        >>> score_name("valence", {"derived": True}), score_name("valence", {})
        ('valence (derived)', 'valence')
    """
    return f"{output} (derived)" if part.get("derived") else output


def summary_lines(scores: Mapping) -> list[str]:
    """Return the scores as a short table for the terminal, with intervals, baselines and the number of faces.

    Args:
        scores: from `fer_keras.metrics.scores.score_predictions`.

    Returns:
        Lines without line ends; only outputs that were scored appear.
    """
    short = ("accuracy", "balanced_accuracy", "f1_macro", "auc_roc", "ece", "ccc", "pcc", "rmse")
    rows = [("", "value", "baseline", "95 % interval", "n")]
    rules = []
    for output, table in scored_outputs(scores).items():
        part = scores[output]
        baseline = part.get("baseline") or {}
        for name in (name for name in short if name in table and name in part):
            value, constant = format_score(part[name]["value"]), format_score(baseline.get(name))
            rows.append(
                (f"{score_name(output, part)} {name}", value, constant, format_interval(part[name]), str(part["n"]))
            )
        if baseline:
            rules.append(f"{output} {baseline.get('rule', 'constant')} ({baseline.get('source', 'source unknown')})")
    if scores.get("p_va"):
        rows.append(
            (
                score_name("p_va", scores["p_va"]),
                format_score(scores["p_va"]["value"]),
                "",
                format_interval(scores["p_va"]),
                "",
            )
        )
    paper = (scores.get("paper") or {}).get("emotion")
    for name in ("f1_macro", "accuracy") if paper else ():  # the headline, as it stands beside quoted figures
        cells = format_score(paper[name]["value"]), format_score((paper.get("baseline") or {}).get(name))
        rows.insert(1, (f"emotion {name}, {PAPER}", *cells, format_interval(paper[name]), str(paper["n"])))
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    lines = ["  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]).rstrip() for row in rows]
    return [f"{scores['n']} rows", *lines, *(["baseline: " + "; ".join(rules)] if rules else [])]
