"""What a run of `predict` is about to write, held against what it reads and what is there: nothing is lost by it."""

import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from fer_keras.files import Output, check_folder, check_outputs, holds_keys, same_place
from fer_keras.jobs.predict_options import Outputs, PredictConfig
from fer_keras.prediction.results_file import journal_of
from fer_keras.prediction.sources import Picture
from fer_keras.runs.bundle_json import BUNDLE_FILE
from fer_keras.runs.run_directory import run_files


def check_places(outputs: Outputs, sources: Iterable[str]) -> list[Path]:
    """Refuse folders for drawings that are files, or that are folders to read.

    Returns:
        The folders for drawings that lie in one that is read, as paths that start like it. What is in them was drawn by an
        earlier run and is not to be read.

    Raises:
        ValueError: the flag is named.
    """
    inside = []
    for flag, folder in _folders(outputs).items():
        check_folder(folder, flag)
        place = folder.resolve()
        for source in (Path(source) for source in sources):
            if not source.is_dir():
                continue
            if place == source.resolve():
                raise ValueError(
                    f"{flag} would write into {folder}, a folder that is read: its own drawings would be read as pictures "
                    f"the next time. Choose another {flag}, such as {folder / flag.strip('-')}."
                )
            if source.resolve() in place.parents:
                inside.append(source / place.relative_to(source.resolve()))
    return inside


def without_drawings(found: list[Picture], inside: list[Path], sources: Iterable[str]) -> list[Picture]:
    """Return the files to read but for those in folders where this run draws; files that were named themselves stay.

    Args:
        found: pictures or videos.
        inside: what `check_places` returns.
        sources: as given to the command.
    """
    named = {Path(source) for source in sources}
    kept = [item for item in found if item.path in named or not any(folder in item.path.parents for folder in inside)]
    if len(kept) < len(found):
        places = ", ".join(map(str, inside))
        print(f"{len(found) - len(kept):,} files in {places} are not read: this run draws there", file=sys.stderr)
    return kept


def check_written(
    config: PredictConfig, pictures: list[Picture], videos: list[Picture], begun: Iterable[str] | None = None
) -> None:
    """Refuse to write over files that the run reads, or that an earlier run or anybody else left there.

    Args:
        config: of the run.
        pictures, videos: that are to be read.
        begun: see `ResultsFile`; of a run that is resumed.

    Raises:
        ValueError: the first of these files is named, with the flag that it is written by.
    """
    outputs = config.outputs
    planned = [*_results(outputs), *drawings(outputs, pictures, videos), *_overview(outputs, videos)]
    read = _read_files(config, pictures, videos)
    check_outputs(planned, read, may_replace=_may_replace(outputs, begun))


def drawings(outputs: Outputs, pictures: list[Picture], videos: list[Picture]) -> Iterator[Output]:
    """Yield the files that are drawn of pictures and videos."""
    if outputs.annotate:
        yield from (Output(Path(outputs.annotate) / item.copy, "--annotate") for item in (*pictures, *videos))
    if outputs.grad_cam:
        yield from (Output(Path(outputs.grad_cam) / item.copy, "--grad-cam") for item in pictures)


def _results(outputs: Outputs) -> list[Output]:
    if not outputs.output:
        return []
    path = Path(outputs.output)
    return [Output(path, "--output"), Output(journal_of(path), "--output")]


def _overview(outputs: Outputs, videos: list[Picture]) -> Iterator[Output]:
    if outputs.overview:
        from fer_keras.jobs.overview import overview_names

        for name in overview_names([video.path for video in videos]):
            yield Output(Path(outputs.overview) / name, "--overview")


def _may_replace(outputs: Outputs, begun: Iterable[str] | None) -> Callable[[Path], bool]:
    """Return what says whether a file that is there may be replaced; results files are checked by `check_output`."""
    own = {same_place(output.path) for output in _results(outputs)}
    own.update(same_place(path) for path in begun or ())
    overviews: set[Path] = set()
    if outputs.overview and begun is not None:  # a run that is resumed renews the overview that it wrote
        from fer_keras.jobs.overview import SUMMARY_FILE, SUMMARY_KEYS

        folder = Path(outputs.overview)
        overviews = {folder} if holds_keys(folder / SUMMARY_FILE, SUMMARY_KEYS) else set()
    return lambda path: outputs.overwrite or path.parent in overviews or same_place(path) in own


def _read_files(config: PredictConfig, pictures: list[Picture], videos: list[Picture]) -> Iterator[Path]:
    yield from (item.path for item in (*pictures, *videos))
    if config.model.model:
        model = Path(config.model.model)
        yield from run_files(model) if model.is_dir() else (model, model.with_name(BUNDLE_FILE))
    if config.faces.detector_model:
        yield Path(config.faces.detector_model)


def _folders(outputs: Outputs) -> dict[str, Path]:
    """Return the folders of drawings by the flags that name them."""
    named = {"--annotate": outputs.annotate, "--grad-cam": outputs.grad_cam, "--overview": outputs.overview}
    return {flag: Path(folder) for flag, folder in named.items() if folder}
