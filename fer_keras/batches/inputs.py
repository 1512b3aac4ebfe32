"""From a configuration to faces: the index with its splits, and one split opened for training or evaluation."""

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from fer_keras.batches.loader import FaceLoader
from fer_keras.batches.targets import Targets, build_targets
from fer_keras.data.circumplex import SOURCE, derive_axes
from fer_keras.data.classes import choose_classes
from fer_keras.data.index import FaceIndex, load_index
from fer_keras.data.several import join_indexes, parse_sets, split_members
from fer_keras.data.splits import assign_splits, limit_samples
from fer_keras.files import cache_folder
from fer_keras.labels import AXES, OUTPUTS
from fer_keras.readers.spec import DataSpec


@dataclass(frozen=True)
class SplitInputs:
    """One split ready for a model: its rows, faces and targets, all in the same order.

    Attributes:
        aligned: whether faces with landmarks are turned until their eyes are level.
    """

    index: FaceIndex
    loader: FaceLoader
    targets: Targets
    aligned: bool = False

    def unreadable(self) -> list[dict[str, str]]:
        """Return split/id and reason of each face that could not be read so far."""
        return [
            {"id": f"{self.index.split[row]}/{self.index.id[row]}", "reason": reason}
            for row, reason in sorted(self.loader.unreadable.items())
        ]


def load_faces(
    data_spec: str,
    data_dir: str | None,
    validation_fraction: float = 0.1,
    test_fraction: float = 0.1,
    split_seed: int = 0,
    derive_va: str = "none",
    emotions: str | None = None,
) -> FaceIndex:
    """Return the index of a data set, or of several joined, with every face in a split.

    Args:
        data_spec: name or path of a spec, or several with commas between.
        data_dir: where the files are, one place a spec; None only for `synthetic`, which is drawn into the cache.
        validation_fraction, test_fraction, split_seed: see `assign_splits`.
        derive_va: circumplex, to derive valence and arousal from emotions (see `derive_axes`), or none.
        emotions: names of the classes in order, see `choose_classes`.

    Raises:
        ValueError: no data_dir, no usable faces, data from which nothing can be derived, or classes that it has not.
        FileNotFoundError: no such folder.
    """
    sets = [load_index(spec, resolve_data_dir(spec, place)) for spec, place in parse_sets(data_spec, data_dir)]
    sets = [assign_splits(index, validation_fraction, test_fraction, split_seed) for index in sets]
    index = sets[0] if len(sets) == 1 else join_indexes(sets)
    index = derive_axes(index) if derive_va == "circumplex" else index
    return choose_classes(index, emotions)


def choose_outputs(outputs: str | None, spec: DataSpec) -> tuple[str, ...]:
    """Return the outputs that a model is to have, in the package's order.

    Args:
        outputs: some of `OUTPUTS` with commas between; default: all that the data labels.
        spec: of the data.

    Raises:
        ValueError: other names, or outputs that the data does not label.
    """
    if outputs is None:
        return spec.targets
    asked = {name.strip() for name in outputs.split(",")}
    if not asked <= set(OUTPUTS):
        raise ValueError(f"--outputs expects some of {', '.join(OUTPUTS)}. Received: {outputs!r}.")
    if not asked <= set(spec.targets):
        raise ValueError(
            f"--outputs expects some of what {spec.name} labels: {', '.join(spec.targets)}. Received: {outputs!r}."
        )
    return tuple(name for name in OUTPUTS if name in asked)


def resolve_data_dir(spec: DataSpec, data_dir: str | None) -> Path:
    """Return the data set's place; `synthetic` without one is drawn into the cache first."""
    if data_dir is not None:
        return Path(data_dir)
    if spec.name != "synthetic":
        home = f" Home page: {spec.homepage}" if spec.homepage else ""
        raise ValueError(f"{spec.name} expects --data-dir, its folder on this machine.{home}")
    from fer_keras.synthetic.dataset import DRAWING_VERSION, write_synthetic

    return write_synthetic(cache_folder() / f"synthetic-v{DRAWING_VERSION}")


