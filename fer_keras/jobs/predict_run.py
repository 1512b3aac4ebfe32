"""A whole run of `predict`: check what was asked for, read the files, print what they were read as."""

import contextlib
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from fer_keras.beam import import_beam, parse_beam_options
from fer_keras.faces.detectors import WHOLE
from fer_keras.jobs.picture_run import EXPLAINED, PictureJob, load_job, read_pictures, unread
from fer_keras.jobs.predict_options import PredictConfig
from fer_keras.jobs.predict_outputs import check_places, check_written, drawings, without_drawings
from fer_keras.prediction.model_choice import model_names
from fer_keras.prediction.predictor_options import AUTO_TTA
from fer_keras.prediction.progress_line import ProgressLine
from fer_keras.prediction.result_rows import FOUND_COLUMNS, VIDEO_COLUMNS, picture_lines, summarise, summary_lines
from fer_keras.prediction.results_file import ResultsFile, check_output, earlier_settings
from fer_keras.prediction.sources import Picture, is_folder, list_sources
from fer_keras.readers.listing import Notes
from fer_keras.views import TTA


def predict_run(config: PredictConfig, sources: list[str]) -> int:
    """Read pictures and videos and print or write what is in them, as configured.

    Args:
        config: see `PredictConfig`.
        sources: files and folders.

    Returns:
        The exit status of the command: 0, or 1 if not one picture could be read.

    Raises:
        FileNotFoundError: no such file, folder or model.
        ValueError: settings that do not go together, or a model or output that cannot be used.
    """
    beam_options = _check_runner(config)
    _check_results(config)
    if config.outputs.calibrate:
        _calibrate(config.model.model)
        if not sources:
            return 0
    if not sources:
        raise ValueError("Expected pictures, videos or folders to read. Received: none.")
    inside = check_places(config.outputs, sources)
    pictures, videos, others = list_sources(sources)
    pictures, videos = (without_drawings(found, inside, sources) for found in (pictures, videos))
    if not (pictures or videos):
        raise ValueError(
            f"Expected pictures to read. Received: {', '.join(sources)}, which hold none but drawings of this run."
        )
    _check_videos(config, videos)
    if not config.outputs.resume:
        check_written(config, pictures, videos)
    records, clips = _read(config, pictures, videos, beam_options)
    status = _report(config, records, clips)
    if any(map(is_folder, sources)):
        print("\n".join(_passed_over(records, clips, others)), file=sys.stderr)
    return status


def _check_runner(config: PredictConfig) -> list[str] | None:
    """Return the arguments of Beam's pipeline, or None for a run in this process."""
    runner = config.runner
    if not runner.on_beam and not runner.beam_options:
        return None
    options = parse_beam_options(runner.beam_options, runner.on_beam, "--runner beam")
    import_beam("--runner beam")
    if not config.outputs.output:
        raise ValueError("--runner beam expects --output: rows come from many workers at once. Received: no --output.")
    return options


def _check_results(config: PredictConfig) -> None:
    outputs = config.outputs
    if outputs.resume and outputs.overwrite:
        raise ValueError("--resume is not allowed with --overwrite: go on with what is there, or replace it.")
    if outputs.output:
        check_output(Path(outputs.output), outputs.resume, outputs.overwrite)
    elif outputs.overwrite and not (outputs.annotate or outputs.grad_cam or outputs.overview):
        raise ValueError(
            "--overwrite goes with --output, --annotate, --grad-cam or --overview: it replaces what is there. Received: none."
        )
    elif outputs.resume:
        raise ValueError("--resume goes with --output: it keeps the rows that are there. Received: no --output.")
    if outputs.attention != "auto" and not outputs.grad_cam:
        raise ValueError(
            f"--attention goes with --grad-cam: it chooses what that shows. Received: --attention {outputs.attention}."
        )
    if outputs.calibrate and config.model.model is None:
        raise ValueError("--calibrate expects --model, the run to calibrate. Received: no --model.")


