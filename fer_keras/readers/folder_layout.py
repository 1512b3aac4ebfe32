"""Which folder of a tree means which split, emotion and person: by the words in its path, at whatever depth they stand.

train/happy/1.png   happy/1.png   DATASET/train/4/1.png   happy/S001/1.png   S001/happy/1.png   happy/train/1.png
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

from fer_keras.readers.names import NO_EMOTION, find_emotion, find_splits
from fer_keras.readers.spec import DataSpec

OUTSIDE_CLASSES = "{} outside the class folders"
NO_SPLIT = "file in a folder that is no split: "
TWO_EMOTIONS = "file in a folder of two emotions: "
BESIDE_SPLITS = "class folder beside split folders, its faces go into training"

_PERSONS = 3  # folders that could be persons; of fewer, a split by person would leave nothing
#: What folders below an emotion are often called that hold no person.
_OTHER_FOLDERS = """
    image images img imgs picture pictures photo photos face faces aligned original originals cropped crop raw
    more extra new old part batch set data aug augmented left right front frontal profile subset fold group folder dir
    male female man woman gray grey color colour rgb high low strong weak day night easy hard
"""
_NO_PERSONS = frozenset(_OTHER_FOLDERS.split())


@dataclass(frozen=True)
class Place:
    """What a folder means.

    Attributes:
        split: train, validation, test, or "" where nothing says it.
        emotion: of the files in it, or None.
        subject: id of the person, or "".
        why: why its files are not read, where they are not.
        beside: whether it is a class folder beside split folders.
    """

    split: str = ""
    emotion: str | None = None
    subject: str = ""
    why: str = ""
    beside: bool = False


def place_folders(spec: DataSpec, folders: Mapping[str, int]) -> dict[str, Place]:
    """Return what each folder means.

    Persons are told from other folders by the whole tree: every picture has a folder at that level, and they are three or
    more.

    Args:
        spec: the data spec.
        folders: path of each folder, "." for the root -> number of pictures in it.
    """
    tree = _Tree(spec, folders)
    places = {folder: tree.place(folder) for folder in folders}
    return tree.with_subjects(places, [folder for folder, count in folders.items() if count])


class _Tree:
    """The words in the paths of a tree.

    Attributes:
        parts: folder -> its path in parts.
        emotions, splits: part -> what it means, or None.
        depth: at which emotions stand mostly, split folders not counted.
        prefix: parts that all folders with an emotion have in front, and that mean nothing.
        has_splits: whether a folder with an emotion in its path has a split in it too.
    """

    def __init__(self, spec: DataSpec, folders: Mapping[str, int]):
        self.parts = {folder: [] if folder == "." else folder.split("/") for folder in folders}
        names = {part for parts in self.parts.values() for part in parts}
        self.splits = find_splits(sorted(names), spec)
        self.emotions = {part: None if self.splits[part] else find_emotion(spec, part) for part in names}
        marked = [parts for parts in self.parts.values() if any(self.emotions[part] for part in parts)]
        self.has_splits = any(self.splits[part] for parts in marked for part in parts)
        self.prefix = self._common(marked)
        votes: Counter = Counter()
        for folder, parts in self.parts.items():
            votes.update(dict.fromkeys(self._emotion_places(self._inner(parts)), folders[folder]))
        self.depth = max(votes, key=lambda at: (votes[at], -at), default=0)

    def _common(self, marked: list[list[str]]) -> int:
        count = 0
        while marked and all(len(parts) > count and parts[count] == marked[0][count] for parts in marked):
            if self.splits[marked[0][count]] or self.emotions[marked[0][count]]:
                break
            count += 1
        return count

    def _inner(self, parts: list[str]) -> list[str]:
        """Return the parts that say more than the split and where the data set lies."""
        return [part for part in parts[self.prefix :] if not self.splits[part]]

    def _emotion_places(self, inner: list[str]) -> list[int]:
        return [at for at, part in enumerate(inner) if self.emotions[part]]

    def place(self, folder: str) -> Place:
        """Return what a folder means, but for its person."""
        parts = self.parts[folder]
        inner = self._inner(parts)
        split = next((self.splits[part] for part in parts if self.splits[part]), "")
        found = self._emotion_places(inner)
        at = self._class_place(inner, found)
        if at is None:
            return Place(split, why=self._why(folder, parts, inner, bool(found)))
        if self.has_splits and not split:
            if at > 0:
                return Place(why=f"{NO_SPLIT}{'/'.join(parts[: self.prefix + 1])}")
            return Place(emotion=self.emotions[inner[at]], beside=True)
        return Place(split, self.emotions[inner[at]])

    def _class_place(self, inner: list[str], found: list[int]) -> int | None:
        """Return which of the parts that mean emotions is the class, or None where that is a guess.

        Numbers and two letters may be persons; where they stand as deep as most emotions do, they are the class.
        """
        names = [at for at in found if len(inner[at]) > 2 and not inner[at].isdecimal()]
        if len({self.emotions[inner[at]] for at in names}) > 1:
            return None
        return self.depth if self.depth in found else found[0] if len(found) == 1 else None

    def _why(self, folder: str, parts: list[str], inner: list[str], several: bool) -> str:
        if several:
            return f"{TWO_EMOTIONS}{folder}"
        if len(parts) <= self.prefix or not inner:
            return OUTSIDE_CLASSES
        end = next(at for at, part in enumerate(parts) if at >= self.prefix and not self.splits[part])
        return f"{NO_EMOTION}{'/'.join(parts[: end + 1])}"

    def with_subjects(self, places: dict[str, Place], filled: list[str]) -> dict[str, Place]:
        """Return the places with the person of each folder, where a level of the tree is persons.

        Args:
            places: of every folder.
            filled: the folders that hold pictures.
        """
        rest = {folder: self._rest(folder) for folder in filled if places[folder].emotion}
        level = _person_level(list(rest.values()))
        if level is None:
            return places
        subjects = {folder: "/".join(parts[: level + 1]) for folder, parts in rest.items()}
        return {folder: replace(place, subject=subjects.get(folder, "")) for folder, place in places.items()}

    def _rest(self, folder: str) -> tuple[str, ...]:
        """Return the parts of a class folder's path that are neither split nor emotion."""
        inner = self._inner(self.parts[folder])
        at = self._class_place(inner, self._emotion_places(inner))
        return (*inner[:at], *inner[at + 1 :])


def _person_level(rest: list[tuple[str, ...]]) -> int | None:
    """Return at which level of what is left of each path persons stand, or None."""
    for level in range(min(map(len, rest), default=0)):
        names = {parts[level] for parts in rest}
        if len(names) >= _PERSONS:
            others = sum(name.casefold().strip("0123456789 _-.") in _NO_PERSONS for name in names)
            return None if others * 2 > len(names) else level
    return None
