"""Drawn noise as faces in the layouts that people hand in; no real face is needed to read files."""

from pathlib import Path

import cv2
import numpy as np

NAMES = ("neutral", "happy", "sad", "surprise", "fear", "disgust", "anger", "contempt")
SPEC = """
name = "mine"
title = "Mine"
homepage = ""
licence = "Mine"
reader = "{reader}"
targets = {targets}
{more}
[splits]
train = "train"
validation = "validation"
test = "test"
"""


def face(number: int, side: int = 12) -> np.ndarray:
    """A grey face of its own for each number, smooth enough for JPEG."""
    noise = np.random.default_rng(number).integers(0, 256, (side // 4, side // 4), dtype=np.uint8)
    return cv2.resize(noise, (side, side), interpolation=cv2.INTER_CUBIC)


def write_face(path: Path, number: int, form: str = ".png", side: int = 12) -> Path:
    """Write a face under any name; `form` decides what is in it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(form, face(number, side))[1].tobytes())
    return path


def write_classes(root: Path, names=NAMES, per_class: int = 2, first: int = 0, suffix: str = ".png") -> None:
    """Write root/<name>/<number><suffix>."""
    for place, name in enumerate(names):
        for number in range(per_class):
            write_face(root / name / f"{number}{suffix}", first + place * 100 + number)


def write_spec(folder: Path, reader: str, targets=("emotion",), more: str = "") -> str:
    """Write a data spec and return its path."""
    path = folder / "mine.toml"
    path.write_text(SPEC.format(reader=reader, targets=list(targets), more=more))
    return str(path)


def split_sizes(index) -> dict[str, int]:
    """Return split -> number of faces."""
    return {split: int((index.split == split).sum()) for split in sorted(set(index.split.tolist()))}
