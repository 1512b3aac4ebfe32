"""How the faces of a video or a camera are followed, for all that reads moving pictures."""

from dataclasses import dataclass

from fer_keras.config.settings import Settings, setting


@dataclass(frozen=True)
class TrackingOptions(Settings):
    """How a `FaceTracker` smooths what it follows."""

    smoothing: float = setting(
        0.7, "share of a face's earlier scores that is kept from frame to frame in videos", low=0, below=1
    )
