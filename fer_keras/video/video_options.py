"""How a video file is read, and how a camera is shown: settings of `predict`, the page and `webcam`."""

from dataclasses import dataclass

from fer_keras.config.settings import setting
from fer_keras.faces.tracking_options import TrackingOptions


@dataclass(frozen=True)
class VideoOptions(TrackingOptions):
    """How a video file is read; the inherited `smoothing` is `FaceTracker`'s."""

    every: int = setting(1, "of a video, read every N-th frame", low=1, metavar="N")
    patience: float = setting(0.5, "seconds after which a face that was lost is forgotten", low=0)
    bars: bool = setting(True, "draw bars of probabilities into annotated videos")
    plane: bool = setting(True, "draw the valence-arousal plane into annotated videos")


@dataclass(frozen=True)
class LiveOptions(TrackingOptions):
    """What a live run shows, and what it keeps of it; the inherited `smoothing` is `FaceTracker`'s."""

    camera: int | None = setting(None, "number of the camera; default: 0", metavar="N")
    source: str | None = setting(
        None, "a video, played at its own speed, or the address of a stream; in place of a camera", metavar="FILE"
    )
    output: str | None = setting(None, "write what is shown to a video, .mp4 or .avi", metavar="FILE")
    overwrite: bool = setting(False, "replace the file that --output names", switch=True)
    window: bool = setting(True, "show a window; --no-window is for machines without a screen")
    mirror: bool = setting(True, "show a camera's picture as a mirror does")
    seconds: float | None = setting(None, "stop after so many seconds", above=0)
    screenshots: str = setting(".", "folder of screenshots", metavar="DIR")
