"""Converters write pages to the process's standard output and error; this keeps them off the screen."""

import contextlib
import os
import sys
import tempfile


@contextlib.contextmanager
def quiet():
    """Send what is written to file descriptors 1 and 2 into the void while the block runs, C++ libraries' output too.

    An error of the block still comes out as an exception.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    with tempfile.TemporaryFile() as void:
        saved = os.dup(1), os.dup(2)
        try:
            os.dup2(void.fileno(), 1)
            os.dup2(void.fileno(), 2)
            yield
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            for number, descriptor in zip((1, 2), saved, strict=True):
                os.dup2(descriptor, number)
                os.close(descriptor)
