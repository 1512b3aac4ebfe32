"""Reader `ferplus`: FER2013's faces with FER+ votes, from one .npz or from the folders that the FER+ tools write.

Votes follow the paper's code: a vote given once is an outlier and counts as none; the majority is the single most
frequent vote; faces whose majority is "unknown" or "not a face", or shared, are dropped.

Source: Barsoum et al., Training Deep Networks for Facial Expression Recognition with Crowd-Sourced Label Distribution,
ICMI 2016.
"""

import csv
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np

from fer_keras.readers.rows import (
    ArrayImages,
    FileImages,
    Listing,
    RawRows,
    Row,
    content_hash,
    file_states,
    fill_image,
    list_folder,
)
from fer_keras.readers.spec import DataSpec

_ARRAYS = {"images", "votes", "usage", "image_name"}


def list_files(spec: DataSpec, root: Path) -> Listing:
    """List the .npz, or the split folders with their label.csv.

    Raises:
        ValueError: `root` is neither.
    """
    archive = _archive(root)
    if archive:
        return {".": [archive.name]}
    folders = [name for name in spec.options["folders"].values() if (root / name / "label.csv").is_file()]
    if not folders:
        raise ValueError(
            f"No FER+ faces in {root}. Expected an .npz with {', '.join(sorted(_ARRAYS))}, or folders "
            f"{', '.join(spec.options['folders'].values())} with a label.csv each."
        )
    return {name: sorted(list_folder(root / name)) for name in folders}


def read_rows(spec: DataSpec, root: Path, listing: Listing, jobs: int | None = None) -> RawRows:
    """Read every face with its votes; see the module's text for how votes become labels."""
    archive = _archive(root)
    states = file_states(root, listing)
    rows = _read_archive(spec, archive) if archive else _read_folders(spec, root, listing)
    return RawRows(rows, states, {}, spec.emotions)


def open_images(root: Path, paths, positions):
    """Return the source of the images: the .npz's array, or the files at `paths`."""
    archive = _archive(root)
    if not archive:
        return FileImages(root, paths)
    with np.load(archive, allow_pickle=False) as arrays:
        return ArrayImages(arrays["images"], positions)


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
    return row


def _read_archive(spec: DataSpec, archive: Path) -> list[Row]:
    try:
        with np.load(archive, allow_pickle=False) as arrays:
            if not set(arrays.files) >= _ARRAYS:
                raise ValueError(f"it holds {', '.join(arrays.files)}")
            images, votes, usage, names = (arrays[key] for key in ("images", "votes", "usage", "image_name"))
    except (ValueError, OSError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        raise ValueError(
            f"Unreadable FER+ archive {archive}. Expected arrays {', '.join(sorted(_ARRAYS))}: {error}."
        ) from error
    split_of = {spec.options["usage"][name]: split for split, name in spec.splits.items()}
    seen, rows = Counter(), []
    for position, name in enumerate(names):
        text = name.decode() if isinstance(name, bytes) else str(name)
        split = split_of.get(int(usage[position]), "")
        seen[split, text] += 1
        unique = text if seen[split, text] == 1 else f"{text}#{seen[split, text]}"
        row = Row(
            split, unique, content=content_hash(images[position].tobytes()), extent=images.shape[1:3], position=position
        )
        rows.append(_vote_row(spec, row, votes[position].astype(np.int64)))
    return rows


def _read_folders(spec: DataSpec, root: Path, listing: Listing) -> list[Row]:
    split_of = {spec.options["folders"][name]: split for split, name in spec.splits.items()}
    rows = []
    for folder in listing:
        with open(root / folder / "label.csv", newline="", encoding="utf-8") as file:
            for number, fields in enumerate(csv.reader(file), 1):
                rows.append(_read_line(spec, root, folder, split_of[folder], number, fields))
    return rows


def _read_line(spec: DataSpec, root: Path, folder: str, split: str, number: int, fields: list[str]) -> Row:
    path = f"{folder}/{fields[0]}" if fields else folder
    row = Row(split, fields[0] if fields else f"line {number}", path)
    try:
        votes = np.array([int(float(value)) for value in fields[2:]])
        if len(votes) != len(spec.options["vote_names"]):
            raise ValueError
    except ValueError:
        row.fatal = "bad line in label.csv"
        return row
    fill_image(row, str(root / path))
    return _vote_row(spec, row, votes)
