"""Reader `affectnet_npy`: images/{id}.jpg with four tiny .npy annotations each, as AffectNet's official release.

Layout: `train_set/` and `val_set/`, or one folder without splits, each with `images/` and `annotations/` holding
`{id}_exp.npy`, `{id}_val.npy`, `{id}_aro.npy` and `{id}_lnd.npy`.
"""

import os
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import numpy as np
from joblib import Parallel, cpu_count, delayed

from fer_keras.data.npy import parse_landmarks, parse_scalar
from fer_keras.data.rows import Listing, RawRows, Row, fill_image, list_folder, read_bytes
from fer_keras.data.spec import DataSpec

#: suffix of the annotation file -> (what it labels, how it is parsed)
ANNOTATIONS = {
    "exp": ("emotion", parse_scalar),
    "val": ("valence", parse_scalar),
    "aro": ("arousal", parse_scalar),
    "lnd": ("landmarks", parse_landmarks),
}
_IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")
_PACKED = tuple(item.name for item in fields(Row) if item.name not in ("landmarks", "votes"))
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
        for part in ("images", "annotations"):
            path = Path(folder) / part
            listing[path.as_posix()] = list_folder(root / path) if (root / path).is_dir() else {}
    return listing


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
    tasks, warnings = [], {}
    for folder in sorted({str(Path(path).parent.as_posix()) for path in listing}):
        images = listing[(Path(folder) / "images").as_posix()]
        annotations = listing[(Path(folder) / "annotations").as_posix()]
        names = sorted(name for name in images if name.lower().endswith(_IMAGE_SUFFIXES))
        _count_strays(names, images, annotations, warnings)
        split = split_of.get(folder, "")
        for start in range(0, len(names), _CHUNK):
            chunk = [(name, _annotations_of(name, annotations)) for name in names[start : start + _CHUNK]]
            tasks.append((str(root), folder, split, chunk))
    jobs = jobs or (cpu_count() if len(tasks) > 2 else 1)
    results = Parallel(n_jobs=jobs)(delayed(_read_chunk)(*task) for task in tasks)
    return RawRows([row for chunk in results for row in _unpack(*chunk)], warnings, spec.emotions)


def _annotations_of(image_name: str, annotations: dict) -> tuple[str, ...]:
    stem = image_name.rpartition(".")[0]
    return tuple(suffix for suffix in ANNOTATIONS if f"{stem}_{suffix}.npy" in annotations)


def _count_strays(names: list[str], images: dict, annotations: dict, warnings: dict[str, int]) -> None:
    stems = {name.rpartition(".")[0] for name in names}
    strays = len({name.rpartition("_")[0] for name in annotations if name.endswith(".npy")} - stems)
    for reason, count in (("annotation without an image", strays), ("file that is no image", len(images) - len(names))):
        if count:
            warnings[reason] = warnings.get(reason, 0) + count


def _read_chunk(
    root: str, folder: str, split: str, chunk: list[tuple[str, tuple[str, ...]]]
) -> tuple[list, np.ndarray]:
    """Read some rows and pack them for the way between processes: plain tuples, and all landmarks in one array."""
    rows = [_read_row(root, folder, split, name, present) for name, present in chunk]
    landmarks = np.full((len(rows), 68, 2), np.nan, np.float32)
    for place, row in enumerate(rows):
        if row.landmarks is not None:
            landmarks[place] = row.landmarks
    return [tuple(getattr(row, name) for name in _PACKED) for row in rows], landmarks


def _unpack(packed: list[tuple], landmarks: np.ndarray) -> Iterator[Row]:
    for values, points in zip(packed, landmarks, strict=True):
        row = Row(**dict(zip(_PACKED, values, strict=True)))
        row.landmarks = None if np.isnan(points[0, 0]) else points
        yield row


def _read_row(root: str, folder: str, split: str, name: str, present: tuple[str, ...]) -> Row:
    stem = name.rpartition(".")[0]
    path = f"images/{name}" if folder == "." else f"{folder}/images/{name}"
    row = Row(split, stem, path)
    fill_image(row, f"{root}/{path}")
    prefix = f"{root}/{folder}/annotations/{stem}_"
    for suffix, (what, parse) in ANNOTATIONS.items():
        if suffix not in present:
            row.problems.append(f"{what}: no annotation file")
            continue
        try:
            value = parse(read_bytes(f"{prefix}{suffix}.npy"))
        except (ValueError, OSError) as error:
            row.problems.append(f"{what}: {error.strerror if isinstance(error, OSError) else error}")
            continue
        if suffix == "exp":
            row.label = f"{value:g}"
        else:
            setattr(row, what, value)
    return row
