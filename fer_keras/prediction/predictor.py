"""The predictor: from faces that are cut out already to readings, in true batches, whatever engine runs the model."""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np

from fer_keras.bundled import comes_with_the_package
from fer_keras.config.settings import named_as_arguments
from fer_keras.cores import usable_cores
from fer_keras.labels import AXES, OUTPUTS, VA_RANGE
from fer_keras.prediction.member import Member
from fer_keras.prediction.model_choice import ModelFile, model_names
from fer_keras.prediction.predictor_options import AUTO_TTA, PredictorOptions
from fer_keras.prediction.reading import Reading, Unreadable, reason_of
from fer_keras.prediction.sources import is_batch, is_folder, is_stream, list_images, load_image
from fer_keras.preprocessing import crop_face, level_points
from fer_keras.runs.averaging import check_alike_cut, in_order, mean_answers, shared_labels
from fer_keras.runs.bundle import Bundle
from fer_keras.runtimes.providers import AUTO_PROVIDERS
from fer_keras.runtimes.runtime import Runtime


class Predictor:
    """Reads emotion, valence and arousal from faces that are cut out already; `fer_keras.read` finds the faces of a photo.

    Make one with `Predictor.load`. One predictor serves several threads.

    Attributes:
        members: its models. The answer of several is the mean of their calibrated answers, each reading the face as it was
            trained to.
        bundle: what is known of the model, the first of several.
        file: the model file that runs, with its format and engine; the first of several.
        labels: names of the classes, in the model's order; empty without emotions.
        outputs: those of emotion, valence, arousal that the model has, or one of several.
        image_size: (height, width) of the model's input, the largest of several.
        temperature: of the calibration, or None where probabilities are the model's own; the first of several.
    """

    def __init__(
        self,
        bundle: Bundle,
        file: ModelFile,
        runtime: Runtime,
        options: PredictorOptions | None = None,
        *,
        others: Sequence[Member] = (),
    ):
        self.options = options = options or PredictorOptions()
        self.members = (Member(bundle, file, runtime, options.calibrated), *others)
        self.bundle, self.file, self.runtime = bundle, file, runtime
        self.tta = _views(options.tta, [member.bundle for member in self.members])
        self.min_confidence, self.batch_size = options.min_confidence, options.batch_size
        check_alike_cut([member.bundle for member in self.members])
        self.labels = shared_labels([member.bundle for member in self.members])
        self.outputs = tuple(name for name in OUTPUTS if any(name in member.runtime.outputs for member in self.members))
        self.image_size = max(member.runtime.image_size for member in self.members)
        self.temperature = self.members[0].temperature
        # Kept for good: OpenCV never frees what it allocates for a thread, 1.4 kB each.
        self._pool = ThreadPoolExecutor(min(4, usable_cores()), thread_name_prefix="fer_keras")

    @classmethod
    def load(
        cls,
        model: str | Path | None = None,
        engine: str = "auto",
        threads: int | None = None,
        *,
        providers: str = AUTO_PROVIDERS,
        **options,
    ) -> "Predictor":
        """Load a predictor; nothing from the files is executed but the model's own layers.

        Args:
            model: a run directory, a folder of exports, or one model file with its `bundle.json` beside it; default: the
                bundled model. Several with commas between them are an ensemble.
            engine: auto (the first of `fer_keras.formats.FORMATS` that is there and installed, float formats first), an
                engine (a key of `fer_keras.formats.ENGINES`), or a format such as tflite-int8.
            threads: how many the engine may use; default: as many as this process has cores.
            providers: of ONNX Runtime: auto, or some of cpu, cuda, tensorrt, coreml, directml with commas between them, best
                first.
            **options: of `PredictorOptions`: tta (auto, none, flip, crops, crops+flip), calibrated (use the bundle's
                temperature), min_confidence (readings under it are marked uncertain), batch_size (faces per call of the
                model).

        Raises:
            FileNotFoundError: no model or no bundle there.
            ValueError: no usable file, one that is damaged or not its bundle's, a missing package, or an option outside its
                range.
        """
        with named_as_arguments(PredictorOptions):
            chosen = PredictorOptions(**options)  # refused before anything is loaded
        run_by = {"threads": threads, "providers": providers, "calibrated": chosen.calibrated}
        first, *others = [Member.load(name, engine, **run_by) for name in model_names(model)]
        return cls(first.bundle, first.file, first.runtime, chosen, others=others)

    def read(self, source, face_box=None, colour: str = "rgb", landmarks=None):
        """Read faces that are cut out already: one reading per image, of its `face_box` or of the whole image.

        No face is searched for: a photo is taken as one face. `fer_keras.read` finds and reads every face of a photo, and
        `FaceReader` does so for many.

        Args:
            source: one image: a path, bytes of an image file, a PIL image, or an array (height, width[, 1, 3 or 4])
                uint8 or uint16; or many: a list, an array (n, height, width, channels), a folder, any iterable.
            face_box: (x0, y0, x1, y1) in pixels, for one image only.
            colour: order of arrays' channels, rgb or bgr.
            landmarks: (68, 2) or (5, 2) pixels of one image (see `five_points`). A model that was trained on levelled
                faces (`bundle.aligned`) gets the face levelled by them; without them, and any other model, as it is.

        Returns:
            A `Reading` for one image; a list for a list, array or folder (its images sorted by path); an iterator for an
            iterator, which is read a batch at a time.

        Raises:
            FileNotFoundError: no such file.
            ValueError: an unreadable image, which one; `read_faces` can go on without it.

        Example:
            predictor.read("face.jpg").emotion
        """
        many = is_folder(source)
        if many or is_batch(source) or is_stream(source):
            if face_box is not None or landmarks is not None:
                raise ValueError(
                    "face_box and landmarks go with one image. Give the boxes of many to read_faces, levelled pictures "
                    "where there are landmarks."
                )
            images = list_images(source)[0] if many else source
            readings = (faces[0] for faces in self.read_faces(images, colour=colour))
            return list(readings) if many or is_batch(source) else readings
        if landmarks is not None and self.bundle.aligned:
            patch, box = level_points(load_image(source, colour), landmarks, face_box)
            reading = next(self.read_faces([patch], [[box]]))[0]
            return replace(reading, face_box=None if face_box is None else tuple(float(value) for value in face_box))
        boxes = None if face_box is None else [[face_box]]
        return next(self.read_faces([source], boxes, colour))[0]

    def read_faces(
        self,
        images: Iterable,
        face_boxes: Iterable | None = None,
        colour: str = "rgb",
        keep_going: bool = False,
    ) -> Iterator[list[Reading | Unreadable]]:
        """Read every face of every image, batched across images, as the results are asked for.

        Args:
            images: single images, each as `read` takes them.
            face_boxes: for each image the boxes of its faces, (x0, y0, x1, y1) in pixels; none or None for an image
                without faces gives an empty list. Default: each image is one face.
            colour: order of arrays' channels, rgb or bgr.
            keep_going: put `Unreadable` with the reason in the place of an image that cannot be read, and go on.

        Yields:
            For each image the readings of its faces, in the order of its boxes.

        Raises:
            OSError, ValueError: an unreadable image, unless `keep_going`; boxes and images of different number.
        """
        jobs = _pair(images, face_boxes)
        while chunk := list(islice(jobs, self.batch_size)):
            decoded = all(isinstance(source, np.ndarray) for source, _ in chunk)
            # To cut a face out of an array takes less time than to hand it to another thread.
            spread = map if decoded or len(chunk) == 1 else self._pool.map
            prepared = list(spread(lambda job: self._prepare(*job, colour), chunk))
            yield from self._read_prepared(chunk, prepared, keep_going)

    def scores(self, faces: np.ndarray) -> dict[str, np.ndarray]:
        """Return the outputs for faces that are cut out and resized already, calibrated, without further views.

        Args:
            faces: (n, height, width, 3) uint8 RGB of the model's image size.

        Returns:
            emotion (n, classes) probabilities; valence, arousal (n,); float32, what the model has.
        """
        faces = np.asarray(faces)
        sized = {self.image_size: faces}  # models of several sizes get the faces made smaller
        for size in {member.runtime.image_size for member in self.members} - {self.image_size}:
            smaller = [crop_face(face, size) for face in faces]
            sized[size] = np.stack(smaller) if smaller else np.zeros((0, *size, 3), np.uint8)
        return self._scores([sized[member.runtime.image_size][:, None] for member in self.members])

    def _prepare(self, source, boxes, colour: str) -> list[np.ndarray] | Exception:
        """Return the views of an image's faces for each model, (faces, views, height, width, 3), or why there are none."""
        try:
            image = load_image(source, colour)
            boxes = boxes if boxes is not None else [None]
            return [member.views(image, self.tta, boxes) for member in self.members]
        except (ValueError, OSError) as error:
            return error

    def _read_prepared(self, jobs, prepared, keep_going: bool) -> Iterator[list[Reading | Unreadable]]:
        whole = [views for views in prepared if not isinstance(views, Exception)]
        per_member = [_joined(views) for views in zip(*whole, strict=True)]
        answers = iter(self._answers(self._scores(per_member)) if whole else ())
        for (source, boxes), views in zip(jobs, prepared, strict=True):
            if not isinstance(views, Exception):
                boxes = [None] if boxes is None else boxes
                yield [_reading(next(answers), box) for box in boxes]
            elif keep_going:
                yield [Unreadable(reason_of(views))]
            elif isinstance(views, ValueError) and isinstance(source, (str, Path)):
                raise ValueError(f"{source}: {views}") from views
            else:
                raise views

    def _scores(self, views: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
        """Return the mean over models and views, (faces, views, height, width, 3) for each model, of each output."""
        found = [member.scores(part, self.batch_size) for member, part in zip(self.members, views, strict=True)]
        return mean_answers(
            [in_order(scores, member.labels, self.labels) for scores, member in zip(found, self.members, strict=True)]
        )

    def _answers(self, scores: dict[str, np.ndarray]) -> list[dict]:
        """Return of each face what a `Reading` holds but its box; probabilities of all faces are sorted at once."""
        low, high = VA_RANGE
        count = len(next(iter(scores.values())))
        columns: dict[str, list] = {
            axis: [min(max(value, low), high) for value in scores[axis].tolist()] for axis in AXES if axis in scores
        }
        if self.labels:
            shares = scores["emotion"].tolist()
            orders = np.argsort(-scores["emotion"], axis=1, kind="stable").tolist()
            ranked = [
                [(self.labels[code], row[code]) for code in order] for row, order in zip(shares, orders, strict=True)
            ]
            columns["probabilities"] = [dict(pairs) for pairs in ranked]
            columns["emotion"] = [pairs[0][0] for pairs in ranked]
            columns["confidence"] = [pairs[0][1] for pairs in ranked]
            columns["uncertain"] = [pairs[0][1] < self.min_confidence for pairs in ranked]
        return [{name: values[row] for name, values in columns.items()} for row in range(count)]


def _reading(answer: dict, box) -> Reading:
    return Reading(**answer, face_box=None if box is None else tuple(float(value) for value in box))


def _joined(views: Sequence[np.ndarray]) -> np.ndarray:
    """Return the views of several images' faces in one array; images without faces add none."""
    filled = [part for part in views if len(part)]
    return np.concatenate(filled) if len(filled) > 1 else (filled or views)[0]


def _views(tta: str, bundles: Sequence[Bundle]) -> str:
    """Return the way of seeing that is meant: of bundled models' faces the mirror image too, of others' one view."""
    if tta != AUTO_TTA:
        return tta
    return "flip" if all(comes_with_the_package(bundle.directory) for bundle in bundles) else "none"


def _pair(images: Iterable, face_boxes: Iterable | None) -> Iterator[tuple]:
    if face_boxes is None:
        yield from ((image, None) for image in images)
        return
    for image, boxes in zip(images, face_boxes, strict=True):
        yield image, [] if boxes is None else list(boxes)