def _check_videos(config: PredictConfig, videos: list[Picture]) -> None:
    if videos and config.faces.detector == WHOLE:
        raise ValueError(f"--faces {WHOLE} goes with pictures. Received: {videos[0].path}, a video.")
    if videos and config.runner.on_beam:
        raise ValueError(f"--runner beam reads pictures; read videos without it. Received: {videos[0].path}, a video.")


def _calibrate(model: str) -> None:
    from fer_keras.runs.bundle import load_bundle
    from fer_keras.runs.calibration import calibrate

    bundle = load_bundle(model)
    found = calibrate(bundle)
    bundle.save()
    print(
        f"temperature {found.temperature:.3f} from {found.faces:,} validation faces: calibration error "
        f"{found.ece_before:.3f} -> {found.ece_after:.3f}, negative log-likelihood {found.nll_before:.3f} -> "
        f"{found.nll_after:.3f}",
        file=sys.stderr,
    )


def _read(
    config: PredictConfig, pictures: list[Picture], videos: list[Picture], beam_options: list[str] | None
) -> tuple[list[dict], list]:
    """Return the rows of pictures, printed as they come where nothing else was asked for, and the videos as read."""
    config = _as_resumed(_with_absolute_models(config))
    job = load_job(config)
    if job.reader.finder is None and job.reader.predictor.bundle.aligned:
        print(f"note: the model was trained on levelled faces; --faces {WHOLE} reads them as they are", file=sys.stderr)
    if job.shown:
        print(f"note: --grad-cam shows {EXPLAINED[job.shown]}", file=sys.stderr)
    results = _open_results(config, job, bool(videos)) if config.outputs.output else None
    try:
        _begin(config, pictures, videos, results)
        if beam_options is not None:
            return _read_on_beam(config, pictures, results, beam_options), []
        clips = _read_videos(config, job, videos, results) if videos else []
        with _progress(config, len(pictures)) as options:
            records = read_pictures(job, pictures, results, **options)
    finally:
        if results:
            results.close()
    seen = {str(clip.path) for clip in clips}
    return [record for record in records if record["path"] not in seen], clips


def _begin(config: PredictConfig, pictures: list[Picture], videos: list[Picture], results: ResultsFile | None) -> None:
    """Check what a run that is resumed still has to write, and put what is about to be drawn into the journal."""
    if results is None:
        return
    left = unread(pictures, results), unread(videos, results)
    if config.outputs.resume:
        check_written(config, *left, begun=results.begun)
    results.begin(str(drawing.path) for drawing in drawings(config.outputs, *left))


def _read_videos(config: PredictConfig, job: PictureJob, videos: list[Picture], results: ResultsFile | None) -> list:
    from fer_keras.jobs.video_run import read_videos

    annotated = Path(config.outputs.annotate) if config.outputs.annotate else None
    return read_videos(videos, job.reader, config.video, top=job.top, results=results, annotated=annotated)


def _with_absolute_models(config: PredictConfig) -> PredictConfig:
    """Make the paths of models absolute: a worker of Beam loads them by the same settings, but started elsewhere."""
    model, faces = config.model, config.faces
    if model.model:
        names = [str(Path(name).absolute()) if Path(name).exists() else name for name in model_names(model.model)]
        model = replace(model, model=",".join(names))
    if faces.detector_model:
        faces = replace(faces, detector_model=str(Path(faces.detector_model).absolute()))
    return replace(config, model=model, faces=faces)


def _as_resumed(config: PredictConfig) -> PredictConfig:
    """See faces as the earlier rows of a resumed output were seen, where nothing else was asked for."""
    outputs, reading = config.outputs, config.reading
    if not (outputs.resume and outputs.output and reading.tta == AUTO_TTA):
        return config
    tta = earlier_settings(Path(outputs.output)).get("tta", AUTO_TTA)
    return replace(config, reading=replace(reading, tta=tta)) if tta in TTA else config


