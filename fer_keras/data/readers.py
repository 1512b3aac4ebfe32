"""The table of readers: one a layout of files. A new layout is one module like its siblings and one line here."""

from collections.abc import Callable
from dataclasses import dataclass

from fer_keras.config import nearest
from fer_keras.data import affectnet, face_table, fer2013, ferplus, image_folder
from fer_keras.data.rows import open_image_files


@dataclass(frozen=True)
class Reader:
    """The three functions that a layout needs.

    Attributes:
        list_files: (spec, root) -> Listing, everything the index depends on; cheap, for it runs at every start.
        read_rows: (spec, root, listing, jobs) -> RawRows.
        open_images: (root, paths, positions) -> a source with `load(row)` and `len`.
    """

    list_files: Callable
    read_rows: Callable
    open_images: Callable


READERS = {
    "affectnet_npy": Reader(affectnet.list_files, affectnet.read_rows, open_image_files),
    "image_folder": Reader(image_folder.list_files, image_folder.read_rows, open_image_files),
    "face_table": Reader(face_table.list_files, face_table.read_rows, face_table.open_images),
    "fer2013_csv": Reader(fer2013.list_files, fer2013.read_rows, fer2013.open_images),
    "ferplus": Reader(ferplus.list_files, ferplus.read_rows, ferplus.open_images),
}


def get_reader(name: str) -> Reader:
    """Return a reader by name.

    Raises:
        ValueError: no reader of that name.
    """
    if name not in READERS:
        raise ValueError(
            f"Unknown reader. Expected one of {', '.join(READERS)}. Received: {name!r}.{nearest(name, READERS)}"
        )
    return READERS[name]
