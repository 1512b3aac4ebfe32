"""The headers of image files: height and width as stored, and the orientation that EXIF asks for. Nothing is decoded."""

import re
import struct

_PNM_SIZE = re.compile(rb"P[1-6]\s+(?:#[^\n]*\n\s*)*(\d{1,9})\s+(\d{1,9})\s")
#: Tags of TIFF and EXIF.
_WIDTH, _HEIGHT, _ORIENTATION = 256, 257, 274
#: Markers of the segments of a JPEG that tell its size.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_SEGMENT = struct.Struct(">BBH").unpack_from  # 0xFF, marker, length of what follows


def find_extent(data: bytes, kind: str | None) -> tuple[int, int] | None:
    """Return (height, width) as an image file's header tells, or None.

    Args:
        data: content of the file.
        kind: as `fer_keras.decoding.image_kind` tells.
    """
    try:
        return _READERS[kind](data) if kind in _READERS else None
    except (struct.error, IndexError, ValueError, OverflowError):
        return None


def find_turns(data: bytes) -> int:
    """Return the orientation that a JPEG's EXIF asks for, 1 (upright) to 8."""
    for marker, start, end in _segments(data):
        if marker == 0xE1 and data[start : start + 6] == b"Exif\0\0":
            try:
                return _tags(data[start + 6 : end]).get(_ORIENTATION, 1)
            except (struct.error, IndexError, ValueError):
                return 1
    return 1


def _segments(data: bytes):
    """Yield marker, start and end of each segment of a JPEG's header."""
    position, last = 2, len(data) - 4
    while position <= last:
        mark, marker, length = _SEGMENT(data, position)
        if mark != 0xFF:
            return
        if marker == 0xFF:
            position += 1
            continue
        if marker == 0xDA or length < 2:
            return
        yield marker, position + 4, position + 2 + length
        position += 2 + length


def _jpeg(data: bytes) -> tuple[int, int] | None:
    for marker, start, _ in _segments(data):
        if marker in _FRAMES:
            return struct.unpack(">HH", data[start + 1 : start + 5])
    return None


def count_channels(data: bytes) -> int:
    """Return the number of channels in the frame of a JPEG: 1 grey, 3 colour, 4 CMYK; 0 where there is none."""
    for marker, start, _ in _segments(data):
        if marker in _FRAMES:
            return int.from_bytes(data[start + 5 : start + 6])
    return 0


def is_decoded_whole(data: bytes) -> bool:
    """Return whether a decoder has to hold all of a JPEG at once, whatever the size it is decoded to.

    So it is for progressive files and for those with a scan per colour: every coefficient is kept until the last scan.
    """
    progressive, colours, scan = False, 1, 2
    for marker, start, end in _segments(data):
        scan = end
        if marker in _FRAMES:
            progressive, colours = marker in (0xC2, 0xC6, 0xCA, 0xCE), int.from_bytes(data[start + 5 : start + 6])
    while data[scan : scan + 2] == b"\xff\xff":
        scan += 1
    return progressive or int.from_bytes(data[scan + 4 : scan + 5]) < colours


def _png(data: bytes) -> tuple[int, int]:
    width, height = struct.unpack(">II", data[16:24])
    return height, width


def _gif(data: bytes) -> tuple[int, int]:
    width, height = struct.unpack("<HH", data[6:10])
    return height, width


def _bmp(data: bytes) -> tuple[int, int]:
    if int.from_bytes(data[14:18], "little") == 12:
        width, height = struct.unpack("<HH", data[18:22])
    else:
        width, height = struct.unpack("<ii", data[18:26])
    return abs(height), abs(width)  # a negative height means rows from the top


def _webp(data: bytes) -> tuple[int, int] | None:
    form = data[12:16]
    if form == b"VP8X":
        return int.from_bytes(data[27:30], "little") + 1, int.from_bytes(data[24:27], "little") + 1
    if form == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return (bits >> 14 & 0x3FFF) + 1, (bits & 0x3FFF) + 1
    if form == b"VP8 ":
        width, height = struct.unpack("<HH", data[26:30])
        return height & 0x3FFF, width & 0x3FFF
    return None


def _tiff(data: bytes) -> tuple[int, int] | None:
    tags = _tags(data)
    return (tags[_HEIGHT], tags[_WIDTH]) if _HEIGHT in tags and _WIDTH in tags else None


def _tags(data: bytes) -> dict[int, int]:
    """Return the tags of a TIFF's first directory that hold one whole number; of BigTIFF too."""
    order = "<" if data[:2] == b"II" else ">"
    big = data[2:4] in (b"+\0", b"\0+")
    at = struct.unpack(order + ("Q" if big else "I"), data[8:16] if big else data[4:8])[0]
    count = struct.unpack(order + ("Q" if big else "H"), data[at : at + (8 if big else 2)])[0]
    at, step, value_at = at + (8 if big else 2), 20 if big else 12, 12 if big else 8
    tags = {}
    for entry in range(at, at + min(count, 512) * step, step):
        tag, kind = struct.unpack(order + "HH", data[entry : entry + 4])
        form = {3: "H", 4: "I", 16: "Q"}.get(kind)
        if form:
            size = struct.calcsize(form)
            tags[tag] = struct.unpack(order + form, data[entry + value_at : entry + value_at + size])[0]
    return tags


def _pnm(data: bytes) -> tuple[int, int] | None:
    match = _PNM_SIZE.match(data[:1024])
    return (int(match[2]), int(match[1])) if match else None


def _jp2(data: bytes) -> tuple[int, int] | None:
    at = data.find(b"ihdr", 0, 4096)
    if at >= 0:
        return struct.unpack(">II", data[at + 4 : at + 12])
    if data.startswith(b"\xff\x4f\xff\x51"):  # a bare codestream
        right, bottom, left, top = struct.unpack(">IIII", data[8:24])
        return bottom - top, right - left
    return None


def _boxed(data: bytes) -> tuple[int, int] | None:
    """Return the largest of the sizes that a HEIC or AVIF file tells: its tiles and thumbnails are smaller."""
    found, at = [], data.find(b"ispe", 0, 1 << 16)
    while at >= 0 and len(found) < 64:
        width, height = struct.unpack(">II", data[at + 8 : at + 16])
        found.append((height, width))
        at = data.find(b"ispe", at + 4, 1 << 16)
    return max(found, key=lambda extent: extent[0] * extent[1], default=None)


_READERS = {
    "jpeg": _jpeg,
    "png": _png,
    "gif": _gif,
    "bmp": _bmp,
    "webp": _webp,
    "tiff": _tiff,
    "pnm": _pnm,
    "jp2": _jp2,
    "heic": _boxed,
    "avif": _boxed,
}
