"""Reading the pictures of a command: what its settings ask for, rows a batch at a time, annotated copies.

A `PictureJob` is loaded from the settings alone, so that a worker on another machine loads what the command itself loads.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

from fer_keras.faces.detectors import WHOLE
from fer_keras.faces.face_reader import FaceReader
from fer_keras.faces.opencv_threads import one_opencv_thread
from fer_keras.files import write_atomic
from fer_keras.jobs.predict_options import Outputs, PredictConfig
from fer_keras.prediction.predictor import Predictor
from fer_keras.prediction.reading import ImageReadings, path_text
from fer_keras.prediction.results_file import ResultsFile
from fer_keras.prediction.sources import Picture


@dataclass(frozen=True)
class PictureJob:
    """What reads pictures, and how.

    Attributes:
        reader: finds the faces and reads them.
        top: see `records_of`.
        copies: folder -> readings of a picture -> the picture (height, width, 3) RGB to write there.
    """

    reader: FaceReader
    top: int = 0
    copies: dict[Path, Callable[[ImageReadings], np.ndarray]] = field(default_factory=dict)

    @property
    def settings(self) -> dict:
        """What decides the rows, to be stored beside them."""
        predictor, finder = self.reader.predictor, self.reader.finder
        bundles = [member.bundle for member in predictor.members]
        return {
            "model": ", ".join(f"{bundle.model.backbone} {bundle.created or ''}".strip() for bundle in bundles),
            "format": ", ".join(member.file.format for member in predictor.members),
            "labels": list(predictor.labels),
            "outputs": list(predictor.outputs),
            "tta": predictor.tta,
            "temperature": _temperatures(predictor),
            "min_confidence": predictor.min_confidence,
            "faces": finder.settings() if finder else WHOLE,
        }


def _temperatures(predictor: Predictor) -> float | list[float | None] | None:
    """Return the model's temperature, or those of several."""
    found = [member.temperature for member in predictor.members]
    return found[0] if len(found) == 1 else found


def load_job(config: PredictConfig) -> PictureJob:
    """Load what the settings of `predict` ask for.

    Raises:
        FileNotFoundError, ValueError: as of `FaceReader.load`, or Grad-CAM without a Keras model.
    """
    outputs, model = config.outputs, config.model
    if outputs.grad_cam and model.engine == "auto":
        config = replace(config, model=replace(model, engine="keras"))
    reader = FaceReader.of(config)
    if outputs.grad_cam and len(reader.predictor.members) > 1:
        raise ValueError(f"--grad-cam explains one model. Received: --model {model.model}.")
    if outputs.grad_cam and reader.predictor.file.engine != "keras":
        raise ValueError(f"--grad-cam goes with --engine keras. Received: {model.engine}.")
    return PictureJob(reader, outputs.top_k, _copies(outputs, reader.predictor))


def _copies(outputs: Outputs, predictor: Predictor) -> dict[Path, Callable[[ImageReadings], np.ndarray]]:
    copies: dict[Path, Callable] = {}
    if outputs.annotate:
        copies[Path(outputs.annotate)] = ImageReadings.draw
    if outputs.grad_cam:
        copies[Path(outputs.grad_cam)] = lambda picture: _grad_cam_faces(predictor, picture)
    return copies


def _grad_cam_faces(predictor: Predictor, picture: ImageReadings) -> np.ndarray:
    """Return the faces of a picture side by side with where the model looked; the picture itself without faces."""
    from fer_keras.prediction.grad_cam import grad_cam_overlay

    image = picture.image
    if not picture:
        return image
    output = "emotion" if "emotion" in predictor.outputs else predictor.outputs[0]
    return np.hstack([grad_cam_overlay(predictor, image, output=output, face_box=face.face_box) for face in picture])


def read_pictures(
    job: PictureJob,
    pictures: list[Picture],
    results: ResultsFile | None = None,
    *,
    advance: Callable[[int], None] = lambda count: None,
    show: Callable[[list[dict]], None] = lambda rows: None,
) -> list[dict]:
    """Read pictures a batch at a time; unreadable ones get a row with the reason.

    Args:
        job: reads them.
        pictures: see `list_sources`; those that `results` holds already are not read again.
        results: where the rows go after each batch, or None.
        advance: called with the number of pictures of each batch.
        show: called with the rows of each picture.

    Returns:
        All rows: of `results` as it is written, or of this run.
    """
    todo = unread(pictures, results)
    advance(len(pictures) - len(todo))
    records: list[dict] = []
    with one_opencv_thread if len(todo) > 1 else contextlib.nullcontext():
        for chunk in chunks(todo, job.reader.predictor.batch_size):
            rows = read_chunk(job, chunk)
            if results:
                results.add(rows)
            for picture_rows in rows:
                records += picture_rows
                show(picture_rows)
            advance(len(chunk))
    return results.finish([path_text(picture.path) for picture in pictures]) if results else records


def unread(pictures: list[Picture], results: ResultsFile | None) -> list[Picture]:
    """Return the pictures of which there are no results yet."""
    return [picture for picture in pictures if results is None or path_text(picture.path) not in results.done]


def chunks(values: Iterable, size: int) -> Iterator[list]:
    """Yield values in lists of `size`, the last one shorter.

    Example:
        >>> list(chunks("abcde", 2))
        [['a', 'b'], ['c', 'd'], ['e']]
    """
    iterator = iter(values)
    while chunk := list(islice(iterator, size)):
        yield chunk


def read_chunk(job: PictureJob, chunk: list[Picture], start: Path = Path()) -> list[list[dict]]:
    """Read some pictures in common batches: all that a run does with a picture, on this machine or on a worker.

    Args:
        job: reads them.
        chunk: the pictures.
        start: folder that relative paths start from, for a process that was started elsewhere.

    Returns:
        The rows of each picture; an unreadable one has a row with the reason.
    """
    paths = [start / picture.path for picture in chunk]
    found = list(job.reader.read_many(paths, keep_going=True, keep_images=bool(job.copies)))
    for folder, draw in job.copies.items():
        whole = [
            (start / folder / picture.copy, seen) for picture, seen in zip(chunk, found, strict=True) if not seen.error
        ]
        if draw is ImageReadings.draw:
            job.reader.spread(lambda pair: _write_picture(pair[0], ImageReadings.draw(pair[1])), whole)
            continue
        for path, readings in whole:  # Grad-CAM, by a network that serves one call at a time
            _write_picture(path, draw(readings))
    rows = [readings.to_dicts(job.top) for readings in found]
    for picture, picture_rows in zip(chunk, rows, strict=True):
        for row in picture_rows:
            row["path"] = path_text(picture.path)
    return rows


def _write_picture(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    encoded = cv2.imencode(path.suffix.lower(), np.ascontiguousarray(image[:, :, ::-1]))[1]
    write_atomic(path, lambda temporary: temporary.write_bytes(encoded.tobytes()))
