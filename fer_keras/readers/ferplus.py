"""Reader `ferplus`: FER2013's faces with FER+ votes, from one .npz or from the folders that the FER+ tools write.

A vote given once is an outlier and counts as none. What becomes of the others is the option `label_filter`:

- "winner": the label is the single most frequent vote; faces whose winner is "unknown" or "not a face", or shared, are dropped.
- "paper": as the paper's code does for validation and test (microsoft/FERPlus, src/ferplus.py, mode majority), faces are
  dropped as well where the winner does not have more than half of the votes that are left, those for "unknown" and "not a
  face" among them.

Source: Barsoum et al., Training Deep Networks for Facial Expression Recognition with Crowd-Sourced Label Distribution,
ICMI 2016.
"""

from collections import Counter
from pathlib import Path

import numpy as np

from fer_keras.readers.array_file import load_arrays
from fer_keras.readers.file_states import Listing, file_states
from fer_keras.readers.listing import Notes, walk_folder
from fer_keras.readers.opening import has_image_suffix
from fer_keras.readers.outside import LayoutListing
from fer_keras.readers.rows import ArrayImages, FileImages, RawRows, Row, content_hash, fill_image
from fer_keras.readers.spec import DataSpec
from fer_keras.readers.table_file import read_records

_ARRAYS = {"images", "votes", "usage", "image_name"}
_TABLE = "label.csv"
#: What `label_filter` can be, the default first.
LABEL_FILTERS = ("winner", "paper")


def list_files(spec: DataSpec, root: Path) -> Listing:
    """List the .npz, or the split folders with their label.csv.

    Raises:
        ValueError: `root` is neither.
    """
    archive = _archive(root)
    if archive:
        return LayoutListing({".": [archive.name]})
    walked = walk_folder(root)
    order = [name.casefold() for name in spec.options["folders"].values()]
    found = [path for path, names in walked.items() if _name(path) in order and _TABLE in names]
    folders = {path: walked[path] for path in sorted(found, key=lambda path: (order.index(_name(path)), path))}
    if not folders:
        raise ValueError(
            f"No FER+ faces in {root}. Expected an .npz with {', '.join(sorted(_ARRAYS))}, or folders "
            f"{', '.join(spec.options['folders'].values())} with a {_TABLE} each."
        )
    return LayoutListing(folders, whole=folders)


def _name(folder: str) -> str:
    return folder.rpartition("/")[2].casefold()


def read_rows(spec: DataSpec, root: Path, listing: Listing, jobs: int | None = None) -> RawRows:
    """Read every face with its votes; see the module's text for how votes become labels."""
    archive = _archive(root)
    states = file_states(root, listing)
    notes = Notes()
    rows = _read_archive(spec, archive) if archive else _read_folders(spec, root, listing, notes)
    return RawRows(rows, states, notes, spec.emotions)


def open_images(root: Path, paths, positions):
    """Return the source of the images: the .npz's array, or the files at `paths`."""
    archive = _archive(root)
    return ArrayImages(_load(archive)["images"], positions) if archive else FileImages(root, paths)


def label_from_votes(votes: np.ndarray, names: list[str]) -> tuple[str | None, np.ndarray]:
    """Return the name with the most votes and the votes that count.

    Args:
        votes: (len(names),) number of votes for each name.
        names: what can be voted for.

    Returns:
        The single most frequent name, or None where it is shared or nobody voted twice; and the votes with those
        given once set to 0.

    Example:
        >>> label_from_votes(np.array([6, 3, 1]), ["neutral", "sad", "fear"])[0]
        'neutral'
    """
    counted = np.where(votes > 1, votes, 0)
    top = counted.max()
    winners = np.flatnonzero(counted == top)
    return (names[winners[0]] if top > 0 and len(winners) == 1 else None), counted


def label_filter(spec: DataSpec) -> str:
    """Return which faces a FER+ spec keeps: one of `LABEL_FILTERS`.

    Raises:
        ValueError: its option is another one.
    """
    chosen = spec.options.get("label_filter", LABEL_FILTERS[0])
    if chosen not in LABEL_FILTERS:
        raise ValueError(
            f"Data spec {spec.name}: label_filter expects {' or '.join(LABEL_FILTERS)}. Received: {chosen!r}."
        )
    return chosen


def _archive(root: Path) -> Path | None:
    if root.is_file():
        return root
    found = sorted(root.glob("*.npz"))
    return found[0] if len(found) == 1 else None


