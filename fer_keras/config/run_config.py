"""The configuration of a training run: one group of settings for each table of a recipe.

The same fields are the flags of `python -m fer_keras.train`, the keys of a `run.toml`, and what a run directory keeps in
`config.toml`; `config_file.py` reads and writes those files.
"""

from dataclasses import dataclass, field

from fer_keras.config.settings import Settings, build_settings, setting

CACHES = ("auto", "memory", "disk", "none")


def check_layers(flag: str, layers: str, *, words: tuple[str, ...]) -> None:
    """Refuse a number of layers that is neither a whole number nor one of some words.

    Raises:
        ValueError: it is neither; the flag is named.
    """
    if layers not in words and not layers.isdecimal():
        expected = " or ".join(", ".join(["a number", *words]).rsplit(", ", 1))
        raise ValueError(f"{flag} expects {expected}. Received: {layers!r}.")


@dataclass(frozen=True)
class DataConfig(Settings):
    """Which faces a run reads, how they are split, and what their labels are."""

    data_spec: str = setting(
        "synthetic",
        "data spec by name (affectnet, ferplus, ...) or path of a TOML file; several with commas between them",
    )
    data_dir: str | None = setting(None, "folder or file of the data set, one for each spec; synthetic needs none")
    set_weights: str | None = setting(
        None,
        "shares in which several data sets are drawn, such as 1,2, whatever their sizes; default: every face once per "
        "epoch",
    )
    image_size: int | None = setting(
        None, "side of the square input in pixels; default: the backbone's", low=16, high=1024
    )
    label_mode: str = setting(
        "majority", "one label per face, or the annotators' votes as a soft target", choices=("majority", "soft")
    )
    label_filter: str | None = setting(
        None,
        "faces of FER+ that count: winner (every face with a single most frequent label) or paper (only where that label "
        "has more than half of the votes); default: the data spec's",
        choices=("winner", "paper"),
    )
    max_samples: int | None = setting(None, "use at most this many training faces, stratified by emotion", low=1)
    validation_fraction: float = setting(
        0.1, "share of the training faces held out where the data has no validation split", low=0.0, high=0.9
    )
    test_fraction: float = setting(
        0.1, "share held out for testing where the data has no splits at all", low=0.0, high=0.9
    )
    split_seed: int = setting(
        0, "seed of these splits; separate from --seed, so that runs of different seeds share a split", low=0
    )
    emotions: str | None = setting(
        None,
        "names of the classes in order, such as angry,happy,neutral,sad, matched to the data's by meaning; faces of "
        "other emotions are dropped; default: all, under the data set's own names",
    )
    derive_va: str = setting(
        "none",
        "derive valence and arousal for data that labels emotions only, from published coordinates of each emotion; "
        "scores against such labels are marked as derived",
        choices=("none", "circumplex"),
    )
    balance: str = setting(
        "none",
        "class balance: sample weights, or sampling with equal class shares",
        choices=("none", "weight", "sample"),
    )
    align: bool = setting(
        False,
        "rotate faces by their landmarks until the eyes are level; the apps then align faces for this model too",
    )
    cache: str = setting(
        "auto",
        "keep decoded faces in memory or on disk, or decode them again each epoch; auto: memory if they fit",
        choices=CACHES,
    )
    in_memory: bool = setting(
        False, "read every face before the first epoch and open no file afterwards, whatever --cache says"
    )
    workers: int | None = setting(
        None, "number of parallel decoding calls; default: the number of cores", low=1, high=256
    )


@dataclass(frozen=True)
class AugmentConfig(Settings):
    """How training faces are changed at random; 0 switches a change off.

    Sources: Zhong et al., Random Erasing Data Augmentation, 2020, for `erasing`; `fer_keras.batches.mixup` names those of
    `mixup` and `cutmix`.
    """

    rotation: float = setting(15.0, "largest rotation in degrees, either way", low=0, high=180)
    zoom: float = setting(0.1, "largest zoom in or out, as a share", low=0, high=0.9)
    shift: float = setting(0.1, "largest shift along each axis, as a share of the side", low=0, high=0.9)
    flip: bool = setting(True, "mirror half of the faces")
    brightness: float = setting(0.1, "largest change of brightness, as a share of 255", low=0, high=1)
    contrast: float = setting(0.1, "largest change of contrast, as a share", low=0, high=1)
    saturation: float = setting(0.0, "largest change of colour saturation, as a share", low=0, high=1)
    hue: float = setting(0.0, "largest rotation of hue, as a share of the colour circle", low=0, high=0.5)
    erasing: float = setting(0.0, "probability of erasing a random rectangle", low=0, high=1)
    tint: float = setting(0.0, "largest gain or loss of each colour channel, as a share", low=0, high=0.9)
    blur: float = setting(
        0.0,
        "largest standard deviation of a Gaussian blur, applied to half of the faces, as a share of the side",
        low=0,
        high=0.1,
    )
    noise: float = setting(
        0.0, "largest standard deviation of Gaussian noise, as a share of 255, equal in all channels", low=0, high=0.5
    )
    jpeg: float = setting(0.0, "probability of JPEG artefacts, quality 20 to 80", low=0, high=1)
    mixup: float = setting(
        0.0, "blend each face and its labels with another: parameter of the Beta distribution", low=0, high=8
    )
    cutmix: float = setting(
        0.0,
        "paste a part of another face into each, with its labels: parameter of the Beta distribution",
        low=0,
        high=8,
    )
    calm_epochs: int = setting(
        0, "number of last epochs in which changes are half as large, without mixing and erasing", low=0
    )


