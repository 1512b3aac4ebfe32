"""What a server accepts as an image: kind, bytes and pixels are checked before anything is decoded."""

from dataclasses import dataclass

import cv2
import numpy as np

from fer_keras.decoding import HEAD, decode_image, image_extent, image_kind, image_problem
from fer_keras.image_headers import is_decoded_whole
from fer_keras.server.limits import PIXEL_BYTES, Limits

_KINDS = ("jpeg", "png", "webp")
#: JPEG files are decoded at these fractions of their size without ever being whole in memory.
_REDUCED = {2: cv2.IMREAD_REDUCED_COLOR_2, 4: cv2.IMREAD_REDUCED_COLOR_4, 8: cv2.IMREAD_REDUCED_COLOR_8}


class Refused(ValueError):
    """A request, or a part of one, that is not answered otherwise.

    Args:
        status: HTTP status that says why, such as 413 too large, 415 another kind, 422 unreadable.
        reason: in a sentence.
    """

    def __init__(self, status: int, reason: str):
        super().__init__(reason)
        self.status, self.reason = status, reason


@dataclass(frozen=True)
class Upload:
    """An upload that may be decoded.

    Attributes:
        data: of the file.
        divisor: by what its sides are divided while it is decoded.
        megapixels: that its header announces.
    """

    data: bytes
    divisor: int
    megapixels: float

    @property
    def memory(self) -> int:
        """Bytes that decoding takes, about."""
        return int(self.megapixels * 1e6 / self.divisor**2 * PIXEL_BYTES)

    def decode(self) -> np.ndarray:
        """Return the image as (height, width, 3) uint8 RGB, upright.

        Raises:
            Refused: unreadable.
        """
        problem = image_problem(self.data)
        if problem:
            raise Refused(422, f"Unreadable image: {problem}.")
        try:
            return decode_image(self.data) if self.divisor == 1 else _decode_reduced(self.data, self.divisor)
        except ValueError as error:
            raise Refused(422, " ".join(str(error).split())) from error


def check_upload(data: bytes, limits: Limits) -> Upload:
    """Look at the header of an upload; nothing is decoded.

    Content decides the kind. A JPEG of more pixels than the limit, such as a phone's photo, is decoded at a half, a quarter
    or an eighth of its size; other kinds are refused then, since they have to be whole in memory first, and so are progressive
    JPEG files.

    Raises:
        Refused: empty, of another kind, of too many pixels, or without a size.
    """
    if not data:
        raise Refused(422, "Empty image. Send the bytes of a JPEG, PNG or WebP file.")
    kind = image_kind(data[:HEAD])
    if kind not in _KINDS:
        raise Refused(415, "Expected a JPEG, PNG or WebP image. Received: other bytes.")
    extent = image_extent(data)
    if extent is None or 0 in extent:
        raise Refused(422, "Unreadable image: its header gives no size.")
    return Upload(data, _divisor(data, kind, extent, limits), extent[0] * extent[1] / 1e6)


def decode_upload(data: bytes, limits: Limits) -> tuple[np.ndarray, int]:
    """Return an uploaded JPEG, PNG or WebP as (height, width, 3) uint8 RGB, upright, and by what its sides were divided.

    Raises:
        Refused: see `check_upload`; or unreadable.
    """
    upload = check_upload(data, limits)
    return upload.decode(), upload.divisor


def _divisor(data: bytes, kind: str, extent: tuple[int, int], limits: Limits) -> int:
    pixels, most = extent[0] * extent[1], limits.megapixels * 1e6
    if pixels <= most:
        return 1
    fitting = [divisor for divisor in _REDUCED if pixels / divisor**2 <= most] if kind == "jpeg" else []
    if not fitting or is_decoded_whole(data):
        raise Refused(413, f"Expected at most {limits.megapixels:g} megapixels. Received: {extent[1]} x {extent[0]}.")
    return fitting[0]


def _decode_reduced(data: bytes, divisor: int) -> np.ndarray:
    image = cv2.imdecode(np.frombuffer(data, np.uint8), _REDUCED[divisor])
    if image is None:
        raise ValueError("Unreadable image: bad data.")
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
