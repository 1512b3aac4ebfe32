"""What a request to the server may cost, and how requests are joined."""

from dataclasses import dataclass

from fer_keras.config.settings import Settings, setting


@dataclass(frozen=True)
class Limits(Settings):
    """What a request may cost.

    An image's pixels are those that its header announces, so that a small file that unfolds into a huge image (a
    decompression bomb) is refused before it is decoded.
    """

    megabytes: float = setting(16.0, "largest request, in megabytes", above=0, flag="--max-megabytes")
    megapixels: float = setting(40.0, "largest image, in megapixels", above=0, flag="--max-megapixels")
    images: int = setting(32, "most images in one request", low=1, flag="--max-images")
    seconds: float = setting(20.0, "longest time for a request, upload included", above=0, flag="--max-seconds")

    @property
    def bytes(self) -> int:
        """Largest body of a request."""
        return int(self.megabytes * 1e6)


@dataclass(frozen=True)
class Joining(Settings):
    """How long requests wait for others, to be answered in one call of the model."""

    batch_wait: float = setting(4.0, "milliseconds to wait for requests to join", low=0, metavar="MS")
