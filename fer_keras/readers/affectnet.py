"""Reader `affectnet_npy`: images/{id}.jpg with four tiny .npy annotations each, as AffectNet's official release.

Layout: `train_set/` and `val_set/`, or one folder without splits, each with `images/` and `annotations/` holding
`{id}_exp.npy`, `{id}_val.npy`, `{id}_aro.npy` and `{id}_lnd.npy`. They may lie deeper, as archives leave them when they are
unpacked into a folder of their own name: `train_set/train_set/images`.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

import numpy as np
from joblib import Parallel, cpu_count, delayed

from fer_keras.readers.affectnet_listing import AffectNetListing, Place, images_of, list_files, stem_of
from fer_keras.readers.file_states import DerivedNames, entered, file_state, file_states
from fer_keras.readers.listing import Notes
from fer_keras.readers.npy import parse_landmark_files, parse_scalars
from fer_keras.readers.opening import read_file
from fer_keras.readers.row_columns import RowColumns
from fer_keras.readers.rows import RawRows, describe_image, open_images, unreadable_file
from fer_keras.readers.spec import DataSpec

__all__ = ["list_files", "list_states", "open_images", "read_rows"]

#: ending of the annotation file -> (what it labels, column, how many such files are parsed)
ANNOTATIONS = {
    "_exp.npy": ("emotion", "code", parse_scalars),
    "_val.npy": ("valence", "valence", parse_scalars),
    "_aro.npy": ("arousal", "arousal", parse_scalars),
    "_lnd.npy": ("landmarks", "landmarks", parse_landmark_files),
}
_CHUNK = 1000  # rows per task: large enough to hide the cost of a process, small enough to share the work evenly


def list_states(root: Path, listing: AffectNetListing, jobs: int | None = None) -> np.ndarray:
    """Return `file_states` of the listing, after it was settled if need be."""
    states = file_states(root, listing, jobs)
    if (states < 0).any() and any(isinstance(names, DerivedNames) for names in listing.values()):
        listing.settle(root)
        return file_states(root, listing, jobs)
    return states


def read_rows(spec: DataSpec, root: Path, listing: AffectNetListing, jobs: int | None = None) -> RawRows:
    """Read every row, in parallel processes where there are many.

    Args:
        spec: the data spec.
        root: folder of the data set.
        listing: what `list_files` gave.
        jobs: processes; default: one per core, one in all for a small set.
    """
    images = {place: images_of(root, place, listing) for place in listing.places}
    tasks = [
        (place, names[start : start + _CHUNK])
        for place, names in images.items()
        for start in range(0, len(names), _CHUNK)
    ]
    jobs = jobs or (cpu_count() if len(tasks) > 2 else 1)
    rows, first = RowColumns.blank(sum(map(len, images.values()))), 0
    states: dict[str, list[np.ndarray]] = {part: [] for part in listing}
    # A generator: columns are filled here while the processes read on.
    chunks = Parallel(n_jobs=jobs, return_as="generator")(delayed(_read_chunk)(str(root), *task) for task in tasks)
    for (place, names), chunk in zip(tasks, chunks, strict=True):
        _put(rows, first, chunk)
        first += len(names)
        states[place.images].append(chunk.image_states)
        states[place.annotations].append(chunk.annotation_states)
    _name_rows(rows, images)
    if any(len(listing[place.annotations]) > sum(map(len, states[place.annotations])) for place in images):
        listing.settle(root)
    notes = Notes()
    for part, names in listing.items():
        strays = names[sum(map(len, states[part])) :]
        states[part].append(file_states(root, {part: strays}))
        _count_strays(part, strays, images, notes)
    return RawRows(rows, np.concatenate([array for part in states.values() for array in part]), notes, spec.emotions)


def _count_strays(part: str, strays: list[str], images: dict[Place, list[str]], notes: Notes) -> None:
    """Count the files of a folder that no image asked for."""
    place = next(place for place in images if part in (place.images, place.annotations))
    if part == place.images:
        notes.add("file that is no image", *[f"{part}/{name}" for name in strays])
        return
    owners = {name.rpartition("_")[0] for name in strays if name.endswith(".npy")}
    owners = sorted(owners.difference(map(stem_of, images[place]))) if owners else []
    notes.add("annotation without an image", *[f"{part}/{name}" for name in owners])
    notes.add("file that is no annotation", *[f"{part}/{name}" for name in strays if not name.endswith(".npy")])


def _put(rows: RowColumns, first: int, chunk: "_Chunk") -> None:
    """Write what a chunk holds into the columns, from row number `first` on."""
    for name, values in chunk.values.items():
        getattr(rows, name)[first : first + len(values)] = values
    rows.problems.update({first + place: reasons for place, reasons in chunk.problems.items()})
    rows.fatal.update({first + place: reason for place, reason in chunk.fatal.items()})


def _name_rows(rows: RowColumns, images: dict[Place, list[str]]) -> None:
    """Fill the columns of text; rows of one split with one id, such as those of 7.jpg and 7.png, get their file's name."""
    by_split: dict[str, list[range]] = defaultdict(list)
    for place, names in images.items():
        by_split[place.split].append(range(len(rows.id), len(rows.id) + len(names)))
        before = f"{place.folder}/" if place.named else ""
        rows.split += [place.split] * len(names)
        rows.id += [before + stem_of(name) for name in names]
        rows.path += [f"{place.images}/{name}" for name in names]
    for parts in by_split.values():
        if len({rows.id[number] for part in parts for number in part}) < sum(map(len, parts)):
            _part_equal_ids(rows, parts)


