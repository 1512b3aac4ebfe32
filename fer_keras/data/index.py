"""The face index: one checked table of a data set's faces, and the report of what was found and left out."""

import hashlib
import json
from collections import Counter
from copy import deepcopy
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

import numpy as np

from fer_keras.readers.reader_table import get_reader
from fer_keras.readers.rows import BoxedImages, JoinedImages, LevelImages, has_landmarks
from fer_keras.readers.spec import DataSpec

#: The option of a spec that names the lossy compression its images went through, for example "jpeg 95".
LOSS_OPTION = "lossy"

_EXAMPLES = 5  # ids kept per reason


@dataclass
class IndexReport:
    """What was found in the files and what was left out, by reason.

    Attributes:
        found: rows read.
        dropped: reason -> rows that cannot be used.
        missing_labels: reason -> labels that count as missing in rows that are used.
        warnings: reason -> count of what concerns no row.
        examples: reason -> the first few rows it holds for, as split/id.
    """

    found: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    missing_labels: dict[str, int] = field(default_factory=dict)
    warnings: dict[str, int] = field(default_factory=dict)
    examples: dict[str, list[str]] = field(default_factory=dict)

    def count(self, table: str, reason: str, split: str, row_id: str) -> None:
        """Count one row in `dropped`, `missing_labels` or `warnings`, keeping the first few as examples."""
        counts = getattr(self, table)
        counts[reason] = counts.get(reason, 0) + 1
        examples = self.examples.setdefault(reason, [])
        if len(examples) < _EXAMPLES:
            examples.append(f"{split}/{row_id}" if split else row_id)

    def copy(self) -> "IndexReport":
        """Return an independent copy, in which rows can be counted."""
        return deepcopy(self)

    def lines(self) -> list[str]:
        """Return the report for a terminal, one line per reason."""
        out = [f"{self.found:,} rows found, {self.found - sum(self.dropped.values()):,} used"]
        for title, counts in (
            ("dropped", self.dropped),
            ("label missing", self.missing_labels),
            ("note", self.warnings),
        ):
            for reason, count in sorted(counts.items(), key=lambda item: -item[1]):
                examples = ", ".join(self.examples.get(reason, ())[:3])
                out.append(f"  {title}: {count:,} x {reason}" + (f" ({examples})" if examples else ""))
        return out


@dataclass(frozen=True)
class Member:
    """One of several data sets that were joined.

    Attributes:
        name: the name of its spec, with a number if two are equal.
        spec, root, labels, report: those of its own index.
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
        labels: names of the codes of `emotion`, in order.
        report: what was found and left out.
        split: (n,) text: train, validation, test, or "" before splits are assigned.
        id: (n,) text, unique in its split.
        path: (n,) text, image file relative to the root ("" for images in an array).
        position: (n,) int, row in the image array (-1 for files).
        emotion: (n,) int16, index into `labels`, -1 = not labelled.
        valence, arousal: (n,) float32 in [-1, 1], NaN = not labelled.
        votes: (n, len(labels)) float32 number of votes, or None.
        agreed: (n,) float32, 1 where the label has more than half of the annotators' votes (FER+'s own protocol), 0 where
            not, NaN = no votes; or None.
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
    agreed: np.ndarray | None = None
    landmarks: np.ndarray | None = None
    face_box: np.ndarray | None = None
    member: np.ndarray | None = None
    members: tuple[Member, ...] = ()

    def __len__(self) -> int:
        return len(self.id)

    @property
    def set_names(self) -> tuple[str, ...]:
        """Names of the data sets that the faces come from: one, or those that were joined."""
        return tuple(member.name for member in self.members) or (self.spec.name,)

    def take(self, rows: np.ndarray) -> "FaceIndex":
        """Return the index of these rows (a mask or row numbers), in their order."""
        columns = {name: getattr(self, name)[rows] for name in COLUMNS if getattr(self, name) is not None}
        return replace(self, **columns)

    def of_split(self, name: str) -> "FaceIndex":
        """Return one split's faces.

        Args:
            name: train, validation or test, or the split's name in the files (val_set, PublicTest).

        Raises:
            ValueError: the split does not exist or is empty.
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
        """Return how many faces have no landmarks, and so cannot be levelled."""
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
        """Open the images of some rows, which belong to `owner`, with the reader of its layout."""
        paths, positions = self.path[rows].tolist(), self.position[rows]
        return get_reader(owner.spec.reader).open_images(owner.root, paths, positions)

    def fingerprint(self) -> str:
        """Return a hash of splits, ids, labels and image contents; equal data gives equal hashes on any machine."""
        digest = hashlib.blake2b(json.dumps(self.labels).encode(), digest_size=16)
        order = np.lexsort((self.id, self.split))
        for name in ("split", "id", "content", "emotion", "valence", "arousal", "votes"):
            column = getattr(self, name)
            if column is not None:
                column = column[order]
                digest.update("\n".join(column.tolist()).encode() if column.dtype.kind in "UO" else column.tobytes())
        for owner in self.members or (self,):  # `content` hashes the original files; a lossy copy differs from them
            digest.update(str(owner.spec.options.get(LOSS_OPTION, "")).encode())
        return digest.hexdigest()


#: The names of the columns of a `FaceIndex`.
COLUMNS = tuple(
    item.name for item in fields(FaceIndex) if item.name not in ("spec", "root", "labels", "report", "members")
)
