"""How large files of others may be: the one owner of the flags, the environment variables and the defaults.

A file of a few kilobytes can unfold into gigabytes. A phone's largest photos have 200 megapixels.
"""

import os
from dataclasses import dataclass

from fer_keras.config.settings import Settings, setting

MEGAPIXELS, MEGABYTES = "FER_KERAS_MAX_MEGAPIXELS", "FER_KERAS_MAX_MEGABYTES"
DEFAULT = 256.0


def file_limit(variable: str) -> float:
    """Return the limit that an environment variable sets, or the default.

    Args:
        variable: `MEGAPIXELS` or `MEGABYTES`.

    Raises:
        ValueError: the variable is not a number above 0.
    """
    text = os.environ.get(variable, "")
    try:
        value = float(text) if text else DEFAULT
    except ValueError:
        value = 0.0
    if not value > 0:
        raise ValueError(f"${variable} expects a number above 0. Received: {text!r}.")
    return value


def _default(variable: str) -> str:
    return f"default: ${variable}, or {DEFAULT:g}"


@dataclass(frozen=True)
class FileLimits(Settings):
    """How large a picture may be that is read; larger ones are refused unread, each with its reason."""

    max_megapixels: float | None = setting(
        None, f"most megapixels of a picture; {_default(MEGAPIXELS)}", above=0, metavar="N"
    )
    max_megabytes: float | None = setting(
        None, f"most megabytes of a picture's file; {_default(MEGABYTES)}", above=0, metavar="N"
    )

    def apply(self) -> None:
        """Put the limits that are given into the environment of this process and of those that it starts."""
        for variable, value in ((MEGAPIXELS, self.max_megapixels), (MEGABYTES, self.max_megabytes)):
            if value is not None:
                os.environ[variable] = repr(float(value))
