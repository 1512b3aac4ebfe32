"""Loader, targets, augmentation, batches and how they are fed."""

import os
import threading
from dataclasses import replace

import cv2
import keras
import numpy as np
import pytest

from fer_keras.batches.augment import Warp, augment
from fer_keras.batches.batches import EvaluationBatches, TrainingBatches, epoch_rows, epoch_steps
from fer_keras.batches.draws import draw_changes
from fer_keras.batches.loader import FaceLoader
from fer_keras.batches.pipeline import evaluation_data, training_data
from fer_keras.batches.targets import Targets, balanced_class_weights, build_targets, sampling_probabilities
from fer_keras.config.run_config import AugmentConfig
from fer_keras.data.loading import load_index
from fer_keras.data.splits import assign_splits
from fer_keras.labels import OUTPUTS
from fer_keras.preprocessing import crop_face
from fer_keras.readers.rows import ArrayImages
from fer_keras.readers.spec import load_spec

STILL = AugmentConfig(rotation=0, zoom=0, shift=0, flip=False, brightness=0, contrast=0)


@pytest.fixture
def index(faces_dir):
    return assign_splits(load_index(load_spec("affectnet"), faces_dir), 0.2)


class Numbered:
    """A source whose face number `row` is a flat grey of that value; row 3 cannot be read."""

    def __init__(self, n: int, bad: int | None = 3):
        self.n, self.bad, self.loads = n, bad, 0

    def __len__(self):
        return self.n

    def load(self, row):
        self.loads += 1
        if row == self.bad:
            raise ValueError("unreadable")
        return np.full((8, 8, 3), row, np.uint8)


def numbered_targets(n: int) -> Targets:
    return Targets({"valence": np.arange(n, dtype=np.float32)[:, None]}, {"valence": np.ones(n, np.float32)})


def test_the_pipeline_gives_the_pixels_of_the_one_geometry_rule(index):
    loader = FaceLoader(index.open_images(), (32, 32))
    dataset = evaluation_data(EvaluationBatches(loader, build_targets(index, OUTPUTS), 16))
    faces = np.concatenate([np.asarray(images) for images, _, _ in dataset])
    source = index.open_images()
    assert faces.dtype == np.uint8 and len(faces) == len(index)
    for row in (0, 17, len(index) - 1):
        assert (faces[row] == crop_face(source.load(row), (32, 32))).all()


@pytest.mark.parametrize("cache", ["none", "memory", "disk", "auto"])
def test_every_cache_gives_the_same_faces_and_spares_decoding(tmp_path, cache):
    source = Numbered(10)
    loader = FaceLoader(source, (4, 4), cache, tmp_path / "faces")
    rows = np.array([5, 3, 5, 9])
    for _ in range(3):
        faces, readable = loader.load(rows)
        assert faces[:, 0, 0, 0].tolist() == [5, 0, 5, 9] and readable.tolist() == [True, False, True, True]
    assert source.loads == (10 if cache == "none" else 3)
    assert loader.unreadable == {3: "unreadable"}
    if cache == "disk":
        again = Numbered(10)
        assert FaceLoader(again, (4, 4), cache, tmp_path / "faces").load(np.array([9]))[0][0, 0, 0, 0] == 9
        assert again.loads == 0


def test_grey_arrays_become_rgb():
    source = ArrayImages(np.arange(3 * 16, dtype=np.uint8).reshape(3, 4, 4), [2, 0])
    assert source.load(0).shape == (4, 4, 3) and source.load(0)[0, 0].tolist() == [32, 32, 32]


def test_missing_labels_have_weight_zero_and_no_sentinel(index):
    valence = index.valence.copy()
    valence[:5] = np.nan
    emotion = index.emotion.copy()
    emotion[5:9] = -1
    targets = build_targets(replace(index, valence=valence, emotion=emotion), OUTPUTS)
    assert targets.weights["valence"][:6].tolist() == [0] * 5 + [1] and (targets.values["valence"][:5] == 0).all()
    assert targets.weights["emotion"][5:9].tolist() == [0] * 4 and (targets.values["emotion"][5:9] == 0).all()
    assert targets.weights["arousal"].all()
    assert targets.values["emotion"].shape == (len(index), 8) and targets.values["valence"].shape == (len(index), 1)


def test_soft_labels_are_shares_of_votes_and_need_votes(index):
    votes = np.zeros((len(index), 8), np.float32)
    votes[:, 1], votes[:, 2] = 6, 2
    soft = build_targets(replace(index, votes=votes), ("emotion",), "soft")
    assert soft.values["emotion"][0].tolist() == [0, 0.75, 0.25, 0, 0, 0, 0, 0]
    with pytest.raises(ValueError, match="--label-mode soft expects annotators' votes"):
        build_targets(index, ("emotion",), "soft")


