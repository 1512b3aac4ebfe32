"""A real face that may be used, scikit-image's astronaut (public domain), and YuNet's file where it is."""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

_SHARED = Path(__file__).parents[3] / "shared" / "weights" / "face_detection_yunet_2026may.onnx"


@pytest.fixture(scope="session")
def yunet_file() -> Path:
    """YuNet's model file: $FER_KERAS_YUNET, or the one lying beside the repository; skips without."""
    path = Path(os.environ.get("FER_KERAS_YUNET") or _SHARED)
    if not path.is_file():
        pytest.skip("needs YuNet's model: FER_KERAS_YUNET=face_detection_yunet_2026may.onnx")
    return path


@pytest.fixture(autouse=True)
def no_yunet_by_chance(monkeypatch):
    """Tests name YuNet's file where they want it."""
    monkeypatch.delenv("FER_KERAS_YUNET", raising=False)


@pytest.fixture(scope="session")
def _astronaut() -> np.ndarray:
    return pytest.importorskip("skimage.data").astronaut()


@pytest.fixture
def astronaut_box() -> tuple[int, int, int, int]:
    """The astronaut's face as (x0, y0, x1, y1), marked by hand: hairline to chin, temple to temple."""
    return 176, 66, 270, 172


@pytest.fixture
def astronaut(_astronaut) -> np.ndarray:
    """(512, 512, 3) uint8 RGB, with one face at `astronaut_box`."""
    return _astronaut.copy()


@pytest.fixture
def group(_astronaut) -> np.ndarray:
    """(480, 640, 3) RGB, the face twelve times, in four columns and three rows of 160 pixels, every second mirrored."""
    face = cv2.resize(_astronaut[20:230, 118:328], (160, 160), interpolation=cv2.INTER_AREA)
    tiles = [[face if (row + column) % 2 else face[:, ::-1] for column in range(4)] for row in range(3)]
    return np.ascontiguousarray(np.vstack([np.hstack(row) for row in tiles]))


@pytest.fixture(scope="session")
def moving(_astronaut, tmp_path_factory) -> Path:
    """A video of 40 frames, 320 x 240 at 20 a second: two faces move towards each other, the left one is gone for
    frames 15 to 19."""
    path = tmp_path_factory.mktemp("video") / "moving.mp4"
    face = cv2.resize(_astronaut[30:210, 130:310], (100, 100), interpolation=cv2.INTER_AREA)[:, :, ::-1]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), 20, (320, 240))
    for number in range(40):
        frame = np.full((240, 320, 3), 90, np.uint8)
        if not 15 <= number < 20:
            frame[70:170, 10 + number : 110 + number] = face
        frame[90:190, 210 - number : 310 - number] = face[:, ::-1]
        writer.write(frame)
    writer.release()
    return path
