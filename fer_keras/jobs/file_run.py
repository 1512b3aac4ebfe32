"""Reading many files: which ones, a batch at a time, into a results file, with annotated copies on request."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

from fer_keras.drawing.annotate import annotate
from fer_keras.files import write_atomic
from fer_keras.prediction.predictor import Predictor
from fer_keras.prediction.reading import Unreadable
from fer_keras.prediction.result_rows import path_text, records_of
from fer_keras.prediction.results_file import ResultsFile
from fer_keras.prediction.sources import list_images, load_image

#: Formats that OpenCV writes as they were; copies of others become PNG.
_WRITABLE = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")


@dataclass(frozen=True)
class Picture:
    """A picture to read.

    Attributes:
        path: of the file.
        copy: where a picture made from it goes, relative to the folder of such pictures.
    """

    path: Path
    copy: Path


def list_pictures(sources: Iterable[str | Path]) -> tuple[list[Picture], int]:
    """Return the pictures that files and folders name, each once, and how many other files the folders hold.

    A folder's pictures keep their place under the folder's name in `copy`; equal names get a number.

    Raises:
        FileNotFoundError: no such file or folder.
        ValueError: not one picture.
    """
    found: dict[Path, Path] = {}
    passed_over = 0
    for source in map(Path, sources):
        if source.is_dir():
            images, others = list_images(source)
            passed_over += others
            for path in images:
                found.setdefault(path, Path(source.resolve().name) / path.relative_to(source))
        elif source.exists():
            found.setdefault(source, Path(source.name))
        else:
            raise FileNotFoundError(f"No such file or folder. Received: {source}.")
    if not found:
        raise ValueError(f"Expected pictures. Received: {', '.join(map(str, sources))}, which hold none.")
    return [Picture(path, copy) for path, copy in zip(found, _distinct(found.values()), strict=True)], passed_over


def run_settings(predictor: Predictor) -> dict:
    """Return what decides a predictor's answers, to be kept beside them."""
    bundle = predictor.bundle
    return {
        "model": f"{bundle.model.backbone} {bundle.created or ''}".strip(),
        "format": predictor.file.format,
        "labels": list(predictor.labels),
        "outputs": list(predictor.outputs),
        "tta": predictor.tta,
        "temperature": predictor.temperature,
        "min_confidence": predictor.min_confidence,
    }


def read_pictures(
    predictor: Predictor,
    pictures: list[Picture],
    top: int = 0,
    results: ResultsFile | None = None,
    copies: dict[Path, Callable] | None = None,
    advance: Callable[[int], None] = lambda count: None,
    show: Callable[[list[dict]], None] = lambda rows: None,
) -> list[dict]:
    """Read pictures a batch at a time; unreadable ones get a row with the reason.

    Args:
        predictor: reads them.
        pictures: see `list_pictures`; those that `results` holds already are not read again.
        top: see `records_of`.
        results: where the rows go after each batch, or None.
        copies: folder -> (path, readings) -> the picture (height, width, 3) RGB to write there, see `annotated_copy`.
        advance: called with the number of pictures of each batch.
        show: called with the rows of each picture.

    Returns:
        All rows: of `results` as it is written, or of this run.
    """
    todo = unread(pictures, results)
    advance(len(pictures) - len(todo))
    records: list[dict] = []
    for chunk in chunks(todo, predictor.batch_size):
        rows = read_chunk(predictor, chunk, top, copies)
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


def read_chunk(
    predictor: Predictor,
    chunk: list[Picture],
    top: int = 0,
    copies: dict[Path, Callable] | None = None,
    start: Path = Path(),
) -> list[list[dict]]:
    """Read some pictures in common batches; it is all that a run does with a picture, wherever it runs.

    Args:
        predictor, top, copies: see `read_pictures`.
        chunk: the pictures.
        start: folder that relative paths start from, for a process that was started elsewhere.

    Returns:
        The rows of each picture; an unreadable one has a row with the reason.
    """
    readings = list(predictor.read_faces([start / picture.path for picture in chunk], keep_going=True))
    for folder, draw in (copies or {}).items():
        for picture, faces in zip(chunk, readings, strict=True):
            _write_copy(start / folder / picture.copy, start / picture.path, faces, draw)
    return [records_of(picture.path, faces, top) for picture, faces in zip(chunk, readings, strict=True)]


def annotated_copy(path: Path, readings: list, bars: int = 3) -> np.ndarray:
    """Return a picture with its readings drawn on it."""
    return annotate(load_image(path), readings, bars)


def _write_copy(path: Path, source: Path, readings: list, draw: Callable) -> None:
    if any(isinstance(reading, Unreadable) for reading in readings):
        return
    if path.suffix.lower() not in _WRITABLE:
        path = path.with_name(path.name + ".png")
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = np.ascontiguousarray(draw(source, readings)[:, :, ::-1])
    encoded = cv2.imencode(path.suffix.lower(), picture)[1]
    write_atomic(path, lambda temporary: temporary.write_bytes(encoded.tobytes()))


def _distinct(paths: Iterable[Path]) -> Iterator[Path]:
    taken: set[Path] = set()
    for path in paths:
        number, free = 1, path
        while free in taken:
            number += 1
            free = path.with_name(f"{path.stem}-{number}{path.suffix}")
        taken.add(free)
        yield free
