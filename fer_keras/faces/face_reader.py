"""Reading whole photos: find every face and read it, batched across the faces of many images; `read` is the one call."""

import functools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from itertools import islice
from pathlib import Path
from typing import TypeVar

import numpy as np

from fer_keras.config.settings import build_settings, flat_values, named_as_arguments, settings_of
from fer_keras.cores import usable_cores
from fer_keras.faces.detection import DetectedFace
from fer_keras.faces.detectors import AUTO, WHOLE
from fer_keras.faces.finder import FaceFinder
from fer_keras.faces.opencv_threads import MOST_THREADS, one_opencv_thread
from fer_keras.faces.reader_options import PhotoOptions, ReaderOptions
from fer_keras.hints import nearest
from fer_keras.prediction.predictor import Predictor
from fer_keras.prediction.reading import FaceReading, ImageReadings, Reading, Unreadable, reason_of
from fer_keras.prediction.sources import VIDEO_SUFFIXES, is_batch, is_folder, is_stream, list_images, load_image
from fer_keras.runs.bundle import BUNDLE_FILE

T, R = TypeVar("T"), TypeVar("R")


def read(
    source,
    model: str | Path | None = None,
    *,
    engine: str = AUTO,
    faces: str = AUTO,
    colour: str = "rgb",
    keep_going: bool = False,
    **options,
) -> ImageReadings | list[ImageReadings] | Iterator[ImageReadings]:
    """Find every face of a photo and read its emotion, valence and arousal.

    The model is loaded once and kept for further calls with the same options; to hold several, or for frames of a camera,
    see `FaceReader`.

    Args:
        source: one image: a path, bytes of an image file, a PIL image, or an array (height, width[, 1, 3 or 4]) uint8 or
            uint16; or many: a list, an array (n, height, width, channels), a folder, any iterable of these.
        model: a run directory, a folder of exports or a model file; default: the bundled model.
        engine: auto, a runtime or a format, see `Predictor.load`.
        faces: auto, the name of a detector, or whole: each image is one face already.
        colour: order of arrays' channels, rgb or bgr (OpenCV's).
        keep_going: go on after an image that cannot be read; its result has the reason as `error`, and no faces.
        **options: see `FaceReader.load`.

    Returns:
        The image's faces, see `ImageReadings`; a list for a list, array or folder (its images sorted by path); an iterator for
        an iterator, which is read a batch at a time.

    Raises:
        FileNotFoundError: no such file, or no model there.
        ValueError: an image that cannot be read, which one; or a model or a detector that cannot be loaded.

    Example:
        for face in read("photo.jpg"):
            print(face.emotion, face.valence, face.arousal, face.face_box)
    """
    reader = _kept_reader(_changed(model), model=model, engine=engine, faces=faces, **options)
    many = reader.read_many(source, colour=colour, keep_going=keep_going)
    if is_folder(source) or is_batch(source):
        return list(many)
    return many if is_stream(source) else next(many)


@functools.lru_cache(maxsize=1)
def _kept_reader(changed: int, **options) -> "FaceReader":
    """Return a reader, the same one while neither the options nor `changed` differ."""
    return FaceReader.load(**options)


def _changed(model: str | Path | None) -> int:
    """Return when a model was last written, so that one that is trained or exported again is loaded again."""
    if model is None:
        return 0
    path = Path(model)
    files = (path, path / BUNDLE_FILE, path.parent / BUNDLE_FILE)
    return max((file.stat().st_mtime_ns for file in files if file.exists()), default=0)


