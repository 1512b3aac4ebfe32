"""Reader `affectnet_npy`: images/{id}.jpg with four tiny .npy annotations each, as AffectNet's official release.

Layout: `train_set/` and `val_set/`, or one folder without splits, each with `images/` and `annotations/` holding
`{id}_exp.npy`, `{id}_val.npy`, `{id}_aro.npy` and `{id}_lnd.npy`.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from joblib import Parallel, cpu_count, delayed

from fer_keras.readers.npy import parse_landmark_files, parse_scalars
from fer_keras.readers.rows import (
    Listing,
    RawRows,
    Row,
    describe_image,
    file_state,
    file_states,
    list_folder,
    open_images,
    read_file,
    unreadable_file,
)
from fer_keras.readers.spec import DataSpec

__all__ = ["list_files", "open_images", "read_rows"]

#: suffix of the annotation file -> (what it labels, how many such files are parsed)
ANNOTATIONS = {
    "exp": ("emotion", parse_scalars),
    "val": ("valence", parse_scalars),
    "aro": ("arousal", parse_scalars),
    "lnd": ("landmarks", parse_landmark_files),
}
_IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")
_CHUNK = 1000  # rows a task: large enough to hide the cost of a process, small enough to share the work evenly


def list_files(spec: DataSpec, root: Path) -> Listing:
    """List the image and annotation folders of every split that is there, or of the flat layout.

    Raises:
        ValueError: `root` holds neither a split folder of the spec nor an images/ folder.
    """
    folders = [name for name in spec.splits.values() if (root / name / "images").is_dir()]
    if not folders and (root / "images").is_dir():
        folders = ["."]
    if not folders:
        expected = ", ".join(f"{name}/images" for name in spec.splits.values())
        raise ValueError(
            f"No faces in {root}. Expected {expected} or images/ with an annotations/ folder beside it. "
            f"Received: a folder with {_some_names(root)}."
        )
    listing = {}
    for folder in folders:
        listing |= _list_split(root, folder)
    return listing


def _list_split(root: Path, folder: str) -> Listing:
    """List a split in the order in which it is read: images, then the annotations of each, other files at the end."""
    image_dir, annotation_dir = (root / part for part in _parts(folder))
    images = sorted(sorted(list_folder(image_dir)), key=lambda name: not _is_image(name))
    present = set(list_folder(annotation_dir) if annotation_dir.is_dir() else [])
    endings = [f"_{suffix}.npy" for suffix in ANNOTATIONS]
    annotations = [name for stem in _stems(images) for ending in endings if (name := stem + ending) in present]
    if len(annotations) < len(present):
        annotations += sorted(present.difference(annotations))
    return dict(zip(_parts(folder), (images, annotations), strict=True))


def _parts(folder: str) -> tuple[str, str]:
    """Return the folders of a split's images and annotations; "." is the root itself."""
    return ("images", "annotations") if folder == "." else (f"{folder}/images", f"{folder}/annotations")


def _is_image(name: str) -> bool:
    return name.lower().endswith(_IMAGE_SUFFIXES)


def _stems(images: list[str]) -> list[str]:
    return [name.rpartition(".")[0] for name in images if _is_image(name)]


def _some_names(root: Path) -> str:
    names = sorted(os.listdir(root))[:6]
    return ", ".join(names) if names else "nothing in it"


def read_rows(spec: DataSpec, root: Path, listing: Listing, jobs: int | None = None) -> RawRows:
    """Read every row, in parallel processes where there are many.

    Args:
        spec: the data spec.
        root: folder of the data set.
        listing: what `list_files` gave.
        jobs: processes; default: one a core, one in all for a small set.
    """
    split_of = {name: split for split, name in spec.splits.items()}
    images = _images_by_split(listing)
    tasks = [
        (str(root), folder, names[start : start + _CHUNK])
        for folder, names in images.items()
        for start in range(0, len(names), _CHUNK)
    ]
    jobs = jobs or (cpu_count() if len(tasks) > 2 else 1)
    rows: list[Row] = []
    states: dict[str, list[np.ndarray]] = {part: [] for part in listing}
    # A generator: rows are made here while the processes read on.
    chunks = Parallel(n_jobs=jobs, return_as="generator")(delayed(_read_chunk)(*task) for task in tasks)
    for (_, folder, names), chunk in zip(tasks, chunks, strict=True):
        rows += _rows(split_of.get(folder, ""), folder, names, chunk)
        for part, found in zip(_parts(folder), (chunk.image_states, chunk.annotation_states), strict=True):
            states[part].append(found)
    warnings: dict[str, int] = {}
    for part, names in listing.items():
        strays = names[sum(map(len, states[part])) :]
        states[part].append(file_states(root, {part: strays}))
        _count_strays(part, strays, images, warnings)
    return RawRows(rows, np.concatenate([array for part in states.values() for array in part]), warnings, spec.emotions)


