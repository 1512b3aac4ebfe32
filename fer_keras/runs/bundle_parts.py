"""What a bundle says of a model, part by part: the model, its data, training, scores, exports and calibration."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Part:
    """What the parts of a bundle share. Parts are not changed; `dataclasses.replace` makes another one.

    Attributes:
        extra: what a newer version of the package wrote here and this one does not know; it is written back.
    """

    extra: Mapping = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class ModelInput(Part):
    """What the model is fed.

    Attributes:
        colour: order of the channels.
        range: lowest and highest value of a pixel.
        layout: names of the input's dimensions, in order.
        geometry: how a face is cut out and resized, see `fer_keras.preprocessing.GEOMETRY`.
        align: whether the model was trained on faces turned until their eyes are level.
    """

    colour: str = "RGB"
    range: tuple[float, float] = (0, 255)
    layout: str = "batch, height, width, 3"
    geometry: Mapping = field(default_factory=dict)
    align: bool = False


@dataclass(frozen=True)
class ModelOutput(Part):
    """One output of the model.

    Attributes:
        activation: softmax or tanh.
        range: lowest and highest value.
    """

    activation: str | None = None
    range: tuple[float, float] | None = None


@dataclass(frozen=True)
class ModelDescription(Part):
    """What a program needs to feed a model and to read its answers.

    Attributes:
        image_size: (height, width) of the input.
        labels: names of the emotion output's classes, in order; empty for a model without that output.
        outputs: output name -> what it gives; some of emotion, valence and arousal.
        file: name of the Keras model beside the bundle, or None beside exports alone.
        backbone: name of the network.
        parameters: how many weights it has.
        sha256: of the Keras model's file; None where a bundle does not tell.
        input: what it is fed.
    """

    image_size: tuple[int, int]
    labels: tuple[str, ...]
    outputs: Mapping[str, ModelOutput]
    file: str | None = None
    backbone: str | None = None
    parameters: int | None = None
    sha256: str | None = None
    input: ModelInput = field(default_factory=ModelInput)


@dataclass(frozen=True)
class TrainingData(Part):
    """What the model was trained on; None and empty where a bundle does not tell.

    Attributes:
        spec: name of the data spec.
        title, licence, homepage, citation: of the data set, as its spec has them.
        fingerprint: of the training faces.
        faces: how many training faces.
        splits: split -> number of faces.
        sets: what `fer_keras.data.facts.member_facts` says of each joined data set; empty for one data set.
        report: what was found and what was left out, by reason.
        unreadable: training faces that could not be read: id and reason.
        not_aligned: training faces without the landmarks that levelling needs; None where faces were not levelled.
    """

    spec: str | None = None
    title: str | None = None
    licence: str | None = None
    homepage: str | None = None
    citation: str | None = None
    fingerprint: str | None = None
    faces: int | None = None
    splits: Mapping[str, int] = field(default_factory=dict)
    sets: tuple[Mapping, ...] = ()
    report: Mapping = field(default_factory=dict)
    unreadable: tuple[Mapping, ...] = ()
    not_aligned: int | None = None


@dataclass(frozen=True)
class Selection(Part):
    """Which epoch the model is of.

    Attributes:
        split: whose score chose it, validation or train.
        monitor: the score.
        epoch: the epoch, from 1.
        value: of the score there.
        before: what an earlier stage of the run had chosen (monitor, epoch, value), or None.
    """

    split: str | None = None
    monitor: str | None = None
    epoch: int | None = None
    value: float | None = None
    before: Mapping | None = None


@dataclass(frozen=True)
class TrainingCost(Part):
    """How long training took, and where.

    Attributes:
        epochs: how many were trained.
        stopped: why training ended early, or "".
        seconds: over all starts of the run.
        peak_memory_mb: most memory used, in MiB; None where the system does not tell.
        device: what it ran on.
    """

    epochs: int | None = None
    stopped: str | None = None
    seconds: float | None = None
    peak_memory_mb: float | None = None
    device: str | None = None


@dataclass(frozen=True)
class SplitScores:
    """The scores of one evaluation.

    Attributes:
        measured: what `fer_keras.metrics.scores.score_predictions` returned: n, emotion, valence, arousal, p_va.
        fingerprint: of the evaluated faces.
        date: of the evaluation, ISO 8601.
        conditions: the scores on degraded copies of the faces, a row per condition; None where that was not measured.
    """

    measured: Mapping
    fingerprint: str | None = None
    date: str | None = None
    conditions: tuple[Mapping, ...] | None = None


@dataclass(frozen=True)
class Export(Part):
    """One exported file of the model.

    Attributes:
        file: its name beside the bundle; a SavedModel is a folder.
        bytes: its size.
        sha256: of the file, or of the files of a folder, see `fer_keras.runs.file_hashes`; None where a bundle does not tell.
        seconds: how long the export took.
        details: what the format's own exporter says of the file, such as the operator set.
        parity: how far its answers are from those of the Keras model, see `fer_keras.exporters.parity`.
        forced: whether it was kept although its parity check failed.
        date: of the export, ISO 8601.
    """

    file: str
    bytes: int | None = None
    sha256: str | None = None
    seconds: float | None = None
    details: Mapping = field(default_factory=dict)
    parity: Mapping = field(default_factory=dict)
    forced: bool = False
    date: str | None = None


@dataclass(frozen=True)
class Ensemble(Part):
    """The models that one model was made of, which averages their calibrated answers in its graph.

    Attributes:
        members: a row per model: name (as it was given), backbone, image_size, temperature (in the graph; 1 where the model had
            none), weights (output -> its share of the mean), sha256 (of its Keras file, or None), created.
        parity: how far the one model's answers are from the mean of its members' own, see `fer_keras.exporters.ensemble_parity`.
        forced: whether it was kept although that check failed.
    """

    members: tuple[Mapping, ...] = ()
    parity: Mapping = field(default_factory=dict)
    forced: bool = False


@dataclass(frozen=True)
class Calibration(Part):
    """The temperature of the emotion output, and what it changes on the faces that it was fitted on.

    Attributes:
        temperature: see `fer_keras.runs.calibration.apply_temperature`.
        split: whose faces.
        faces: how many.
        nll_before, nll_after: negative log-likelihood without and with it.
        ece_before, ece_after: expected calibration error, 15 bins, without and with it.
    """

    temperature: float
    split: str | None = None
    faces: int | None = None
    nll_before: float | None = None
    nll_after: float | None = None
    ece_before: float | None = None
    ece_after: float | None = None
