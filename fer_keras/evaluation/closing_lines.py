"""What a command line says at its end: the scores in a few lines and where the report is."""

import json
from pathlib import Path

from fer_keras.report.score_table import summary_lines
from fer_keras.runs.bundle import load_bundle


def show_scores(scores: dict, directory: Path) -> None:
    """Print the scores with intervals and baselines, and the report's path."""
    print("\n".join(["", *summary_lines(scores), "", f"report: {directory / 'report.html'}"]))


def show_results(run: Path, monitor: str) -> None:
    """Print the scores that a training run left, and how to go on."""
    content = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    split = content["context"]["split"]
    where = (
        "on which the best epoch was chosen"
        if monitor.startswith("val_")
        else "not used to choose the epoch, which was done"
    )
    print(f"\n{split} split, {where} by {monitor}:")
    show_scores(content["scores"], run)
    if "test" in load_bundle(run).data.splits:
        print(f"next: python -m fer_keras.evaluate --model {run} --split test")
