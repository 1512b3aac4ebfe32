"""The index: one checked table of a data set's faces, cached as Parquet and rebuilt when the files change.

Nothing that is wrong in the files gets past this module: labels are mapped by name, marks such as AffectNet's -2 become
missing labels, and every row or label that cannot be used is counted by reason.
"""

import hashlib
import json
import math
from collections import Counter
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

import numpy as np

from fer_keras.data.image_format import LOSS_OPTION
from fer_keras.data.index_report import IndexReport
from fer_keras.files import cache_folder
from fer_keras.labels import AXES, VA_RANGE
from fer_keras.readers.reader_table import get_reader
from fer_keras.readers.rows import (
    BoxedImages,
    JoinedImages,
    LevelImages,
    Listing,
    RawRows,
    Row,
    file_states,
    has_landmarks,
)
from fer_keras.readers.spec import DataSpec


@dataclass(frozen=True)
class Member:
    """One of several data sets that were joined.

    Attributes:
        name: of its spec, with a number where two are equal.
        spec, root, labels, report: as of its own index.
    """

    name: str
    spec: DataSpec
    root: Path
    labels: tuple[str, ...]
    report: IndexReport


@dataclass(frozen=True)
class FaceIndex:
    """The faces of a data set, or of several (see `join_indexes`), one row each, in NumPy columns.

    Attributes:
        spec: the data spec.
        root: where its files are.
        labels: names behind the codes of `emotion`, in order.
        report: what was found and left out.
        split: (n,) text: train, validation, test, or "" before splits are assigned.
        id: (n,) text, unique in its split.
        path: (n,) text, image file relative to the root ("" for images in an array).
        position: (n,) int, row in the image array (-1 for files).
        emotion: (n,) int16, index into `labels`, -1 = not labelled.
        valence, arousal: (n,) float32 in [-1, 1], NaN = not labelled.
        votes: (n, len(labels)) float32 number of votes, or None.
        landmarks: (n, 68, 2) float32 pixels, NaN = not labelled, or None.
        content: (n,) text, hash of the image.
        extent: (n, 2) int32, (height, width), 0 where unknown.
        subject: (n,) text, "" where unknown.
        face_box: (n, 4) float32 x0, y0, x1, y1 of the faces in their pictures, NaN = the whole picture, or None.
        member: (n,) int16, which of `members` each face is of, or None for one data set.
        members: the data sets that were joined; empty for one.
    """

    spec: DataSpec
    root: Path
    labels: tuple[str, ...]
    report: IndexReport
    split: np.ndarray
    id: np.ndarray
    path: np.ndarray
    position: np.ndarray
    emotion: np.ndarray
    valence: np.ndarray
    arousal: np.ndarray
    content: np.ndarray
    extent: np.ndarray
    subject: np.ndarray
    votes: np.ndarray | None = None
    landmarks: np.ndarray | None = None
    face_box: np.ndarray | None = None
    member: np.ndarray | None = None
    members: tuple[Member, ...] = ()

    def __len__(self) -> int:
        return len(self.id)

    @property
    def set_names(self) -> tuple[str, ...]:
        """Names of the data sets whose faces these are: one, or those that were joined."""
        return tuple(member.name for member in self.members) or (self.spec.name,)

    def take(self, rows: np.ndarray) -> "FaceIndex":
        """Return the index of these rows (a mask or row numbers), in their order."""
        columns = {name: getattr(self, name)[rows] for name in COLUMNS if getattr(self, name) is not None}
        return replace(self, **columns)

    def of_split(self, name: str) -> "FaceIndex":
        """Return one split's faces.

        Args:
            name: train, validation or test, or what the files call it (val_set, PublicTest).

        Raises:
            ValueError: no such split, or no faces in it.
        """
        names = {found: split for split, found in self.spec.splits.items()}
        chosen = self.take(self.split == names.get(name, name))
        if not len(chosen):
            counts = Counter(self.split.tolist())
            held = ", ".join(f"{split} ({count:,})" for split, count in sorted(counts.items())) or "nothing"
            raise ValueError(f"No faces in split {name!r} of {self.spec.name}. It holds {held}.")
        return chosen

    def counts(self) -> dict[str, dict[str, int]]:
        """Return split -> emotion -> number of faces; faces without an emotion count under "not labelled"."""
        out: dict[str, dict[str, int]] = {}
        for split in sorted(set(self.split.tolist())):
            codes = self.emotion[self.split == split]
            out[split] = {name: int((codes == code).sum()) for code, name in enumerate(self.labels)}
            out[split]["not labelled"] = int((codes < 0).sum())
        return out

    def without_landmarks(self) -> int:
        """Return how many faces have no landmarks to be levelled by."""
        return len(self) if self.landmarks is None else int((~has_landmarks(self.landmarks)).sum())

    def open_images(self, align: bool = False):
        """Return the source of the faces' images: `load(row)` gives (height, width, 3) uint8 RGB, `len` the rows.

        Args:
            align: turn each face that has landmarks until its eyes are level.
        """
        if self.members:
            sources = [self._open(owner, self.member == number) for number, owner in enumerate(self.members)]
            source = JoinedImages(sources, self.member)
        else:
            source = self._open(self, slice(None))
        if align and self.landmarks is not None:
            return LevelImages(source, self.landmarks, self.face_box)
        return source if self.face_box is None else BoxedImages(source, self.face_box)

    def _open(self, owner: "FaceIndex | Member", rows):
        """Open some rows' images as the data set that owns them holds them."""
        paths, positions = self.path[rows].tolist(), self.position[rows]
        return get_reader(owner.spec.reader).open_images(owner.root, paths, positions)

    def fingerprint(self) -> str:
        """Return a hash of splits, ids, labels and image contents: equal data, on any machine, gives an equal one."""
        digest = hashlib.blake2b(json.dumps(self.labels).encode(), digest_size=16)
        order = np.lexsort((self.id, self.split))
        for name in ("split", "id", "content", "emotion", "valence", "arousal", "votes"):
            column = getattr(self, name)
            if column is not None:
                column = column[order]
                digest.update("\n".join(column.tolist()).encode() if column.dtype.kind in "UO" else column.tobytes())
        for owner in self.members or (self,):  # `content` is of the files that pixels come from, and these lost some
            digest.update(str(owner.spec.options.get(LOSS_OPTION, "")).encode())
        return digest.hexdigest()