class FaceReader:
    """Finds the faces of images and reads them, with one detector and one model for as many images as you like.

    Make one with `FaceReader.load`. Several threads may share it.

    Args:
        predictor: reads the faces.
        finder: finds them; None: each image is one face already.

    Example:
        reader = FaceReader.load(min_confidence=0.5)
        reader.read("photo.jpg")
        reader.read(frame, colour="bgr")  # a frame of OpenCV's
        for photo in reader.read_many("photos/", keep_going=True):
            print(photo)
    """

    def __init__(self, predictor: Predictor, finder: FaceFinder | None = None):
        self.predictor, self.finder = predictor, finder
        # Kept for good: OpenCV never frees what it allocates for a thread, 1.4 kB each.
        self._pool = ThreadPoolExecutor(min(MOST_THREADS, usable_cores()), thread_name_prefix="fer_keras")

    @classmethod
    def load(cls, model: str | Path | None = None, engine: str = AUTO, faces: str = AUTO, **options) -> "FaceReader":
        """Load a model and a detector.

        Args:
            model: a run directory, a folder of exports or a model file; default: the bundled model.
            engine: auto, a runtime or a format, see `Predictor.load`.
            faces: auto, the name of a detector, or whole: each image is one face already.
            **options: of finding faces: detector_model, detector_confidence, min_face, padding, max_side, clahe, align, see
                `FinderOptions`; of reading them: threads, tta, calibrated, min_confidence, batch_size, see `Predictor.load`.

        Raises:
            FileNotFoundError: no model there.
            ValueError: a model or a detector that cannot be loaded, or a value outside its range.
            TypeError: an unknown option.
        """
        known = [item.name for _, item in settings_of(PhotoOptions)]
        for name in options:
            if name not in known:
                raise TypeError(f"Options are {', '.join(known)}. Received: {name!r}.{nearest(name, known)}")
        values = {"model": model, "engine": engine, "detector": faces, **options}
        values = {name: str(value) if isinstance(value, Path) else value for name, value in values.items()}
        with named_as_arguments(PhotoOptions):
            return cls.of(build_settings(PhotoOptions, values))

    @classmethod
    def of(cls, options: ReaderOptions) -> "FaceReader":
        """Return the reader that settings ask for; errors as of `load`."""
        # First, since finding faces may fetch a file: nothing is fetched for a model that cannot be read.
        predictor = Predictor.load(**flat_values(options.model), **flat_values(options.reading))
        return cls(predictor, None if options.faces.detector == WHOLE else FaceFinder(options.faces))

    def read(self, image, colour: str = "rgb") -> ImageReadings:
        """Find and read every face of one image.

        Args:
            image: a path, bytes of an image file, a PIL image, or an array (height, width[, 1, 3 or 4]) uint8 or uint16.
            colour: order of an array's channels, rgb or bgr.

        Returns:
            Its faces, best found first.

        Raises:
            FileNotFoundError: no such file.
            ValueError: an unreadable image, or several.
        """
        if is_folder(image) or is_batch(image) or is_stream(image):
            raise ValueError(f"read expects one image. Received: {_kind(image)}. Give it to read_many.")
        return next(self.read_many([image], colour=colour))

    def read_many(
        self, images, *, colour: str = "rgb", keep_going: bool = False, keep_images: bool = False
    ) -> Iterator[ImageReadings]:
        """Find and read every face of many images, batched across images, as the results are asked for.

        Args:
            images: a folder, or an iterable of images as `read` takes them and of folders; one image alone is one of many.
            colour: order of arrays' channels, rgb or bgr.
            keep_going: go on after an image that cannot be read; its result has the reason as `error`, and no faces.
            keep_images: keep the pixels of files in their results while these live, so that `draw` decodes no file again.

        Yields:
            The faces of each image, in the order of the images; those of a folder are sorted by path.

        Raises:
            OSError, ValueError: an unreadable image, unless `keep_going`.
        """
        sources = _single_images(images)
        while chunk := list(islice(sources, self.predictor.batch_size)):
            if self.finder is None:
                readings = self.predictor.read_faces(chunk, colour=colour, keep_going=keep_going)
                found = ((faces, None) for faces in readings)
            else:
                found = self._find_and_read(chunk, colour, keep_going)
            for source, (readings, image) in zip(chunk, found, strict=True):
                error = next((reading.reason for reading in readings if isinstance(reading, Unreadable)), None)
                facts = {"colour": colour, "labels": self.predictor.labels, "error": error}
                yield ImageReadings(() if error else readings, source, image=image if keep_images else None, **facts)

    def read_found(self, images: list[np.ndarray], faces: list[list[DetectedFace]]) -> list[list[FaceReading]]:
        """Return the readings of faces that are found already, of all images in common batches.

        Args:
            images: (height, width, 3) uint8 RGB each.
            faces: of each image.
        """
        patches = [
            self.finder.face_patch(image, face, self.predictor.bundle.aligned)
            for image, found in zip(images, faces, strict=True)
            for face in found
        ]
        boxes = [[box] for _, box in patches]
        readings = (row[0] for row in self.predictor.read_faces([patch for patch, _ in patches], boxes))
        return [[_found(next(readings), face) for face in found] for found in faces]

    def spread(self, work: Callable[[T], R], values: list[T]) -> list[R]:
        """Do some work for each of several values on this reader's threads, each on one core, and return what it gives.

        OpenCV uses one thread for each: neither decoding a picture nor finding its faces makes full use of two cores.
        """
        if len(values) < 2:
            return [work(value) for value in values]
        with one_opencv_thread:
            return list(self._pool.map(work, values))

    def _find_and_read(
        self, sources: list, colour: str, keep_going: bool
    ) -> Iterator[tuple[list[FaceReading | Unreadable], np.ndarray | None]]:
        """Yield the faces of each image, and its pixels."""

        def look(source) -> tuple[np.ndarray | Unreadable, list[DetectedFace]]:
            image = _load(source, colour, keep_going)
            return image, [] if isinstance(image, Unreadable) else self.finder.find(image)

        seen = self.spread(look, sources)
        whole = [(image, faces) for image, faces in seen if not isinstance(image, Unreadable)]
        readings = iter(self.read_found([image for image, _ in whole], [faces for _, faces in whole]))
        for image, _ in seen:
            yield ([image], None) if isinstance(image, Unreadable) else (next(readings), image)


def _single_images(images) -> Iterator:
    """Yield images one by one: files of folders, contents of open files, others as they are."""
    for source in images if is_batch(images) or is_stream(images) else [images]:
        if is_folder(source):
            yield from list_images(source)[0]
        else:
            yield source.read() if hasattr(source, "read") else source


def _load(source, colour: str, keep_going: bool) -> np.ndarray | Unreadable:
    try:
        return load_image(source, colour)
    except (ValueError, OSError) as error:
        if keep_going:
            return Unreadable(reason_of(error))
        if isinstance(error, ValueError) and isinstance(source, (str, Path)):
            hint = " Videos are read by python -m fer_keras.predict." * (Path(source).suffix.lower() in VIDEO_SUFFIXES)
            raise ValueError(f"{source}: {error}{hint}") from error
        raise


def _found(reading: Reading, face: DetectedFace) -> FaceReading:
    facts = {field.name: getattr(reading, field.name) for field in fields(Reading)}
    facts["face_box"] = face.face_box
    return FaceReading(**facts, detection=face.score, marks=face.marks)


def _kind(images) -> str:
    return f"a folder, {images}" if is_folder(images) else f"several ({type(images).__name__})"
