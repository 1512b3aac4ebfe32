"""The configuration of a training run: every flag, its default and what it means, in one frozen dataclass.

The same fields are the flags of `python -m fer_keras.train`, the keys of a `run.toml` and what a run directory keeps in
`config.toml`; `config_io.py` turns one into the other.
"""

import dataclasses
import types
import typing
from dataclasses import dataclass, field

from fer_keras.hints import nearest


def _option(default, group: str, text: str, choices=None, low=None, high=None):
    metadata = {"group": group, "help": text, "choices": choices, "low": low, "high": high}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class TrainConfig:
    """Everything that decides how a run trains; two runs with equal configurations and data end alike.

    Attributes are described by `python -m fer_keras.train --help`, which is made from this class.

    Raises:
        ValueError: a value of the wrong type, outside its choices or outside its range.
    """

    data_spec: str = _option(
        "synthetic",
        "data",
        "data spec by name (affectnet, ferplus, ...) or path of a TOML file; several with commas between",
    )
    data_dir: str | None = _option(None, "data", "folder or file of the data set, one a spec; synthetic makes its own")
    set_weights: str | None = _option(
        None,
        "data",
        "how often each of several data sets is drawn, such as 1,2: shares of the training faces whatever the sets' "
        "sizes; default: every face once an epoch",
    )
    image_size: int | None = _option(
        None, "data", "side of the square input in pixels; default: the backbone's", low=16, high=1024
    )
    label_mode: str = _option(
        "majority", "data", "one label a face, or annotators' votes as a soft target", choices=("majority", "soft")
    )
    max_samples: int | None = _option(
        None, "data", "use at most this many training faces, stratified by emotion", low=1
    )
    validation_fraction: float = _option(
        0.1, "data", "share held out of training where the data has no validation split", low=0.0, high=0.9
    )
    test_fraction: float = _option(
        0.1, "data", "share held out for testing where the data has no splits at all", low=0.0, high=0.9
    )
    split_seed: int = _option(0, "data", "seed of those splits; apart from --seed, so that seeds share a split", low=0)
    emotions: str | None = _option(
        None,
        "data",
        "names of the classes in order, such as angry,happy,neutral,sad, matched to the data's by meaning; faces of other "
        "emotions are dropped; default: all, under the data set's own names",
    )
    derive_va: str = _option(
        "none",
        "data",
        "valence and arousal for data that labels emotions only, from published coordinates of each emotion; such labels "
        "are called derived wherever they are scored",
        choices=("none", "circumplex"),
    )
    balance: str = _option(
        "none",
        "data",
        "class balance: sample weights, or sampling with equal class shares",
        choices=("none", "weight", "sample"),
    )
    align: bool = _option(
        False,
        "data",
        "turn faces by their landmarks until their eyes are level; the model then wants such faces, and the apps give them",
    )
    cache: str = _option(
        "auto",
        "data",
        "keep decoded faces in memory, on disk, or decode anew; auto: memory if they fit",
        choices=("auto", "memory", "disk", "none"),
    )
    in_memory: bool = _option(
        False, "data", "read every face before the first epoch; from then on no file is opened, whatever cache says"
    )
    workers: int | None = _option(
        None, "data", "parallel decoding calls; default: the number of cores", low=1, high=256
    )

    rotation: float = _option(15.0, "augment", "largest rotation in degrees, either way", low=0, high=180)
    zoom: float = _option(0.1, "augment", "largest zoom in or out, as a share", low=0, high=0.9)
    shift: float = _option(0.1, "augment", "largest shift along each axis, as a share of the side", low=0, high=0.9)
    flip: bool = _option(True, "augment", "mirror half of the faces")
    brightness: float = _option(0.1, "augment", "largest change of brightness, as a share of 255", low=0, high=1)
    contrast: float = _option(0.1, "augment", "largest change of contrast, as a share", low=0, high=1)
    saturation: float = _option(0.0, "augment", "largest change of colour saturation, as a share", low=0, high=1)
    hue: float = _option(0.0, "augment", "largest rotation of hue, as a share of the circle", low=0, high=0.5)
    erasing: float = _option(0.0, "augment", "probability of erasing a random rectangle", low=0, high=1)
    tint: float = _option(0.0, "augment", "largest gain or loss of each colour channel, as a share", low=0, high=0.9)
    blur: float = _option(
        0.0,
        "augment",
        "largest deviation of a Gaussian blur of half of the faces, as a share of the side",
        low=0,
        high=0.1,
    )
    noise: float = _option(0.0, "augment", "largest deviation of Gaussian noise, as a share of 255", low=0, high=0.5)
    jpeg: float = _option(0.0, "augment", "probability of JPEG artefacts, quality 20 to 80", low=0, high=1)
    mixup: float = _option(
        0.0, "augment", "blend each face with another, labels too: parameter of the Beta distribution", low=0, high=8
    )
    cutmix: float = _option(
        0.0,
        "augment",
        "put a part of another face into each, labels too: parameter of the Beta distribution",
        low=0,
        high=8,
    )
    calm_epochs: int = _option(
        0, "augment", "last epochs in which faces are changed half as far, and neither mixed nor erased", low=0
    )

    backbone: str = _option("small", "model", "name in the table of backbones (small, resnet18, efficientnetb1, ...)")
    weights: str = _option(
        "auto", "model", "imagenet, none or a weights file; auto: imagenet where the backbone has them"
    )
    trainable_layers: str = _option(
        "auto",
        "model",
        "top layers of the backbone that train: a number or all; auto: 50 of a pretrained one, all of one from scratch",
    )
    train_norm: bool = _option(
        False, "model", "batch normalisation of a pretrained backbone trains too; small batches spoil its statistics"
    )
    outputs: str | None = _option(None, "model", "some of emotion,valence,arousal; default: all that the data labels")
    head: str = _option(
        "shared",
        "model",
        "a layer for all outputs and one for each; or fc: hidden layers of its own for the emotion, and others for valence "
        "and arousal together",
        choices=("shared", "fc"),
    )
    head_units: str = _option("256", "model", "widths of the hidden layers of fc, such as 512,256")
    head_norm: bool = _option(False, "model", "batch normalisation in the hidden layers of fc")
    dropout: float = _option(
        0.3, "model", "dropout before each output's layer; in fc after each hidden layer", low=0, high=0.95
    )

    emotion_loss: str = _option(
        "cross_entropy", "loss", "loss of the emotion output", choices=("cross_entropy", "focal")
    )
    label_smoothing: float = _option(0.0, "loss", "share of each label spread over all classes", low=0, high=0.5)
    focal_gamma: float = _option(2.0, "loss", "focusing exponent of the focal loss", low=0, high=10)
    va_loss: str = _option(
        "mse",
        "loss",
        "loss of valence and of arousal; random_mse_ccc draws the share of 1-CCC anew each step",
        choices=("mse", "huber", "ccc", "mse_ccc", "random_mse_ccc"),
    )
    huber_delta: float = _option(0.25, "loss", "where Huber turns from square to line", low=1e-6, high=2)
    ccc_share: float = _option(0.5, "loss", "share of 1-CCC in mse_ccc", low=0, high=1)
    alpha: float = _option(1.0, "loss", "weight of the emotion loss", low=0)
    beta: float = _option(1.0, "loss", "weight of the valence loss and of the arousal loss", low=0)
    loss_weighting: str = _option(
        "fixed", "loss", "weights as given, or learned from each output's uncertainty", choices=("fixed", "uncertainty")
    )

    optimizer: str = _option("adam", "optimizer", "optimizer", choices=("adam", "adamw", "sgd"))
    learning_rate: float = _option(1e-3, "optimizer", "learning rate at the start", low=0, high=100)
    weight_decay: float = _option(1e-4, "optimizer", "weight decay of adamw", low=0, high=1)
    momentum: float = _option(0.9, "optimizer", "momentum of sgd", low=0, high=1)
    schedule: str = _option(
        "plateau", "optimizer", "learning rate over time", choices=("plateau", "cosine", "constant")
    )
    warmup_epochs: float = _option(0.0, "optimizer", "epochs of linear warm-up of the cosine schedule", low=0)
    plateau_factor: float = _option(0.5, "optimizer", "factor of a plateau's step", low=0.01, high=0.99)
    plateau_patience: int = _option(4, "optimizer", "epochs without improvement before a step", low=1)
    gradient_clip: float = _option(0.0, "optimizer", "largest global norm of the gradient; 0: no clipping", low=0)
    sam: float = _option(
        0.0,
        "optimizer",
        "radius of sharpness-aware minimisation, such as 0.05; 0: off. Each step costs two",
        low=0,
        high=10,
    )
    layer_decay: float = _option(
        1.0,
        "optimizer",
        "factor on the learning rate from each twelfth of the backbone to the one below it; heads have the full rate",
        low=0.01,
        high=1,
    )
    ema: float = _option(
        0.0, "optimizer", "momentum of the moving average of weights, such as 0.999; 0: none", low=0, high=0.99999
    )

    epochs: int = _option(50, "training", "epochs, the head-only ones included", low=1)
    batch_size: int = _option(16, "training", "faces a step", low=1)
    head_epochs: int = _option(0, "training", "epochs that train the heads alone before fine-tuning", low=0)
    fine_tune_rate: float = _option(0.1, "training", "factor on the learning rate after those epochs", low=0, high=1)
    va_epochs: int = _option(
        0,
        "training",
        "last epochs, of valence and arousal alone: they start from the best epoch before them, with the emotion head frozen",
        low=0,
    )
    va_rate: float = _option(0.1, "training", "factor on the learning rate in those epochs", low=0, high=1)
    va_trainable_layers: str = _option(
        "0",
        "training",
        "top layers of the backbone that train in those epochs: with 0 the emotions stay as they are, to the last bit; "
        "with a number or all they move",
    )
    va_monitor: str = _option("val_loss", "training", "what chooses the best of those epochs, as monitor does before")
    monitor: str = _option("val_loss", "training", "what chooses the best epoch: val_loss or any val_<output>_<metric>")
    early_stopping: int = _option(10, "training", "epochs without improvement before stopping; 0: never", low=0)
    seed: int = _option(0, "training", "seed of weights, order, augmentation and dropout", low=0)
    mixed_precision: str = _option(
        "none", "training", "compute type of the backbone", choices=("none", "float16", "bfloat16")
    )
    strategy: str = _option(
        "none", "training", "mirrored: every GPU of this machine, the batch shared out", choices=("none", "mirrored")
    )
    xla: bool = _option(False, "training", "compile the training step with XLA (slower on a CPU)")
    memory_growth: bool = _option(True, "training", "take GPU memory as needed, not all of it at once")
    tensorboard: bool = _option(False, "training", "write TensorBoard logs under the run")
    output_dir: str = _option("runs/latest", "training", "directory of the run")

    def __post_init__(self):
        for item in dataclasses.fields(self):
            _check(item, getattr(self, item.name))


