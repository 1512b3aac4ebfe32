"""Image files: what kind their content is, whether it is whole, how large it is, and its pixels as uint8 RGB.

The content decides, never the suffix: a JPEG called `.png` or called nothing at all is a JPEG. Bytes after the end of a JPEG
or PNG belong to something else, such as the video of a motion photo, and are left alone.
"""

import importlib.util
import io
import os
import re

import cv2
import numpy as np

from fer_keras.config.file_limits import MEGABYTES, MEGAPIXELS, file_limit
from fer_keras.image_headers import find_extent, find_turns

#: Suffixes of image files: those are listed as pictures without being opened; other files are asked for their content.
IMAGE_SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".pjpeg", ".mpo", ".png", ".apng", ".bmp", ".dib", ".webp", ".gif"),
    *(".tif", ".tiff", ".jp2", ".j2k", ".pgm", ".ppm", ".pbm", ".pnm", ".heic", ".heif", ".hif", ".avif"),
)

#: Bytes that `image_kind` needs of a file.
HEAD = 64

_TRUNCATED = "truncated {}"
_PNG = b"\x89PNG\r\n\x1a\n"
_PNM = re.compile(rb"P[1-6]\s+(#[^\n]*\n\s*)*\d+\s+\d+\s")
#: A marker between the bytes of a JPEG's scan: stuffed zeros, restarts and fill bytes are none.
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_HEIF_BRANDS = {b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1", b"mif2"}
_NEEDS_HEIF = "HEIC, which is read where pillow-heif is installed: pip install 'fer_keras[heif]'"
_NO_AVIF = "AVIF, which neither this OpenCV nor this Pillow reads: pip install --upgrade Pillow"
_NO_JXL = "JPEG XL, which is not read: convert it to PNG or JPEG"
_LFS = "a pointer of Git LFS in place of the picture: run git lfs pull"

#: How OpenCV 4.11 and later decode a JPEG straight to RGB: the same pixels, a twentieth sooner.
_JPEG_TO_RGB = getattr(cv2, "IMREAD_COLOR_RGB", None)

if (
    "OPENCV_LOG_LEVEL" not in os.environ
):  # every damaged file is reported with its reason; OpenCV's own lines say it again
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


def max_megapixels() -> float:
    """Return how many megapixels an image may have, see `fer_keras.config.file_limits`."""
    return file_limit(MEGAPIXELS)


def max_megabytes() -> float:
    """Return how many megabytes an image file may have, see `fer_keras.config.file_limits`."""
    return file_limit(MEGABYTES)


def image_kind(data: bytes) -> str | None:
    """Return the format of an image file by its first `HEAD` bytes, or None where they begin no image.

    Returns:
        jpeg, png, bmp, gif, webp, tiff, jp2, pnm, heic, avif or jxl.

    Example:
        >>> image_kind(b"GIF89a"), image_kind(b"name,label")
        ('gif', None)
    """
    for kind, starts in _STARTS.items():
        if data.startswith(starts):
            return kind
    if data[:4] == b"RIFF":
        return "webp" if data[8:12] == b"WEBP" else None
    if data[:2] == b"BM":
        return "bmp" if int.from_bytes(data[14:18], "little") in (12, 16, 40, 52, 56, 64, 108, 124) else None
    if data[4:8] == b"ftyp":
        return _boxed_kind(data)
    return "pnm" if _PNM.match(data) else None


_STARTS = {
    "jpeg": b"\xff\xd8",
    "png": b"\x89PNG",
    "gif": b"GIF8",
    "tiff": (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
    "jp2": (b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51"),
    "jxl": (b"\xff\x0a", b"\0\0\0\x0cJXL "),
}


def _boxed_kind(data: bytes) -> str | None:
    """Return avif or heic by the brands of an ISO media file; videos are neither."""
    end = min(int.from_bytes(data[:4], "big"), HEAD)
    brands = {data[8:12], *(data[at : at + 4] for at in range(16, end - 3, 4))}
    if brands & {b"avif", b"avis"}:
        return "avif"
    return "heic" if data[8:12] in _HEIF_BRANDS or brands & (_HEIF_BRANDS - {b"mif1", b"msf1"}) else None


def image_problem(data: bytes) -> str | None:
    """Say why encoded bytes cannot be a whole image, without decoding them.

    Decoders fill the missing part of a truncated JPEG with grey and go on; this finds such files.

    Args:
        data: the content of an image file.

    Returns:
        A reason, or None for an image that looks whole.

    Example:
        >>> image_problem(b"GIF89a"), image_problem(b"")
        (None, 'empty file')
    """
    return _problem(data, image_kind(data[:HEAD]))


def _problem(data: bytes, kind: str | None) -> str | None:
    if not data:
        return "empty file"
    if kind == "jpeg":
        return None if _is_whole_jpeg(data) else _TRUNCATED.format("JPEG")
    if kind == "png":
        return None if _is_whole_png(data) else _TRUNCATED.format("PNG")
    if kind == "webp" and len(data) < 8 + int.from_bytes(data[4:8], "little"):
        return _TRUNCATED.format("WebP")
    if kind == "heic" and not _has_heif():
        return _NEEDS_HEIF
    if kind == "jxl":
        return _NO_JXL
    if kind is None:
        return _LFS if data.startswith(b"version https://git-lfs") else "not an image"
    return None


def _is_whole_jpeg(data: bytes) -> bool:
    if data.endswith(b"\xff\xd9") and b"\xff\xda" in data:
        return True
    if data.rstrip(b"\0 \r\n").endswith(b"\xff\xd9") and b"\xff\xda" in data:  # padded
        return True
    return _jpeg_end(data) > 0


def _jpeg_end(data: bytes) -> int:
    """Return where a JPEG's end-of-image marker ends, by its segments, or 0 where they stop before one."""
    position, scanned = 2, False
    while data[position : position + 1] == b"\xff" and position + 3 < len(data) + 2:
        marker = data[position + 1] if position + 1 < len(data) else 0
        if marker == 0xFF:  # a fill byte
            position += 1
        elif marker == 0xD9:
            return position + 2 if scanned else 0
        elif marker == 0x01 or 0xD0 <= marker <= 0xD8:  # markers without a segment
            position += 2
        else:
            length = int.from_bytes(data[position + 2 : position + 4], "big")
            if marker < 0xC0 or length < 2:
                return 0
            position += 2 + length
            if marker == 0xDA:
                scanned, found = True, _MARKER.search(data, position)
                position = found.start() if found else len(data)
    return 0


def _is_whole_png(data: bytes) -> bool:
    if b"IEND" in data[-64:]:
        return True
    position = len(_PNG)
    while data.startswith(_PNG) and position + 12 <= len(data):
        length, name = int.from_bytes(data[position : position + 4], "big"), data[position + 4 : position + 8]
        position += 12 + length
        if name == b"IEND":
            return position <= len(data)
    return False


def image_extent(data: bytes) -> tuple[int, int] | None:
    """Return (height, width) as stored in an image file's header, or None where it does not tell.

    The orientation that EXIF may ask for is not applied; see `upright_extent`.

    Example:
        >>> image_extent(b"GIF89a" + bytes([40, 0, 30, 0]))
        (30, 40)
    """
    return find_extent(data, image_kind(data[:HEAD]))


def examine_image(
    data: bytes, megapixels: float | None = None
) -> tuple[str | None, tuple[int, int] | None, str | None]:
    """Return what kind an image file is, its extent, and why it cannot be read: the answers of three functions in one step.

    Args:
        data: content of the file.
        megapixels: as of `size_problem`.

    Returns:
        `image_kind`, `image_extent`, and `image_problem` or `size_problem`.
    """
    kind = image_kind(data[:HEAD])
    extent = find_extent(data, kind)
    return kind, extent, _problem(data, kind) or size_problem(extent, megapixels)


def upright_extent(data: bytes) -> tuple[int, int] | None:
    """Return (height, width) as `decode_image` gives the picture, turned as the EXIF of a JPEG asks, or None."""
    extent = image_extent(data)
    return extent[::-1] if extent and image_kind(data[:HEAD]) == "jpeg" and find_turns(data) in (5, 6, 7, 8) else extent


def size_problem(extent: tuple[int, int] | None, megapixels: float | None = None) -> str | None:
    """Say that an image of (height, width) has too many pixels; None where it has not, or nobody knows.

    Args:
        extent: of the image.
        megapixels: how many it may have, for who asks often; default: `max_megapixels()`.
    """
    if extent and extent[0] * extent[1] > (most := megapixels or max_megapixels()) * 1e6:
        return f"more than {most:g} megapixels; --max-megapixels allows more, or ${MEGAPIXELS}"
    return None


def decode_image(data: bytes) -> np.ndarray:
    """Decode an image file's content to RGB, with the orientation that its EXIF asks for.

    Grey becomes three equal channels, of 16 bits the upper 8 are kept, CMYK and palettes become RGB, alpha is dropped
    (OpenCV blends it over black in TIFF files), of an animation or a motion photo the first picture is taken.

    Args:
        data: content of a JPEG, PNG, WebP, BMP, GIF, TIFF, JPEG 2000, PNM or AVIF file, or of a HEIC file where the package
            pillow-heif is installed.

    Returns:
        (height, width, 3) uint8, RGB.

    Raises:
        ValueError: not an image, a truncated one, or one of more than `max_megapixels`.
    """
    kind, _, problem = examine_image(data)
    if problem is None:
        try:
            image = _decode(data, kind)
            if image is not None:
                return image
            problem = "bad data"
        except Exception as error:  # decoders of four libraries, each with errors of its own
            problem = _one_line(error)
    raise ValueError(f"Unreadable image. Expected a whole JPEG, PNG or other image. Received: {problem}.")


def _decode(data: bytes, kind: str | None) -> np.ndarray | None:
    if kind == "heic":
        return _decode_heif(data)
    if kind == "avif" and (image := _decode_avif(data)) is not None:
        return image
    if kind == "jpeg" and _JPEG_TO_RGB is not None:
        return cv2.imdecode(np.frombuffer(data, np.uint8), _JPEG_TO_RGB)
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        if kind == "avif":
            raise ValueError(_NO_AVIF if not cv2.haveImageReader("x.avif") else "bad data")
        return None
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def _decode_heif(data: bytes) -> np.ndarray:
    import pillow_heif

    return pil_pixels(pillow_heif.open_heif(data).to_pillow())


def _decode_avif(data: bytes) -> np.ndarray | None:
    """Decode by Pillow, which turns pictures as they ask; OpenCV leaves them lying. None where Pillow reads no AVIF."""
    try:
        from PIL import Image, features
    except ImportError:
        return None
    if not features.check("avif"):
        return None
    with Image.open(io.BytesIO(data), formats=["AVIF"]) as image:
        return pil_pixels(image)


def pil_pixels(image) -> np.ndarray:
    """Return a PIL image, turned as its EXIF asks, as an array: (height, width, 3) uint8 RGB, or uint16 grey.

    Raises:
        ValueError: mode F, whose range is not known.
    """
    from PIL import ImageOps

    image = ImageOps.exif_transpose(image)
    if image.mode == "F":
        raise ValueError("Expected a PIL image of whole numbers. Received: one of mode F, whose range is not known.")
    if image.mode.startswith("I"):  # 16 bits; "I" is how Pillow before 11.3 opens them
        return np.asarray(image).clip(0, 65535).astype(np.uint16)
    return np.array(image.convert("RGB"))


def _has_heif() -> bool:
    return importlib.util.find_spec("pillow_heif") is not None


def _one_line(error: BaseException) -> str:
    if isinstance(error, cv2.error):
        return f"refused by OpenCV, {error.err}"
    return " ".join(str(error).split())[:200] or type(error).__name__
