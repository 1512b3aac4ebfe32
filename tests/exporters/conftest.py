"""One small trained run and one export of it to every format, shared by all tests of this room."""

from pathlib import Path

import numpy as np
import pytest

SIDE = 32


@pytest.fixture(scope="session", autouse=True)
def tiny_backbone():
    """Put the backbone `tiny_branches` into the table: a convolution, two branches and a transformer block, 32 px."""
    from keras import layers

    from fer_keras.models.backbones import BACKBONES, Backbone
    from fer_keras.models.transformers import transform

    def build(tensor):
        x = layers.Conv2D(8, 5, 4, name="tiny_conv")(tensor)
        x = layers.ReLU(name="tiny_relu")(layers.BatchNormalization(momentum=0.5, name="tiny_bn")(x))
        y = layers.DepthwiseConv2D(3, padding="same", name="tiny_depthwise")(x)
        return transform(layers.Add(name="tiny_add")([x, y]), 1, 2, name="tiny")

    BACKBONES["tiny_branches"] = Backbone(build, SIDE, 1 / 127.5, -1.0)
    yield
    del BACKBONES["tiny_branches"]


@pytest.fixture(scope="session")
def run(faces_dir, tmp_path_factory) -> Path:
    """A run of two epochs on drawn faces. Not to be changed."""
    import tiny_run

    from fer_keras.config.run_config import RunConfig
    from fer_keras.training.training_run import train_run

    with pytest.MonkeyPatch.context() as patch, tiny_run.pictures(drawn=False):
        patch.setenv("FER_KERAS_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
        return train_run(
            RunConfig.of(
                data_dir=str(faces_dir),
                output_dir=str(tmp_path_factory.mktemp("runs") / "tiny"),
                backbone="tiny_branches",
                image_size=SIDE,
                epochs=2,
                batch_size=16,
                learning_rate=0.005,
                validation_fraction=0.2,
                max_samples=96,
            )
        )


@pytest.fixture(scope="session")
def results(run, tmp_path_factory) -> dict:
    """The results of exporting that run to every format, by format; `results["h5"].directory` is where they lie."""
    from fer_keras.exporters.export_run import ExportOptions, export_run
    from fer_keras.formats import parse_formats
    from fer_keras.runs.bundle import load_bundle

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FER_KERAS_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
        # With 31 faces one changed answer is three points: room for quantised formats, which other tests judge.
        options = ExportOptions(max_drop=0.2, calibration_samples=32)
        done = export_run(load_bundle(run), parse_formats("all"), output_of(run), options)
    return {result.format: result for result in done}


def output_of(run: Path) -> Path:
    """Where `results` puts the files."""
    return run.parent / "exports"


@pytest.fixture
def exports(run, results) -> Path:
    """The folder of those exports. Not to be changed."""
    return output_of(run)


@pytest.fixture(scope="session")
def faces() -> np.ndarray:
    """Five drawn faces of the model's size."""
    from fer_keras.exporters.source import drawn_faces

    return drawn_faces((SIDE, SIDE), 5, seed=9).faces


@pytest.fixture(scope="session")
def expected(run, faces) -> dict[str, np.ndarray]:
    """Keras's answers on those faces."""
    from fer_keras.exporters.parity import keras_outputs
    from fer_keras.runs.bundle import load_bundle

    return keras_outputs(load_bundle(run).load_model(), faces)
