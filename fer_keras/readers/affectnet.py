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

from fer_keras.decoding import max_megapixels
from fer_keras.readers.affectnet_listing import AffectNetListing, Place, images_of, list_files, stem_of
from fer_keras.readers.file_states import DerivedNames, StatesPool, entered, file_state, file_states
from fer_keras.readers.listing import Notes
from fer_keras.readers.npy import parse_landmark_files, parse_scalars
from fer_keras.readers.opening import read_files
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
_LABELLED = [what for what, *_ in ANNOTATIONS.values()]
_CHUNK = 500  # rows per task: few enough that what their files hold stays in the processor's cache and the work is shared evenly
_IMAGES = 50  # images that are in memory at a time


def list_states(root: Path, listing: AffectNetListing, jobs: int | None = None) -> np.ndarray:
    """Return `file_states` of the listing, after it was settled if need be."""
    states = _states(root, listing, jobs)
    if (states < 0).any() and any(isinstance(names, DerivedNames) for names in listing.values()):
        listing.settle(root)
        return file_states(root, listing, jobs)
    return states


def _states(root: Path, listing: AffectNetListing, jobs: int | None) -> np.ndarray:
    """Return `file_states` of the listing; the images are looked at while the annotations are counted."""
    listing.begin_count(root, jobs)
    images, annotations = ([getattr(place, part) for place in listing.places] for part in ("images", "annotations"))
    with StatesPool(root, sum(map(len, listing.values())), jobs) as pool:
        for folder in images:
            pool.ask(folder, listing[folder])
        listing.check(root)
        for folder in annotations:
            pool.ask(folder, listing[folder])
        return pool.states(listing)


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
    jobs = jobs or (cpu_count() if len(tasks) > 4 else 1)
    listing.begin_count(root, jobs)
    # A generator: columns are filled here while the processes read on. Batches of tasks would leave one of them idle at the end.
    parallel = Parallel(n_jobs=jobs, return_as="generator", batch_size=1)
    chunks = parallel(delayed(_read_chunk)(str(root), *task) for task in tasks)
    rows, first = RowColumns.blank(*_texts(images)), 0
    states: dict[str, list[np.ndarray]] = {part: [] for part in listing}
    for (place, names), chunk in zip(tasks, chunks, strict=True):
        _put(rows, first, chunk)
        first += len(names)
        states[place.images].append(chunk.image_states)
        states[place.annotations].append(chunk.annotation_states)
    listing.check(root)
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


def _texts(images: dict[Place, list[str]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return split, id and path of every row.

    Rows of one split with one id, such as those of 7.jpg and 7.png, get their file's name.
    """
    splits = np.repeat([place.split for place in images], [len(names) for names in images.values()])
    ids, paths, by_split = [], [], defaultdict(list)
    for place, names in images.items():
        by_split[place.split].append(range(len(ids), len(ids) + len(names)))
        before = f"{place.folder}/" if place.named else ""
        ids += [before + stem_of(name) for name in names]
        paths += [f"{place.images}/{name}" for name in names]
    for parts in by_split.values():
        if len({ids[number] for part in parts for number in part}) < sum(map(len, parts)):
            _part_equal_ids(ids, paths, parts)
    return splits.astype(str), np.array(ids, str), np.array(paths, str)


def _part_equal_ids(ids: list[str], paths: list[str], parts: list[range]) -> None:
    seen: set[str] = set()
    for number in chain(*parts):
        if ids[number] in seen:
            ids[number] = paths[number]
        seen.add(ids[number])


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
    contents, extents, states, most = [], [], [], max_megapixels()
    with entered(folder) as (before, dir_fd):
        for first in range(0, len(names), _IMAGES):
            paths = [before + name for name in names[first : first + _IMAGES]]
            files, found = read_files(paths, dir_fd)
            for number, data in enumerate(files, first):
                if isinstance(data, OSError):
                    content, extent, fatal = "", (0, 0), unreadable_file(data)
                    found[number - first] = file_state(before + names[number], dir_fd)
                else:
                    content, extent, fatal = describe_image(data, most)
                contents.append(content)
                extents.append(extent)
                if fatal:
                    chunk.fatal[number] = fatal
            states.append(found)
    chunk.values["content"], chunk.values["extent"] = np.array(contents, "S32"), np.array(extents, np.int32)
    chunk.image_states = np.concatenate(states)


def _read_annotations(folder: str, stems: list[str], chunk: _Chunk) -> dict[str, list[bytes | None]]:
    """Return ending -> bytes of each annotation file, None where it cannot be read."""
    names = [stem + ending for stem in stems for ending in ANNOTATIONS]
    with entered(folder) as (before, dir_fd):
        paths = [before + name for name in names] if before else names
        files, states = read_files(paths, dir_fd)
        gone = []
        for place in [place for place, data in enumerate(files) if isinstance(data, OSError)]:
            number, kind = divmod(place, len(ANNOTATIONS))
            error, files[place] = files[place], None
            missing = isinstance(error, FileNotFoundError)
            reason = "no annotation file" if missing else error.strerror
            chunk.problems.setdefault(number, []).append(f"{_LABELLED[kind]}: {reason}")
            if missing:
                gone.append(place)
            else:
                states[place] = file_state(paths[place], dir_fd)
    chunk.annotation_states = np.delete(states, gone, axis=0) if gone else states
    return {ending: files[kind :: len(ANNOTATIONS)] for kind, ending in enumerate(ANNOTATIONS)}