def _part_equal_ids(rows: RowColumns, parts: list[range]) -> None:
    seen: set[str] = set()
    for number in chain(*parts):
        if rows.id[number] in seen:
            rows.id[number] = rows.path[number]
        seen.add(rows.id[number])


@dataclass
class _Chunk:
    """What some images and their annotations hold, for the way between processes.

    Attributes:
        values: columns of `RowColumns`.
        problems, fatal: as of `RowColumns`, by place in the chunk.
        image_states, annotation_states: as `file_states`; of the annotations that are there.
    """

    values: dict[str, np.ndarray] = field(default_factory=dict)
    problems: dict[int, list[str]] = field(default_factory=dict)
    fatal: dict[int, str] = field(default_factory=dict)
    image_states: np.ndarray | None = None
    annotation_states: np.ndarray | None = None


def _read_chunk(root: str, place: Place, names: list[str]) -> _Chunk:
    chunk = _Chunk()
    _read_images(f"{root}/{place.images}", names, chunk)
    columns = _read_annotations(f"{root}/{place.annotations}", [stem_of(name) for name in names], chunk)
    for ending, (what, column, parse) in ANNOTATIONS.items():
        chunk.values[column], problems = parse(columns[ending])
        for number, reason in problems.items():
            chunk.problems.setdefault(number, []).append(f"{what}: {reason}")
    return chunk


def _read_images(folder: str, names: list[str], chunk: _Chunk) -> None:
    contents, extents, states = [], [], []
    with entered(folder) as (before, dir_fd):
        for number, name in enumerate(names):
            try:
                data, modified = read_file(before + name, dir_fd)
                content, extent, fatal = describe_image(data)
                states.append((len(data), modified))
            except OSError as error:
                content, extent, fatal = "", (0, 0), unreadable_file(error)
                states.append(file_state(before + name, dir_fd))
            contents.append(content)
            extents.append(extent)
            if fatal:
                chunk.fatal[number] = fatal
    chunk.values["content"], chunk.values["extent"] = np.array(contents, "S32"), np.array(extents, np.int32)
    chunk.image_states = np.array(states, np.int64)


def _read_annotations(folder: str, stems: list[str], chunk: _Chunk) -> dict[str, list[bytes | None]]:
    """Return ending -> bytes of each annotation file, None where it cannot be read."""
    columns: dict[str, list[bytes | None]] = {ending: [] for ending in ANNOTATIONS}
    wanted = [(ending, columns[ending].append, what) for ending, (what, *_) in ANNOTATIONS.items()]
    sizes, times = [], []
    with entered(folder) as (before, dir_fd):
        for number, stem in enumerate(stems):
            prefix = before + stem
            for ending, keep, what in wanted:
                try:
                    data, modified = read_file(prefix + ending, dir_fd)
                    size = len(data)
                except OSError as error:
                    data, gone = None, isinstance(error, FileNotFoundError)
                    reason = "no annotation file" if gone else error.strerror
                    chunk.problems.setdefault(number, []).append(f"{what}: {reason}")
                    if gone:
                        keep(None)
                        continue
                    size, modified = file_state(prefix + ending, dir_fd)
                keep(data)
                sizes.append(size)
                times.append(modified)
    chunk.annotation_states = np.array([sizes, times], np.int64).T
    return columns
