"""What lies under a folder: every file by its folder, linked folders followed once, what is passed over counted by reason."""

import os
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fer_keras.readers.opening import has_image_suffix, is_picture

HIDDEN_FILE = "hidden file"
HIDDEN_FOLDER = "hidden folder"
LINKED_AGAIN = "linked folder that is read already"
LINKED_ABOVE = "linked folder that this one lies in"
UNREADABLE_FOLDER = "folder that cannot be read"
NO_TEXT_NAME = "file or folder whose name is not UTF-8"

_EXAMPLES = 5  # names kept for each reason
_LITTER = "__MACOSX"  # what macOS puts into its archives: hidden copies of every file's attributes


@dataclass
class Notes:
    """What concerns no single row, counted by reason, with the first names.

    Attributes:
        counts: reason -> how many.
        examples: reason -> the first few names.
    """

    counts: dict[str, int] = field(default_factory=dict)
    examples: dict[str, list[str]] = field(default_factory=dict)

    def add(self, reason: str, *names: str) -> None:
        """Count names under a reason; nothing where there are none."""
        if names:
            self.counts[reason] = self.counts.get(reason, 0) + len(names)
            known = self.examples.setdefault(reason, [])
            known.extend(names[: _EXAMPLES - len(known)])

    def update(self, other: "Notes") -> None:
        """Add what other notes counted."""
        for reason, count in other.counts.items():
            self.counts[reason] = self.counts.get(reason, 0) + count
            known = self.examples.setdefault(reason, [])
            known.extend(other.examples.get(reason, ())[: _EXAMPLES - len(known)])


class FolderListing(dict):
    """Folder, relative to a root and "." for itself -> sorted names of the files in it; and what is no part of that.

    Attributes:
        notes: hidden files, linked folders and others that were passed over.
    """

    def __init__(self, folders: Mapping[str, list[str]] = (), notes: Notes | None = None):
        super().__init__(folders)
        self.notes = notes or Notes()

    def files(self) -> list[str]:
        """Return the path of every file, relative to the root."""
        return [join_names(folder, name) for folder, names in self.items() for name in names]


def join_names(folder: str, name: str) -> str:
    """Return a path relative to the root, without "./" in front.

    Example:
        >>> join_names(".", "a.png"), join_names("train/happy", "b.png")
        ('a.png', 'train/happy/b.png')
    """
    return name if folder in ("", ".") else f"{folder}/{name}"


def is_text(name: str) -> bool:
    """Whether a file's name can be written down; on Linux it may be any bytes.

    Example:
        >>> is_text("é.png"), is_text("\\udcff.png")
        (True, False)
    """
    if name.isascii():
        return True
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def walk_folder(root: str | Path, skip: Container[str] = ()) -> FolderListing:
    """Return every file under a folder.

    Folders that are links are followed, each folder once, after those that are not; a link to a folder around this one is
    not, for it leads everywhere. Hidden files and folders are passed over; those called like pictures are counted.

    Args:
        root: the folder.
        skip: folders, relative to it, that are not looked into.

    Raises:
        NotADirectoryError: `root` is no folder.
    """
    if not os.path.isdir(root):
        raise NotADirectoryError(f"Expected a folder. Received: {root}.")
    walk = _Walk(str(root), skip)
    walk.visit(".")
    while walk.links:
        walk.follow(walk.links.pop(0))
    return FolderListing(dict(sorted(walk.folders.items(), key=lambda item: item[0].split("/"))), walk.notes)


class _Walk:
    """One walk through a folder.

    Attributes:
        folders, notes: what was found.
        links: linked folders that wait for the others to be visited.
        seen: (device, number) of the folders visited.
    """

    def __init__(self, root: str, skip: Container[str]):
        self.root, self.skip = root, skip
        self.folders: dict[str, list[str]] = {}
        self.notes, self.links = Notes(), []
        self.seen: set[tuple[int, int]] = set()
        real = os.path.realpath(root)
        self.above = {_identity(str(parent)) for parent in Path(real).parents}

    def visit(self, folder: str) -> None:
        """List a folder and those in it."""
        waiting = [folder]
        while waiting:
            folder = waiting.pop()
            path = self.root if folder == "." else f"{self.root}/{folder}"
            try:
                self.seen.add(_identity(path))
                with os.scandir(path) as entries:
                    waiting += self._list(folder, sorted(entries, key=lambda entry: entry.name))
            except OSError:
                self.notes.add(UNREADABLE_FOLDER, folder)

    def _list(self, folder: str, entries: list[os.DirEntry]) -> list[str]:
        """Sort out what a folder holds; return the folders in it, last first."""
        names, inner = [], []
        for entry in entries:
            path = join_names(folder, entry.name)
            is_folder = _is_folder(entry)
            if entry.name.startswith(".") or entry.name == _LITTER:
                if is_folder or has_image_suffix(entry.name):
                    self.notes.add(HIDDEN_FOLDER if is_folder else HIDDEN_FILE, path)
            elif not is_text(entry.name):
                self.notes.add(NO_TEXT_NAME, os.fsencode(path).decode("utf-8", "backslashreplace"))
            elif not is_folder:
                names.append(entry.name)
            elif entry.is_symlink():
                self.links.append(path)
            elif path not in self.skip:
                inner.append(path)
        self.folders[folder] = names
        return inner[::-1]

    def follow(self, link: str) -> None:
        """Visit a linked folder, unless it is known or lies around the root."""
        try:
            target = _identity(f"{self.root}/{link}")
        except OSError:
            self.notes.add(UNREADABLE_FOLDER, link)
            return
        if target in self.seen or target in self.above:
            self.notes.add(LINKED_AGAIN if target in self.seen else LINKED_ABOVE, link)
        elif link not in self.skip:
            self.visit(link)


def _is_folder(entry: os.DirEntry) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _identity(path: str) -> tuple[int, int]:
    state = os.stat(path)
    return state.st_dev, state.st_ino


def walk_folders(root: str | Path, depth: int) -> Iterator[tuple[str, list[str]]]:
    """Yield folders, those nearer to the root first, with the sorted names of the folders in each; no file is looked at.

    Links are followed once. Who is given the names can take some out, and these are not looked into.

    Args:
        root: the folder; itself is ".".
        depth: how many folders deep.
    """
    waiting, seen = [(".", 0)], set()
    while waiting:
        folder, level = waiting.pop(0)
        path = os.path.join(root, folder)
        real = os.path.realpath(path)
        if real not in seen:
            seen.add(real)
            inner = _folders_in(path)
            yield folder, inner
            waiting += [(join_names(folder, name), level + 1) for name in inner if level < depth]


def _folders_in(path: str) -> list[str]:
    try:
        with os.scandir(path) as entries:
            return sorted(entry.name for entry in entries if entry.name[0] != "." and _is_folder(entry))
    except OSError:
        return []


@dataclass
class Pictures:
    """The pictures under a folder.

    Attributes:
        paths: of the image files, sorted.
        others: what else is there, counted by reason with the first names.
    """

    paths: list[Path]
    others: Notes


def find_pictures(folder: str | Path) -> Pictures:
    """Return the image files under a folder by suffix or, of other files, by content.

    Raises:
        FileNotFoundError: no such folder.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"No folder there. Received: {folder}.")
    listing = walk_folder(folder)
    images, notes = [], listing.notes
    for path in listing.files():
        if is_picture(f"{folder}/{path}"):
            images.append(folder / path)
        else:
            notes.add("file that is no image", path)
    return Pictures(sorted(images), notes)