def accepted_types(item: dataclasses.Field) -> tuple[type, ...]:
    """Return the types that a key takes."""
    annotation = item.type
    return typing.get_args(annotation) if isinstance(annotation, types.UnionType) else (annotation,)


def _check(item: dataclasses.Field, value) -> None:
    accepted, flag = accepted_types(item), flag_name(item.name)
    numeric = float in accepted and isinstance(value, int) and not isinstance(value, bool)
    if not numeric and (not isinstance(value, accepted) or (isinstance(value, bool) and bool not in accepted)):
        names = " or ".join("nothing" if kind is type(None) else kind.__name__ for kind in accepted)
        raise ValueError(f"{flag} expects {names}. Received: {value!r}.")
    choices, low, high = (item.metadata[key] for key in ("choices", "low", "high"))
    if choices and value not in choices:
        hint = nearest(str(value), choices)
        raise ValueError(f"{flag} expects one of {', '.join(choices)}. Received: {value!r}.{hint}")
    if value is not None and ((low is not None and not value >= low) or (high is not None and not value <= high)):
        limits = f"at least {low}" if high is None else f"a number from {low} to {high}"
        raise ValueError(f"{flag} expects {limits}. Received: {value!r}.")


def flag_name(key: str) -> str:
    """Return the command-line flag of a configuration key: `batch_size` -> `--batch-size`."""
    return "--" + key.replace("_", "-")


def config_keys() -> dict[str, dataclasses.Field]:
    """Return every configuration key with its field, in the order of the class."""
    return {item.name: item for item in dataclasses.fields(TrainConfig)}
