"""YuNet's model file: given by path, found in the cache, or fetched once and kept if its checksum is right.

Source: Wu et al., YuNet: a tiny millisecond-level face detector, 2023; https://github.com/opencv/opencv_zoo (MIT).
"""

import hashlib
import os
import urllib.request
from pathlib import Path

from fer_keras.files import cache_folder, write_atomic

FILE_NAME = "face_detection_yunet_2026may.onnx"
SHA256 = "ebafce4e3c118d6554634be5c27ab333b4c047a9a8c3faf1d7cf93101c22f0f0"
#: Of one revision of opencv_zoo, so that the file behind it does not change.
ADDRESS = (
    "https://github.com/opencv/opencv_zoo/raw/47534e27c9851bb1128ccc0102f1145e27f23f98/models/face_detection_yunet/"
    + FILE_NAME
)
#: The environment variable that names the file.
VARIABLE = "FER_KERAS_YUNET"
_MOST_BYTES = 10_000_000
_PATIENCE = 20.0  # seconds


def find_yunet() -> Path | None:
    """Return the model file that $FER_KERAS_YUNET names, or the one in the cache, or None; nothing is fetched.

    Raises:
        FileNotFoundError: the variable names no file.
    """
    named = os.environ.get(VARIABLE)
    if named:
        return _checked_path(named, f"${VARIABLE}")
    cached = cache_folder() / FILE_NAME
    return cached if cached.is_file() else None


def yunet_path(path: str | Path | None = None, address: str = ADDRESS) -> Path:
    """Return the model file, fetched into the cache if it is nowhere.

    Args:
        path: of the file, which wins over the variable and the cache; it may be another YuNet.
        address: where to fetch it.

    Raises:
        FileNotFoundError: no file at `path`.
        ValueError: it cannot be fetched, or what came is another file.
    """
    if path is not None:
        return _checked_path(path, "--detector-model")
    return find_yunet() or _fetch(address)


def _checked_path(path: str | Path, flag: str) -> Path:
    path = Path(path).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f"No YuNet model there. Expected {FILE_NAME}. Received: {flag} {path}.")
    return path


def _fetch(address: str) -> Path:
    path = cache_folder() / FILE_NAME
    advice = (
        f"Fetch {FILE_NAME} from opencv_zoo on another machine and name it by ${VARIABLE} or --detector-model, or use "
        "the Haar cascade (haar), which needs no file."
    )
    try:
        with urllib.request.urlopen(address, timeout=_PATIENCE) as answer:
            content = answer.read(_MOST_BYTES)
    except (OSError, ValueError) as error:
        raise ValueError(f"YuNet's model could not be downloaded ({address}: {error}). {advice}") from error
    found = hashlib.sha256(content).hexdigest()
    if found != SHA256:
        raise ValueError(
            f"What {address} gave is not YuNet's model. Expected SHA-256 {SHA256}. Received: {found}. {advice}"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_atomic(path, lambda temporary: temporary.write_bytes(content))
