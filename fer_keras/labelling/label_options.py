"""What `label` can be asked for: who labels what, and where the page is."""

import re
from dataclasses import dataclass

from fer_keras.config.service import Address
from fer_keras.config.settings import setting, setting_like
from fer_keras.labels import AXES

#: What can be asked of each face -> the labels that are wanted.
QUESTIONS = {"both": ("emotion", *AXES), "emotion": ("emotion",), "plane": AXES}
_NAME = re.compile(r"[\w][\w.-]{0,39}")


@dataclass(frozen=True)
class LabelConfig(Address):
    """Everything that `label` can be asked for, but for the folder."""

    port: int = setting_like(Address, "port", default=8020)
    annotator: str = setting(
        "", "name of who labels: labels go to labels-NAME.csv, so that several can label the same faces", metavar="NAME"
    )
    ask: str = setting(
        "both",
        "what is asked of each face: "
        + "; ".join(f"{name}: {', '.join(wanted)}" for name, wanted in QUESTIONS.items()),
        choices=tuple(QUESTIONS),
    )

    def __post_init__(self):
        super().__post_init__()
        if self.annotator and not _NAME.fullmatch(self.annotator):
            raise ValueError(
                f"--annotator expects a name of letters, digits, . - and _, at most 40. Received: {self.annotator!r}."
            )

    @property
    def file(self) -> str:
        """Name of the table of labels."""
        return f"labels-{self.annotator}.csv" if self.annotator else "labels.csv"
