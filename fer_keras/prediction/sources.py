"""Where images come from: files, bytes, arrays, PIL images, folders, iterables of these; files and folders of a command."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fer_keras.decoding import decode_image
from fer_keras.files import distinct
from fer_keras.preprocessing import to_rgb
from fer_keras.readers.listing import find_pictures
from fer_keras.readers.opening import has_image_suffix, read_bytes, read_head

#: Formats in which drawn copies of pictures are written as the pictures are; copies of others become PNG, of videos MP4.
COPY_SUFFIXES, VIDEO_COPY = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"), ".mp4"
#: Suffixes by which a folder's videos are told from its other files.
VIDEO_SUFFIXES = (
    *(".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv", ".y4m", ".mjpeg", ".ogv"),
    *(".3gp", ".3g2", ".mts", ".m2ts", ".m2t", ".ts", ".flv", ".f4v", ".vob", ".asf", ".mxf", ".m2v", ".mpe", ".divx"),
)
#: How videos begin, where the file's name does not say that it is one; MPEG's transport streams see `_begins_as_video`.
_VIDEO_STARTS = (
    b"\x1aE\xdf\xa3",
    b"FLV\x01",
    b"\x00\x00\x01\xba",
    b"\x00\x00\x01\xb3",
    b"0&\xb2u\x8ef\xcf\x11",
    b"YUV4MPEG2",
)
#: Brands of ISO base media files that hold pictures, not videos.
_PICTURE_BRANDS = (b"heic", b"heix", b"mif1", b"msf1", b"avif", b"avis", b"heim", b"heis")


def load_image(source, colour: str = "rgb") -> np.ndarray:
    """Return one image as uint8 RGB.

    Args:
        source: a path, the bytes of an image file, such a file opened, a PIL image, or an array as `to_rgb` takes it.
        colour: order of an array's channels, rgb or bgr; files and PIL images know their own.

    Raises:
        FileNotFoundError: no such file.
        ValueError: an unreadable image.
    """
    if isinstance(source, (str, Path)):
        return decode_image(read_bytes(str(source)))
    if isinstance(source, (bytes, bytearray, memoryview)):
        return decode_image(bytes(source))
    if hasattr(source, "read"):
        return decode_image(source.read())
    return to_rgb(source, colour)


def is_folder(source) -> bool:
    """Whether a source is the path of a folder."""
    return isinstance(source, (str, Path)) and os.path.isdir(source)


def is_batch(source) -> bool:
    """Whether a source holds several images in a sequence: a list, a tuple or an array (n, height, width, channels)."""
    return isinstance(source, (list, tuple)) or (isinstance(source, np.ndarray) and source.ndim == 4)


def is_stream(source) -> bool:
    """Whether a source gives images one after the other: an iterator or another iterable that is not itself an image."""
    single = isinstance(source, (str, Path, bytes, bytearray, memoryview, np.ndarray))
    return not single and isinstance(source, Iterable) and not hasattr(source, "read")


def list_images(folder: str | Path) -> tuple[list[Path], int]:
    """Return the image files under a folder, sorted, and how many other files are passed over.

    `find_pictures` says which those are; linked folders are followed once, and content decides where no suffix does.

    Raises:
        FileNotFoundError: no such folder.
    """
    found = find_pictures(folder)
    return found.paths, sum(found.others.counts.values())


@dataclass(frozen=True)
class Picture:
    """A picture or a video to read.

    Attributes:
        path: of the file.
        copy: where what is drawn of it goes, relative to the folder of such drawings; no two have the same, on file systems
            that ignore case neither.
    """

    path: Path
    copy: Path


def list_sources(sources: Iterable[str | Path]) -> tuple[list[Picture], list[Picture], int]:
    """Return the pictures and the videos that files and folders name, and how many other files the folders hold.

    Raises:
        FileNotFoundError: no such file or folder.
        ValueError: neither pictures nor videos.
    """
    sources = [Path(source) for source in sources]
    videos: dict[Path, Path] = {}
    inside = 0
    for source in sources:
        if source.is_dir():
            found = sorted(path for path in source.rglob("*") if _is_video(path, source))
            inside += len(found)
            videos |= {path: Path(source.resolve().name) / path.relative_to(source) for path in found}
        elif source.is_file() and (_is_video(source) or _begins_as_video(source)):
            videos[source] = Path(source.name)
    pictures, others = [], 0
    rest = [source for source in sources if source not in videos]
    if rest:
        try:
            pictures, others = list_pictures(rest)
        except ValueError:
            if not videos:
                raise
            others = sum(list_images(source)[1] for source in rest if source.is_dir())
    copies = distinct(copy.with_suffix(VIDEO_COPY) for copy in videos.values())
    return pictures, [Picture(path, copy) for path, copy in zip(videos, copies, strict=True)], max(0, others - inside)


def list_pictures(sources: Iterable[str | Path]) -> tuple[list[Picture], int]:
    """Return the pictures that files and folders name, each once, and how many other files the folders hold.

    A folder's pictures keep their place under the folder's name in `copy`; equal names get a number.

    Raises:
        FileNotFoundError: no such file or folder.
        ValueError: no picture at all.
    """
    found: dict[Path, Path] = {}
    passed_over = 0
    for source in map(Path, sources):
        if source.is_dir():
            images, others = list_images(source)
            passed_over += others
            for path in images:
                found.setdefault(path, Path(source.resolve().name) / path.relative_to(source))
        elif source.exists():
            found.setdefault(source, Path(source.name))
        else:
            raise FileNotFoundError(f"No such file or folder. Received: {source}.")
    if not found:
        raise ValueError(f"Expected pictures. Received: {', '.join(map(str, sources))}, which hold none.")
    copies = distinct(_drawn_name(copy) for copy in found.values())
    return [Picture(path, copy) for path, copy in zip(found, copies, strict=True)], passed_over


def _drawn_name(path: Path) -> Path:
    return path if path.suffix.lower() in COPY_SUFFIXES else path.with_name(f"{path.name}.png")


def _is_video(path: Path, folder: Path | None = None) -> bool:
    """Whether a file is a video by its suffix; programs are called `.ts` too, so files of that suffix are looked into.

    Args:
        path: of the file.
        folder: that it was found in; then hidden files and files in hidden folders are no videos.
    """
    suffix = path.suffix.lower()
    hidden = folder is not None and any(part.startswith(".") for part in path.relative_to(folder).parts)
    return suffix in VIDEO_SUFFIXES and not hidden and (suffix != ".ts" or _begins_as_video(path))


def _begins_as_video(path: Path) -> bool:
    """Whether a file that is not called a picture begins as a video does."""
    start = b"" if has_image_suffix(path.name) else read_head(str(path), 400)
    if start[4:8] == b"ftyp":
        return start[8:12] not in _PICTURE_BRANDS
    transport = any(start[first::step][:2] == b"GG" for first, step in ((0, 188), (4, 192)))
    return transport or start.startswith(_VIDEO_STARTS) or (start[:4] == b"RIFF" and start[8:12] == b"AVI ")
