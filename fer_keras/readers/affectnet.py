"""Reader `affectnet_npy`: images/{id}.jpg with four tiny .npy annotations each, as AffectNet's official release.

Layout: `train_set/` and `val_set/`, or one folder without splits, each with `images/` and `annotations/` holding
`{id}_exp.npy`, `{id}_val.npy`, `{id}_aro.npy` and `{id}_lnd.npy`. They may lie deeper, as archives leave them when they are
unpacked into a folder of their own name: `train_set/train_set/images`.
"""

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from joblib import Parallel, cpu_count, delayed

from fer_keras.readers.listing import Notes, is_text, join_names, walk_folders
from fer_keras.readers.names import find_splits
from fer_keras.readers.npy import parse_landmark_files, parse_scalars
from fer_keras.readers.opening import has_image_suffix, is_picture, read_file
from fer_keras.readers.outside import LayoutListing
from fer_keras.readers.rows import (
    RawRows,
    Row,
    describe_image,
    file_state,
    file_states,
    open_images,
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
_CHUNK = 1000  # rows per task: large enough to hide the cost of a process, small enough to share the work evenly
_DEPTH = 4  # folders that are looked into for one with images/


@dataclass(frozen=True)
class _Place:
    """A folder with images and annotations.

    Attributes:
        folder: relative to the root.
        images, annotations: the two folders, relative to the root, as they are spelt there.
        split: train, validation, test, or "".
        named: whether the ids of its rows have the folder in front, since another folder of its split has them too.
    """

    folder: str
    images: str
    annotations: str
    split: str = ""
    named: bool = False


class _Listing(LayoutListing):
    """The listing of an AffectNet folder.

    Attributes:
        places: where its images are.
    """

    places: list[_Place]


def list_files(spec: DataSpec, root: Path) -> _Listing:
    """List the image and annotation folders of every split that is there, or of the flat layout.

    Raises:
        ValueError: `root` holds neither a split folder of the spec nor an images/ folder.
    """
    places = _find_places(spec, root)
    if not places:
        expected = ", ".join(f"{name}/images" for name in spec.splits.values())
        raise ValueError(
            f"No faces in {root}. Expected {expected} or images/ with an annotations/ folder beside it. "
            f"Received: a folder with {_some_names(root)}."
        )
    folders: dict[str, list[str]] = {}
    inner: list[str] = []
    for place in places:
        _list_place(root, place, folders, inner)
    listing = _Listing(folders, whole=folders, inner=inner)
    listing.places = places
    return listing


def _find_places(spec: DataSpec, root: Path) -> list[_Place]:
    """Return the folders with images, those of the spec's first split first; what they lie beside is not looked into."""
    found = list(_walk_for_images(root))
    annotated = [place for place in found if (root / place.annotations).is_dir()]
    found = annotated or found
    words = find_splits([part for place in found for part in place.folder.split("/")], spec)
    split_of = {place: next(filter(None, map(words.get, reversed(place.folder.split("/")))), "") for place in found}
    if any(split_of.values()):
        found = [place for place in found if split_of[place]]
    order = [*spec.splits, "train", "validation", "test", ""]
    found.sort(key=lambda place: (order.index(split_of[place]), place.folder.count("/"), place.folder))
    seen: Counter = Counter()
    placed = []
    for place in found:
        split = split_of[place]
        placed.append(_Place(place.folder, place.images, place.annotations, split, seen[split] > 0))
        seen[split] += 1
    return placed


def _walk_for_images(root: Path) -> Iterator[_Place]:
    for folder, inner in walk_folders(root, _DEPTH):
        named = {name.casefold(): name for name in inner}
        if "images" in named:
            annotations = named.get("annotations", "annotations")
            yield _Place(folder, join_names(folder, named["images"]), join_names(folder, annotations))
        inner[:] = [name for name in inner if name.casefold() not in ("images", "annotations")]


def _list_place(root: Path, place: _Place, folders: dict[str, list[str]], inner: list[str]) -> None:
    """List a split in the order in which it is read: images, then the annotations of each, other files at the end.

    Args:
        root: of the data set.
        place: of the split.
        folders: where the two folders go.
        inner: where folders inside them go.
    """
    found = sorted(_names_in(root / place.images))
    images, others = [], []
    for name in found:
        path = f"{root}/{place.images}/{name}"
        if has_image_suffix(name) or is_picture(path):
            images.append(name)
        elif os.path.isdir(path):
            inner.append(f"{place.images}/{name}")
        else:
            others.append(name)
    present = set(_names_in(root / place.annotations))
    endings = [f"_{suffix}.npy" for suffix in ANNOTATIONS]
    annotations = [name for stem in map(_stem, images) for ending in endings if (name := stem + ending) in present]
    if len(annotations) < len(present):
        annotations += sorted(present.difference(annotations))
    folders[place.images], folders[place.annotations] = [*images, *others], annotations


def _names_in(folder: Path) -> list[str]:
    """Return the names of what is in a folder, in no order; hidden files are passed over, and a folder that is not there."""
    try:
        names = [name for name in os.listdir(folder) if name[0] != "."]
    except (FileNotFoundError, NotADirectoryError):
        return []
    return (
        names if "".join(names).isascii() else [name for name in names if is_text(name)]
    )  # a million names: in one step


def _stem(name: str) -> str:
    return name.rpartition(".")[0] or name


def _some_names(root: Path) -> str:
    names = sorted(os.listdir(root))[:6]
    return ", ".join(names) if names else "nothing in it"


def read_rows(spec: DataSpec, root: Path, listing: _Listing, jobs: int | None = None) -> RawRows:
    """Read every row, in parallel processes where there are many.

    Args:
        spec: the data spec.
        root: folder of the data set.
        listing: what `list_files` gave.
        jobs: processes; default: one per core, one in all for a small set.
    """
    images = {place: _images_of(root, place, listing) for place in listing.places}
    tasks = [
        (place, names[start : start + _CHUNK])
        for place, names in images.items()
        for start in range(0, len(names), _CHUNK)
    ]
    jobs = jobs or (cpu_count() if len(tasks) > 2 else 1)
    rows: list[Row] = []
    states: dict[str, list[np.ndarray]] = {part: [] for part in listing}
    # A generator: rows are made here while the processes read on.
    chunks = Parallel(n_jobs=jobs, return_as="generator")(delayed(_read_chunk)(str(root), *task) for task in tasks)
    for (place, names), chunk in zip(tasks, chunks, strict=True):
        rows += _rows(place, names, chunk)
        states[place.images].append(chunk.image_states)
        states[place.annotations].append(chunk.annotation_states)
    notes = Notes()
    for part, names in listing.items():
        strays = names[sum(map(len, states[part])) :]
        states[part].append(file_states(root, {part: strays}))
        _count_strays(part, strays, images, notes)
    _part_equal_ids(rows)
    return RawRows(rows, np.concatenate([array for part in states.values() for array in part]), notes, spec.emotions)


def _images_of(root: Path, place: _Place, listing: _Listing) -> list[str]:
    """Return the names of a place's images: they stand first in its listing."""
    names = listing[place.images]
    count = len(names)
    while count and not (has_image_suffix(names[count - 1]) or is_picture(f"{root}/{place.images}/{names[count - 1]}")):
        count -= 1
    return names[:count]


def _count_strays(part: str, strays: list[str], images: dict[_Place, list[str]], notes: Notes) -> None:
    """Count the files of a folder that no image asked for."""
    place = next(place for place in images if part in (place.images, place.annotations))
    if part == place.images:
        notes.add("file that is no image", *[f"{part}/{name}" for name in strays])
        return
    owners = {name.rpartition("_")[0] for name in strays if name.endswith(".npy")}
    owners = sorted(owners.difference(map(_stem, images[place])))
    notes.add("annotation without an image", *[f"{part}/{name}" for name in owners])
    notes.add("file that is no annotation", *[f"{part}/{name}" for name in strays if not name.endswith(".npy")])


def _part_equal_ids(rows: list[Row]) -> None:
    """Give rows of one split with one id, such as those of 7.jpg and 7.png, their file's name."""
    if len({(row.split, row.id) for row in rows}) < len(rows):
        seen: set[tuple[str, str]] = set()
        for row in rows:
            if (row.split, row.id) in seen:
                row.id = row.path
            seen.add((row.split, row.id))


@dataclass
class _Chunk:
    """What some images and their annotations hold, in columns, for the way between processes.

    Attributes:
        images: (hash, (height, width), why the row cannot be used or None) for each.
        values: valence, arousal, emotion code as float64 and landmarks as float32, NaN where there are none.
        problems: place -> what is wrong with single labels.
        image_states, annotation_states: as `file_states`.
    """

    images: list[tuple] = field(default_factory=list)
    values: dict[str, np.ndarray] = field(default_factory=dict)
    problems: dict[int, list[str]] = field(default_factory=dict)
    image_states: np.ndarray | None = None
    annotation_states: np.ndarray | None = None


def _read_chunk(root: str, place: _Place, names: list[str]) -> _Chunk:
    chunk = _Chunk()
    chunk.images, chunk.image_states = _read_images(f"{root}/{place.images}/", names)
    stems = [_stem(name) for name in names]
    columns, chunk.annotation_states = _read_annotations(f"{root}/{place.annotations}/", stems, chunk.problems)
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


def _rows(place: _Place, names: list[str], chunk: _Chunk) -> Iterator[Row]:
    before = f"{place.folder}/" if place.named else ""
    codes, valence, arousal = (chunk.values[what].tolist() for what in ("emotion", "valence", "arousal"))
    landmarks = chunk.values["landmarks"]
    known = ~np.isnan(landmarks[:, 0, 0])
    for number, (name, (content, extent, fatal)) in enumerate(zip(names, chunk.images, strict=True)):
        yield Row(
            place.split,
            before + _stem(name),
            f"{place.images}/{name}",
            label=None if codes[number] != codes[number] else f"{codes[number]:g}",
            valence=valence[number],
            arousal=arousal[number],
            landmarks=landmarks[number] if known[number] else None,
            content=content,
            extent=extent,
            problems=chunk.problems.get(number) or [],
            fatal=fatal,
        )
