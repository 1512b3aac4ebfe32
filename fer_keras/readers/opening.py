"""Opening files that others wrote: regular files only, never waiting, of a limited size. The one owner of how files are read.

A name in a folder can be a pipe, a device or a socket, which block or never end when they are read as a file.
"""

import errno
import os
import stat

from fer_keras.decoding import HEAD, IMAGE_SUFFIXES, image_kind, max_megabytes

# A pipe without a writer would keep `open` waiting; for regular files O_NONBLOCK changes nothing.
_FLAGS = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)


def read_file(path: str) -> tuple[bytes, int]:
    """Return a file's bytes and modification time in ns, several times as fast as `open(path, "rb").read()`.

    Raises:
        OSError: no such file, no regular one, no permission, or one of more than `max_megabytes`.
        ValueError: no path, such as one with a zero byte.
    """
    descriptor = os.open(path, _FLAGS)
    try:
        state = os.fstat(descriptor)
        if not stat.S_ISREG(state.st_mode):
            raise _irregular(state, path)
        if state.st_size > 1_000_000 and state.st_size > max_megabytes() * 1e6:
            raise OSError(errno.EFBIG, f"more than {max_megabytes():g} megabytes", path)
        data = os.read(descriptor, state.st_size)
        while len(data) < state.st_size and (more := os.read(descriptor, state.st_size - len(data))):
            data += more
        return data, state.st_mtime_ns
    finally:
        os.close(descriptor)


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