COLUMNS = tuple(
    item.name for item in fields(FaceIndex) if item.name not in ("spec", "root", "labels", "report", "members")
)


def load_index(
    spec: DataSpec, data_dir: str | Path, cache_dir: str | Path | None = None, jobs: int | None = None
) -> FaceIndex:
    """Return the index of a data set, from the cache where the files have not changed since.

    Args:
        spec: the data spec.
        data_dir: the data set's folder, or file for readers of one file.
        cache_dir: where indexes are kept; default: `fer_keras.files.cache_folder()`.
        jobs: processes that read annotations; default: one a core.

    Returns:
        The index with the splits that the files have; `fer_keras.data.splits.assign_splits` makes the others.

    Raises:
        FileNotFoundError: no such data_dir.
        ValueError: no faces in it, or none that can be used; the message says why.
    """
    from fer_keras.data.index_cache import read_index, write_index

    root = Path(data_dir).expanduser()
    if not root.exists():
        raise FileNotFoundError(f"No data there. Expected the folder of {spec.name}. Received: --data-dir {data_dir}.")
    root = root.resolve()
    listing = get_reader(spec.reader).list_files(spec, root)
    path = Path(cache_dir or cache_folder()) / "index" / f"{spec.name}-{hash_text(str(root))}.parquet"
    if path.exists():
        index = read_index(path, spec, root, listing_fingerprint(spec, listing, file_states(root, listing)))
        if index is not None:
            return index
    raw = get_reader(spec.reader).read_rows(spec, root, listing, jobs)
    index = build_index(spec, root, raw)
    write_index(path, index, listing_fingerprint(spec, listing, raw.states))
    return index


def hash_text(text: str) -> str:
    """Return 16 hexadecimal digits that stand for a text."""
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def listing_fingerprint(spec: DataSpec, listing: Listing, states: np.ndarray) -> str:
    """Return a hash that changes when a file comes, goes, or changes in size or time, and when the spec does.

    Args:
        spec: the data spec.
        listing: the files.
        states: what `file_states` says of them.
    """
    digest = hashlib.blake2b(json.dumps(asdict(spec), sort_keys=True).encode(), digest_size=16)
    for folder, names in listing.items():
        digest.update("\n".join([folder, *names, ""]).encode())
    digest.update(states.tobytes())
    return digest.hexdigest()


