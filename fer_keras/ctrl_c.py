"""Ctrl-C in a command of this package: one line and status 130 from its first moment to its last, never a traceback.

Importing this module sets that up, so `fer_keras` imports it before all else. It loads nothing that Python has not loaded by
itself: `signal` alone would take longer than the rest of the package's start.
"""

import _signal
import os
import sys


def _stop(number, frame):
    try:
        os.write(2, b"stopped by the user\n")
    finally:
        os._exit(130)


def _is_command() -> bool:
    """Whether `python -m fer_keras...` or the script `fer-keras` is starting; any other program keeps its own Ctrl-C."""
    if sys.argv[:1] == ["-m"]:  # while Python looks for the module
        given = sys.orig_argv
        place = given.index("-m") + 1 if "-m" in given else len(given)
        return place < len(given) and given[place].split(".")[0] == "fer_keras"
    return os.path.basename(sys.argv[0] if sys.argv else "").removesuffix(".exe") == "fer-keras"


def _take() -> None:
    if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
        try:  # noqa: SIM105 - contextlib is not loaded here
            _signal.signal(_signal.SIGINT, _stop)
        except ValueError:  # not the main thread
            pass


class interruptible:  # noqa: N801 - used as a function; contextlib is not loaded here
    """Let Ctrl-C raise KeyboardInterrupt in a `with` block of a command, so that what is open is closed."""

    def __enter__(self):
        self._taken = _signal.getsignal(_signal.SIGINT) is _stop
        if self._taken:
            _signal.signal(_signal.SIGINT, _signal.default_int_handler)

    def __exit__(self, *error):
        if self._taken:
            _take()


if _is_command():
    _take()
