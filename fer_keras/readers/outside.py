"""Files under a data folder that its layout has no place for: counted by what they are, never passed over in silence."""

import os
from pathlib import Path

from fer_keras.readers.file_states import Listing
from fer_keras.readers.listing import FolderListing, Notes, join_names, walk_folder
from fer_keras.readers.opening import has_archive_suffix, has_image_suffix, is_picture
from fer_keras.readers.spec import SPEC_FILE

PICTURE_OUTSIDE = "picture outside the layout"
DATA_OUTSIDE = "data file outside the layout"
ARCHIVE_INSIDE = "archive that is not unpacked"

#: What accompanies data without being any: read by people, not by readers.
_TEXTS = (
    ".md",
    ".txt",
    ".rst",
    ".pdf",
    ".html",
    ".json",
    ".toml",
    ".yml",
    ".yaml",
    ".xml",
    ".cfg",
    ".py",
    ".ipynb",
    ".log",
)
_DATA = (".csv", ".tsv", ".parquet", ".npz", ".npy", ".mat", ".h5", ".hdf5", ".pkl", ".arrow", ".tfrecord")


class LayoutListing(FolderListing):
    """A listing of the files of a layout that says of the rest what it knows.

    Attributes:
        whole: folders whose every file is listed; they are not listed again to look for others.
        inner: folders inside those of `whole`, relative to the root.
        picture: what a picture is called that is not listed.
    """

    def __init__(self, folders=(), notes=None, *, whole=(), inner=(), picture: str = PICTURE_OUTSIDE):
        super().__init__(folders, notes)
        self.whole, self.inner, self.picture = frozenset(whole), tuple(inner), picture


def count_outside(root: Path, listing: Listing, notes: Notes) -> None:
    """Count files under a folder that its listing does not hold, in `notes`.

    Args:
        root: the data set's folder; of a data set of one file nothing else is looked at.
        listing: what the reader listed; a plain `FolderListing` holds every file already.
        notes: where to count.
    """
    if isinstance(listing, FolderListing):
        notes.update(listing.notes)
    if root.is_file() or not isinstance(listing, LayoutListing):
        return
    beside = {folder: names for folder, names in listing.items() if folder not in listing.whole}
    known = set(FolderListing(beside).files())  # those of whole folders are never met
    for start in ([] if "." in listing.whole else ["."]) + list(listing.inner):
        walked = walk_folder(root / start, skip={_below(start, folder) for folder in listing.whole})
        notes.update(walked.notes)
        for name in walked.files():
            path = join_names(start, name)
            left = path not in known and os.path.basename(path) != SPEC_FILE
            if left and (reason := outside_reason(f"{root}/{path}", listing.picture)):
                notes.add(reason, path)


def _below(start: str, folder: str) -> str:
    return folder if start == "." else folder.removeprefix(f"{start}/")


def outside_reason(path: str, picture: str = PICTURE_OUTSIDE) -> str | None:
    """Return what to call a file that no layout knows, or None for one that is no data, such as a licence."""
    name = os.path.basename(path).lower()
    if has_image_suffix(name):
        return picture
    if has_archive_suffix(name):
        return ARCHIVE_INSIDE
    if name.endswith(_DATA):
        return DATA_OUTSIDE
    if name.endswith(_TEXTS):
        return None
    return picture if is_picture(path) else None
