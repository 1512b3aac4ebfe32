"""Comparing runs: their scores on the same faces from their bundles, their size, and their speed measured now."""

import time
from dataclasses import asdict
from pathlib import Path

import numpy as np

from fer_keras.config.run_config import RunConfig
from fer_keras.config.settings import flat_values
from fer_keras.files import check_own_files, write_atomic, write_json, write_text
from fer_keras.report.comparison import RunSummary, compare_runs, plot_comparison, score_rows
from fer_keras.report.seeds import format_spreads, seed_spreads
from fer_keras.runs.bundle import Bundle

_LATENCY_BATCHES = (1, 16)

# Settings in which runs of one recipe may differ: the seed and paths.
_OF_THE_SEED = ("seed", "output_dir", "data_dir")


def check_comparison_place(directory: Path, *, seeds: bool = False, overwrite: bool = False) -> None:
    """Refuse a directory for a comparison, before anything is measured.

    Args:
        directory: where it is to be written.
        seeds: whether the runs are averaged, not compared.
        overwrite: whether files that no comparison made may be replaced.

    Raises:
        ValueError: files of a comparison's names that no comparison made.
    """
    if seeds:
        names, keys = ("seeds.json", "seeds.md"), ("evaluation", "seeds", "scores")
    else:
        names, keys = ("comparison.json", "comparison.md", "comparison.png"), ("runs", "rows", "text")
    check_own_files(directory, names, sign=names[0], keys=keys, overwrite=overwrite)


def compare_bundles(bundles: list[Bundle], directory: Path, evaluation: str | None = None, repeats: int = 20) -> str:
    """Compare runs and write `comparison.md`, `comparison.json` and `comparison.png`.

    Args:
        bundles: two or more.
        directory: where to write.
        evaluation: "data set/split" as in the bundles' scores; default: one that all have, test before validation.
        repeats: timed calls per batch size for the latency; 0: none.

    Returns:
        The table as Markdown, which reads well in a terminal.

    Raises:
        ValueError: fewer than two runs, or no evaluation that all of them have.
    """
    key, runs = _summaries(bundles, evaluation, repeats)
    result = compare_runs(runs)
    directory.mkdir(parents=True, exist_ok=True)
    heading = (
        f"Evaluated on {key}. Latency: median of {repeats} calls of the Keras model on this machine, ms per batch.\n\n"
    )
    write_json(directory / "comparison.json", result)  # first: it is the sign of a comparison
    write_text(directory / "comparison.md", heading + result["text"] + "\n")
    figure = plot_comparison(runs)
    write_atomic(directory / "comparison.png", lambda path: figure.savefig(path, format="png"))
    return heading + result["text"]


def average_seeds(bundles: list[Bundle], directory: Path, evaluation: str | None = None) -> str:
    """Summarise runs that differ only in their seed and write `seeds.md` and `seeds.json`.

    Args:
        bundles, directory, evaluation: as for `compare_bundles`.

    Returns:
        Mean, standard deviation (ddof 1) and range of every score, as Markdown.

    Raises:
        ValueError: fewer than two runs, two of one seed, runs of different configurations, or scores not of the same faces.
    """
    key, runs = _summaries(bundles, evaluation, 0)
    seeds = _check_seeds(bundles)
    spreads = seed_spreads(score_rows(runs))
    directory.mkdir(parents=True, exist_ok=True)
    text = f"Evaluated on {key}, seeds {', '.join(map(str, seeds))}.\n\n{format_spreads(spreads)}"
    facts = {"evaluation": key, "seeds": seeds, "scores": [asdict(spread) for spread in spreads]}
    write_json(directory / "seeds.json", facts)  # first: it is the sign of such an average
    write_text(directory / "seeds.md", text + "\n")
    return text


def _check_seeds(bundles: list[Bundle]) -> list[int]:
    configs = [_same_start(bundle.config) for bundle in bundles]
    seeds = [config["seed"] for config in configs]
    if len(set(seeds)) < len(seeds):
        raise ValueError(f"--seeds expects runs of different seeds. Received: {', '.join(map(str, seeds))}.")
    keys = sorted(set().union(*configs) - set(_OF_THE_SEED))
    differing = [key for key in keys if any(config.get(key) != configs[0].get(key) for config in configs)]
    if differing:
        raise ValueError(
            f"--seeds expects runs of one configuration. Received: runs that differ in {', '.join(differing)}. "
            "Compare them without --seeds."
        )
    return seeds


def _same_start(config: dict) -> dict:
    """Return a complete configuration, with defaults for settings newer than the run and "a file" for a weights file.

    In a second round, the run of each seed starts from the weights of its own seed.
    """
    whole = {**flat_values(RunConfig()), **config}
    return whole if whole["weights"] in ("auto", "none", "imagenet") else {**whole, "weights": "a file"}


def _summaries(bundles: list[Bundle], evaluation: str | None, repeats: int) -> tuple[str, list[RunSummary]]:
    """Return the evaluation that all runs are compared by, and what is compared of each."""
    if len(bundles) < 2:
        raise ValueError(f"A comparison expects two runs or more. Received: {len(bundles)}.")
    key = evaluation or _common_evaluation(bundles)
    return key, [summarise(bundle, name, key, repeats) for bundle, name in zip(bundles, _names(bundles), strict=True)]


def summarise(bundle: Bundle, name: str, key: str, repeats: int) -> RunSummary:
    """Return what is compared of one run; its latency is measured now, if `repeats` is not 0."""
    if key not in bundle.scores:
        raise ValueError(
            f"{bundle.directory} was not evaluated on {key}. It has {', '.join(bundle.scores) or 'none'}. Run: "
            f"python -m fer_keras.evaluate --model {bundle.directory} --split {key.partition('/')[2]}"
        )
    scores, model = bundle.scores[key], bundle.model
    data, _, split = key.partition("/")
    return RunSummary(
        name,
        scores.measured,
        parameters=model.parameters,
        size_mb=round((bundle.directory / model.file).stat().st_size / 1e6, 2) if model.file else None,
        training_seconds=bundle.training.seconds,
        peak_memory_mb=bundle.training.peak_memory_mb,
        latency_ms=latency_ms(bundle, repeats) if repeats else {},
        dataset=data,
        split=split,
        fingerprint=scores.fingerprint,
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
    common = set.intersection(*(set(bundle.scores) for bundle in bundles))
    if not common:
        held = "; ".join(f"{bundle.directory}: {', '.join(bundle.scores)}" for bundle in bundles)
        raise ValueError(f"The runs have no evaluation in common ({held}). Evaluate them on one split first.")
    return min(common, key=lambda key: (not key.endswith("/test"), key))


def _names(bundles: list[Bundle]) -> list[str]:
    short = [bundle.directory.resolve().name for bundle in bundles]
    return short if len(set(short)) == len(short) else [str(bundle.directory) for bundle in bundles]