def _vote_row(spec: DataSpec, row: Row, votes: np.ndarray) -> Row:
    names = spec.options["vote_names"]
    row.label, counted = label_from_votes(votes, names)
    if row.label is None:
        row.fatal = row.fatal or "no single majority of votes"
    shares = {spec.labels[name]: counted[i] for i, name in enumerate(names) if name in spec.labels}
    row.votes = np.array([shares[emotion] for emotion in spec.emotions], np.float32)
    row.agreed = float(2 * counted.max() > counted.sum())
    if label_filter(spec) == "paper" and not row.agreed:
        row.fatal = row.fatal or "no more than half of the votes for one label"
    return row


def _load(archive: Path) -> dict[str, np.ndarray]:
    """Return the arrays of an archive, checked.

    Raises:
        ValueError: an archive that cannot be read, or arrays of other names, shapes or types.
    """
    arrays = load_arrays(archive, f"arrays {', '.join(sorted(_ARRAYS))}", "FER+ archive")
    missing = _ARRAYS.difference(arrays)
    if missing:
        raise ValueError(
            f"Unreadable FER+ archive {archive}: it lacks {', '.join(sorted(missing))}. Expected arrays "
            f"{', '.join(sorted(_ARRAYS))}. Received: {', '.join(arrays) or 'none'}."
        )
    count = len(arrays["images"]) if arrays["images"].ndim else 0
    for name, (axes, kinds) in _FORMS.items():
        values = arrays[name]
        if values.ndim not in axes or values.dtype.kind not in kinds or len(values) != count:
            raise ValueError(
                f"Unreadable FER+ archive {archive}: expected {count} entries of {name} with {axes[0]} axes. "
                f"Received: {values.shape} {values.dtype}."
            )
    return arrays


#: Array -> numbers of axes and kinds of NumPy dtypes that it may have.
_FORMS = {"images": ((3, 4), "u"), "votes": ((2,), "uif"), "usage": ((1,), "ui"), "image_name": ((1,), "US")}


def _read_archive(spec: DataSpec, archive: Path) -> list[Row]:
    arrays = _load(archive)
    images, votes, usage, names = (arrays[key] for key in ("images", "votes", "usage", "image_name"))
    if votes.shape[1] != len(spec.options["vote_names"]):
        raise ValueError(
            f"Unreadable FER+ archive {archive}: expected {len(spec.options['vote_names'])} votes for each face. "
            f"Received: {votes.shape[1]}."
        )
    split_of = {spec.options["usage"][name]: split for split, name in spec.splits.items()}
    seen, rows = Counter(), []
    for position, name in enumerate(names):
        text = name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name)
        split = split_of.get(int(usage[position]))
        seen[split, text] += 1
        unique = text if seen[split, text] == 1 else f"{text}#{seen[split, text]}"
        content = content_hash(images[position].tobytes())
        row = Row(split or "", unique, content=content, extent=images.shape[1:3], position=position)
        row.fatal = f"unknown usage {int(usage[position])}" if split is None else None
        rows.append(_vote_row(spec, row, votes[position].astype(np.int64)))
    return rows


def _read_folders(spec: DataSpec, root: Path, listing: Listing, notes: Notes) -> list[Row]:
    split_of = {spec.options["folders"][name].casefold(): split for split, name in spec.splits.items()}
    rows = []
    for folder, names in listing.items():
        lines = read_records(root / folder / _TABLE)
        for number, fields in lines:
            rows.append(
                _read_line(
                    spec, root, Row(split_of[_name(folder)], fields[0], line=number), folder=folder, values=fields[2:]
                )
            )
        named = {fields[0] for _, fields in lines}
        left = [name for name in names if name not in named and name != _TABLE]
        notes.add(
            f"picture without a line in {_TABLE}", *[f"{folder}/{name}" for name in left if has_image_suffix(name)]
        )
        notes.add("file that is no image", *[f"{folder}/{name}" for name in left if not has_image_suffix(name)])
    return rows


def _read_line(spec: DataSpec, root: Path, row: Row, *, folder: str, values: list[str]) -> Row:
    row.path = f"{folder}/{row.id}"
    try:
        votes = np.array([int(float(value)) for value in values])
        if len(votes) != len(spec.options["vote_names"]):
            raise ValueError
    except (ValueError, OverflowError):
        row.fatal = f"bad line in {_TABLE}"
        return row
    fill_image(row, str(root / row.path))
    return _vote_row(spec, row, votes)
