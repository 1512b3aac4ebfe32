"""Changed copies of faces: sizes, directions, and that the loader crops them by the one rule."""

import numpy as np
import pytest

from fer_keras.batches.conditions import CONDITIONS, ChangedImages, cast, recompress, recrop, rescale, tilt
from fer_keras.batches.loader import FaceLoader
from fer_keras.readers.rows import ArrayImages

FACES = np.random.default_rng(0).integers(0, 256, (3, 48, 48, 3), dtype=np.uint8)


@pytest.mark.parametrize("name", CONDITIONS)
def test_every_condition_keeps_type_and_can_be_loaded(name):
    before = FACES[0].copy()
    changed = CONDITIONS[name](FACES[0])
    assert changed.dtype == np.uint8 and changed.ndim == 3 and changed.shape[2] == 3
    assert (FACES[0] == before).all(), "the data set's own image stays as it is"
    faces, readable = FaceLoader(ChangedImages(ArrayImages(FACES, [0, 1, 2]), CONDITIONS[name]), (48, 48)).load([2, 0])
    assert faces.shape == (2, 48, 48, 3) and readable.all()
    assert (name == "as it is") == (faces[1] == FACES[0]).all()


def test_sizes_are_those_of_the_names():
    assert rescale(FACES[0], 0.5).shape[:2] == (24, 24) and rescale(FACES[0], 4).shape[:2] == (192, 192)
    assert recrop(FACES[0], 0.2).shape[:2] == (58, 58) and recrop(FACES[0], -0.2).shape[:2] == (38, 38)
    assert (recrop(FACES[0], -0.2) == FACES[0][5:43, 5:43]).all(), "the centre stays"


def test_a_positive_tilt_turns_anticlockwise_and_back_again():
    image = np.zeros((49, 49, 3), np.uint8)
    image[4, 24] = image[4, 23] = image[5, 24] = image[5, 23] = 255  # a mark at the top
    turned = tilt(image, 15)
    y, x = np.unravel_index(turned[..., 0].argmax(), (49, 49))
    assert x < 24 - 3 and y < 10
    assert tilt(image, -15)[..., 0].argmax() % 49 > 24 + 3


def test_compression_and_cast_do_what_they_say():
    assert (
        0
        < np.abs(recompress(FACES[0], 95).astype(int) - FACES[0]).mean()
        < np.abs(recompress(FACES[0], 30).astype(int) - FACES[0]).mean()
    )
    flat = np.full((8, 8, 3), (200, 20, 20), np.uint8)
    red, green, blue = recompress(flat, 90)[4, 4].astype(int)
    assert red > 180 and green < 40 and blue < 40, "RGB goes in and comes out"
    assert cast(np.full((1, 1, 3), 240, np.uint8))[0, 0].tolist() == [255, 240, 180]
