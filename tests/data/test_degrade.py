"""What stands between a face and its file: blur, noise, JPEG, tint, and mixing."""

import cv2
import numpy as np
import pytest
import tensorflow as tf

from fer_keras.data.augment import Augmentation, augment
from fer_keras.data.degrade import blur, compress
from fer_keras.data.mixup import mix

STILL = {"rotation": 0, "zoom": 0, "shift": 0, "flip": False, "brightness": 0, "contrast": 0}
CAMERA = {"tint": 0.2, "blur": 0.03, "noise": 0.05, "jpeg": 1.0}


def drawn_face(side: int = 48) -> np.ndarray:
    y, x = np.mgrid[:side, :side] / side
    image = 120 + 80 * np.sin(9 * x) * np.cos(7 * y)
    image[(x - 0.3) ** 2 + (y - 0.4) ** 2 < 0.01] = 10
    return np.repeat(image[..., None], 3, 2).astype(np.float32)


@pytest.mark.parametrize("option", [*CAMERA, "all"])
@pytest.mark.parametrize("shape", [(48, 48), (50, 37)])
def test_each_change_is_reproducible_differs_by_face_and_stays_in_range(option, shape):
    chosen = CAMERA if option == "all" else {option: CAMERA[option]}
    faces = np.random.default_rng(0).integers(0, 256, (6, *shape, 3)).astype(np.uint8)
    faces[:] = faces[0]
    options = Augmentation(**STILL, **chosen)
    one, other, third = (augment(faces, tf.constant(seed, tf.int64), options)[0].numpy() for seed in (4, 4, 5))
    assert one.shape == faces.shape and one.min() >= 0 and one.max() <= 255 and np.isfinite(one).all()
    assert (one == other).all() and (one != third).any()
    assert len(np.unique(one.reshape(6, -1), axis=0)) > 1 and (one != faces).any()


def test_half_of_the_faces_stay_sharp():
    faces = np.repeat(drawn_face()[None], 200, 0)
    changed = augment(faces, tf.constant(1, tf.int64), Augmentation(**STILL, blur=0.03))[0].numpy()
    untouched = (np.abs(changed - faces).max(axis=(1, 2, 3)) < 0.01).mean()
    assert 0.35 < untouched < 0.65


def test_blur_is_the_gaussian_of_opencv_with_edges_repeated():
    face = drawn_face()
    mine = blur(tf.constant(face[None]), tf.constant([2 / 48])).numpy()[0]
    theirs = cv2.GaussianBlur(face, (25, 25), 2.0, borderType=cv2.BORDER_REPLICATE)
    assert np.abs(mine - theirs).max() < 0.05


