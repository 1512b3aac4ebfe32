"""Reader `image_folder`: pictures in folders named after emotions, under split folders or to be split; persons below or above.

See `folder_layout` for the layouts; what belongs to none of the classes is counted and named.
"""

from collections import Counter
from pathlib import Path

from joblib import Parallel, delayed

from fer_keras.labels import in_package_order
from fer_keras.readers.file_states import file_states
from fer_keras.readers.folder_layout import BESIDE_SPLITS, OUTSIDE_CLASSES, Place, place_folders
from fer_keras.readers.listing import FolderListing, Notes, join_names, walk_folder
from fer_keras.readers.names import NO_EMOTION, UnknownLabels, labels_advice
from fer_keras.readers.opening import has_image_suffix, is_picture
from fer_keras.readers.outside import outside_reason
from fer_keras.readers.rows import RawRows, Row, fill_image, open_images
from fer_keras.readers.spec import SPEC_FILE, DataSpec

__all__ = ["list_files", "open_images", "read_rows"]

_MANY = 20  # folders that get a reason of their own
_OTHERS = "(others)"


def list_files(spec: DataSpec, root: Path) -> FolderListing:
    """List every file under the folder.

    Raises:
        UnknownLabels: no folder is named like an emotion.
    """
    listing = walk_folder(root)
    if not any(place.emotion for place in _places(spec, listing).values()):
        raise _no_classes(spec, root, listing)
    return listing


def read_rows(spec: DataSpec, root: Path, listing: FolderListing, jobs: int | None = None) -> RawRows:
    """Read every picture's content and take its label, split and person from the folders that it lies in."""
    states, notes = file_states(root, listing), Notes()
    tasks, labels = [], list(spec.emotions if spec.declared else ())
    places = _places(spec, listing)
    for folder, names in sorted(listing.items()):
        place = places[folder]
        if place.emotion:
            labels.append(place.emotion)
            tasks.append((str(root), folder, place, names))
        else:
            _count_unread(root, folder, names, why=place.why, notes=notes)
    results = Parallel(n_jobs=jobs or 4, prefer="threads")(delayed(_read_folder)(*task) for task in tasks)
    for _, others in results:
        notes.add("file that is no image", *others)
    notes.add(BESIDE_SPLITS, *[folder for folder, place in places.items() if place.beside and listing[folder]])
    _count_empty(places, listing, [len(rows) for rows, _ in results], folders=[task[1] for task in tasks], notes=notes)
    return RawRows([row for rows, _ in results for row in rows], states, _capped(notes), in_package_order(labels))


def _places(spec: DataSpec, listing: FolderListing) -> dict[str, Place]:
    counts = {
        folder: sum(has_image_suffix(name) or "." not in name for name in names) for folder, names in listing.items()
    }
    return place_folders(spec, counts)


def _read_folder(root: str, folder: str, place: Place, names: list[str]) -> tuple[list[Row], list[str]]:
    """Return a row for each picture in a class folder, and the paths of the other files."""
    rows, others = [], []
    for name in names:
        path = join_names(folder, name)
        if not is_picture(f"{root}/{path}"):
            others.append(path)
            continue
        row = Row(place.split, path, path, label=place.emotion, subject=place.subject)
        fill_image(row, f"{root}/{path}")
        rows.append(row)
    return rows, others


def _count_unread(root: Path, folder: str, names: list[str], *, why: str, notes: Notes) -> None:
    """Count the files of a folder whose class or split nobody knows."""
    for name in names:
        path = join_names(folder, name)
        if why != OUTSIDE_CLASSES:
            notes.add(why, path)
        elif name != SPEC_FILE and (reason := outside_reason(f"{root}/{path}", OUTSIDE_CLASSES.format("picture"))):
            notes.add(reason, path)


def _count_empty(
    places: dict[str, Place], listing: FolderListing, found: list[int], *, folders: list[str], notes: Notes
):
    """Count class folders without a picture in them and below them."""
    held: Counter = Counter()
    for folder, count in zip(folders, found, strict=True):
        parts = folder.split("/")
        held.update({"/".join(parts[:end]): count for end in range(1, len(parts) + 1)})
    for folder, place in places.items():
        if place.emotion and not held[folder]:
            notes.add(f"empty class folder: {folder}", folder)


def _capped(notes: Notes) -> Notes:
    """Return the notes with the folders that are no emotion's beyond the first ones under one reason."""
    folders = [reason for reason in notes.counts if reason.startswith(NO_EMOTION)]
    for reason in sorted(folders, key=lambda reason: -notes.counts[reason])[_MANY:]:
        notes.counts[NO_EMOTION + _OTHERS] = notes.counts.get(NO_EMOTION + _OTHERS, 0) + notes.counts.pop(reason)
        notes.examples.setdefault(NO_EMOTION + _OTHERS, []).extend(notes.examples.pop(reason)[:1])
    return notes


def _no_classes(spec: DataSpec, root: Path, listing: FolderListing) -> UnknownLabels:
    """Return the error for a folder in which no folder is named like an emotion: which are there, and what would help."""
    places = _places(spec, listing)
    folders = [places[folder].why.removeprefix(NO_EMOTION) for folder in listing if NO_EMOTION in places[folder].why]
    names = list(dict.fromkeys(folder.rpartition("/")[2] for folder in _innermost(listing, folders)))
    found = ", ".join(names[:8]) + ("" if len(names) <= 8 else ", ...") if names else "no folders"
    message = (
        f"No class folders in {root}. Expected folders named like emotions. Received: {found}. {labels_advice(names)}"
    )
    return UnknownLabels(message.strip(), names)


def _innermost(listing: FolderListing, folders: list[str]) -> list[str]:
    """Return the folders that directly hold files, where any do: `DATASET/train/1` and not `DATASET`."""
    holding = [folder for folder, names in listing.items() if names and folder != "."]
    return holding or folders
