"""The table of face detectors.

Adding a detector takes one file with its class and one line in `DETECTORS`. This module loads nothing heavy, so command lines
take the names for their help from the table.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
from dataclasses import dataclass
from pathlib import Path

from fer_keras.faces.detection import Detector
from fer_keras.hints import nearest

#: YuNet, whose file is fetched once where it is not there; Haar where that fails or is forbidden.
AUTO = "auto"
#: No detector: each image is one face already.
WHOLE = "whole"


@dataclass(frozen=True)
class DetectorEntry:
    """A detector by name.

    Attributes:
        module: the file of this folder that holds it.
        kind: name of its class, which takes `confidence`, and `model` where `takes_model`.
        package: what must be installed.
        install: what to ask pip for.
        takes_model: whether it has a model file that can be named.
    """

    module: str
    kind: str
    package: str = "cv2"
    install: str = "fer_keras"
    takes_model: bool = False

    @property
    def installed(self) -> bool:
        """Whether its package is there, without importing it."""
        return importlib.util.find_spec(self.package) is not None


DETECTORS: dict[str, DetectorEntry] = {
    "yunet": DetectorEntry("yunet", "YuNetDetector", takes_model=True),
    "haar": DetectorEntry("haar", "HaarDetector"),
    "mtcnn": DetectorEntry("mtcnn_detector", "MTCNNDetector", "mtcnn", "fer_keras[mtcnn]"),
    "mediapipe": DetectorEntry("mediapipe_detector", "MediaPipeDetector", "mediapipe", "fer_keras[mediapipe]", True),
    "dlib": DetectorEntry("dlib_detector", "DlibDetector", "dlib", "fer_keras[dlib]"),
}


def build_detector(
    name: str = AUTO, model: str | Path | None = None, confidence: float | None = None, *, offline: bool = False
) -> Detector:
    """Return a detector by name.

    Args:
        name: a key of `DETECTORS`, or auto: YuNet, whose file is fetched once where it is not there (`fetch_once`), or Haar
            where that fails.
        model: path of its model file, for those that take one.
        confidence: least score; default: the detector's own.
        offline: whether the network is forbidden, as it is where $FER_KERAS_OFFLINE is set.

    Raises:
        FileNotFoundError: no model file at that path.
        ValueError: an unknown name, a missing package, or a model file that cannot be read or fetched.
    """
    if offline:
        os.environ["FER_KERAS_OFFLINE"] = "1"  # for all of this process: what it starts does not ask again
    if name == AUTO:
        from fer_keras.faces.yunet import fetch_once, find_yunet

        name = "yunet" if model is not None or find_yunet() or fetch_once() else "haar"
    if name not in DETECTORS:
        known = (AUTO, *DETECTORS)
        raise ValueError(f"detector expects one of {', '.join(known)}. Received: {name!r}.{nearest(name, known)}")
    entry = DETECTORS[name]
    if not entry.installed:
        raise ValueError(
            f'{name} needs the package {entry.package}, which is not installed: pip install "{entry.install}".'
        )
    if model is not None and not entry.takes_model:
        with_model = ", ".join(other for other, found in DETECTORS.items() if found.takes_model)
        raise ValueError(
            f"{name} has no model file. Expected one for {with_model} only. Received: --detector-model {model}."
        )
    kind = getattr(importlib.import_module(f"fer_keras.faces.{entry.module}"), entry.kind)
    return kind(confidence=confidence, **({"model": model} if entry.takes_model else {}))
