"""What `select` can be asked for: which pictures, how faces are ranked, how many, and where they go."""

from dataclasses import dataclass, field

from fer_keras.config.settings import Settings, setting
from fer_keras.faces.reader_options import PhotoOptions

#: What makes a face worth a label -> the same in words.
MEASURES = {
    "margin": "how close the two likeliest emotions are",
    "entropy": "how evenly the probabilities are spread",
    "members": "how far several models differ (--model a,b)",
    "views": "how far the answers for a face and its mirror image differ",
}
#: Settings of reading that choose nothing.
NOT_FLAGS = ("min_confidence",)


@dataclass(frozen=True)
class Selection(Settings):
    """Which faces are chosen."""

    data_dir: str | None = setting(None, "folder of pictures without labels, or one picture", metavar="DIR")
    most: int = setting(500, "faces to choose", low=1)
    by: str = setting(
        "margin",
        "what makes a face worth a label: " + "; ".join(f"{name}, {words}" for name, words in MEASURES.items()),
        choices=tuple(MEASURES),
        metavar="HOW",
    )
    diversity: bool = setting(
        True, "choose doubtful faces that differ, by the features of the net (k-centre); needs the Keras engine"
    )
    known: str = setting(
        "", "folders of earlier choices, with commas between them, whose faces are left out", metavar="DIR"
    )
    output_dir: str = setting("runs/select", "folder of the faces to label", metavar="DIR")
    overwrite: bool = setting(
        False, "replace files in --output-dir that have a selection's name and are none; never labels", switch=True
    )


@dataclass(frozen=True)
class SelectConfig(PhotoOptions):
    """Everything that `select` can be asked for."""

    selection: Selection = field(default_factory=Selection)
