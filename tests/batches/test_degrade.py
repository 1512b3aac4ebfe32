"""What stands between a face and its file: blur, noise, JPEG, tint, and mixing."""

import cv2
import numpy as np
import pytest

from fer_keras.batches.augment import augment
from fer_keras.batches.degrade import add_noise, blur, compress
from fer_keras.batches.mixup import mix
from fer_keras.config.run_config import AugmentConfig

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
    options = AugmentConfig(**STILL, **chosen)
    one, other, third = (augment(faces, seed, options) for seed in (4, 4, 5))
    assert one.shape == faces.shape and one.min() >= 0 and one.max() <= 255 and np.isfinite(one).all()
    assert (one == other).all() and (one != third).any()
    assert len(np.unique(one.reshape(6, -1), axis=0)) > 1 and (one != faces).any()


def test_half_of_the_faces_stay_sharp():
    faces = np.repeat(drawn_face()[None], 200, 0)
    changed = augment(faces, 1, AugmentConfig(**STILL, blur=0.03))
    untouched = (np.abs(changed - faces).max(axis=(1, 2, 3)) < 0.01).mean()
    assert 0.35 < untouched < 0.65


def test_blur_is_the_gaussian_of_opencv_with_edges_repeated():
    face = drawn_face()
    mine = blur(face, 2 / 48)
    theirs = cv2.GaussianBlur(face, (25, 25), 2.0, borderType=cv2.BORDER_REPLICATE)
    assert np.abs(mine - theirs).max() < 0.05


def test_stronger_compression_loses_more_and_keeps_shape_and_type():
    face = drawn_face()
    lost = [np.abs(compress(face, quality) - face).mean() for quality in (20, 50, 80)]
    assert lost[0] > lost[1] > lost[2] > 0
    assert compress(face, 50).dtype == np.float32 and compress(face, 50).shape == face.shape


def test_compression_keeps_red_red():
    red = np.full((16, 16, 3), (200.0, 40, 30), np.float32)
    assert compress(red, 90)[8, 8] == pytest.approx(red[8, 8], abs=4)


def mixed(weights: dict[str, list[float]], **kind):
    """Mix four faces of grey level 0, 10, 20, 30 whose labels are the level / 100."""
    level = np.arange(4, dtype=np.float32) * 10
    images = np.tile(level[:, None, None, None], (1, 2, 2, 3))
    values = {"emotion": np.eye(4, 8, dtype=np.float32), "valence": level[:, None] / 100}
    given = {name: np.array(weight, np.float32) for name, weight in weights.items()}
    images, values, out = mix(images, values, given, seed=5, **(kind or {"mixup": 1.0}))
    return images[:, 0, 0, 0], values, out


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
    values = {"emotion": np.eye(8, dtype=np.float32)[np.arange(500) % 8]}
    out, values, _ = mix(faces, values, {"emotion": np.ones(500, np.float32)}, seed=0, mixup=0.01)
    assert np.isfinite(out).all()
    assert (np.abs(out - faces).max(axis=(1, 2, 3)) < 1).mean() > 0.9


def test_faces_of_whole_levels_are_mixed_to_the_nearest_level():
    images = np.random.default_rng(0).integers(0, 256, (40, 12, 10, 3)).astype(np.uint8)
    given = {"valence": np.arange(40, dtype=np.float32)[:, None]}, {"valence": np.ones(40, np.float32)}
    for kind in ({"mixup": 1.0}, {"cutmix": 1.0}, {"mixup": 1.0, "cutmix": 1.0}):
        whole, *labels = mix(images, *given, seed=3, **kind)
        floats, *others = mix(images.astype(np.float32), *given, seed=3, **kind)
        assert whole.dtype == np.uint8 and abs(whole - floats).max() <= 0.501
        assert (labels[0]["valence"] == others[0]["valence"]).all()


def test_noise_is_normal_and_of_another_place_each_time():
    grey, rng = np.full((48, 48, 3), 128, np.float32), np.random.default_rng(0)
    noisy = [np.empty_like(grey) for _ in range(50)]
    for out in noisy:
        add_noise(grey, 5.0, rng, out=out)
    noise = np.stack(noisy)[..., 0] - 128
    assert noise.std() == pytest.approx(5, rel=0.05) and abs(noise.mean()) < 0.2
    assert (abs(noise) < 5).mean() == pytest.approx(0.683, abs=0.02), "as of a normal distribution"
    assert len({face.tobytes() for face in noisy}) == 50 and all((face[..., :1] == face).all() for face in noisy)


@pytest.mark.parametrize("mixup", [0.0, 1.0])
def test_cutmix_puts_one_rectangle_of_another_face_in_and_its_share_into_the_labels(mixup):
    level = np.arange(64, dtype=np.float32)
    images = np.tile(level[:, None, None, None], (1, 24, 20, 3))
    values = {"valence": level[:, None]}
    weights = {"valence": np.ones(64, np.float32)}
    out, values, weights = mix(images, values, weights, seed=2, mixup=mixup, cutmix=1.0)
    label = values["valence"][:, 0]
    assert label == pytest.approx(out.mean(axis=(1, 2, 3)), abs=1e-3), "labels follow the area"
    assert weights["valence"] == pytest.approx(np.ones(64))
    kinds = [len(np.unique(face)) for face in out]
    assert max(kinds) == 2 and (min(kinds) == 1 or not mixup)
    for face, own in zip(out[..., 0], level, strict=True):
        if len(np.unique(face)) == 2:
            rows, columns = np.nonzero(face != own)
            other = face[rows[0], columns[0]]
            assert (face[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1] == other).all(), (
                "one rectangle"
            )
