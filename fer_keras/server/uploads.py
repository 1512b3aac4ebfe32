"""What a server accepts as an image: kind, bytes and pixels are checked before anything is decoded."""

import cv2
import numpy as np

from fer_keras.decoding import HEAD, decode_image, image_extent, image_kind, image_problem
from fer_keras.server.limits import Limits

_KINDS = ("jpeg", "png", "webp")
#: JPEG files are decoded at these fractions of their size without ever being whole in memory.
_REDUCED = {2: cv2.IMREAD_REDUCED_COLOR_2, 4: cv2.IMREAD_REDUCED_COLOR_4, 8: cv2.IMREAD_REDUCED_COLOR_8}


class Refused(ValueError):
    """An upload that is not read.

    Args:
        status: HTTP status that says why: 413 too large, 415 another kind, 422 unreadable.
        reason: in a sentence.
    """

    def __init__(self, status: int, reason: str):
        super().__init__(reason)
        self.status, self.reason = status, reason


def decode_upload(data: bytes, limits: Limits) -> tuple[np.ndarray, int]:
    """Return an uploaded JPEG, PNG or WebP as (height, width, 3) uint8 RGB, upright, and by what its sides were divided.

    Content decides the kind. A JPEG of more pixels than the limit, such as a phone's photo, is decoded at a half, a quarter
    or an eighth of its size; other kinds are refused then, since they have to be whole in memory first.

    Raises:
        Refused: empty, of another kind, of too many pixels, or unreadable.
    """
    if not data:
        raise Refused(422, "Empty image. Send the bytes of a JPEG, PNG or WebP file.")
    kind = image_kind(data[:HEAD])
    if kind not in _KINDS:
        raise Refused(415, "Expected a JPEG, PNG or WebP image. Received: other bytes.")
    extent = image_extent(data)
    if extent is None or 0 in extent:
        raise Refused(422, "Unreadable image: its header gives no size.")
    divisor = _divisor(kind, extent, limits)
    problem = image_problem(data)
    if problem:
        raise Refused(422, f"Unreadable image: {problem}.")
    try:
        return (decode_image(data) if divisor == 1 else _decode_reduced(data, divisor)), divisor
    except ValueError as error:
        raise Refused(422, " ".join(str(error).split())) from error


def _divisor(kind: str, extent: tuple[int, int], limits: Limits) -> int:
    pixels, most = extent[0] * extent[1], limits.megapixels * 1e6
    if pixels <= most:
        return 1
    fitting = [divisor for divisor in _REDUCED if pixels / divisor**2 <= most] if kind == "jpeg" else []
    if not fitting:
        raise Refused(413, f"Expected at most {limits.megapixels:g} megapixels. Received: {extent[1]} x {extent[0]}.")
    return fitting[0]


def _decode_reduced(data: bytes, divisor: int) -> np.ndarray:
    image = cv2.imdecode(np.frombuffer(data, np.uint8), _REDUCED[divisor])
    if image is None:
        raise ValueError("Unreadable image: bad data.")
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
