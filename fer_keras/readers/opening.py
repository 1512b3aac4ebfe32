"""Opening files that others wrote: regular files only, never waiting, of a limited size; archives are refused.

A name in a folder can be a pipe, a device or a socket, which block or never end when they are read as a file.
"""

import errno
import os
import stat
import zipfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from fer_keras.decoding import HEAD, IMAGE_SUFFIXES, image_kind, max_megabytes

# A pipe without a writer would keep `open` waiting; for regular files O_NONBLOCK changes nothing.
_FLAGS = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)

_KIND = 0o170000  # bits of a mode that tell what kind of file it is
_SMALL = 1_000_000  # bytes that are below every limit


def read_file(path: str, dir_fd: int | None = None) -> tuple[bytes, int]:
    """Return a file's bytes and modification time in ns, several times as fast as `open(path, "rb").read()`.

    Args:
        path: of the file.
        dir_fd: descriptor of the folder that `path` is relative to; default: the working directory.

    Raises:
        OSError: no such file, no regular one, no permission, or one of more than `max_megabytes`.
        ValueError: no path, such as one with a zero byte.
    """
    descriptor = os.open(path, _FLAGS, dir_fd=dir_fd)
    try:
        state = os.fstat(descriptor)
        if not stat.S_ISREG(state.st_mode):
            raise _irregular(state, path)
        if state.st_size > _SMALL and state.st_size > max_megabytes() * 1e6:
            raise OSError(errno.EFBIG, f"more than {max_megabytes():g} megabytes", path)
        data = os.read(descriptor, state.st_size)
        while len(data) < state.st_size and (more := os.read(descriptor, state.st_size - len(data))):
            data += more
        return data, state.st_mtime_ns
    finally:
        os.close(descriptor)


def read_files(names: Iterable[str], dir_fd: int | None = None) -> tuple[list[bytes | OSError], np.ndarray]:
    """Read many small files in one loop: a call for each would take a tenth of their time.

    What is no small regular file is left to `read_file`.

    Args:
        names: of the files.
        dir_fd: descriptor of the folder that they are relative to; default: the working directory.

    Returns:
        The bytes of each, or the error; and (n, 2) int64, bytes and modification time in ns, -1 where there was an error.
    """
    contents, sizes, times = [], [], []
    open_file, fstat, read, close = os.open, os.fstat, os.read, os.close
    for name in names:
        try:
            descriptor = open_file(name, _FLAGS, dir_fd=dir_fd)
            try:
                state = fstat(descriptor)
                size, modified = state.st_size, state.st_mtime_ns
                data = read(descriptor, size) if size <= _SMALL and state.st_mode & _KIND == stat.S_IFREG else None
            finally:
                close(descriptor)
            if data is None or len(data) < size:
                data, modified = read_file(name, dir_fd)
                size = len(data)
        except OSError as error:
            data, size, modified = error, -1, -1
        contents.append(data)
        sizes.append(size)
        times.append(modified)
    return contents, np.array([sizes, times], np.int64).T


def read_bytes(path: str) -> bytes:
    """Return a file's bytes; see `read_file`."""
    return read_file(path)[0]


def read_head(path: str, count: int = HEAD) -> bytes:
    """Return the first bytes of a file; nothing of one that cannot be read or is no regular file."""
    try:
        descriptor = os.open(path, _FLAGS)
    except (OSError, ValueError):
        return b""
    try:
        return os.read(descriptor, count) if stat.S_ISREG(os.fstat(descriptor).st_mode) else b""
    except OSError:
        return b""
    finally:
        os.close(descriptor)


def has_image_suffix(name: str) -> bool:
    """Whether a file is called like an image.

    Example:
        >>> has_image_suffix("IMG_1.JPG"), has_image_suffix("notes.txt")
        (True, False)
    """
    return name.lower().endswith(IMAGE_SUFFIXES)


def is_picture(path: str) -> bool:
    """Whether a file is an image by its suffix or, without an image's suffix, by its first bytes."""
    return has_image_suffix(path) or image_kind(read_head(path)) is not None


def _irregular(state: os.stat_result, path: str) -> OSError:
    if stat.S_ISDIR(state.st_mode):
        return IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    return OSError(errno.EINVAL, "not a regular file", path)


#: First bytes -> kind and the command that unpacks one.
_KINDS = {
    b"PK\x03\x04": ("zip archive", "unzip {0} -d {1}"),
    b"PK\x05\x06": ("zip archive", "unzip {0} -d {1}"),
    b"Rar!\x1a\x07": ("RAR archive", "unrar x {0} {1}/"),
    b"7z\xbc\xaf\x27\x1c": ("7-Zip archive", "7z x {0} -o{1}"),
    b"\x1f\x8b": ("gzip file", "gunzip -k {0}"),
    b"BZh": ("bzip2 file", "bunzip2 -k {0}"),
    b"\xfd7zXZ\0": ("xz file", "unxz -k {0}"),
    b"\x28\xb5\x2f\xfd": ("zstd file", "unzstd {0}"),
}
_SUFFIXES = (".zip", ".tar", ".tgz", ".tbz2", ".txz", ".gz", ".bz2", ".xz", ".rar", ".7z", ".zst")
_TARS = (".tar.gz", ".tar.bz2", ".tar.xz", ".tar.zst", ".tgz", ".tbz2", ".txz")


def archive_kind(path: str | Path) -> tuple[str, str] | None:
    """Return what archive a file is and the command that unpacks it, or None. A `.npz`, which is a zip inside, is none."""
    head = read_head(str(path), 512)
    name = Path(path).name
    if head[257:262] == b"ustar" or name.lower().endswith(_TARS):
        return "tar archive", "mkdir {1} && tar xf {0} -C {1}"
    for start, found in _KINDS.items():
        if head.startswith(start):
            return _zip_kind(path, found) if found[0] == "zip archive" else found
    return None


def _zip_kind(path: str | Path, found: tuple[str, str]) -> tuple[str, str] | None:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError):
        return None if str(path).lower().endswith(".npz") else found
    if names and all(name.endswith(".npy") for name in names):
        return None
    if "xl/workbook.xml" in names:
        return "Excel workbook", "save it as CSV: File, Save as, CSV UTF-8"
    return found


def has_archive_suffix(name: str) -> bool:
    """Whether a file is called like an archive."""
    return name.lower().endswith(_SUFFIXES)


def refuse_archive(root: Path) -> None:
    """Refuse an archive as the place of a data set.

    Raises:
        ValueError: `root` is an archive.
    """
    found = archive_kind(root) if root.is_file() else None
    if found:
        kind, command = found
        how = command.format(root, _unpacked(root))
        if kind == "Excel workbook":
            raise ValueError(f"{root} is an Excel workbook, which is not read; {how}.")
        raise ValueError(f"{root} is a {kind}, which is not read: unpack it, and give what is in it: {how}")


def _unpacked(path: Path) -> Path:
    name = path.name
    for suffix in (*_TARS, *_SUFFIXES):
        if name.lower().endswith(suffix):
            return path.with_name(name[: -len(suffix)])
    return path.with_name(f"{name}-unpacked")


def archives_in(folder: Path) -> str:
    """Return what to say of archives that lie in a folder where no data were found; nothing where there are none."""
    names = sorted(path.name for path in folder.iterdir() if has_archive_suffix(path.name)) if folder.is_dir() else []
    return f" It holds an archive, {names[0]}: unpack it first." if names else ""