def _images_by_split(listing: Listing) -> dict[str, list[str]]:
    """Return the image names of each split folder."""
    folders = [part.removesuffix("images").rstrip("/") or "." for part in listing if part.endswith("images")]
    return {folder: [name for name in listing[_parts(folder)[0]] if _is_image(name)] for folder in folders}


def _count_strays(part: str, strays: list[str], images: dict[str, list[str]], warnings: dict[str, int]) -> None:
    """Count the files of a folder that no image asked for."""
    reason, count = "file that is no image", len(strays)
    if part.endswith("annotations"):
        folder = part.removesuffix("annotations").rstrip("/") or "."
        owners = {name.rpartition("_")[0] for name in strays if name.endswith(".npy")}
        reason, count = "annotation without an image", len(owners.difference(_stems(images[folder])))
    if count:
        warnings[reason] = warnings.get(reason, 0) + count


@dataclass
class _Chunk:
    """What some images and their annotations hold, in columns, for the way between processes.

    Attributes:
        images: (hash, (height, width), why the row cannot be used or None) of each.
        values: valence, arousal, emotion code as float64 and landmarks as float32, NaN where there are none.
        problems: place -> what is wrong with single labels.
        image_states, annotation_states: as `file_states`.
    """

    images: list[tuple] = field(default_factory=list)
    values: dict[str, np.ndarray] = field(default_factory=dict)
    problems: dict[int, list[str]] = field(default_factory=dict)
    image_states: np.ndarray | None = None
    annotation_states: np.ndarray | None = None


def _read_chunk(root: str, folder: str, names: list[str]) -> _Chunk:
    image_dir, annotation_dir = (f"{root}/{part}/" for part in _parts(folder))
    chunk = _Chunk()
    chunk.images, chunk.image_states = _read_images(image_dir, names)
    columns, chunk.annotation_states = _read_annotations(annotation_dir, _stems(names), chunk.problems)
    for suffix, (what, parse) in ANNOTATIONS.items():
        chunk.values[what], problems = parse(columns[suffix])
        for place, reason in problems.items():
            chunk.problems.setdefault(place, []).append(f"{what}: {reason}")
    return chunk


def _read_images(folder: str, names: list[str]) -> tuple[list[tuple], np.ndarray]:
    images, sizes, times = [], [], []
    for name in names:
        try:
            data, modified = read_file(folder + name)
            size = len(data)
            images.append(describe_image(data))
        except OSError as error:
            images.append(("", (0, 0), unreadable_file(error)))
            size, modified = file_state(folder + name)
        sizes.append(size)
        times.append(modified)
    return images, np.array([sizes, times], np.int64).T


def _read_annotations(folder: str, stems: list[str], problems: dict[int, list[str]]):
    """Return suffix -> bytes of each annotation file, None where it cannot be read, and the states of those there are."""
    columns: dict[str, list[bytes | None]] = {suffix: [] for suffix in ANNOTATIONS}
    wanted = [(f"_{suffix}.npy", columns[suffix].append, what) for suffix, (what, _) in ANNOTATIONS.items()]
    sizes, times = [], []
    for place, stem in enumerate(stems):
        prefix = folder + stem
        for ending, keep, what in wanted:
            try:
                data, modified = read_file(prefix + ending)
                size = len(data)
            except OSError as error:
                gone = isinstance(error, FileNotFoundError)
                problems.setdefault(place, []).append(f"{what}: {'no annotation file' if gone else error.strerror}")
                data = None
                if not gone:
                    size, modified = file_state(prefix + ending)
            keep(data)
            if data is not None or not gone:
                sizes.append(size)
                times.append(modified)
    return columns, np.array([sizes, times], np.int64).T


def _rows(split: str, folder: str, names: list[str], chunk: _Chunk) -> Iterator[Row]:
    prefix = "images/" if folder == "." else f"{folder}/images/"
    codes, valence, arousal = (chunk.values[what].tolist() for what in ("emotion", "valence", "arousal"))
    landmarks = chunk.values["landmarks"]
    known = ~np.isnan(landmarks[:, 0, 0])
    for place, (name, stem, (content, extent, fatal)) in enumerate(
        zip(names, _stems(names), chunk.images, strict=True)
    ):
        yield Row(
            split,
            stem,
            prefix + name,
            None if codes[place] != codes[place] else f"{codes[place]:g}",
            valence[place],
            arousal[place],
            landmarks[place] if known[place] else None,
            None,
            content,
            extent,
            chunk.problems.get(place) or [],
            fatal,
        )