def test_class_balance_by_weight_and_by_sampling(index):
    weights = balanced_class_weights(index)
    counts = np.bincount(index.emotion, minlength=8)
    assert weights * counts == pytest.approx([len(index) / 8] * 8)
    targets = build_targets(index, ("emotion",), class_weights=weights)
    assert targets.weights["emotion"].mean() == pytest.approx(1)
    probabilities = sampling_probabilities(index)
    assert probabilities.sum() == pytest.approx(1)

    def drawn_in(epoch):
        rows = epoch_rows(len(index), 16, seed=0, epoch=epoch, probabilities=probabilities)
        return index.emotion[rows].reshape(-1)

    drawn, many = drawn_in(0), np.concatenate([drawn_in(epoch) for epoch in range(60)])
    assert len(drawn) == len(index) // 16 * 16
    assert np.bincount(many, minlength=8) / len(many) == pytest.approx([1 / 8] * 8, abs=0.02)


def test_an_epoch_holds_each_face_once_in_an_order_of_its_own():
    first, second = epoch_rows(40, 8, seed=0, epoch=0), epoch_rows(40, 8, seed=0, epoch=1)
    assert first.shape == (5, 8) and sorted(first.reshape(-1)) == sorted(second.reshape(-1)) == list(range(40))
    assert (
        (first != second).any()
        and (first == epoch_rows(40, 8, seed=0, epoch=0)).all()
        and (first != epoch_rows(40, 8, seed=1, epoch=0)).any()
    )
    assert epoch_steps(43, 8) == 5 and epoch_steps(3, 8) == 1 and epoch_rows(3, 8, seed=0, epoch=0).shape == (1, 8)


def test_a_resumed_stream_sees_what_an_unbroken_one_sees():
    def stream(first_epoch):
        loader = FaceLoader(Numbered(24, None), (8, 8))
        dataset = training_data(
            TrainingBatches(loader, numbered_targets(24), 8, seed=5, augmentation=AugmentConfig()), first_epoch, 3
        )
        return [(np.asarray(images), np.asarray(values["valence"])) for images, values, _ in dataset]

    whole, resumed = stream(0), stream(2)
    assert len(whole) == 9 and len(resumed) == 3
    for (images, values), (images_again, values_again) in zip(whole[6:], resumed, strict=True):
        assert (images == images_again).all() and (values == values_again).all()
    assert any((one[0] != other[0]).any() for one, other in zip(whole[:3], whole[3:6], strict=True))


@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_every_backend_is_fed_the_same_batches(monkeypatch, backend):
    monkeypatch.setattr(keras.backend, "backend", lambda: backend)
    loader, targets = FaceLoader(Numbered(20), (8, 8)), numbered_targets(20)
    training = TrainingBatches(loader, targets, 8, seed=5, augmentation=AugmentConfig(mixup=0.5), calm_from=2)
    for fed, element in zip(training_data(training, 1, 3, workers=3), training.schedule(1, 3), strict=True):
        assert_same_batch(fed, training.load(*element))
    evaluation = EvaluationBatches(loader, targets, 8)
    fed = evaluation_data(evaluation, 2)
    assert len(fed) == 3
    for step, batch in zip(range(3), fed, strict=False):
        assert_same_batch(batch, evaluation.load(step))


@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_as_many_batches_are_made_at_a_time_as_there_are_workers(monkeypatch, backend):
    monkeypatch.setattr(keras.backend, "backend", lambda: backend)
    workers = 2 * (os.cpu_count() or 1)
    together = threading.Barrier(workers, timeout=60)

    class Waiting(Numbered):
        def load(self, row):
            together.wait()  # breaks unless all workers are here
            return super().load(row)

    batches = TrainingBatches(FaceLoader(Waiting(4 * workers, None), (8, 8)), numbered_targets(4 * workers), 1)
    assert len([None for _ in training_data(batches, 0, 1, workers)]) == batches.steps and not together.broken


def assert_same_batch(one, other):
    leaves = [[np.asarray(leaf) for leaf in keras.tree.flatten(batch)] for batch in (one, other)]
    assert all((a == b).all() and a.dtype == b.dtype for a, b in zip(*leaves, strict=True))
    assert [leaf.dtype for leaf in leaves[0]] == [np.uint8] + [np.float32] * (len(leaves[0]) - 1)


