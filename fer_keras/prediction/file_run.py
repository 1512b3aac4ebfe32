"""Reading many files: which ones, a batch at a time, into a results file, with annotated copies on request."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

from fer_keras.files import write_atomic
from fer_keras.prediction.annotate import annotate
from fer_keras.prediction.predictor import Predictor
from fer_keras.prediction.reading import Unreadable
from fer_keras.prediction.records import records_of
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
    facts = predictor.bundle.facts
    return {
        "model": f"{facts.get('backbone')} {facts.get('created', '')}".strip(),
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
    done = results.done if results else {}
    keys = {picture.path: records_of(picture.path, [])[0]["path"] for picture in pictures}
    advance(sum(keys[picture.path] in done for picture in pictures))
    todo = (picture for picture in pictures if keys[picture.path] not in done)
    records: list[dict] = []
    for chunk in _chunks(todo, predictor.batch_size):
        readings = list(predictor.read_faces([picture.path for picture in chunk], keep_going=True))
        for folder, draw in (copies or {}).items():
            for picture, faces in zip(chunk, readings, strict=True):
                _write_copy(folder / picture.copy, picture.path, faces, draw)
        rows = [records_of(picture.path, faces, top) for picture, faces in zip(chunk, readings, strict=True)]
        if results:
            results.add(rows)
        for picture_rows in rows:
            records += picture_rows
            show(picture_rows)
        advance(len(chunk))
    return results.finish([keys[picture.path] for picture in pictures]) if results else records


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


def _chunks(values: Iterable, size: int) -> Iterator[list]:
    iterator = iter(values)
    while chunk := list(islice(iterator, size)):
        yield chunk
