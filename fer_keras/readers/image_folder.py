"""Reader `image_folder`: one folder of images an emotion, under split folders or to be split."""

from pathlib import Path

from joblib import Parallel, delayed

from fer_keras.labels import EMOTIONS, canonical_emotion
from fer_keras.preprocessing import IMAGE_SUFFIXES
from fer_keras.readers.rows import Listing, RawRows, Row, file_states, fill_image, list_folder, open_images
from fer_keras.readers.spec import DataSpec

__all__ = ["list_files", "open_images", "read_rows"]


def list_files(spec: DataSpec, root: Path) -> Listing:
    """List every class folder: `<split>/<class>`, or `<class>` where there are no split folders.

    Raises:
        ValueError: no folder that is named like an emotion.
    """
    splits = _split_folders(spec, root)
    parents = list(splits) or ["."]
    listing = {}
    for parent in parents:
        for folder in sorted(
            path for path in (root / parent).iterdir() if path.is_dir() and not path.name.startswith(".")
        ):
            listing[folder.relative_to(root).as_posix()] = sorted(list_folder(folder))
    if not any(_emotion_of(spec, path) for path in listing):
        found = ", ".join(sorted(listing)[:6]) or "no folders"
        raise ValueError(
            f"No class folders in {root}. Expected folders named like emotions ({', '.join(EMOTIONS)}), under "
            f"{', '.join(spec.splits.values())} or directly. Received: {found}."
        )
    return listing


def read_rows(spec: DataSpec, root: Path, listing: Listing, jobs: int | None = None) -> RawRows:
    """Read every image's content and take its label from its folder's name."""
    states = file_states(root, listing)
    split_of = _split_folders(spec, root)
    tasks, warnings, labels = [], {}, set(spec.labels.values())
    for folder, files in sorted(listing.items()):
        emotion = _emotion_of(spec, folder)
        names = [name for name in files if name.lower().endswith(IMAGE_SUFFIXES)]
        others = len(files) - len(names)
        for reason, count in (
            (f"file in a folder that is no emotion: {folder}", 0 if emotion else len(files)),
            ("file that is no image", others if emotion else 0),
            (f"empty class folder: {folder}", int(bool(emotion) and not names)),
        ):
            if count:
                warnings[reason] = warnings.get(reason, 0) + count
        if emotion:
            labels.add(emotion)
            tasks.append((str(root), folder, split_of.get(folder.partition("/")[0], ""), emotion, names))
    results = Parallel(n_jobs=jobs or 4, prefer="threads")(delayed(_read_folder)(*task) for task in tasks)
    ordered = tuple(name for name in EMOTIONS if name in labels)
    return RawRows([row for rows in results for row in rows], states, warnings, ordered)


def _split_folders(spec: DataSpec, root: Path) -> dict[str, str]:
    """Return the folders of `root` that are splits, matched case-free, with the split each one is."""
    names = {name.lower(): split for split, name in spec.splits.items()}
    for split, aliases in spec.options.get("split_aliases", {}).items():
        names.update({alias.lower(): split for alias in aliases})
    return {
        path.name: names[path.name.lower()]
        for path in sorted(root.iterdir())
        if path.is_dir() and path.name.lower() in names
    }


def _emotion_of(spec: DataSpec, folder: str) -> str | None:
    name = folder.rpartition("/")[2]
    if name in spec.labels:
        return spec.labels[name]
    try:
        return canonical_emotion(name)
    except ValueError:
        return None


def _read_folder(root: str, folder: str, split: str, emotion: str, names: list[str]) -> list[Row]:
    rows = []
    for name in names:
        path = f"{folder}/{name}"
        row = Row(split, path, path, label=emotion)
        fill_image(row, f"{root}/{path}")
        rows.append(row)
    return rows