def training_index(index: FaceIndex, max_samples: int | None, seed: int) -> FaceIndex:
    """Return the training faces, at most `max_samples` of them."""
    return limit_samples(index.of_split("train"), max_samples, seed)


def open_split(
    index: FaceIndex,
    image_size: tuple[int, int],
    outputs: tuple[str, ...],
    label_mode: str = "majority",
    cache: str = "none",
    class_weights: np.ndarray | None = None,
    align: bool = False,
) -> SplitInputs:
    """Open the faces of an index for a model.

    Args:
        index: the rows.
        image_size: (height, width) of the model's input.
        outputs: of the model.
        label_mode, class_weights: see `build_targets`.
        cache: see `FaceLoader`; a disk cache lies in the cache folder under the data's fingerprint.
        align: see `FaceIndex.open_images`.
    """
    name = index.fingerprint() + ("-level" if align else "")
    path = cache_folder() / "faces" / name if cache == "disk" else None
    loader = FaceLoader(index.open_images(align), image_size, cache, path)
    return SplitInputs(index, loader, build_targets(index, outputs, label_mode, class_weights), align)


def training_priors(index: FaceIndex) -> dict:
    """Return what a guess without looking would say: label shares and mean valence and arousal of the training faces.

    Returns:
        emotion: share of each label in order, or None; valence, arousal: mean or None; source: where from.
    """
    codes = index.emotion[index.emotion >= 0]
    shares = np.bincount(codes, minlength=len(index.labels)) / len(codes) if len(codes) else None
    priors: dict = {"source": "training split", "emotion": None if shares is None else shares.tolist()}
    for axis in AXES:
        column = getattr(index, axis)
        known = column[~np.isnan(column)].astype(np.float64)
        priors[axis] = float(known.mean()) if len(known) else None
    return priors


def derived_facts(index: FaceIndex) -> dict | None:
    """Return which labels of an index are derived, how and from what source, or None where all are measured."""
    return {"axes": list(index.spec.derived), **SOURCE} if index.spec.derived else None


def member_facts(index: FaceIndex, set_weights: tuple[float, ...] | None = None) -> list[dict]:
    """Return what a bundle and an inspection say of each joined data set; an empty list for one data set.

    Returns:
        A dict a set: "name", "title", "licence", "homepage", "citation", "targets", "splits" (faces by split), "report",
        and "weight" where sets are drawn by weight.
    """
    facts = []
    for number, (member, part) in enumerate(zip(index.members, split_members(index).values(), strict=True)):
        told = {key: getattr(member.spec, key) for key in ("title", "licence", "homepage", "citation")}
        splits = {split: sum(classes.values()) for split, classes in part.counts().items()}
        entry = {"name": member.name, **told, "targets": list(member.spec.targets), "splits": splits}
        facts.append({**entry, "report": asdict(member.report)})
        if set_weights is not None:
            facts[-1]["weight"] = set_weights[number]
    return facts


def describe_faces(index: FaceIndex) -> list[str]:
    """Return what a data set holds and what was left out, in lines for a terminal; of several, each and then the whole."""
    parts = split_members(index)
    lines = [line for part in parts.values() for line in _describe(part)]
    lines += [f"{len(parts)} data sets as one", *_describe(index)[1:]] if parts else _describe(index)
    if index.spec.derived:
        lines.append(f"  note: {' and '.join(index.spec.derived)} are derived from the emotions, not measured")
    empty = [name for name in index.labels if not index.counts().get("train", {}).get(name)]
    if "emotion" in index.spec.targets and empty:
        lines.append(f"  note: no training face of {', '.join(empty)}; a model cannot learn what it never sees")
    return lines


def _describe(index: FaceIndex) -> list[str]:
    lines = [index.spec.title, *index.report.lines()]
    for split, classes in index.counts().items():
        held = ", ".join(f"{name} {count:,}" for name, count in classes.items() if count)
        lines.append(f"  {split}: {sum(classes.values()):,} faces, {held}")
    return lines