@dataclass(frozen=True)
class ModelConfig(Settings):
    """The architecture of a model, the weights it starts from, and which of its layers train."""

    backbone: str = setting("small", "name in the table of backbones (small, resnet18, efficientnetb1, ...)")
    weights: str = setting(
        "auto",
        "imagenet, faces (of the package face-recognition-models, for face_resnet), none, bundled (the bundled model, whose "
        "backbone and image size are the defaults then), a run directory or a weights file; auto: imagenet where the "
        "backbone has such weights",
    )
    trainable_layers: str = setting(
        "auto",
        "top layers of the backbone that train: a number or all; auto: 50 of a pretrained backbone, all of one from "
        "scratch",
    )
    train_norm: bool = setting(
        False, "train the batch normalisation of a pretrained backbone too; small batches spoil its statistics"
    )
    outputs: str | None = setting(None, "some of emotion,valence,arousal; default: all that the data labels")
    head: str = setting(
        "shared",
        "shared: one hidden layer for all outputs and one for each; fc: hidden layers for the emotion, and others for "
        "valence and arousal together",
        choices=("shared", "fc"),
    )
    head_units: str = setting("256", "widths of the hidden layers of fc, such as 512,256")
    head_norm: bool = setting(False, "batch normalisation in the hidden layers of fc")
    dropout: float = setting(0.3, "dropout before each output's layer; in fc after each hidden layer", low=0, high=0.95)

    def __post_init__(self):
        super().__post_init__()
        check_layers("--trainable-layers", self.trainable_layers, words=("all", "auto"))
        if not all(part.isdecimal() and int(part) for part in self._head_units()):
            raise ValueError(
                f"--head-units expects whole numbers above 0 with commas between them. Received: {self.head_units!r}."
            )

    def _head_units(self) -> list[str]:
        return [part.strip() for part in self.head_units.split(",")]

    @property
    def hidden_units(self) -> tuple[int, ...]:
        """Widths of the hidden layers of fc.

        Example:
            >>> ModelConfig(head_units="512, 256").hidden_units
            (512, 256)
        """
        return tuple(map(int, self._head_units()))


@dataclass(frozen=True)
class LossConfig(Settings):
    """The loss of each output and how the losses are weighed against each other."""

    emotion_loss: str = setting("cross_entropy", "loss of the emotion output", choices=("cross_entropy", "focal"))
    label_smoothing: float = setting(0.0, "share of each label spread over all classes", low=0, high=0.5)
    focal_gamma: float = setting(2.0, "focusing exponent of the focal loss", low=0, high=10)
    logit_adjustment: float = setting(
        0.0,
        "strength at which rare emotions are favoured in the loss by the training faces' counts; 1: as if all were equally "
        "frequent; 0: off",
        low=0,
        high=2,
    )
    va_loss: str = setting(
        "mse",
        "loss of valence and of arousal; random_mse_ccc draws the share of 1-CCC anew each step",
        choices=("mse", "huber", "ccc", "mse_ccc", "random_mse_ccc"),
    )
    huber_delta: float = setting(0.25, "error at which the Huber loss turns from square to linear", low=1e-6, high=2)
    ccc_share: float = setting(0.5, "share of 1-CCC in mse_ccc", low=0, high=1)
    teacher: str | None = setting(
        None,
        "run, bundled model, or several with commas between, whose calibrated answers to the training faces are learned "
        "beside the labels; their mean where there are several",
        metavar="RUN[,RUN]",
    )
    teacher_share: float = setting(
        0.5, "share of the teachers' answers in what is learned; the rest is the labels'", low=0, high=1
    )
    alpha: float = setting(1.0, "weight of the emotion loss", low=0)
    beta: float = setting(1.0, "weight of the valence loss and of the arousal loss", low=0)
    loss_weighting: str = setting(
        "fixed",
        "use these weights as given, or learn further ones from each output's uncertainty",
        choices=("fixed", "uncertainty"),
    )

    @property
    def teachers(self) -> tuple[str, ...]:
        """The runs whose answers are learned.

        Example:
            >>> LossConfig(teacher="runs/a, runs/b").teachers
            ('runs/a', 'runs/b')
        """
        return tuple(part.strip() for part in (self.teacher or "").split(",") if part.strip())

    @property
    def weights_learned(self) -> bool:
        """Whether the weights of the losses are learned in training."""
        return self.loss_weighting == "uncertainty"

    @property
    def shares_drawn(self) -> bool:
        """Whether a loss draws the shares of its terms anew each step."""
        return self.va_loss.startswith("random")


