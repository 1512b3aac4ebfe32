"""The settings of an evaluation."""

from dataclasses import dataclass

from fer_keras.config.run_config import DataConfig
from fer_keras.config.settings import Settings, setting, setting_like


def _ways_to_see() -> tuple[str, ...]:
    from fer_keras.views import TTA

    return tuple(TTA)


@dataclass(frozen=True)
class EvaluateConfig(Settings):
    """Which faces a model is evaluated on, and how.

    Raises:
        ValueError: a bad value, or `conditions` together with `tta`.
    """

    data_spec: str | None = setting(
        None,
        "data spec, or several with commas between them; default: the one the model was trained on",
        metavar="NAME",
    )
    data_dir: str | None = setting(None, "folder of the data; default: the one of training", metavar="DIR")
    split: str = setting("test", "train, validation or test, or its name in the files", metavar="NAME")
    label_filter: str | None = setting_like(DataConfig, "label_filter")
    batch_size: int = setting(64, "faces per step", low=1)
    workers: int | None = setting_like(DataConfig, "workers")
    conditions: bool = setting(
        False,
        "score copies of the faces too: smaller, larger, compressed, tilted, cropped otherwise, coloured, mirrored",
    )
    tta: str = setting("none", "average the answers over several views of each face", choices=_ways_to_see)
    keep_known: bool = setting(
        False,
        "score faces of other data too that the model was trained on; by default they are named and left out",
        switch=True,
    )
    output_dir: str | None = setting(
        None, "directory of the report; default: RUN/evaluations/<data spec>-<split>", metavar="DIR"
    )
    overwrite: bool = setting(
        False, "replace files in --output-dir that have a report's name and are no report", switch=True
    )

    def __post_init__(self):
        super().__post_init__()
        if self.conditions and self.tta != "none":
            raise ValueError("--conditions scores single views. Leave --tta out, or evaluate twice.")
