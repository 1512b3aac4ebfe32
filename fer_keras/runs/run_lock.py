"""One training per run directory: a lock that the system takes away with its process, however that ends."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

LOCK_FILE = ".lock"
_PLACE = 1 << 30  # the byte that is locked on Windows, where a locked byte cannot be read


@contextlib.contextmanager
def hold_run(run: Path) -> Iterator[None]:
    """Keep other processes from training in a run directory while the block runs.

    The lock belongs to this process alone, not to those that it starts. On a file system without locks nothing is locked.

    Args:
        run: the directory; it is made if it is missing.

    Raises:
        ValueError: another process trains there; it is named.
        OSError: the directory cannot be written.
    """
    path = run / LOCK_FILE
    try:
        run.mkdir(parents=True, exist_ok=True)
        descriptor = _open_locked(path)
        os.truncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
    except OSError as error:
        raise OSError(f"{run} cannot be written ({os.strerror(error.errno)}). Choose another --output-dir.") from error
    _HELD.add(descriptor)
    try:
        yield
    finally:
        _HELD.discard(descriptor)
        if os.name == "posix":  # removed before it is free, so that nobody waits for a file that is gone
            path.unlink(missing_ok=True)
        os.close(descriptor)
        if os.name != "posix":
            with contextlib.suppress(OSError):  # another process has it by now
                path.unlink(missing_ok=True)


def refuse_held(run: Path) -> None:
    """Refuse a run directory in which another process trains, before anything is read.

    Raises:
        ValueError: the process is named.
    """
    with contextlib.suppress(OSError):
        descriptor = os.open(run / LOCK_FILE, os.O_RDWR)
        try:
            if not _lock(descriptor):
                raise _held(run / LOCK_FILE)
        finally:
            os.close(descriptor)


def _open_locked(path: Path) -> int:
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        if not _lock(descriptor):
            os.close(descriptor)
            raise _held(path)
        with contextlib.suppress(OSError):
            if os.path.samestat(os.fstat(descriptor), os.stat(path)):
                return descriptor
        os.close(descriptor)  # its owner removed it between the two steps


def _lock(descriptor: int) -> bool:
    """Lock an open file without waiting; False where another process has it."""
    try:
        import fcntl
    except ImportError:
        import msvcrt

        os.lseek(descriptor, _PLACE, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        os.lseek(descriptor, 0, os.SEEK_SET)
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return True
    return True


def _held(path: Path) -> ValueError:
    try:
        owner = f"process {int(path.read_text(encoding='ascii'))}"
    except (OSError, ValueError):  # it has not written its number yet
        owner = "another process"
    return ValueError(
        f"{path.parent} is being trained by {owner}. Wait for it, stop it and continue with --resume, or choose another "
        "--output-dir."
    )


#: Locks of this process. A process made by fork shares them until it closes them, and may outlive this one.
_HELD: set[int] = set()


def _close_in_child() -> None:
    for descriptor in _HELD:
        with contextlib.suppress(OSError):
            os.close(descriptor)
    _HELD.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close_in_child)
