"""What `predict` can be asked for: the groups of its settings, which are its flags."""

from dataclasses import dataclass, field

from fer_keras.beam import BeamOptions
from fer_keras.config.settings import Settings, setting
from fer_keras.faces.reader_options import PhotoOptions
from fer_keras.video.video_options import VideoOptions

#: Settings of a video that are for programs only.
NOT_FLAGS = ("patience", "bars", "plane")


@dataclass(frozen=True)
class Outputs(Settings):
    """What comes of the readings."""

    output: str | None = setting(
        None, "results as .csv, .json or .parquet; default: printed to the screen", metavar="FILE"
    )
    resume: bool = setting(False, "keep the rows that --output holds, and read only the rest", switch=True)
    overwrite: bool = setting(False, "replace what an earlier run wrote where this one writes", switch=True)
    json: bool = setting(False, "print results as JSON, not as lines", switch=True)
    top_k: int = setting(0, "print this many likeliest emotions, and add a column of them", low=0, metavar="K")
    annotate: str | None = setting(
        None, "write copies of the pictures and videos with the readings drawn on them", metavar="DIR"
    )
    grad_cam: str | None = setting(
        None, "write the faces with the regions that the model looked at (Keras engine)", metavar="DIR"
    )
    attention: str = setting(
        "auto",
        "what --grad-cam shows: where attention came from (rollout; nets with attention layers only), Grad-CAM, or by the "
        "net's kind",
        choices=("auto", "rollout", "grad-cam"),
    )
    overview: str | None = setting(
        None, "write a summary, a contact sheet of faces and a time line of each video", metavar="DIR"
    )
    calibrate: bool = setting(
        False, "first fit the run's temperature on its validation predictions, and keep it in the run", switch=True
    )


@dataclass(frozen=True)
class Runner(BeamOptions):
    """Where the pictures are read."""

    runner: str = setting(
        "local", "read the pictures in this process, or by workers of Apache Beam", choices=("local", "beam")
    )

    @property
    def on_beam(self) -> bool:
        """Whether Apache Beam reads."""
        return self.runner == "beam"


@dataclass(frozen=True)
class PredictConfig(PhotoOptions):
    """Everything that `predict` can be asked for, but for the files to read."""

    video: VideoOptions = field(default_factory=VideoOptions)
    outputs: Outputs = field(default_factory=Outputs)
    runner: Runner = field(default_factory=Runner)
