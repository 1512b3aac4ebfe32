"""Geometry: what decodes, what is refused, and where pixels and landmarks go."""

import zlib

import cv2
import numpy as np
import pytest

from fer_keras.preprocessing import (
    as_rgb,
    crop_face,
    crop_points,
    crop_views,
    decode_image,
    image_extent,
    image_problem,
    resize_matrices,
    square_box,
    to_rgb,
)


def encode(image: np.ndarray, suffix: str = ".png") -> bytes:
    return cv2.imencode(suffix, image)[1].tobytes()


def gradient(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 255 // max(width - 1, 1), y * 255 // max(height - 1, 1), np.full_like(x, 40)], 2).astype(
        np.uint8
    )


def test_colour_order_is_rgb():
    red = np.zeros((4, 4, 3), np.uint8)
    red[:, :, 2] = 255  # OpenCV writes BGR
    assert decode_image(encode(red))[0, 0].tolist() == [255, 0, 0]


def test_grey_alpha_and_16_bit_become_rgb_of_8_bits():
    grey = np.arange(16, dtype=np.uint8).reshape(4, 4) * 16
    assert (decode_image(encode(grey)) == grey[:, :, None]).all()
    alpha = np.dstack([gradient(4, 4), np.full((4, 4), 128, np.uint8)])
    assert (decode_image(encode(alpha)) == alpha[:, :, 2::-1]).all()
    deep = grey.astype(np.uint16) * 257
    assert np.abs(decode_image(encode(deep)).astype(int) - grey[:, :, None]).max() <= 1


def test_exif_orientation_is_honoured():
    data = encode(gradient(8, 16), ".jpg")
    exif = (
        b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"  # orientation 6: turn by 90 degrees
    )
    turned = data[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + data[2:]
    assert decode_image(data).shape == (8, 16, 3)
    assert decode_image(turned).shape == (16, 8, 3)


@pytest.mark.parametrize("suffix, cut", [(".jpg", 0.3), (".jpg", 0.99), (".png", 0.5), (".png", 0.9)])
def test_truncated_images_are_refused_not_filled_with_grey(suffix, cut):
    data = encode(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8), suffix)
    with pytest.raises(ValueError, match="truncated"):
        decode_image(data[: int(len(data) * cut)])


@pytest.mark.parametrize("data", [b"", b"\x00" * 100, b"hello", b"\xff\xd8\xff"])
def test_what_is_no_image_is_refused(data):
    assert image_problem(data)
    with pytest.raises(ValueError, match="Unreadable image"):
        decode_image(data)


def test_a_whole_jpeg_with_trailing_bytes_is_accepted():
    data = encode(gradient(8, 8), ".jpg") + b"\0" * 100
    assert image_problem(data) is None
    assert decode_image(data).shape == (8, 8, 3)


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_extent_comes_from_the_header(suffix):
    assert image_extent(encode(gradient(30, 50), suffix)) == (30, 50)


def test_a_face_of_the_right_size_is_untouched():
    image = gradient(48, 48)
    assert (crop_face(image, (48, 48)) == image).all()


def test_shrinking_averages_areas():
    image = np.zeros((4, 4, 3), np.uint8)
    image[::2, ::2] = 200
    assert (crop_face(image, (2, 2)) == 50).all()


def test_a_wide_image_is_padded_with_its_edge_not_stretched():
    image = gradient(20, 40)
    face = crop_face(image, (40, 40))
    assert (face[:10] == image[0]).all() and (face[30:] == image[-1]).all() and (face[10:30] == image).all()


def test_a_box_beyond_the_frame_repeats_the_edge():
    image = gradient(20, 20)
    face = crop_face(image, (20, 20), face_box=(-10, 0, 10, 20))
    assert (face[:, :10] == image[:, :1]).all() and (face[:, 10:] == image[:, :10]).all()


