"""Where the images and annotations of an AffectNet folder lie, and what their files are called."""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from fer_keras.readers.file_states import DerivedNames, Listing, count_aside
from fer_keras.readers.folder_states import count_names
from fer_keras.readers.listing import is_text, join_names, walk_folders
from fer_keras.readers.names import find_splits
from fer_keras.readers.opening import has_image_suffix, is_picture
from fer_keras.readers.outside import LayoutListing
from fer_keras.readers.spec import DataSpec

#: Endings of the four annotation files of an image.
ENDINGS = ("_exp.npy", "_val.npy", "_aro.npy", "_lnd.npy")
_DEPTH = 4  # folders that are looked into for one with images/
_MANY = 5_000  # images whose annotations are counted aside


@dataclass(frozen=True)
class Place:
    """A folder with images and annotations.

    Attributes:
        folder: relative to the root.
        images, annotations: the two folders, relative to the root, as they are spelt there.
        split: train, validation, test, or "".
        named: whether the ids of its rows have the folder in front, since another folder of its split has them too.
    """

    folder: str
    images: str
    annotations: str
    split: str = ""
    named: bool = False


class AffectNetListing(LayoutListing):
    """The listing of an AffectNet folder.

    A folder with four times as many annotations as images is taken to hold the four of each image, without looking every
    one of them up: who reads the files, or their states, finds out, and calls `settle` if one is missing. The annotations of
    many images are not even counted before that goes on: see `begin_count`.

    Attributes:
        places: where its images are.
        uncounted: folders of annotations that are taken to hold four of each image.
    """

    places: list[Place]

    def __init__(self, folders, inner: Sequence[str], uncounted: Sequence[str] = ()):
        super().__init__(folders, whole=folders, inner=inner)
        self.uncounted = list(uncounted)
        self.counts: list[Future] = []

    def begin_count(self, root: Path, jobs: int | None = None) -> None:
        """Count the annotations aside; with one job, `check` will."""
        if self.uncounted and jobs != 1:
            with_each = ThreadPoolExecutor(len(self.uncounted))
            self.counts = [with_each.submit(count_aside, f"{root}/{folder}") for folder in self.uncounted]
            with_each.shutdown(wait=False)

    def check(self, root: Path) -> None:
        """List the annotations by what is really there if they are not as many as they are taken to be."""
        counts = [count.result() for count in self.counts] or [count_names(f"{root}/{name}") for name in self.uncounted]
        if counts != [len(self[folder]) for folder in self.uncounted]:
            self.settle(root)
        self.uncounted, self.counts = [], []

    def settle(self, root: Path) -> None:
        """List the annotations by what is really there."""
        for place in self.places:
            images = images_of(root, place, self)
            names = _present(images, _names_in(root / place.annotations))
            derived = DerivedNames([stem_of(name) for name in images], ENDINGS)
            self[place.annotations] = derived if names == list(derived) else names  # one key, however they were found


def list_files(spec: DataSpec, root: Path) -> AffectNetListing:
    """List the image and annotation folders of every split that is there, or of the flat layout.

    Raises:
        ValueError: `root` holds neither a split folder of the spec nor an images/ folder.
    """
    places = _find_places(spec, root)
    if not places:
        expected = ", ".join(f"{name}/images" for name in spec.splits.values())
        raise ValueError(
            f"No faces in {root}. Expected {expected} or images/ with an annotations/ folder beside it. "
            f"Received: a folder with {_some_names(root)}."
        )
    folders: dict[str, list[str]] = {}
    inner: list[str] = []
    uncounted = [place.annotations for place in places if not _list_place(root, place, folders, inner)]
    listing = AffectNetListing(folders, inner, uncounted)
    listing.places = places
    return listing


def _find_places(spec: DataSpec, root: Path) -> list[Place]:
    """Return the folders with images, those of the spec's first split first; what they lie beside is not looked into."""
    found = list(_walk_for_images(root))
    annotated = [place for place in found if (root / place.annotations).is_dir()]
    found = annotated or found
    words = find_splits([part for place in found for part in place.folder.split("/")], spec)
    split_of = {place: next(filter(None, map(words.get, reversed(place.folder.split("/")))), "") for place in found}
    if any(split_of.values()):
        found = [place for place in found if split_of[place]]
    order = [*spec.splits, "train", "validation", "test", ""]
    found.sort(key=lambda place: (order.index(split_of[place]), place.folder.count("/"), place.folder))
    seen: Counter = Counter()
    placed = []
    for place in found:
        split = split_of[place]
        placed.append(Place(place.folder, place.images, place.annotations, split, seen[split] > 0))
        seen[split] += 1
    return placed


def _walk_for_images(root: Path) -> Iterator[Place]:
    for folder, inner in walk_folders(root, _DEPTH):
        named = {name.casefold(): name for name in inner}
        if "images" in named:
            annotations = named.get("annotations", "annotations")
            yield Place(folder, join_names(folder, named["images"]), join_names(folder, annotations))
        inner[:] = [name for name in inner if name.casefold() not in ("images", "annotations")]


def _list_place(root: Path, place: Place, folders: dict[str, Sequence[str]], inner: list[str]) -> bool:
    """List a split in the order in which it is read: images, then the annotations of each, other files at the end.

    Args:
        root: of the data set.
        place: of the split.
        folders: where the two folders go.
        inner: where folders inside them go.

    Returns:
        Whether the annotations were looked at.
    """
    found = sorted(_names_in(root / place.images))
    images, others = [], []
    if all(map(has_image_suffix, {name[name.rfind(".") :] for name in found})):
        images, found = found, []
    for name in found:
        if has_image_suffix(name) or is_picture(f"{root}/{place.images}/{name}"):
            images.append(name)
        elif os.path.isdir(f"{root}/{place.images}/{name}"):
            inner.append(f"{place.images}/{name}")
        else:
            others.append(name)
    stems = [stem_of(name) for name in images]
    derived, apart = DerivedNames(stems, ENDINGS), len(set(stems)) == len(stems)
    folders[place.images], folders[place.annotations] = [*images, *others], derived
    if apart and len(stems) >= _MANY:
        return False
    present = _names_in(root / place.annotations)
    if not apart or len(present) != len(derived):
        folders[place.annotations] = _present(images, present)
    return True


def _present(images: list[str], names: list[str]) -> list[str]:
    """Return the annotations of each image that are there, then the other files."""
    present = set(names)
    found = [name for stem in map(stem_of, images) for ending in ENDINGS if (name := stem + ending) in present]
    return found + sorted(present.difference(found))


def images_of(root: Path, place: Place, listing: Listing) -> list[str]:
    """Return the names of a place's images: they stand first in its listing."""
    names = listing[place.images]
    count = len(names)
    while count and not (has_image_suffix(names[count - 1]) or is_picture(f"{root}/{place.images}/{names[count - 1]}")):
        count -= 1
    return names[:count]


def _names_in(folder: Path) -> list[str]:
    """Return the names of what is in a folder, in no order; hidden files are passed over, and a folder that is not there."""
    try:
        names = [name for name in os.listdir(folder) if name[0] != "."]
    except (FileNotFoundError, NotADirectoryError):
        return []
    # Of a million names, in one step.
    return names if "".join(names).isascii() else [name for name in names if is_text(name)]


def stem_of(name: str) -> str:
    """Return a file's name without its suffix, which its annotations begin with."""
    return name.rpartition(".")[0] or name


def _some_names(root: Path) -> str:
    names = sorted(os.listdir(root))[:6]
    return ", ".join(names) if names else "nothing in it"
