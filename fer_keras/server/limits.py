"""What requests to the server may cost, one by one and together, and how they are joined."""

from dataclasses import dataclass

from fer_keras.config.settings import Settings, setting

#: Bytes that a pixel takes while an image is decoded: RGB as decoded, and a copy in another order or upright.
PIXEL_BYTES = 6
#: Bytes that a byte of JSON may become: lists of three numbers, each list with its head.
JSON_FACTOR = 16


@dataclass(frozen=True)
class Limits(Settings):
    """What a request may cost, and all requests together.

    An image's pixels are those that its header announces, so that a small file that unfolds into a huge image (a
    decompression bomb) is refused before it is decoded.

    Raises:
        ValueError: a value outside its range, or too little memory for one largest request.
    """

    megabytes: float = setting(16.0, "largest request, in megabytes", above=0, flag="--max-megabytes")
    megapixels: float = setting(40.0, "largest image, in megapixels", above=0, flag="--max-megapixels")
    images: int = setting(32, "most images in one request", low=1, flag="--max-images")
    batch_megapixels: float = setting(
        400.0, "most megapixels of all images of one request together", above=0, flag="--max-batch-megapixels"
    )
    faces: int = setting(1024, "most faces in one tensor of the inference protocol", low=1, flag="--max-faces")
    seconds: float = setting(20.0, "longest time for a request, upload included", above=0, flag="--max-seconds")
    header_seconds: float = setting(
        10.0, "longest time until a connection has sent a request's headers", above=0, flag="--max-header-seconds"
    )
    connections: int = setting(100, "most connections at a time", low=1, flag="--max-connections")
    waiting: int = setting(256, "most images of all requests that are read or wait", low=1, flag="--max-waiting")
    memory: float | None = setting(
        None,
        "most megabytes that bodies and images of all requests take together; default: 1000, or what one largest request needs",
        above=0,
        flag="--max-memory",
    )

    def __post_init__(self):
        super().__post_init__()
        if self.memory is not None and self.memory < self._least_memory:
            raise ValueError(
                f"--max-memory expects at least {self._least_memory:.0f}, for one request of --max-megabytes "
                f"{self.megabytes:g} and --max-megapixels {self.megapixels:g}. Received: {self.memory:g}."
            )

    @property
    def bytes(self) -> int:
        """Largest body of a request."""
        return int(self.megabytes * 1e6)

    @property
    def places(self) -> int:
        """Images of all requests that may be read or wait: at least those of one largest request."""
        return max(self.waiting, self.images)

    @property
    def body_room(self) -> int:
        """Bytes of bodies that may be held at once. A form is held twice while it is taken apart: a quarter of the memory."""
        return int(self._memory * 1e6 / 4)

    @property
    def work_room(self) -> int:
        """Bytes that decoded images and JSON may take at once: half of the memory."""
        return int(self._memory * 1e6 / 2)

    @property
    def _memory(self) -> float:
        return self.memory if self.memory is not None else max(1000.0, self._least_memory)

    @property
    def _least_memory(self) -> float:
        """Megabytes for one largest request; see `body_room` and `work_room`."""
        return max(4 * self.megabytes, 2 * PIXEL_BYTES * self.megapixels)


@dataclass(frozen=True)
class Joining(Settings):
    """How long requests wait for others, to be answered in one call of the model."""

    batch_wait: float = setting(4.0, "milliseconds to wait for requests to join", low=0, metavar="MS")
