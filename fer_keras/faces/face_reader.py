"""Finding and reading faces in one step, batched across the faces of many images."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from itertools import islice

import numpy as np

from fer_keras.faces.detection import DetectedFace
from fer_keras.faces.finder import FaceFinder
from fer_keras.prediction.predictor import Predictor
from fer_keras.prediction.reading import Reading, Unreadable
from fer_keras.prediction.sources import load_image

#: Columns that found faces add to a table of readings, with their types.
FOUND_COLUMNS = {"detection": float, "marks": str}
#: Columns that faces of a video add beyond those.
VIDEO_COLUMNS = {"frame": int, "seconds": float, "id": int, **FOUND_COLUMNS}


@dataclass(frozen=True)
class FaceReading(Reading):
    """The reading of a face that was found in an image.

    Attributes:
        detection: the detector's score.
        marks: of `faces.MARKS`, what speaks against believing it.
        id: of the face in a video, the same from frame to frame; None in a photo.
    """

    detection: float | None = None
    marks: tuple[str, ...] = ()
    id: int | None = None

    def to_dict(self) -> dict:
        """Return everything as plain values; marks are separated by spaces."""
        known = {} if self.id is None else {"id": self.id}
        detection = None if self.detection is None else round(self.detection, 6)
        return {**super().to_dict(), **known, "detection": detection, "marks": " ".join(self.marks)}


class FaceReader:
    """Finds the faces of images and reads them; takes a `Predictor`'s place where a picture may hold several faces.

    Args:
        predictor: reads the faces; several threads may share it.
        finder: finds them.
    """

    def __init__(self, predictor: Predictor, finder: FaceFinder):
        self.predictor, self.finder = predictor, finder

    @property
    def batch_size(self) -> int:
        """Faces a call of the model."""
        return self.predictor.batch_size

    def read(self, image: np.ndarray) -> list[FaceReading]:
        """Return the readings of the faces of an image (height, width, 3) uint8 RGB, best found first."""
        return self.read_found([image], [self.finder.find(image)])[0]

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

    def read_faces(self, images: Iterable, keep_going: bool = False) -> Iterator[list[FaceReading | Unreadable]]:
        """Find and read every face of every image, batched across images, as the results are asked for.

        Args:
            images: single images, each as `Predictor.read` takes them.
            keep_going: put `Unreadable` with the reason in the place of an image that cannot be read, and go on.

        Yields:
            For each image the readings of its faces, best found first.

        Raises:
            OSError, ValueError: an unreadable image, unless `keep_going`.
        """
        sources = iter(images)
        while chunk := list(islice(sources, self.batch_size)):
            loaded = [_load(source, keep_going) for source in chunk]
            whole = [image for image in loaded if not isinstance(image, Unreadable)]
            readings = iter(self.read_found(whole, [self.finder.find(image) for image in whole]))
            for image in loaded:
                yield [image] if isinstance(image, Unreadable) else next(readings)


def _load(source, keep_going: bool) -> np.ndarray | Unreadable:
    try:
        return load_image(source)
    except (ValueError, OSError) as error:
        if not keep_going:
            raise
        return Unreadable(" ".join(str(getattr(error, "strerror", None) or error).split()))


def _found(reading: Reading, face: DetectedFace) -> FaceReading:
    facts = {field.name: getattr(reading, field.name) for field in fields(Reading)}
    facts["face_box"] = face.face_box
    return FaceReading(**facts, detection=face.score, marks=face.marks)