@pytest.mark.parametrize("box", [(5, 5, 5, 9), (9, 9, 2, 2), (30, 30, 40, 40), (-9, 0, -1, 8)])
def test_empty_and_outside_boxes_are_refused(box):
    with pytest.raises(ValueError, match="face_box"):
        crop_face(gradient(20, 20), (8, 8), face_box=box)


def test_points_move_as_pixels_do():
    image = np.zeros((40, 60, 3), np.uint8)
    image[18:22, 30:34] = 255  # its centre is (31.5, 19.5)
    face = crop_face(image, (80, 80), face_box=(20, 10, 40, 30))
    y, x = np.argwhere(face[:, :, 0] > 127).mean(0)
    assert crop_points(np.array([[31.5, 19.5]]), image.shape, (80, 80), (20, 10, 40, 30))[0] == pytest.approx(
        [x, y], abs=0.6
    )


def test_square_box_keeps_the_centre():
    assert square_box((10, 20, 30, 60), (48, 48)) == (0, 20, 40, 60)


@pytest.mark.parametrize("image", [np.zeros((4, 4), np.float32), np.zeros((4, 4, 4), np.uint8), np.zeros(4, np.uint8)])
def test_other_arrays_are_refused(image):
    with pytest.raises(ValueError, match="Expected a uint8 image"):
        as_rgb(image)


def test_an_image_of_too_many_pixels_is_refused_not_fatal():
    size = (60_000).to_bytes(4, "big")
    header = b"IHDR" + size + size + b"\x08\x02\0\0\0"
    chunks = b"".join(
        len(body[4:]).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")
        for body in (header, b"IDAT" + zlib.compress(b"\0" * 100), b"IEND")
    )
    with pytest.raises(ValueError, match="Unreadable image"):
        decode_image(b"\x89PNG\r\n\x1a\n" + chunks)


def test_arrays_in_memory_follow_the_rules_of_files():
    image = gradient(6, 5)
    assert (to_rgb(image) == image).all()
    assert (to_rgb(image[:, :, ::-1], "bgr") == image).all()
    assert (to_rgb(np.dstack([image, image[:, :, 0]])) == image).all()
    assert (to_rgb(image.astype(np.uint16) * 256 + 255) == image).all()
    assert (to_rgb(image[:, :, 0]) == image[:, :, :1]).all()
    for other in (image / 255, image[:0], [1, 2], image.astype(np.int32)):
        with pytest.raises(ValueError, match="Expected a PIL image, or a uint8 or uint16 array"):
            to_rgb(other)


def test_views_are_the_face_and_its_four_corners():
    image = gradient(100, 100)
    views = crop_views(image, (50, 50), share=0.5)
    assert (views[0] == crop_face(image, (50, 50))).all()
    for view, (top, left) in zip(views[1:], [(0, 0), (0, 50), (50, 0), (50, 50)], strict=True):
        assert (view == image[top : top + 50, left : left + 50]).all()
    beyond = crop_views(image, (50, 50), face_box=(-80, -80, 20, 20))
    assert (beyond[0] == crop_face(image, (50, 50), (-80, -80, 20, 20))).all() and len(beyond) == 5


@pytest.mark.parametrize("source, target", [(80, 64), (80, 48), (96, 48), (48, 64), (64, 64)])
def test_matrices_resize_as_crop_face_does(source, target):
    coarse = np.random.default_rng(source).integers(0, 256, (9, 9, 3), np.uint8)
    face = cv2.resize(coarse, (source, source), interpolation=cv2.INTER_CUBIC)
    rows, columns = resize_matrices((source, source), (target, target))
    found = np.einsum("ij,jkc,lk->ilc", rows, face.astype(np.float32), columns)
    assert np.abs(found - crop_face(face, (target, target))).max() <= 1  # rounded to whole numbers there


def test_matrices_of_another_aspect_ratio_are_refused():
    with pytest.raises(ValueError, match="one aspect ratio"):
        resize_matrices((64, 64), (64, 48))
