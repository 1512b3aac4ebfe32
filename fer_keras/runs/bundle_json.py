"""`bundle.json`: the one module that knows its keys, its format and what older versions left out.

Format 1 is the only one so far. Keys were added to it and none changed its meaning: a key that an older file lacks takes
the default of its part, and a key that this version does not know is kept and written back. A file is checked here, when
it is read; what comes out has the types of `fer_keras.runs.bundle_parts`.
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from fer_keras.cli import one_line
from fer_keras.files import write_json
from fer_keras.labels import AXES, OUTPUTS
from fer_keras.metrics.metric_table import METRICS
from fer_keras.runs import bundle_checks as kinds
from fer_keras.runs.bundle_checks import EachKind, FieldsKind, Kind, PartKind, Unexpected, or_null
from fer_keras.runs.bundle_parts import (
    Calibration,
    Ensemble,
    Export,
    ModelDescription,
    ModelInput,
    ModelOutput,
    Selection,
    SplitScores,
    TrainingCost,
    TrainingData,
)

BUNDLE_FORMAT = 1
BUNDLE_FILE = "bundle.json"


#: What the accuracy says, whose interval is always known.
_SHARE = ("value", "low", "high", "n")


class _ExportKind(PartKind):
    """An export; what its format's exporter told of the file stands among its keys, after the seconds."""

    def read(self, value: Any, key: str) -> Export:
        told = super().read(value, key)
        return replace(told, details=dict(told.extra), extra={})

    def write(self, value: Export) -> dict:
        table = super().write(value)
        first = {name: table[name] for name in ("file", "bytes", "sha256", "seconds") if name in table}
        return first | dict(value.details) | table


class _ScoresKind(Kind):
    """The scores of one evaluation, which stand beside its date and the fingerprint of its faces."""

    def __init__(self):
        super().__init__(kinds.TABLE.expected, kinds.TABLE.accepts)
        self.about = {"fingerprint": kinds.TEXT, "date": kinds.TEXT, "conditions": kinds.ROWS}
        share = FieldsKind({**dict.fromkeys(("value", "low", "high"), kinds.NUMBER), "n": kinds.COUNT}, _SHARE)
        score = FieldsKind(dict.fromkeys(("value", "low", "high"), or_null(kinds.NUMBER)), ("value",))
        emotion = {"n": kinds.COUNT, "labels": kinds.NAMES, **_metrics("emotion", score), "accuracy": share}
        axis = FieldsKind({"n": kinds.COUNT, **_metrics("axis", score)}, ("n",))
        outputs = {"emotion": FieldsKind(emotion, ("n",)), **dict.fromkeys(AXES, axis)}
        self.measured = FieldsKind({"n": kinds.COUNT, **outputs, "p_va": score})

    def read(self, value: Any, key: str) -> SplitScores:
        self.measured.read(value, key)
        about = {name: kind.read(value[name], f"{key}.{name}") for name, kind in self.about.items() if name in value}
        return SplitScores({name: entry for name, entry in value.items() if name not in about}, **about)

    def write(self, value: SplitScores) -> dict:
        about = {name: getattr(value, name) for name in self.about if getattr(value, name) is not None}
        conditions = {name: about.pop(name) for name in ("conditions",) if name in about}
        return about | dict(value.measured) | conditions


def _metrics(kind: str, score: Kind) -> dict[str, Kind]:
    return {name: score for name, metric in METRICS.items() if metric.kind == kind}


_NUMBER, _COUNT, _TEXT = or_null(kinds.NUMBER), or_null(kinds.COUNT), or_null(kinds.TEXT)

