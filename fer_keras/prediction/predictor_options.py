"""Which model reads faces, and how: what a `Predictor` takes, and what commands that read faces offer as flags."""

from dataclasses import dataclass

from fer_keras.bundled import bundled_names
from fer_keras.config.settings import Settings, setting
from fer_keras.formats import ENGINES, FASTEST, FORMATS
from fer_keras.runtimes.providers import AUTO_PROVIDERS, PROVIDERS
from fer_keras.views import TTA

#: The way of seeing that the model decides.
AUTO_TTA = "auto"


@dataclass(frozen=True)
class ModelOptions(Settings):
    """Which model is loaded, and by which engine; see `Predictor.load`."""

    model: str | None = setting(
        None,
        "run directory, folder of exports, model file beside its bundle, or a bundled model by name: "
        f"{', '.join(bundled_names())}; several with commas between them are averaged; default: bundled",
        metavar="RUN",
    )
    engine: str = setting(
        "auto",
        f"what runs the model: auto (the first of the formats that is there), {FASTEST} (what is fastest on this machine, 8-bit "
        f"files included: measured once and remembered), an engine ({', '.join(ENGINES)}), or a format ({', '.join(FORMATS)})",
        metavar="NAME",
    )
    threads: int | None = setting(None, "threads of the engine; default: the number of cores", low=1)
    providers: str = setting(
        AUTO_PROVIDERS,
        f"of ONNX Runtime, those that are to run the model, with commas between them: {', '.join(PROVIDERS)}; "
        f"{AUTO_PROVIDERS}: CUDA or DirectML where its build has them, otherwise the CPU",
        metavar="NAMES",
    )


@dataclass(frozen=True)
class PredictorOptions(Settings):
    """How a `Predictor` reads.

    Attributes are described by `--help`, which is made from this class.
    """

    tta: str = setting(
        AUTO_TTA,
        f"average over views: {', '.join(TTA)}; {AUTO_TTA}: flip (face and mirror image) for bundled models, whose second "
        "view costs less than finding the face, none for others",
        choices=(AUTO_TTA, *TTA),
        metavar="HOW",
    )
    calibrated: bool = setting(
        True, "scale probabilities by the run's temperature, where it has one", flag="--calibration"
    )
    min_confidence: float = setting(0.0, "mark answers under this probability as uncertain", low=0, high=1)
    batch_size: int = setting(32, "faces per call of the model", low=1)
