"""The words by which files, folders and columns call a split: one list for every reader.

A spec's own words come first: AffectNet's `val_set` is the test split, because papers report on it. Everything else is matched
by meaning, whatever its case and punctuation: `Train`, `training`, `train_set` and `01-train` are one.

Source of eval and evaluation for test, dev for validation: https://huggingface.co/docs/hub/datasets-file-names-and-splits.
"""

import re
from collections.abc import Iterable

from fer_keras.readers.spec import DataSpec

#: Split -> what others call it. FER2013 calls its validation and test splits PublicTest and PrivateTest.
SPLIT_WORDS = {
    "train": ("train", "training", "trn", "fer2013train"),
    "validation": ("validation", "valid", "val", "dev", "development", "publictest", "fer2013valid"),
    "test": ("test", "testing", "eval", "evaluation", "privatetest", "fer2013test"),
}

#: What says that there is no split.
NO_SPLIT_WORDS = ("", "unsplit", "all", "full", "whole", "none", "nan")

#: What may follow such a word without changing it: train_set, val-data, test images.
_ENDINGS = ("", "set", "data", "dataset", "split", "images", "imgs", "faces", "samples", "folder", "partition")
_MEANING = {word + ending: split for split, words in SPLIT_WORDS.items() for word in words for ending in _ENDINGS}
_PLAIN = re.compile(r"[\W_]+")


def split_meant(text: str) -> str | None:
    """Return the split that a word means, or None for a word that means none.

    Example:
        >>> split_meant("Val_Set"), split_meant("PublicTest"), split_meant("happy")
        ('validation', 'validation', None)
    """
    plain = _PLAIN.sub("", text.casefold())
    return _MEANING.get(plain) or _MEANING.get(plain.lstrip("0123456789"))


def split_in_name(stem: str) -> str | None:
    """Return the one split that a file's name tells, or None where it tells none or several.

    Example:
        >>> split_in_name("train-00000-of-00001"), split_in_name("my_val_labels"), split_in_name("faces")
        ('train', 'validation', None)
    """
    found = {split_meant(part) for part in [stem, *re.split(r"[\W\d_]+", stem)] if part} - {None}
    return found.pop() if len(found) == 1 else None


def find_splits(names: Iterable[str], spec: DataSpec) -> dict[str, str | None]:
    """Return the split that each name means in a data set, None for a name that means nothing, "" for one of no split.

    Where a spec takes a word of another split (AffectNet: test = "val_set"), the words of that split follow it, unless the
    data also have a split of their own by the spec's split's words: beside `test_set`, `val_set` is validation.

    Args:
        names: all names that stand side by side.
        spec: the data spec.
    """
    names = list(dict.fromkeys(names))
    meant = {name: split_meant(name) for name in names}
    own = _own_words(spec)
    taken = {split_meant(word): split for word, split in own.items() if split_meant(word) not in (None, split)}
    for word_of, split in list(taken.items()):
        if split in meant.values():
            own = {word: of for word, of in own.items() if split_meant(word) != word_of}
            del taken[word_of]
    return {name: _find(name, own, taken, meant[name]) for name in names}


def _own_words(spec: DataSpec) -> dict[str, str]:
    words = {name.casefold(): split for split, name in spec.splits.items()}
    for split, aliases in spec.options.get("split_aliases", {}).items():
        words.update({alias.casefold(): split for alias in aliases})
    return words


def _find(name: str, own: dict[str, str], taken: dict[str | None, str], meant: str | None) -> str | None:
    if name.casefold() in NO_SPLIT_WORDS and name.casefold() not in own:
        return ""
    return own.get(name.casefold()) or taken.get(meant, meant)


def unknown_split(name: str) -> str:
    """Return why a row is dropped whose split no word of the list is."""
    return f"unknown split {name!r}"
