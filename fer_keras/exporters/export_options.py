"""How exports are made and judged: what `export_run` takes, and what `export` offers as flags."""

from dataclasses import dataclass

from fer_keras.config.settings import Settings, setting


@dataclass(frozen=True)
class ExportOptions(Settings):
    """How exports are made and judged.

    Attributes are described by `python -m fer_keras.export --help`, which is made from this class.
    """

    data_spec: str | None = setting(None, "data spec; default: the one the model was trained on", metavar="NAME")
    data_dir: str | None = setting(None, "folder of the data; default: the one of training", metavar="DIR")
    split: str = setting("validation", "split whose faces judge the exports", metavar="NAME")
    image_size: int | None = setting(
        None, "side in pixels of the input of several models as one; default: the largest member's", low=1, high=4096
    )
    samples: int = setting(1000, "most faces that judge", low=1, metavar="N")
    calibration_samples: int = setting(300, "most training faces that int8 is scaled on", low=1, metavar="N")
    max_drop: float = setting(
        0.01, "largest loss of accuracy, or of a CCC, of a quantised format; 0.01 is one point", low=0
    )
    web_runtime: str | None = setting(
        None,
        "folder with npm's onnxruntime-web, for web; default: $FER_KERAS_WEB_RUNTIME, or fetched once into the cache",
        metavar="DIR",
    )
    detector_model: str | None = setting(
        None,
        "YuNet's file, with which web finds faces; default: $FER_KERAS_YUNET, or the one in the cache",
        metavar="FILE",
    )
    offline: bool = setting(False, "do not use the network, not even once for onnxruntime-web", switch=True)
    force: bool = setting(False, "keep formats that would be refused", switch=True)
    overwrite: bool = setting(
        False, "replace files in --output-dir that have an export's name and are no export of this model", switch=True
    )
    seed: int = setting(0, "seed of the draws of faces", low=0)