@dataclass(frozen=True)
class OptimizerConfig(Settings):
    """The optimizer, its learning rate over time, and what is done to gradients and weights."""

    optimizer: str = setting("adam", "optimizer", choices=("adam", "adamw", "sgd"))
    learning_rate: float = setting(1e-3, "learning rate at the start", low=0, high=100)
    weight_decay: float = setting(1e-4, "weight decay of adamw", low=0, high=1)
    momentum: float = setting(0.9, "momentum of sgd", low=0, high=1)
    schedule: str = setting("plateau", "learning rate over time", choices=("plateau", "cosine", "constant"))
    warmup_epochs: float = setting(0.0, "epochs of linear warm-up of the cosine schedule", low=0)
    plateau_factor: float = setting(0.5, "factor on the learning rate at a plateau", low=0.01, high=0.99)
    plateau_patience: int = setting(4, "epochs without improvement that make a plateau", low=1)
    gradient_clip: float = setting(0.0, "largest global norm of the gradient; 0: no clipping", low=0)
    sam: float = setting(
        0.0,
        "radius of sharpness-aware minimisation, such as 0.05; 0: off; a step takes twice as long",
        low=0,
        high=10,
    )
    layer_decay: float = setting(
        1.0,
        "factor on the learning rate from each twelfth of the backbone to the one below it; heads have the full rate",
        low=0.01,
        high=1,
    )
    ema: float = setting(
        0.0, "momentum of the moving average of weights, such as 0.999; 0: no average", low=0, high=0.99999
    )


@dataclass(frozen=True)
class TrainingConfig(Settings):
    """How long a run trains, in which stages, what chooses its best epoch, and on what it computes."""

    epochs: int = setting(50, "number of epochs, head-only ones included", low=1)
    batch_size: int = setting(16, "faces per step", low=1)
    head_epochs: int = setting(0, "first epochs, in which only the heads train", low=0)
    fine_tune_rate: float = setting(0.1, "factor on the learning rate after those epochs", low=0, high=1)
    upper_epochs: int = setting(
        0, "epochs after those, in which the heads and the top --upper-layers of the backbone train", low=0
    )
    upper_layers: int = setting(50, "top layers of the backbone that train in those epochs", low=1)
    va_epochs: int = setting(
        0,
        "last epochs, in which only valence and arousal train: they start from the best epoch before them, with the "
        "emotion head frozen",
        low=0,
    )
    va_rate: float = setting(0.1, "factor on the learning rate in those epochs", low=0, high=1)
    va_trainable_layers: str = setting(
        "0",
        "top layers of the backbone that train in those epochs: with 0 the emotions stay exactly as they are; with a "
        "number or all they change",
    )
    va_monitor: str = setting("val_loss", "score that chooses the best of those epochs, as --monitor does before them")
    monitor: str = setting("val_loss", "score that chooses the best epoch: val_loss or any val_<output>_<metric>")
    early_stopping: int = setting(10, "epochs without improvement before training stops; 0: never", low=0)
    seed: int = setting(0, "seed of weights, order, augmentation and dropout", low=0)
    mixed_precision: str = setting(
        "none",
        "compute type of the backbone; auto: bfloat16 where the hardware has it (AMX, AVX-512 BF16, GPUs since Ampere)",
        choices=("none", "auto", "float16", "bfloat16"),
    )
    strategy: str = setting(
        "none", "mirrored: every GPU of this machine, with the batch split between them", choices=("none", "mirrored")
    )
    xla: bool = setting(False, "compile the training step with XLA (slower on a CPU)")
    memory_growth: bool = setting(True, "take GPU memory as needed, not all of it at once")
    tensorboard: bool = setting(False, "write TensorBoard logs into the run directory")
    profile: bool = setting(
        False, "measure what the run waits for, and say at the end what to change (profile.md in the run directory)"
    )
    output_dir: str = setting("runs/latest", "directory of the run")

    def __post_init__(self):
        super().__post_init__()
        check_layers("--va-trainable-layers", self.va_trainable_layers, words=("all",))


@dataclass(frozen=True)
class RunConfig:
    """Everything that decides how a run trains; two runs with equal configurations and data end with equal weights.

    `python -m fer_keras.train --help` describes every setting; `flat_values` gives them all by name.

    Example:
        >>> config = RunConfig.of(epochs=3, backbone="resnet50")
        >>> config.training.epochs, config.model.backbone
        (3, 'resnet50')
        >>> config.replace(epochs=5).training.epochs
        5
    """

    data: DataConfig = field(default_factory=DataConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)

    @classmethod
    def of(cls, **values) -> "RunConfig":
        """Return the default configuration with values given by the names of settings, whatever their group.

        Raises:
            ValueError: an unknown name (the nearest known one is named) or a bad value.
        """
        return build_settings(cls, values)

    def replace(self, **values) -> "RunConfig":
        """Return this configuration with some values changed; names and errors are those of `of`."""
        return build_settings(type(self), values, self)
