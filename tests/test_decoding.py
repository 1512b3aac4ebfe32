"""Image files by their content: kinds, damage, bytes behind the end, sizes in headers, limits, photos of phones."""

import io
import sys

import cv2
import numpy as np
import pytest

from fer_keras.decoding import IMAGE_SUFFIXES, decode_image, image_extent, image_kind, image_problem, upright_extent

PICTURE = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (96, 128, 3), dtype=np.uint8), (5, 5), 0)
SUFFIXES = [".jpg", ".png", ".bmp", ".gif", ".webp", ".tif", ".ppm", ".jp2"]


def encode(suffix: str, image: np.ndarray = PICTURE) -> bytes:
    return cv2.imencode(suffix, image)[1].tobytes()


def trailing(seed: int) -> bytes:
    """What a motion photo has behind its picture: a video, which can hold any bytes."""
    return b"\0\0\0\x18ftypmp42" + np.random.default_rng(seed).integers(0, 256, 30_000, np.uint8).tobytes()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_kind_is_known_by_its_content_and_its_header_tells_its_size(suffix):
    data = encode(suffix)
    assert image_kind(data[:64]) and image_problem(data) is None and image_extent(data) == (96, 128)
    assert decode_image(data).shape == (96, 128, 3) and suffix in IMAGE_SUFFIXES


@pytest.mark.parametrize(
    ("form", "options"),
    [
        ("WEBP", {"lossless": True}),
        ("WEBP", {"exif": b"Exif\0\0II*\0"}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("GIF", {}),
    ],
)
def test_sizes_of_pillows_files(form, options):
    pil = pytest.importorskip("PIL.Image")
    file = io.BytesIO()
    pil.fromarray(PICTURE).save(file, form, **options)
    assert image_extent(file.getvalue()) == (96, 128)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_a_truncated_file_of_any_kind_is_refused(suffix, share):
    data = encode(suffix)
    with pytest.raises(ValueError, match="Unreadable image"):
        decode_image(data[: int(len(data) * share)])


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".gif", ".webp", ".tif"])
def test_bytes_behind_the_end_are_no_damage(suffix):
    data = encode(suffix)
    for seed in range(20):
        assert image_problem(data + trailing(seed)) is None
    assert (decode_image(data + trailing(0)) == decode_image(data)).all()


def test_a_progressive_jpeg_with_restarts_and_bytes_behind_it_is_whole():
    flags = [cv2.IMWRITE_JPEG_PROGRESSIVE, 1, cv2.IMWRITE_JPEG_RST_INTERVAL, 4]
    data = cv2.imencode(".jpg", PICTURE, flags)[1].tobytes()
    assert all(image_problem(data + trailing(seed)) is None for seed in range(20))
    assert all(image_problem(data[:-2] + trailing(seed)) for seed in range(20))


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_a_truncated_picture_with_bytes_behind_it_is_still_truncated(suffix):
    data = encode(suffix)
    found = [image_problem(data[: int(len(data) * 0.6)] + trailing(seed)) for seed in range(100)]
    assert sum(problem is None for problem in found) <= 2  # by chance the video holds what an end looks like


def test_a_thumbnail_inside_a_truncated_photo_does_not_make_it_whole():
    thumbnail = encode(".jpg", PICTURE[:16, :16])
    photo = encode(".jpg")
    segment = b"Exif\0\0" + thumbnail
    data = photo[:2] + b"\xff\xe1" + (len(segment) + 2).to_bytes(2, "big") + segment + photo[2:]
    assert image_problem(data) is None and image_problem(data + b"\x01" * 9) is None
    assert image_problem(data[: len(segment) + 400]) == "truncated JPEG"


def test_a_turned_photo_stands_upright():
    data = encode(".jpg")
    exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"
    turned = data[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + data[2:]
    assert image_extent(turned) == (96, 128) and upright_extent(turned) == (128, 96)
    assert upright_extent(data) == (96, 128) and decode_image(turned).shape == (128, 96, 3)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"RIFF\x24\0\0\0WAVEfmt ", "not an image"),
        (b"BM, waist,height\n1,2,3\n", "not an image"),
        (b"P1 was afraid of P2\n", "not an image"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom", "not an image"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
        (b"\xff\x0a" + bytes(40), "JPEG XL"),
    ],
)
def test_other_files_are_named(data, message):
    with pytest.raises(ValueError, match=message):
        decode_image(data)


def test_a_picture_of_too_many_pixels_is_refused_before_it_is_decoded(monkeypatch):
    monkeypatch.setattr(cv2, "imdecode", lambda *args: pytest.fail("decoded"))
    header = encode(".png")[:16] + (30_000).to_bytes(4, "big") * 2
    bomb = header + encode(".png")[24:]
    with pytest.raises(ValueError, match="more than 256 megapixels.*FER_KERAS_MAX_MEGAPIXELS"):
        decode_image(bomb)
    monkeypatch.undo()
    monkeypatch.setenv("FER_KERAS_MAX_MEGAPIXELS", "0.01")
    with pytest.raises(ValueError, match="more than 0.01 megapixels"):
        decode_image(encode(".jpg"))
    monkeypatch.setenv("FER_KERAS_MAX_MEGAPIXELS", "many")
    with pytest.raises(ValueError, match="expects a number above 0. Received: 'many'"):
        decode_image(encode(".jpg"))


HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(99)


def test_heic_without_its_package_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert image_kind(HEIC[:64]) == "heic"
    with pytest.raises(ValueError, match=r"pillow-heif is installed: pip install 'fer_keras\[heif\]'"):
        decode_image(HEIC)


def test_heic_is_read_with_its_package():
    pillow_heif, pil = pytest.importorskip("pillow_heif"), pytest.importorskip("PIL.Image")
    file = io.BytesIO()
    smooth = cv2.GaussianBlur(PICTURE, (0, 0), 9)
    pillow_heif.from_pillow(pil.fromarray(smooth)).save(file, quality=100)
    data = file.getvalue()
    assert image_extent(data) == (96, 128)
    assert np.abs(decode_image(data).astype(int) - smooth).mean() < 2
    with pytest.raises(ValueError, match="Unreadable image"):
        decode_image(data[: len(data) // 2])


def test_avif_is_read_and_turned_as_it_asks():
    pil = pytest.importorskip("PIL.Image")
    from PIL import features

    if not features.check("avif"):
        pytest.skip("needs a Pillow that writes AVIF")
    file, exif = io.BytesIO(), pil.Exif()
    exif[0x112] = 6
    pil.fromarray(PICTURE).save(file, "AVIF", exif=exif)
    data = file.getvalue()
    assert image_extent(data) == (96, 128) and decode_image(data).shape == (128, 96, 3)
    with pytest.raises(ValueError, match="Unreadable image"):
        decode_image(data[: len(data) // 2])
