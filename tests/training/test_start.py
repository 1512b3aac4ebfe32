"""What a run starts from: the bundled model, or another run, with classes matched by name."""

import numpy as np
import pytest

from fer_keras.bundled import ALIASES, BUNDLED, bundled_model, bundled_names
from fer_keras.config.run_config import RunConfig
from fer_keras.models.weights import copy_emotion_head
from fer_keras.runs.bundle import load_bundle
from fer_keras.training.trainer import Trainer
from fer_keras.training.training_run import resolve


@pytest.mark.parametrize("name", bundled_names())
def test_a_bundled_model_gives_backbone_and_image_size(name):
    config = resolve(RunConfig.of(weights=name))
    described = load_bundle(bundled_model(name)).model
    assert (config.model.backbone, config.data.image_size) == (described.backbone, described.image_size[0])
    assert config.model.weights == name and config.model.trainable_layers != "auto"
    assert resolve(RunConfig.of(weights=name, image_size=48)).data.image_size == 48


def test_every_short_name_is_a_bundled_models():
    assert set(ALIASES) == {"bundled", "fast", "accurate"} and set(ALIASES.values()) <= set(BUNDLED)


def test_another_backbone_than_the_bundled_models_is_refused():
    with pytest.raises(ValueError, match="--weights bundled expects --backbone face_resnet.*Received: resnet18"):
        resolve(RunConfig.of(weights="bundled", backbone="resnet18"))
    with pytest.raises(ValueError, match="Did you mean 'ferplus_compact'"):
        bundled_model("ferplus_compakt")


def test_classes_start_by_name_and_new_ones_stay_as_they_were(tmp_path):
    import keras

    def model(classes):
        image = keras.Input((4,))
        return keras.Model(image, keras.layers.Dense(classes, name="emotion")(image))

    source, target = model(3), model(4)
    source.save(tmp_path / "model.keras")
    kernel, bias = source.get_layer("emotion").get_weights()
    before = target.get_layer("emotion").get_weights()[0]
    copy_emotion_head(target, tmp_path / "model.keras", [2, -1, 0, 1])
    after, shift = target.get_layer("emotion").get_weights()
    assert np.array_equal(after[:, [0, 2, 3]], kernel[:, [2, 0, 1]]) and np.array_equal(
        shift[[0, 2, 3]], bias[[2, 0, 1]]
    )
    assert np.array_equal(after[:, 1], before[:, 1])


def test_a_run_from_the_bundled_model_answers_as_it_does_before_its_first_step(faces_dir, tmp_path):
    from fer_keras.batches.inputs import open_training_splits
    from fer_keras.data.loading import load_faces

    config = resolve(
        RunConfig.of(
            data_dir=str(faces_dir),
            weights="bundled",
            emotions="happy,anger,neutral",
            outputs="emotion",
            output_dir=str(tmp_path),
            max_samples=16,
        )
    )
    trainer = Trainer(config, *open_training_splits(config, load_faces(config.data)))
    bundle = load_bundle(bundled_model())
    faces = np.random.default_rng(0).uniform(0, 255, (2, *bundle.image_size, 3)).astype("float32")
    theirs = np.asarray(bundle.load_model()(faces)["emotion"])[
        :, [bundle.labels.index(name) for name in trainer.labels]
    ]
    mine = np.asarray(trainer.net(faces)["emotion"])
    assert list(trainer.labels) == ["happy", "anger", "neutral"]
    # The softmax over three of eight classes is the eight's, scaled to sum to one.
    assert mine == pytest.approx(theirs / theirs.sum(axis=1, keepdims=True), abs=1e-4)
