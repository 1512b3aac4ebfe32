"""Where images come from: files, bytes, arrays, PIL images, folders, iterables of these; files and folders of a command."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fer_keras.decoding import decode_image
from fer_keras.files import distinct
from fer_keras.preprocessing import to_rgb
from fer_keras.readers.listing import Notes, find_pictures, walk_folder
from fer_keras.readers.opening import has_image_suffix, is_picture, read_bytes, read_head

#: Formats in which drawn copies of pictures are written as the pictures are; copies of others become PNG, of videos MP4.
COPY_SUFFIXES, VIDEO_COPY = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"), ".mp4"
#: Suffixes by which a folder's videos are told from its other files.
VIDEO_SUFFIXES = (
    *(".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv", ".y4m", ".mjpeg", ".ogv"),
    *(".3gp", ".3g2", ".mts", ".m2ts", ".m2t", ".ts", ".flv", ".f4v", ".vob", ".asf", ".mxf", ".m2v", ".mpe", ".divx"),
    *(".dv", ".rm", ".rmvb", ".qt", ".nut", ".ivf", ".h264", ".264", ".hevc", ".h265", ".265", ".insv", ".lrv"),
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
#: Why a file in a folder is passed over.
NO_PICTURE = "file that is neither picture nor video"


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


def list_sources(sources: Iterable[str | Path]) -> tuple[list[Picture], list[Picture], Notes]:
    """Return the pictures and the videos that files and folders name, each once, and what else the folders hold.

    What lies in a folder keeps its place under the folder's name in `copy`; equal names get a number. Linked folders are
    followed once. A file that is named itself is a video or a picture by its suffix and its content.

    Raises:
        FileNotFoundError: no such file or folder.
        ValueError: neither pictures nor videos.
    """
    pictures: dict[Path, Path] = {}
    videos: dict[Path, Path] = {}
    others = Notes()
    sources = [Path(source) for source in sources]
    for source in sources:
        if source.is_dir():
            _look_into(source, pictures, videos, others)
        elif source.exists():
            moving = source.is_file() and (_is_video(source) or _begins_as_video(source))
            (videos if moving else pictures).setdefault(source, Path(source.name))
        else:
            raise FileNotFoundError(f"No such file or folder. Received: {source}.")
    if not (pictures or videos):
        held = "; ".join(f"{count:,} x {reason}" for reason, count in others.counts.items())
        raise ValueError(
            f"Expected pictures. Received: {', '.join(map(str, sources))}, which hold none{f' ({held})' if held else ''}."
        )
    still = distinct(_drawn_name(copy) for copy in pictures.values())
    moving = distinct(copy.with_suffix(VIDEO_COPY) for copy in videos.values())
    return (
        [Picture(path, copy) for path, copy in zip(pictures, still, strict=True)],
        [Picture(path, copy) for path, copy in zip(videos, moving, strict=True)],
        others,
    )


def _look_into(folder: Path, pictures: dict[Path, Path], videos: dict[Path, Path], others: Notes) -> None:
    """Sort the files under a folder into pictures, videos and others."""
    listing, name = walk_folder(folder), Path(folder.resolve().name)
    others.update(listing.notes)
    for path in sorted(folder / file for file in listing.files()):
        copy = name / path.relative_to(folder)
        if has_image_suffix(path.name):
            pictures.setdefault(path, copy)
        elif _is_video(path):
            videos[path] = copy
        elif is_picture(str(path)):
            pictures.setdefault(path, copy)
        elif _begins_as_video(path):
            videos[path] = copy
        else:
            others.add(NO_PICTURE, str(path))


def _drawn_name(path: Path) -> Path:
    return path if path.suffix.lower() in COPY_SUFFIXES else path.with_name(f"{path.name}.png")


def _is_video(path: Path) -> bool:
    """Whether a file is a video by its suffix; programs are called `.ts` too, so files of that suffix are looked into."""
    suffix = path.suffix.lower()
    return suffix in VIDEO_SUFFIXES and (suffix != ".ts" or _begins_as_video(path))


def _begins_as_video(path: Path) -> bool:
    """Whether a file that is not called a picture begins as a video does."""
    start = b"" if has_image_suffix(path.name) else read_head(str(path), 400)
    if start[4:8] == b"ftyp":
        return start[8:12] not in _PICTURE_BRANDS
    transport = any(start[first::step][:2] == b"GG" for first, step in ((0, 188), (4, 192)))
    return transport or start.startswith(_VIDEO_STARTS) or (start[:4] == b"RIFF" and start[8:12] == b"AVI ")