_MODEL = PartKind(
    ModelDescription,
    {
        "model": or_null(kinds.FILE_NAME),
        "sha256": kinds.SHA256,
        "backbone": kinds.TEXT,
        "parameters": kinds.COUNT,
        "image_size": kinds.SIZE,
        "labels": kinds.LABELS,
        "outputs": EachKind(PartKind(ModelOutput, {"activation": kinds.TEXT, "range": kinds.PAIR})),
        "input": PartKind(
            ModelInput,
            {
                "colour": kinds.TEXT,
                "range": kinds.PAIR,
                "layout": kinds.TEXT,
                "geometry": kinds.TABLE,
                "align": kinds.FLAG,
            },
        ),
    },
    {"model": "file"},
)
#: Of a run's configuration, which keeps the keys of the version that wrote it, what finding its data again needs.
_CONFIG = FieldsKind(
    {
        "data_spec": kinds.TEXT,
        "data_dir": _TEXT,
        "max_samples": _COUNT,
        "validation_fraction": kinds.NUMBER,
        "test_fraction": kinds.NUMBER,
        "split_seed": kinds.COUNT,
        "emotions": _TEXT,
        "derive_va": kinds.TEXT,
        "seed": kinds.COUNT,
    }
)
_BASELINE = FieldsKind({"source": kinds.TEXT, "emotion": or_null(kinds.NUMBERS), **dict.fromkeys(AXES, _NUMBER)})
_EXPORT = _ExportKind(
    Export,
    {
        "file": kinds.FILE_NAME,
        "bytes": kinds.COUNT,
        "sha256": kinds.SHA256,
        "seconds": kinds.NUMBER,
        "parity": kinds.TABLE,
        "forced": kinds.FLAG,
        "date": kinds.TEXT,
    },
)
_DATA = PartKind(
    TrainingData,
    {
        **dict.fromkeys(("spec", "title", "licence", "homepage", "citation", "fingerprint"), kinds.TEXT),
        "faces": kinds.COUNT,
        "splits": kinds.COUNTS,
        "sets": kinds.NAMED_ROWS,
        "report": kinds.TABLE,
        "unreadable": kinds.ROWS,
        "not_aligned": _COUNT,
    },
)
_SELECTION = PartKind(
    Selection,
    {
        "split": kinds.TEXT,
        "monitor": kinds.TEXT,
        "epoch": _COUNT,
        "value": _NUMBER,
        "before": or_null(kinds.TABLE),
    },
)
_TRAINING = PartKind(
    TrainingCost,
    {
        "epochs": kinds.COUNT,
        "stopped": kinds.TEXT,
        "seconds": kinds.NUMBER,
        "peak_memory_mb": _NUMBER,
        "device": kinds.TEXT,
    },
)
_CALIBRATION = PartKind(
    Calibration,
    {
        "temperature": kinds.TEMPERATURE,
        "split": kinds.TEXT,
        "faces": kinds.COUNT,
        **dict.fromkeys(("nll_before", "nll_after", "ece_before", "ece_after"), kinds.NUMBER),
    },
)
_ENSEMBLE = PartKind(Ensemble, {"members": kinds.NAMED_ROWS, "parity": kinds.TABLE, "forced": kinds.FLAG})
#: The attributes of a `Bundle` beside its model by their keys, in the order of the file.
_SECTIONS = {
    "config": _CONFIG,
    "baseline": _BASELINE,
    "versions": kinds.TEXTS,
    "derived": or_null(kinds.TABLE),
    "scores": EachKind(_ScoresKind()),
    "exports": EachKind(_EXPORT),
    "created": kinds.TEXT,
    "data": _DATA,
    "selected": _SELECTION,
    "training": _TRAINING,
    "calibration": _CALIBRATION,
    "ensemble": _ENSEMBLE,
}


def read_parts(path: Path) -> dict[str, Any]:
    """Read a bundle's file.

    Args:
        path: of the file.

    Returns:
        The attributes of a `Bundle`, its directory apart.

    Raises:
        ValueError: no bundle, one of a newer format, or a value that a bundle cannot have.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not a bundle: {one_line(error)}.") from error
    try:
        kinds.check_content(content)
        _check_format(content, path)
        return _read_content(content)
    except Unexpected as error:
        raise ValueError(
            f"{path} is not a usable bundle. {error} Restore the file, or train or export again."
        ) from error


def write_parts(bundle) -> None:
    """Write the file of a `Bundle` atomically; its keys stand in the order in which training and exports make them."""
    content = {"format": BUNDLE_FORMAT, **_MODEL.write(bundle.model)}
    for name, kind in _SECTIONS.items():
        value = getattr(bundle, name)
        if not _is_absent(name, value):
            content[name] = None if value is None else kind.write(value)
    write_json(bundle.directory / BUNDLE_FILE, content | dict(bundle.extra))


def exported_files(path: Path) -> list[str]:
    """Return the names of the exports that a bundle's file lists, for their removal; the bundle need not be usable.

    A name that would lead out of the bundle's folder is left out; a file that cannot be read lists none.
    """
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))["exports"].values()
        names = [entry["file"] for entry in entries]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return []
    return [name for name in names if kinds.FILE_NAME.accepts(name)]


def _check_format(content: dict, path: Path) -> None:
    found = content.get("format", kinds.MISSING)
    if not kinds.COUNT.accepts(found) or found < 1:
        raise Unexpected("format", f"the number of a bundle's format, {BUNDLE_FORMAT} at present", found)
    if found > BUNDLE_FORMAT:
        raise ValueError(
            f"{path} was written by a newer fer_keras (bundle format {found}, this one reads {BUNDLE_FORMAT}). Upgrade "
            "fer_keras."
        )


def _read_content(content: dict) -> dict[str, Any]:
    """Return the attributes of a `Bundle` from the whole content of its file."""
    model = _MODEL.read({name: content[name] for name in _MODEL.keys if name in content}, "")
    if not model.outputs or not set(model.outputs) <= set(OUTPUTS):
        raise Unexpected("outputs", f"an object with some of {', '.join(OUTPUTS)}", list(model.outputs))
    if "emotion" in model.outputs and len(model.labels) < 2:
        raise Unexpected("labels", "two names or more for the output emotion", list(model.labels))
    sections = {name: kind.read(content[name], name) for name, kind in _SECTIONS.items() if name in content}
    known = {"format", *_MODEL.keys, *_SECTIONS}
    return {"model": model, **sections, "extra": {name: value for name, value in content.items() if name not in known}}


def _is_absent(name: str, value: Any) -> bool:
    """Whether a section was never filled, so that its key is left out; training writes some of them empty."""
    if name in ("derived", "scores", "exports"):
        return False
    return value is None or value == {} or value in (TrainingData(), Selection(), TrainingCost())
