"""Reading the pictures of a command: what its settings ask for, rows a batch at a time, annotated copies.

A `PictureJob` is loaded from the settings alone, so that a worker on another machine loads what the command itself loads.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
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

#: What `--grad-cam` can show -> how it is called.
EXPLAINED = {
    "rollout": "attention rollout: where the answer came from, whatever it is",
    "grad-cam": "Grad-CAM: what supports the likeliest answer",
}


@dataclass(frozen=True)
class PictureJob:
    """What reads pictures, and how.

    Attributes:
        reader: finds the faces and reads them.
        top: see `records_of`.
        copies: folder -> readings of a picture -> the picture (height, width, 3) RGB to write there.
        shown: what `--grad-cam` shows, a key of `EXPLAINED`, or nothing.
    """

    reader: FaceReader
    top: int = 0
    copies: dict[Path, Callable[[ImageReadings], np.ndarray]] = field(default_factory=dict)
    shown: str = ""

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
        FileNotFoundError, ValueError: as of `FaceReader.load`, Grad-CAM without a Keras model, or rollout without attention.
    """
    outputs, model = config.outputs, config.model
    if outputs.grad_cam and model.engine == "auto":
        config = replace(config, model=replace(model, engine="keras"))
    reader = FaceReader.of(config)
    if outputs.grad_cam and len(reader.predictor.members) > 1:
        raise ValueError(f"--grad-cam explains one model. Received: --model {model.model}.")
    if outputs.grad_cam and reader.predictor.file.engine != "keras":
        raise ValueError(f"--grad-cam goes with --engine keras. Received: {model.engine}.")
    shown = _explained_by(outputs.attention, reader.predictor) if outputs.grad_cam else ""
    return PictureJob(reader, outputs.top_k, _copies(outputs, reader.predictor, shown), shown)


def _copies(outputs: Outputs, predictor: Predictor, shown: str) -> dict[Path, Callable[[ImageReadings], np.ndarray]]:
    copies: dict[Path, Callable] = {}
    if outputs.annotate:
        copies[Path(outputs.annotate)] = ImageReadings.draw
    if outputs.grad_cam:
        overlay = _overlay(shown, predictor)
        copies[Path(outputs.grad_cam)] = lambda picture: _explained_faces(picture, overlay)
    return copies


def _explained_by(attention: str, predictor: Predictor) -> str:
    """Return how `--grad-cam` shows where the model looked, a key of `EXPLAINED`."""
    from fer_keras.prediction.attention_rollout import has_attention
    from fer_keras.prediction.grad_cam import explained_model

    attends = has_attention(explained_model(predictor, "--grad-cam"))
    if attention == "rollout" and not attends:
        raise ValueError(
            "--attention rollout expects a net with attention layers, such as vit. Received: "
            f"{predictor.bundle.model.backbone}, which has none. Leave --attention out for Grad-CAM."
        )
    return "rollout" if attends and attention == "auto" else "grad-cam" if attention == "auto" else attention


def _overlay(shown: str, predictor: Predictor) -> Callable[..., np.ndarray]:
    """Return what draws where the model looked, to be called with (image, face_box=...)."""
    from fer_keras.prediction.attention_rollout import attention_overlay
    from fer_keras.prediction.grad_cam import grad_cam_overlay

    if shown == "rollout":
        return partial(attention_overlay, predictor)
    output = "emotion" if "emotion" in predictor.outputs else predictor.outputs[0]
    return partial(grad_cam_overlay, predictor, output=output)


def _explained_faces(picture: ImageReadings, overlay: Callable[..., np.ndarray]) -> np.ndarray:
    """Return the faces of a picture side by side with where the model looked; the picture itself without faces."""
    image = picture.image
    return np.hstack([overlay(image, face_box=face.face_box) for face in picture]) if picture else image


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
