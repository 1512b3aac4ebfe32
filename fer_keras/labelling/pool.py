"""The faces of unlabelled pictures: found, read by every model from every view, with the features of the net."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from fer_keras.faces.face_reader import FaceReader
from fer_keras.labelling.doubt import Answers, join_answers
from fer_keras.labelling.spreading import unit_rows
from fer_keras.labels import AXES
from fer_keras.prediction.member import Member
from fer_keras.prediction.reading import reason_of
from fer_keras.prediction.sources import load_image
from fer_keras.preprocessing import cut_face
from fer_keras.runs.averaging import in_order

#: The layer whose output is the features of a model, see `fer_keras.models.heads`.
_FEATURES = "pool"


@dataclass(frozen=True)
class PoolFace:
    """A face of an unlabelled picture.

    Attributes:
        path: of the picture.
        number: of the face in its picture, from 1, best found first.
        face_box: (x0, y0, x1, y1) in pixels, or None: the whole picture.
        marks: reasons to doubt its quality, see `fer_keras.faces.finder.quality_marks`.
        content: hash of the pixels of the face as it is cut out.
    """

    path: Path
    number: int
    face_box: tuple[float, float, float, float] | None
    marks: tuple[str, ...]
    content: str


@dataclass
class Pool:
    """Unlabelled faces and what the models say of them.

    Attributes:
        faces: n of them.
        answers: of the models.
        features: (n, d) float32 of the models side by side, each of length 1; None where they were not asked for.
        unreadable: (path, reason) of pictures that could not be read.
        without_face: pictures in which no face was found.
        repeated: faces left out because another has the same pixels, or is labelled already.
    """

    faces: list[PoolFace]
    answers: Answers
    features: np.ndarray | None
    unreadable: list[tuple[str, str]] = field(default_factory=list)
    without_face: int = 0
    repeated: int = 0


class PoolReader:
    """Reads the faces of pictures for choosing among them.

    Args:
        reader: finds and reads them.
        tta: a key of `fer_keras.views.TTA`: from which views a face is read.
        features: whether the features of the net are wanted.

    Raises:
        ValueError: features of a model that does not run on Keras, or that was not built by this package.
    """

    def __init__(self, reader: FaceReader, tta: str, features: bool):
        self.reader, self.tta = reader, tta
        self._nets = [_feature_net(member) for member in reader.predictor.members] if features else []

    def read(
        self,
        pictures: Sequence[Path],
        known: Iterable[str] = (),
        *,
        advance: Callable[[int], None] = lambda count: None,
    ) -> Pool:
        """Read every face of pictures; one that cannot be read is named in the result and stops nothing.

        Args:
            pictures: paths.
            known: `content` of faces that are left out, such as those labelled already.
            advance: called with the number of pictures of each batch.
        """
        seen, faces, parts, features = set(known), [], [], []
        pool = Pool(faces, Answers(np.zeros((0, 1, 0, 1)), np.zeros((0, 1, 0, 2))), None)
        size = self.reader.predictor.batch_size
        for start in range(0, len(pictures), size):
            chunk = pictures[start : start + size]
            found = [patch for path in chunk for patch in self._patches(path, pool, seen)]
            if found:
                faces += [face for face, _, _ in found]
                answers, batch_features = self._answers([(image, box) for _, image, box in found])
                parts.append(answers)
                features.append(batch_features)
            advance(len(chunk))
        if parts:
            pool.answers = join_answers(parts)
            pool.features = np.concatenate(features) if self._nets else None
        return pool

    def _patches(self, path: Path, pool: Pool, seen: set[str]) -> list[tuple[PoolFace, np.ndarray, tuple | None]]:
        """Return the new faces of a picture, each with the image and the box that the models read."""
        try:
            image = load_image(path)
        except (ValueError, OSError) as error:
            pool.unreadable.append((str(path), reason_of(error)))
            return []
        patches = self._found(image)
        pool.without_face += not patches
        new = []
        for number, (box, marks, patch, patch_box) in enumerate(patches, 1):
            content = hashlib.blake2b(cut_face(image, box or _whole(image)).tobytes(), digest_size=12).hexdigest()
            if content in seen:
                pool.repeated += 1
                continue
            seen.add(content)
            new.append((PoolFace(path, number, box, marks, content), patch, patch_box))
        return new

    def _found(self, image: np.ndarray) -> list[tuple]:
        """Return (box, marks, image to read, box in it) of each face; a picture that is one face already has no box."""
        finder = self.reader.finder
        if finder is None:
            return [(None, (), image, None)]
        aligned = self.reader.predictor.bundle.aligned
        return [
            (tuple(map(float, face.face_box)), face.marks, *finder.face_patch(image, face, aligned))
            for face in finder.find(image)
        ]

    def _answers(self, patches: list[tuple[np.ndarray, tuple | None]]) -> tuple[Answers, np.ndarray | None]:
        predictor, emotion, axes, features = self.reader.predictor, [], [], []
        for number, member in enumerate(predictor.members):
            views = np.concatenate([member.views(image, self.tta, [box]) for image, box in patches])
            scores = [
                in_order(member.scores(views[:, [view]], predictor.batch_size), member.labels, predictor.labels)
                for view in range(views.shape[1])
            ]
            if "emotion" in scores[0]:
                emotion.append([view["emotion"] for view in scores])
            if all(axis in scores[0] for axis in AXES):
                axes.append([np.stack([view[axis] for axis in AXES], axis=-1) for view in scores])
            if self._nets:
                features.append(unit_rows(self._nets[number](views[:, 0])))
        count = len(patches)
        answers = Answers(
            np.array(emotion) if emotion else np.zeros((0, 1, count, 1)),
            np.array(axes) if axes else np.zeros((0, 1, count, 2)),
        )
        return answers, np.concatenate(features, axis=1) if features else None


def _whole(image: np.ndarray) -> tuple[int, int, int, int]:
    return 0, 0, image.shape[1], image.shape[0]


def _feature_net(member: Member) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function from faces (n, height, width, 3) uint8 to the features (n, d) that the heads see."""
    model = getattr(member.runtime, "model", None)
    if model is None:
        raise ValueError(
            f"Choosing faces that differ, by the features of the net, expects --engine keras. Received: {member.file.path}, "
            f"which runs on {member.file.engine}; --no-diversity goes by doubt alone."
        )
    if _FEATURES not in [layer.name for layer in model.layers]:
        raise ValueError(
            f"{member.file.path} has no layer {_FEATURES!r}, so its features are not known. --no-diversity goes by doubt alone."
        )
    import keras

    net = keras.Model(model.input, model.get_layer(_FEATURES).output)

    def features(faces: np.ndarray) -> np.ndarray:
        return np.asarray(net(faces.astype(np.float32), training=False), np.float32)

    return features