@pytest.mark.parametrize("quality", [20, 50, 80])
def test_compression_is_what_libjpeg_does_to_luma(quality):
    grey = drawn_face()[..., 0].round().astype(np.uint8)
    code = cv2.imencode(".jpg", grey, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    theirs = cv2.imdecode(code, cv2.IMREAD_GRAYSCALE).astype(float)
    mine = compress(
        tf.constant(np.repeat(grey[None, ..., None], 3, 3).astype(np.float32)), tf.constant([float(quality)])
    )
    difference = np.abs(mine.numpy()[0, ..., 0] - theirs)
    assert difference.mean() < 0.6, (
        "libjpeg rounds coefficients and pixels to integers; more than that is another table"
    )
    assert np.abs(theirs - grey).mean() > 2 * difference.mean()


def test_compression_keeps_chroma():
    face = np.array([200.0, 90, 40], np.float32) + drawn_face() * 0.1
    change = compress(tf.constant(face[None]), tf.constant([30.0])).numpy()[0] - face
    assert change[..., 0] == pytest.approx(change[..., 2], abs=1e-3)


def mixed(weights: dict[str, list[float]], **kind):
    """Mix four faces of grey level 0, 10, 20, 30 whose labels are the level / 100."""
    level = np.arange(4, dtype=np.float32) * 10
    images = np.tile(level[:, None, None, None], (1, 2, 2, 3))
    values = {"emotion": tf.constant(np.eye(4, 8, dtype=np.float32)), "valence": tf.constant(level[:, None] / 100)}
    given = {name: tf.constant(weight, tf.float32) for name, weight in weights.items()}
    images, values, out = mix(tf.constant(images), values, given, tf.constant(3, tf.int64), **(kind or {"mixup": 1.0}))
    return images.numpy()[:, 0, 0, 0], {k: v.numpy() for k, v in values.items()}, {k: v.numpy() for k, v in out.items()}


def test_mixup_blends_labels_as_it_blends_pixels():
    level, values, weights = mixed({"emotion": [1] * 4, "valence": [1] * 4})
    assert values["valence"][:, 0] == pytest.approx(level / 100, abs=1e-6)
    assert values["emotion"][:, :4] @ np.arange(0, 40, 10) == pytest.approx(level, abs=1e-4)
    assert weights["emotion"] == pytest.approx([1] * 4) and weights["valence"] == pytest.approx([1] * 4)
    assert (np.diag(values["emotion"]) >= 0.5 - 1e-6).all() and (level != np.arange(0, 40, 10)).any()


def test_mixup_takes_nothing_from_a_missing_label():
    level, values, weights = mixed({"emotion": [1] * 4, "valence": [0, 2, 0, 1]})
    partner = [np.flatnonzero((row > 0) & (np.arange(8) != own)) for own, row in enumerate(values["emotion"])]
    for own in range(4):
        share = values["emotion"][own, own]
        other = int(partner[own][0]) if len(partner[own]) else own
        weight, y = np.array([0, 2, 0, 1.0]), np.array([0, 0.1, 0.2, 0.3])
        total = share * weight[own] + (1 - share) * weight[other]
        assert weights["valence"][own] == pytest.approx(total, abs=1e-5)
        if total:
            expected = (share * weight[own] * y[own] + (1 - share) * weight[other] * y[other]) / total
            assert values["valence"][own, 0] == pytest.approx(expected, abs=1e-5)


def test_mixup_of_small_alpha_leaves_most_faces_nearly_alone_and_is_never_nan():
    faces = np.random.default_rng(0).uniform(0, 255, (500, 2, 2, 3)).astype(np.float32)
    values = {"emotion": tf.one_hot(np.arange(500) % 8, 8)}
    out, values, _ = mix(tf.constant(faces), values, {"emotion": tf.ones(500)}, tf.constant(0, tf.int64), 0.01)
    assert np.isfinite(out.numpy()).all()
    assert (np.abs(out.numpy() - faces).max(axis=(1, 2, 3)) < 1).mean() > 0.9


@pytest.mark.parametrize("mixup", [0.0, 1.0])
def test_cutmix_puts_one_rectangle_of_another_face_in_and_its_share_into_the_labels(mixup):
    level = np.arange(64, dtype=np.float32)
    images = np.tile(level[:, None, None, None], (1, 24, 20, 3))
    values = {"valence": tf.constant(level[:, None])}
    weights = {"valence": tf.ones(64)}
    out, values, weights = mix(tf.constant(images), values, weights, tf.constant(2, tf.int64), mixup, 1.0)
    out, label = out.numpy(), values["valence"].numpy()[:, 0]
    assert label == pytest.approx(out.mean(axis=(1, 2, 3)), abs=1e-3), "labels follow the area"
    assert weights["valence"].numpy() == pytest.approx(np.ones(64))
    kinds = [len(np.unique(face)) for face in out]
    assert max(kinds) == 2 and (min(kinds) == 1 or not mixup)
    for face, own in zip(out[..., 0], level, strict=True):
        if len(np.unique(face)) == 2:
            rows, columns = np.nonzero(face != own)
            other = face[rows[0], columns[0]]
            assert (face[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1] == other).all(), (
                "one rectangle"
            )
