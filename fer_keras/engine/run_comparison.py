"""Comparing runs: their scores on the same faces from their bundles, their size, and their speed measured now."""

import time
from pathlib import Path

import numpy as np

from fer_keras.engine.bundle import Bundle
from fer_keras.files import write_atomic, write_json, write_text
from fer_keras.report.comparison import RunSummary, compare_runs, plot_comparison

_LATENCY_BATCHES = (1, 16)


def compare_bundles(bundles: list[Bundle], directory: Path, evaluation: str | None = None, repeats: int = 20) -> str:
    """Compare runs and write `comparison.md`, `comparison.json` and `comparison.png`.

    Args:
        bundles: two or more.
        directory: where to write.
        evaluation: "data set/split" as in the bundles' scores; default: one that all have, test before validation.
        repeats: timed calls a batch size for the latency; 0: none.

    Returns:
        The table as Markdown, which reads well in a terminal.

    Raises:
        ValueError: fewer than two runs, or no evaluation that all of them have.
    """
    if len(bundles) < 2:
        raise ValueError(f"A comparison expects two runs or more. Received: {len(bundles)}.")
    key = evaluation or _common_evaluation(bundles)
    runs = [summarise(bundle, name, key, repeats) for bundle, name in zip(bundles, _names(bundles), strict=True)]
    result = compare_runs(runs)
    directory.mkdir(parents=True, exist_ok=True)
    heading = (
        f"Evaluated on {key}. Latency: median of {repeats} calls of the Keras model on this machine, ms a batch.\n\n"
    )
    write_text(directory / "comparison.md", heading + result["text"] + "\n")
    write_json(directory / "comparison.json", result)
    figure = plot_comparison(runs)
    write_atomic(directory / "comparison.png", lambda path: figure.savefig(path, format="png"))
    return heading + result["text"]


def summarise(bundle: Bundle, name: str, key: str, repeats: int) -> RunSummary:
    """Return what is compared of one run; its latency is measured now, if `repeats` is not 0."""
    facts = bundle.facts
    if key not in facts["scores"]:
        raise ValueError(
            f"{bundle.directory} was not evaluated on {key}. It has {', '.join(facts['scores']) or 'none'}. Run: "
            f"python -m fer_keras.evaluate --model {bundle.directory} --split {key.partition('/')[2]}"
        )
    scores, training = facts["scores"][key], facts["training"]
    data, _, split = key.partition("/")
    return RunSummary(
        name,
        scores,
        facts["parameters"],
        round((bundle.directory / facts["model"]).stat().st_size / 1e6, 2),
        training["seconds"],
        training["peak_memory_mb"],
        latency_ms(bundle, repeats) if repeats else {},
        data,
        split,
        scores["fingerprint"],
    )


def latency_ms(bundle: Bundle, repeats: int) -> dict[int, float]:
    """Return the median milliseconds of `predict_on_batch`, by batch size, after three calls to warm up."""
    model, rng = bundle.load_model(), np.random.default_rng(0)
    medians = {}
    for size in _LATENCY_BATCHES:
        faces = rng.uniform(0, 255, (size, *bundle.image_size, 3)).astype(np.float32)
        for _ in range(3):
            model.predict_on_batch(faces)
        times = []
        for _ in range(repeats):
            started = time.perf_counter()
            model.predict_on_batch(faces)
            times.append(time.perf_counter() - started)
        medians[size] = round(float(np.median(times)) * 1000, 2)
    return medians


def _common_evaluation(bundles: list[Bundle]) -> str:
    common = set.intersection(*(set(bundle.facts["scores"]) for bundle in bundles))
    if not common:
        held = "; ".join(f"{bundle.directory}: {', '.join(bundle.facts['scores'])}" for bundle in bundles)
        raise ValueError(f"The runs have no evaluation in common ({held}). Evaluate them on one split first.")
    return min(common, key=lambda key: (not key.endswith("/test"), key))


def _names(bundles: list[Bundle]) -> list[str]:
    short = [bundle.directory.resolve().name for bundle in bundles]
    return short if len(set(short)) == len(short) else [str(bundle.directory) for bundle in bundles]
