"""What a server accepts as an image: kind, bytes and pixels are checked before anything is decoded."""

import numpy as np

from fer_keras.preprocessing import decode_image, image_extent, image_problem
from fer_keras.server.limits import Limits


class Refused(ValueError):
    """An upload that is not read.

    Args:
        status: HTTP status that says why: 413 too large, 415 another kind, 422 unreadable.
        reason: in a sentence.
    """

    def __init__(self, status: int, reason: str):
        super().__init__(reason)
        self.status, self.reason = status, reason


def decode_upload(data: bytes, limits: Limits) -> np.ndarray:
    """Return an uploaded JPEG or PNG as (height, width, 3) uint8 RGB, upright.

    Raises:
        Refused: empty, of another kind, of too many pixels, or unreadable.
    """
    if not data:
        raise Refused(422, "Empty image. Send the bytes of a JPEG or PNG file.")
    if not data.startswith((b"\xff\xd8", b"\x89PNG\r\n\x1a\n")):
        raise Refused(415, "Expected a JPEG or PNG image. Received: other bytes.")
    extent = image_extent(data)
    if extent is None or 0 in extent:
        raise Refused(422, "Unreadable image: its header gives no size.")
    if extent[0] * extent[1] > limits.megapixels * 1e6:
        raise Refused(413, f"Expected at most {limits.megapixels:g} megapixels. Received: {extent[1]} x {extent[0]}.")
    problem = image_problem(data)
    if problem:
        raise Refused(422, f"Unreadable image: {problem}.")
    try:
        return decode_image(data)
    except ValueError as error:
        raise Refused(422, " ".join(str(error).split())) from error
