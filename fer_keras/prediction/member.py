"""One model of a predictor: its file, its engine, its calibration, and the faces cut as it was trained on them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fer_keras.formats import FASTEST
from fer_keras.prediction.model_choice import ModelFile, usable_files
from fer_keras.runs.bundle import Bundle
from fer_keras.runs.calibration import apply_temperature
from fer_keras.runtimes.runtime import Runtime, joined, load_runtime
from fer_keras.views import face_views


class Member:
    """A model that is loaded and held against its bundle.

    Args:
        bundle: what is known of the model.
        file: the model file that runs, with its format and engine.
        runtime: of that file.
        calibrated: use the bundle's temperature.

    Attributes:
        labels: names of the classes, in the model's order; empty without emotions.
        temperature: of the calibration, or None where probabilities are the model's own.

    Raises:
        ValueError: the file is not the model that the bundle describes.
    """

    def __init__(self, bundle: Bundle, file: ModelFile, runtime: Runtime, calibrated: bool = True):
        self.bundle, self.file, self.runtime = bundle, file, runtime
        self.labels = bundle.labels if "emotion" in runtime.outputs else ()
        known = bundle.calibration.temperature if bundle.calibration else None
        self.temperature = known if calibrated and self.labels else None
        self._check_bundle()

    @classmethod
    def load(
        cls, model: str | Path | None, engine: str, *, threads: int | None, providers: str, calibrated: bool
    ) -> "Member":
        """Load a model as `Predictor.load` takes it."""
        bundle, files = usable_files(model, engine)
        file = files[0]
        if engine == FASTEST:
            from fer_keras.prediction.fastest import fastest_of

            file = fastest_of(bundle, files, threads, providers)
        bundle.check_file(file.path.name)
        return cls(bundle, file, load_runtime(file.path, file.engine, threads, providers=providers), calibrated)

    def views(self, image: np.ndarray, tta: str, boxes: Sequence) -> np.ndarray:
        """Return the views of an image's faces at this model's size, (faces, views, height, width, 3) uint8 RGB."""
        found = [face_views(image, self.runtime.image_size, tta, box) for box in boxes]
        return np.array(found) if found else np.zeros((0, 1, *self.runtime.image_size, 3), np.uint8)

    def scores(self, views: np.ndarray, batch_size: int) -> dict[str, np.ndarray]:
        """Return the mean over views (faces, views, height, width, 3) of each output, calibrated.

        Returns:
            emotion (faces, classes); valence, arousal (faces,); float32, what the model has.
        """
        faces, count = views.shape[:2]
        flat = views.reshape(-1, *views.shape[2:])
        chunks = [flat[start : start + batch_size] for start in range(0, max(len(flat), 1), batch_size)]
        found = [self.runtime.run(chunk) for chunk in chunks]
        outputs = joined(found, self.runtime.outputs)
        means = outputs
        if count > 1:
            means = {
                name: values.reshape(faces, count, values.shape[1]).mean(axis=1) for name, values in outputs.items()
            }
        if "emotion" in means:
            # At 1 this only makes the rows of quantised models sum to one.
            means["emotion"] = apply_temperature(means["emotion"], self.temperature or 1.0)
        return {name: values if name == "emotion" else values[:, 0] for name, values in means.items()}

    def _check_bundle(self) -> None:
        """Refuse a model file that is not the one its bundle describes."""
        size, bundle = self.runtime.image_size, self.bundle
        found, expected = (*size, *sorted(self.runtime.outputs)), (*bundle.image_size, *sorted(bundle.outputs))
        classes = self.runtime.run(np.zeros((0, *size, 3), np.uint8)).get("emotion", np.zeros((0, 0))).shape[1]
        if found != expected or classes != len(self.labels):
            raise ValueError(
                f"{self.file.path} is not the model that its bundle describes. Expected {expected} and "
                f"{len(self.labels)} classes. Received: {found} and {classes}. Export it again."
            )
