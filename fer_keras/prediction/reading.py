"""What faces were read as: one result type per face and one per image, whatever the engine; and their rows."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from fer_keras.drawing.boxes import annotated
from fer_keras.labels import QUADRANTS
from fer_keras.prediction.result_rows import FOUND_COLUMNS, columns_of, face_places, face_text, flatten
from fer_keras.prediction.sources import load_image

#: Nearer than this to the origin a face is in no quadrant: published coordinates of the emotions other than neutral lie more
#: than twice as far out, and a face read as neutral with valence -0.23 is not in distress.
NEUTRAL_RADIUS = 0.25
#: Pictures are shown in a notebook with at most so many pixels on their longer side.
_SHOWN_SIDE = 1280
_NUMBERS = ("confidence", "valence", "arousal")
_DIGITS = 6  # of what is written: a float32 holds no more


@dataclass(frozen=True)
class Reading:
    """A face as the model reads it; what the model does not predict is None.

    Attributes:
        emotion: the likeliest class.
        confidence: its probability, calibrated where the bundle holds a temperature.
        probabilities: of every class by name, likeliest first.
        valence, arousal: in -1..1.
        uncertain: whether the confidence is under the predictor's `min_confidence`.
        face_box: (x0, y0, x1, y1) in pixels of the image, or None for the whole image.
    """

    emotion: str | None = None
    confidence: float | None = None
    probabilities: dict[str, float] | None = None
    valence: float | None = None
    arousal: float | None = None
    uncertain: bool = False
    face_box: tuple[float, float, float, float] | None = None

    @property
    def answer(self) -> str | None:
        """The emotion to show: "uncertain" where the confidence is too small."""
        return "uncertain" if self.uncertain else self.emotion

    @property
    def doubts(self) -> tuple[str, ...]:
        """The reasons to doubt this reading, a word each."""
        return ("uncertain",) * self.uncertain

    @property
    def quadrant(self) -> str | None:
        """The circumplex quadrant in a word, "neutral" near its centre, None without valence and arousal."""
        return None if self.valence is None or self.arousal is None else quadrant(self.valence, self.arousal)

    def top(self, k: int = 3) -> list[tuple[str, float]]:
        """Return the k likeliest classes with their probabilities, likeliest first."""
        return list((self.probabilities or {}).items())[:k]

    def to_dict(self) -> dict:
        """Return everything as plain values that JSON can hold."""
        return {
            "face_box": None if self.face_box is None else list(self.face_box),
            "emotion": self.emotion,
            "confidence": self.confidence,
            "uncertain": self.uncertain,
            "valence": self.valence,
            "arousal": self.arousal,
            "quadrant": self.quadrant,
            "probabilities": None if self.probabilities is None else dict(self.probabilities),
        }


@dataclass(frozen=True)
class FaceReading(Reading):
    """The reading of a face that was found in an image.

    Attributes:
        detection: the detector's score.
        marks: reasons to doubt the reading, of small, blurred and cut; see `fer_keras.faces.finder.quality_marks`.
        id: of the face in a video, the same from frame to frame; None in a photo.
    """

    detection: float | None = None
    marks: tuple[str, ...] = ()
    id: int | None = None

    @property
    def doubts(self) -> tuple[str, ...]:
        """The reasons to doubt this reading, a word each."""
        return super().doubts + self.marks

    def to_dict(self) -> dict:
        """Return everything as plain values; marks are separated by spaces."""
        known = {} if self.id is None else {"id": self.id}
        detection = None if self.detection is None else round(self.detection, _DIGITS)
        return {**super().to_dict(), **known, "detection": detection, "marks": " ".join(self.marks)}


@dataclass(frozen=True)
class Unreadable:
    """What stands in a reading's place where an image could not be read.

    Attributes:
        reason: why, in one line.
    """

    reason: str


def reason_of(error: Exception) -> str:
    """Return why an image could not be read, in one line."""
    return " ".join(str(getattr(error, "strerror", None) or error).split())


def quadrant(valence: float, arousal: float) -> str:
    """Return the circumplex quadrant of a point in a word.

    Args:
        valence, arousal: in -1..1.

    Returns:
        excited, distressed, depressed or calm; neutral within `NEUTRAL_RADIUS` of the origin.

    Example:
        >>> quadrant(0.6, -0.4), quadrant(-0.6, 0.4), quadrant(-0.23, 0.02)
        ('calm', 'distressed', 'neutral')
    """
    if math.hypot(valence, arousal) < NEUTRAL_RADIUS:
        return "neutral"
    return QUADRANTS[valence >= 0, arousal >= 0]


class ImageReadings(Sequence):
    """The faces of one image, best found first: a sequence of readings that prints and draws itself.

    A notebook shows it as the picture with its faces drawn on it.

    Args:
        readings: of the faces.
        source: the image, as `load_image` takes it, but no open file. A file is opened again when it is drawn; an image in
            memory is kept, not copied.
        colour: order of an array's channels, rgb or bgr.
        labels: names of the model's classes.
        error: why the image could not be read.
        image: its pixels (height, width, 3) uint8 RGB, where they are to be kept.

    Attributes:
        path: of the image's file, or None for an image in memory.
        error: why the image could not be read, in one line, or None. It then has no faces.

    Example:
        photo = fer_keras.read("photo.jpg")
        photo[0].emotion, photo[0].valence
        PIL.Image.fromarray(photo.draw()).save("seen.png")
        pandas.concat([photo.to_frame() for photo in fer_keras.read("photos/")])
    """

    def __init__(
        self,
        readings: Iterable[Reading] = (),
        source=None,
        *,
        colour: str = "rgb",
        labels: Iterable[str] = (),
        error: str | None = None,
        image: np.ndarray | None = None,
    ):
        self._readings, self._source, self._colour, self._image = tuple(readings), source, colour, image
        self._labels, self.error = tuple(labels), error
        self.path = Path(source) if isinstance(source, (str, Path)) else None

    def __len__(self) -> int:
        return len(self._readings)

    def __getitem__(self, place):
        return self._readings[place]

    def __repr__(self) -> str:
        name = "image" if self.path is None else path_text(self.path)
        if self.error:
            return f"{name}: unreadable ({self.error})"
        lines = [f"{name}: {len(self)} face{'s' * (len(self) != 1)}"]
        rows = self.to_dicts()
        for row, place, reading in zip(rows, face_places(rows), self, strict=False):
            box = reading.face_box and f", box {' '.join(f'{value:.0f}' for value in reading.face_box)}"
            name = f"face {row['face'] + 1}, {place}: " if len(self) > 1 and place else ""
            lines.append(f"  {name}{face_text(row)}{box or ''}")
        return "\n".join(lines)

    @property
    def image(self) -> np.ndarray:
        """The picture itself, (height, width, 3) uint8 RGB.

        Raises:
            FileNotFoundError, ValueError: a file that is gone, or cannot be read.
        """
        return load_image(self._source, self._colour) if self._image is None else self._image

    def draw(self, bars: bool = True) -> np.ndarray:
        """Return a copy of the picture with boxes, labels and bars drawn on it; a small one is enlarged.

        Args:
            bars: whether to draw bars of all probabilities.

        Returns:
            (height, width, 3) uint8, RGB.

        Raises:
            FileNotFoundError, ValueError: a file that is gone, or cannot be read.
        """
        return annotated(self.image, self, bars)

    def to_dicts(self, top: int = 0) -> list[dict]:
        """Return the rows that `predict` writes for this image: one per face, or a single one without a face.

        Args:
            top: adds the names of this many likeliest classes with their probabilities; 0: none.

        Returns:
            Plain values that JSON can hold: path, face (its number, from 0), error and what `Reading.to_dict` gives.
        """
        return records_of(self.path, [Unreadable(self.error)] if self.error else self, top)

    def to_frame(self):
        """Return those rows as a pandas table, with the columns of `predict`'s CSV files.

        Raises:
            ImportError: pandas is not installed.
        """
        try:
            import pandas
        except ImportError as error:
            raise ImportError(
                "to_frame needs pandas: pip install pandas. to_dicts gives the same rows without it."
            ) from error
        found = FOUND_COLUMNS if any(isinstance(reading, FaceReading) for reading in self) else {}
        columns = columns_of(self._labels, 0, found)
        return pandas.DataFrame([flatten(row, columns) for row in self.to_dicts()], columns=list(columns))

    def _repr_png_(self) -> bytes | None:
        try:
            picture = self.draw()
        except (ValueError, OSError):
            return None
        scale = _SHOWN_SIDE / max(picture.shape[:2])
        if scale < 1:
            picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        return cv2.imencode(".png", np.ascontiguousarray(picture[:, :, ::-1]))[1].tobytes()


def records_of(path, readings: Iterable[Reading | Unreadable], top: int = 0) -> list[dict]:
    """Return the rows of one picture: one per face, numbered from 0; or one without a face, with the reason if unreadable.

    Args:
        path: of the picture, or None.
        readings: of its faces.
        top: adds the names of this many likeliest classes with their probabilities; 0: none.

    Returns:
        Plain values; the path as `path_text` gives it.
    """
    text = None if path is None else path_text(path)
    nothing = {**Reading().to_dict(), "uncertain": None}
    rows = []
    for number, reading in enumerate(readings):
        if isinstance(reading, Unreadable):
            rows.append({"path": text, "face": None, "error": reading.reason, **nothing})
        else:
            rows.append({"path": text, "face": number, "error": None, **_rounded(reading.to_dict())})
    rows = rows or [{"path": text, "face": None, "error": None, **nothing}]
    if top:
        for row in rows:
            shares = list((row["probabilities"] or {}).items())[:top]
            row["top"] = "; ".join(f"{name} {share:.3f}" for name, share in shares)
    return rows


def path_text(path) -> str:
    """Return a path as rows hold it; bytes that are not text are written as escapes."""
    return str(path).encode("utf-8", "backslashreplace").decode()


def _rounded(values: dict) -> dict:
    values = {name: _round(value) if name in _NUMBERS else value for name, value in values.items()}
    if values["probabilities"]:
        values["probabilities"] = {name: _round(share) for name, share in values["probabilities"].items()}
    if values["face_box"]:
        values["face_box"] = [_round(value) for value in values["face_box"]]
    return values


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, _DIGITS)
