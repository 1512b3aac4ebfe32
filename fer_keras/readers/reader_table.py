"""The table of readers, one per layout of files. A new layout is one module like its siblings and one line here.

A reader's module is imported when a spec asks for it: some parse with pyarrow, which takes a third of a second to load.
"""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Protocol

from fer_keras.hints import nearest
from fer_keras.readers.file_states import Listing, file_states
from fer_keras.readers.opening import archives_in, refuse_archive
from fer_keras.readers.outside import count_outside
from fer_keras.readers.rows import RawRows
from fer_keras.readers.spec import DataSpec


class Reader(Protocol):
    """The three functions that the module of a layout has; `list_states` is a fourth where `file_states` will not do."""

    def list_files(self, spec: DataSpec, root: Path) -> Listing:
        """Return everything the index depends on; cheap, for it runs at every start."""

    def read_rows(self, spec: DataSpec, root: Path, listing: Listing, jobs: int | None = None) -> RawRows:
        """Return the rows as found in the files; `listing` is what `list_files` gave."""

    def open_images(self, root: Path, paths: Sequence[str], positions: Sequence[int]):
        """Return a source with `load(row)` and `len`."""


#: Reader -> its module in `fer_keras.readers`.
READERS = {
    "affectnet_npy": "affectnet",
    "image_folder": "image_folder",
    "face_table": "face_table",
    "fer2013_csv": "fer2013",
    "ferplus": "ferplus",
    "arrays": "arrays",
    "tfds": "tfds",
}


class CheckedReader:
    """A reader with what holds for every layout: archives are refused, and files that the layout has no place for are counted.

    Args:
        layout: the reader of one layout.
    """

    def __init__(self, layout: Reader):
        self.layout = layout
        self.open_images = layout.open_images
        self.list_states = getattr(layout, "list_states", file_states)

    def list_files(self, spec: DataSpec, root: Path) -> Listing:
        """Return everything the index depends on.

        Raises:
            ValueError: an archive, or files in another layout.
        """
        refuse_archive(root)
        try:
            return self.layout.list_files(spec, root)
        except NotADirectoryError:
            raise ValueError(f"{spec.name} expects --data-dir to be a folder. Received: the file {root}.") from None
        except ValueError as error:
            if hint := archives_in(root):
                error.args = (f"{error}{hint}", *error.args[1:])
            raise

    def read_rows(self, spec: DataSpec, root: Path, listing: Listing, jobs: int | None = None) -> RawRows:
        """Return the rows, and in their notes every file under `root` that belongs to none of them."""
        raw = self.layout.read_rows(spec, root, listing, jobs)
        count_outside(root, listing, raw.notes)
        return raw


def get_reader(name: str) -> CheckedReader:
    """Return a reader by name; `tfds:NAME` is the reader of TensorFlow Datasets for the set of that name.

    Raises:
        ValueError: no reader of that name.
    """
    base, _, member = name.partition(":")
    if base not in READERS or (member and base != "tfds"):
        raise ValueError(
            f"Unknown reader. Expected one of {', '.join(READERS)}. Received: {name!r}.{nearest(name, READERS)}"
        )
    layout = import_module(f"fer_keras.readers.{READERS[base]}")
    return CheckedReader(layout.NamedSet(member) if member else layout)