def _open_results(config: PredictConfig, job: PictureJob, videos: bool) -> ResultsFile:
    outputs, moving = config.outputs, {"every": config.video.every, "smoothing": config.video.smoothing}
    settings = {**job.settings, **moving} if videos else job.settings
    extra = VIDEO_COLUMNS if videos else FOUND_COLUMNS if job.reader.finder else {}
    labels = job.reader.predictor.labels
    return ResultsFile(Path(outputs.output), labels, settings, top=job.top, resume=outputs.resume, extra=extra)


def _read_on_beam(
    config: PredictConfig, pictures: list[Picture], results: ResultsFile, arguments: list[str]
) -> list[dict]:
    from fer_keras.jobs.beam_run import read_on_beam

    print(f"reading {len(unread(pictures, results)):,} pictures on Apache Beam", file=sys.stderr)
    load = partial(load_job, config)
    return read_on_beam(load, pictures, results, config.reading.batch_size, arguments=arguments)


@contextlib.contextmanager
def _progress(config: PredictConfig, total: int) -> Iterator[dict]:
    """Give `read_pictures` its way of showing how far it is: the rows themselves, or a line."""
    outputs = config.outputs
    if not (outputs.output or outputs.json):
        yield {"show": lambda rows: print("\n".join(picture_lines(rows, outputs.top_k)), flush=True)}
        return
    line = ProgressLine(total)
    try:
        yield {"advance": line.advance}
    finally:
        line.close()


def _report(config: PredictConfig, records: list[dict], clips: list) -> int:
    """Print what was read, and write the overview.

    Args:
        config: of the run.
        records: rows of pictures.
        clips: videos as read.

    Returns:
        The exit status: 1 if nothing could be read.
    """
    outputs, summary = config.outputs, summarise(records)
    moving = [row for clip in clips for row in clip.rows]
    if outputs.json and not outputs.output:
        print(json.dumps({"readings": moving + records, "summary": summary}, indent=2))
    else:
        if clips:
            from fer_keras.jobs.video_run import video_lines

            print("\n".join(line for clip in clips for line in video_lines(clip)))
        if len(records) > 1 or (records and outputs.output):
            print("\n".join([""] * (not outputs.output) + summary_lines(summary)))
    _report_files(config, records)
    if outputs.overview:
        from fer_keras.jobs.overview import write_overview

        write_overview(
            Path(outputs.overview),
            records,
            clips,
            summary,
            say=lambda path: print(f"overview: {path}", file=sys.stderr),
        )
    return 0 if any(not record["error"] for record in moving + records) else 1


def _report_files(config: PredictConfig, records: list[dict]) -> None:
    empty = sum(record["face"] is None and not record["error"] for record in records)
    if empty:
        hint = f"--faces {WHOLE} takes each picture as one face" if empty == len(records) else "--annotate shows them"
        pictures = len({record["path"] for record in records})
        print(f"{empty:,} of {pictures:,} pictures have no face that was found; {hint}", file=sys.stderr)
    outputs = config.outputs
    places = {"results": outputs.output, "annotated copies": outputs.annotate}
    places["where the model looked"] = outputs.grad_cam
    for what, place in places.items():
        if place:
            print(f"{what}: {place}", file=sys.stderr)


def _passed_over(records: list[dict], clips: list, others: Notes) -> list[str]:
    """Return what was in the folders and gave no reading, counted by reason with the first names."""
    from fer_keras.data.facts import passed_over_lines

    unread = {row["path"]: row["error"] for row in records if row["error"]}
    for clip in clips:  # what a video's error says of it names its path
        unread |= {str(clip.path): "no whole video" for row in clip.rows if row["error"]}
    return passed_over_lines(
        {"warnings": others.counts, "examples": others.examples}, unread.items(), what="picture or video"
    )
