"""A line that is said even where this process is ended from below, by its runtime or by a signal."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator

_WATCH = "import sys; sys.stdin.buffer.read() or print(sys.argv[1], file=sys.stderr, flush=True)"


@contextlib.contextmanager
def last_words(message: str) -> Iterator[None]:
    """Say a message on standard error if this process dies inside the context; an exception is no such death.

    JAX aborts a process whose peers are gone, with a trace of C++ in place of an error that Python could catch. So a second
    process waits at the end of a pipe, which the system closes whatever happens to this one.
    """
    watcher = subprocess.Popen([sys.executable, "-c", _WATCH, message], stdin=subprocess.PIPE)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # the watcher was killed
            watcher.communicate(b"alive")
