"""The table of readers: one a layout of files. A new layout is one module like its siblings and one line here.

A reader's module is imported when a spec asks for it: some parse with pyarrow, which takes a third of a second to load.
"""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Protocol

from fer_keras.hints import nearest
from fer_keras.readers.rows import Listing, RawRows
from fer_keras.readers.spec import DataSpec


class Reader(Protocol):
    """The three functions that the module of a layout has."""

    def list_files(self, spec: DataSpec, root: Path) -> Listing:
        """Return everything the index depends on; cheap, for it runs at every start."""

    def read_rows(self, spec: DataSpec, root: Path, listing: Listing, jobs: int | None = None) -> RawRows:
        """Return the rows as found in the files; `listing` is what `list_files` gave."""

    def open_images(self, root: Path, paths: Sequence[str], positions: Sequence[int]):
        """Return a source with `load(row)` and `len`."""


#: Reader -> its module in `fer_keras.data`.
READERS = {
    "affectnet_npy": "affectnet",
    "image_folder": "image_folder",
    "face_table": "face_table",
    "fer2013_csv": "fer2013",
    "ferplus": "ferplus",
    "arrays": "arrays",
    "tfds": "tfds",
}


def get_reader(name: str) -> Reader:
    """Return a reader by name; `tfds:NAME` is the reader of TensorFlow Datasets for the set of that name.

    Raises:
        ValueError: no reader of that name.
    """
    base, _, member = name.partition(":")
    if base == "tfds" and member:
        return get_reader(base).NamedSet(member)
    if name not in READERS:
        raise ValueError(
            f"Unknown reader. Expected one of {', '.join(READERS)}. Received: {name!r}.{nearest(name, READERS)}"
        )
    return import_module(f"fer_keras.readers.{READERS[name]}")
