"""Files that the package fetches, once each: whether the network may be used, and whether what came is what was asked for."""

import hashlib
import os
from dataclasses import dataclass

#: The environment variable that forbids the network, whatever its value but 0.
OFFLINE = "FER_KERAS_OFFLINE"


def offline() -> bool:
    """Return whether the environment forbids the network ($FER_KERAS_OFFLINE)."""
    return os.environ.get(OFFLINE, "0") not in ("", "0")


@dataclass(frozen=True)
class Fetched:
    """A file that is fetched.

    Attributes:
        name: what errors call it.
        digest: hexadecimal, of its content.
        algorithm: of the digest, a name of `hashlib`.
        most_bytes: no more are read.
        advice: what a user does where it cannot be fetched, a sentence.
    """

    name: str
    digest: str
    algorithm: str
    most_bytes: int
    advice: str

    def fetch(self, address: str, patience: float) -> bytes:
        """Return the content of the file.

        Args:
            address: where it is.
            patience: seconds to wait for an answer.

        Raises:
            ValueError: it cannot be fetched, or what came is another file.
        """
        import urllib.request  # takes longer to import than all else here

        try:
            with urllib.request.urlopen(address, timeout=patience) as answer:
                content = answer.read(self.most_bytes)
        except (OSError, ValueError) as error:
            raise ValueError(f"{self.name} could not be downloaded ({address}: {error}). {self.advice}") from error
        found = hashlib.new(self.algorithm, content).hexdigest()
        if found != self.digest:
            kind = self.algorithm.upper().replace("SHA", "SHA-")
            raise ValueError(
                f"What {address} gave is not {self.name}. Expected {kind} {self.digest}. Received: {found}. {self.advice}"
            )
        return content