def build_index(spec: DataSpec, root: Path, raw: RawRows) -> FaceIndex:
    """Check raw rows and make them an index.

    Raises:
        ValueError: not one row can be used.
    """
    report = IndexReport(found=len(raw.rows), warnings=dict(raw.warnings))
    codes = {name: code for code, name in enumerate(raw.labels)}
    rows = [row for row in raw.rows if _check_row(spec, row, codes, report)]
    if not rows:
        reasons = "; ".join(f"{count:,} x {reason}" for reason, count in report.dropped.items()) or "it holds no images"
        raise ValueError(f"No usable faces in {root} ({spec.name}): {reasons}.")
    has_votes, has_landmarks = rows[0].votes is not None, any(row.landmarks is not None for row in rows)
    blank = np.full((68, 2), np.nan, np.float32)
    return FaceIndex(
        spec,
        root,
        raw.labels,
        report,
        split=np.array([row.split for row in rows]),
        id=np.array([row.id for row in rows]),
        path=np.array([row.path for row in rows]),
        position=np.array([row.position for row in rows]),
        emotion=np.array([codes.get(row.label, -1) for row in rows], np.int16),
        valence=np.array([row.valence for row in rows], np.float32),
        arousal=np.array([row.arousal for row in rows], np.float32),
        content=np.array([row.content for row in rows]),
        extent=np.array([row.extent for row in rows], np.int32),
        subject=_subjects(spec, rows),
        votes=np.stack([row.votes for row in rows]) if has_votes else None,
        landmarks=np.stack([blank if row.landmarks is None else row.landmarks for row in rows])
        if has_landmarks
        else None,
        face_box=_boxes(rows),
    )


def _boxes(rows: list[Row]) -> np.ndarray | None:
    if all(row.face_box is None for row in rows):
        return None
    return np.array([row.face_box or [np.nan] * 4 for row in rows], np.float32)


def _subjects(spec: DataSpec, rows: list[Row]) -> np.ndarray:
    import re

    if not spec.subject_pattern:
        return np.zeros(len(rows), "U1")
    pattern = re.compile(spec.subject_pattern)
    return np.array([match.group(1) if (match := pattern.search(row.path or row.id)) else "" for row in rows])


def _check_row(spec: DataSpec, row: Row, codes: dict[str, int], report: IndexReport) -> bool:
    """Map and check a row's labels in place; count what is wrong and return whether the row can be used."""
    fatal = row.fatal or _check_emotion(spec, row, codes)
    if fatal:
        report.count("dropped", fatal, row.split, row.id)
        return False
    for axis in AXES:
        _check_axis(spec, row, axis)
    if not (row.label or any(not math.isnan(getattr(row, axis)) for axis in AXES if axis in spec.targets)):
        report.count("dropped", "no usable label", row.split, row.id)
        return False
    for problem in row.problems:
        report.count("missing_labels", problem, row.split, row.id)
    return True


def _check_emotion(spec: DataSpec, row: Row, codes: dict[str, int]) -> str | None:
    """Replace the row's code by the emotion's name; return why the row is dropped, if it is."""
    label = row.label
    if label is None or label in codes and label not in spec.labels:
        return None
    if label in spec.drop_labels:
        return f"label {label} ({spec.drop_labels[label]})" if spec.drop_labels[label] != label else f"label {label}"
    row.label = spec.labels.get(label)
    if row.label is None:
        row.problems.append(f"emotion: unknown label {label}")
    return None


def _check_axis(spec: DataSpec, row: Row, axis: str) -> None:
    """Make valence or arousal NaN where it is no label, with the reason among the row's problems."""
    value = getattr(row, axis)
    explained = any(problem.startswith(f"{axis}:") for problem in row.problems)
    if math.isnan(value):
        if axis in spec.targets and not explained:
            row.problems.append(f"{axis}: not a number")
        return
    if value == spec.missing_va:
        row.problems.append(f"{axis}: marked as not labelled ({value:g})")
    elif not VA_RANGE[0] <= value <= VA_RANGE[1]:
        row.problems.append(f"{axis}: outside {VA_RANGE[0]:g}..{VA_RANGE[1]:g}")
    else:
        return
    setattr(row, axis, float("nan"))