def test_parts_of_a_batch_make_up_the_whole_one():
    loader, targets = FaceLoader(Numbered(16, None), (8, 8)), numbered_targets(16)

    def rows(share):
        batches = TrainingBatches(loader, targets, 8, augmentation=AugmentConfig(), share=share)
        return [element[0].tolist() for element in batches.schedule(0, 2)]

    assert rows((0, 1)) == [one + other for one, other in zip(rows((0, 2)), rows((1, 2)), strict=True)]


def test_a_filled_batch_counts_no_face_twice():
    loader, targets = FaceLoader(Numbered(10, None), (8, 8)), numbered_targets(10)
    for share in ((0, 1), (0, 2), (1, 2)):
        batches = EvaluationBatches(loader, targets, 4, share=share, filled=True)
        loaded = [batches.load(step) for step in range(batches.steps)]
        assert {len(images) for images, _, _ in loaded} == {4 // share[1]}
        counted = [v for _, values, w in loaded for v in values["valence"][w["valence"] > 0, 0].tolist()]
        assert counted == [row for row in range(10) if share == (0, 1) or row % 4 // 2 == share[0]]


def test_faces_and_labels_stay_together_and_bad_faces_weigh_nothing():
    loader = FaceLoader(Numbered(24), (8, 8), "memory")
    seen = 0
    batches = TrainingBatches(loader, numbered_targets(24), 8, augmentation=STILL)
    for images, values, weights in training_data(batches, 0, 2):
        for face, value, weight in zip(
            *map(np.asarray, (images, values["valence"][:, 0], weights["valence"])), strict=True
        ):
            assert (weight, face[0, 0, 0]) == ((0, 0) if value == 3 else (1, value))
            seen += 1
    assert seen == 48 and loader.unreadable == {3: "unreadable"}


def test_evaluation_counts_each_face_once_with_a_smaller_last_batch():
    dataset = evaluation_data(EvaluationBatches(FaceLoader(Numbered(20), (8, 8)), numbered_targets(20), 8))
    sizes = [(len(images), np.asarray(values["valence"])[:, 0].tolist()) for images, values, _ in dataset]
    assert [size for size, _ in sizes] == [8, 8, 4]
    assert sum((values for _, values in sizes), []) == list(range(20))


def blobs(n: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """Return dark images (n, 64, 64, 3) with one bright blob each, and where they are: (n, 2) x, y from the centre."""
    places = np.random.default_rng(0).uniform(-12, 12, (n, 2))
    y, x = np.mgrid[:64, :64] - 31.5
    images = [255 * np.exp(-((x - left) ** 2 + (y - top) ** 2) / 8)[..., None].repeat(3, 2) for left, top in places]
    return np.stack(images).astype(np.float32), places


def blob_places(images: np.ndarray) -> np.ndarray:
    """Return the centres of brightness, (n, 2) x, y from the centre."""
    y, x = np.mgrid[:64, :64] - 31.5
    light = images[..., 0]
    return np.stack([(light * axis).sum((1, 2)) / light.sum((1, 2)) for axis in (x, y)], 1)


def test_each_part_of_the_warp_moves_pixels_as_it_says():
    images, places = blobs(60)
    found = blob_places(augment(images, 0, replace(STILL, rotation=15)))
    turned = np.degrees(np.arctan2(found[:, 1], found[:, 0]) - np.arctan2(places[:, 1], places[:, 0]))
    turned = (turned + 180) % 360 - 180
    far = np.hypot(*places.T)
    assert np.hypot(*found.T) == pytest.approx(far, abs=0.02)
    assert abs(turned[far > 3]).max() < 15.2 and turned.std() > 6
    found = blob_places(augment(images, 0, replace(STILL, zoom=0.1)))
    scales = (found * places).sum(1) / (places**2).sum(1)
    assert found == pytest.approx(scales[:, None] * places, abs=0.04)
    assert abs(scales[far > 3] - 1).max() < 0.102 and scales.std() > 0.04
    moved = blob_places(augment(images, 0, replace(STILL, shift=0.1))) - places
    assert 6 < abs(moved).max() < 6.42 and moved.std(0).min() > 3


def test_a_mirror_is_the_image_from_right_to_left_and_takes_half_of_the_faces():
    images = np.random.default_rng(0).integers(0, 256, (100, 16, 16, 3)).astype(np.uint8)
    changed = augment(images, 0, replace(STILL, flip=True))
    mirrored = np.array([abs(face - image[:, ::-1]).max() < 1e-3 for face, image in zip(changed, images, strict=True)])
    plain = np.array([abs(face - image).max() < 1e-3 for face, image in zip(changed, images, strict=True)])
    assert (mirrored ^ plain).all() and 35 < mirrored.sum() < 65


def test_augmentation_is_reproducible_differs_by_face_and_stays_in_range():
    images = np.random.default_rng(1).uniform(0, 255, (8, 32, 32, 3)).astype(np.float32)
    full = AugmentConfig(saturation=0.3, hue=0.1, erasing=0.7)
    one, again, other = (augment(images, seed, full) for seed in (4, 4, 5))
    assert (one == again).all() and (one != other).any()
    assert one.min() >= 0 and one.max() <= 255 and one.dtype == np.float32
    same = augment(np.repeat(images[:1], 8, 0), 0, full)
    assert len({face.tobytes() for face in same}) == 8


def test_no_augmentation_changes_nothing():
    images = np.random.default_rng(1).uniform(0, 255, (4, 32, 32, 3)).astype(np.float32)
    assert augment(images, 0, STILL) == pytest.approx(images, abs=1e-3)


def test_light_changes_stay_in_their_limits():
    images = np.full((200, 8, 8, 3), 100.0, np.float32)
    changed = augment(images, 0, replace(STILL, brightness=0.1))[:, 0, 0, 0]
    assert abs(changed - 100).max() <= 25.5 and changed.std() > 10
    grey = augment(images, 0, replace(STILL, saturation=0.5, hue=0.2))
    assert grey == pytest.approx(np.full_like(grey, 100), abs=0.5), "grey has no hue to turn"


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("config", [AugmentConfig(), AugmentConfig(rotation=180, zoom=0.9, shift=0.9)])
def test_the_warp_in_a_margin_gives_the_pixels_of_the_plain_one(config, dtype):
    images = np.random.default_rng(0).integers(0, 256, (30, 24, 32, 3)).astype(dtype)
    warps = draw_changes(np.random.default_rng(1), images.shape, config).warps
    out = np.zeros_like(images)
    warp = Warp(warps, out)
    for number, image in enumerate(images):
        warp(number, image)
        flags = {"flags": cv2.INTER_LINEAR, "borderMode": cv2.BORDER_REPLICATE}
        assert (out[number] == cv2.warpAffine(image, warps[number], (32, 24), **flags)).all()


def test_whole_levels_are_changed_as_floats_are_but_for_their_rounding():
    images = np.random.default_rng(1).integers(40, 216, (40, 32, 32, 3)).astype(np.uint8)
    for change in (
        {"brightness": 0.1, "contrast": 0.1},
        {"saturation": 0.3, "tint": 0.1},
        {"noise": 0.02},
        {"blur": 0.03},
    ):
        config = replace(STILL, **change)
        whole, floats = augment(images, 3, config), augment(images.astype(np.float32), 3, config)
        assert whole.dtype == np.uint8 and floats.dtype == np.float32
        assert abs(whole - floats).max() < 1.3 and abs((whole - floats).mean()) < 0.1, change


@pytest.mark.parametrize("cache", ["none", "memory", "disk"])
def test_augmentation_leaves_the_loaded_faces_alone(tmp_path, cache):
    loader, targets = FaceLoader(Numbered(8), (8, 8), cache, tmp_path / "faces"), numbered_targets(8)
    before = loader.load(np.arange(8))[0]
    batches = TrainingBatches(loader, targets, 8, augmentation=AugmentConfig(noise=0.1, erasing=1.0, mixup=1.0))
    images, _, weights = batches.load(np.arange(8), 0, False)
    assert images.dtype == np.uint8 and weights["valence"].min() < 1 and (images != before).any()
    assert (loader.load(np.arange(8))[0] == before).all()


def test_erasing_hides_one_rectangle_of_the_stated_size():
    images = np.full((300, 32, 32, 3), -1.0, np.float32)
    erased = (augment(images + 1, 0, replace(STILL, erasing=0.5)) > 0).any(-1)
    shares = erased.mean((1, 2))
    assert 0.4 < (shares > 0).mean() < 0.6 and shares.max() < 0.27


def test_the_last_epochs_are_calm_and_the_others_as_before():
    loader, targets = FaceLoader(Numbered(8, bad=None), (8, 8)), numbered_targets(8)
    wild, calm = replace(STILL, brightness=0.5, mixup=1.0), replace(STILL, brightness=0.25)

    def faces(augmentation, calm_from=None):
        batches = TrainingBatches(loader, targets, 4, augmentation=augmentation, calm_from=calm_from)
        stream = training_data(batches, 0, 3)
        return [(np.asarray(images), np.asarray(values["valence"])) for images, values, _ in stream]

    mixed, before, after = faces(wild, 2), faces(wild), faces(calm)
    assert len(mixed) == 6
    for step, (images, labels) in enumerate(mixed):
        expected = (before if step < 4 else after)[step]
        assert (images == expected[0]).all() and (labels == expected[1]).all()
    assert (before[4][1] != after[4][1]).any()
