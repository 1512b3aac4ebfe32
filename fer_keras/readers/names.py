"""What names in files and folders mean: labels, by code or by any name of an emotion, and splits; and what to do about others.

Every reader hands its labels over as text; whatever wrote them, "3", "3.0", "Angry" and "6_angry" are understood alike.
"""

import difflib
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from fer_keras.files import write_text
from fer_keras.labels import ALIASES, EMOTIONS, canonical_emotion, plain_name
from fer_keras.readers.spec import DataSpec, dump_spec, load_spec

#: How files in folders whose name is no emotion's are counted; the folder follows.
NO_EMOTION = "file in a folder that is no emotion: "

_SHOWN = 8  # names given a line in an error
_WHOLE_NUMBER = re.compile(r"([+-]?\d+)\.0*$")

#: Emotions in other languages, for suggestions alone: what is written into a spec is checked by its user.
_ABROAD = {
    "neutral": "neutre neutro neutra neutrale neutraal obojetny nötr",
    "happy": "joie heureux glücklich freude fröhlich feliz alegria alegre felicidad felicidade felice gioia blij szczescie mutlu",
    "sad": "tristesse triste traurig trauer tristeza tristezza verdrietig smutek üzgün",
    "surprise": "étonnement überraschung überrascht sorpresa surpresa verrassing zaskoczenie şaşkın",
    "fear": "peur angst ängstlich miedo medo paura strach korku",
    "disgust": "dégoût dégout ekel asco nojo disgusto walging wstret iğrenme",
    "anger": "colère wut wütend ärger ira enojo enfado raiva rabbia boos zlosc kızgın",
    "contempt": "mépris verachtung desprecio desprezo disprezzo minachting pogarda",
}
_GUESSES = {word: name for name, words in _ABROAD.items() for word in words.split()}
_KNOWN = {alias: name for name, aliases in ALIASES.items() for alias in (name, *aliases) if len(alias) > 2}

#: Folder names or codes -> the spec that knows them.
_NUMBERED = {
    frozenset("1234567"): "RAF-DB numbers its classes so: --data-spec rafdb_folders",
    frozenset("01234567"): "AffectNet numbers its classes so: --data-spec affectnet_folders",
    frozenset("0123456"): (
        "FER2013 numbers its classes so (0 anger, 1 disgust, 2 fear, 3 happy, 4 sad, 5 surprise, 6 neutral), "
        "AffectNet without contempt in another order (0 neutral, 1 happy, ...: --data-spec affectnet_folders)"
    ),
}


class UnknownLabels(ValueError):
    """Data whose labels no spec maps to emotions.

    Attributes:
        names: of folders or labels, as they stand in the files.
    """

    def __init__(self, message: str, names: Iterable[str]):
        super().__init__(message)
        self.names = tuple(names)


def find_emotion(spec: DataSpec, label: str) -> str | None:
    """Return the emotion that a label means in a data set, or its class of the set's own, or None.

    Args:
        spec: its [labels] come first, then classes of its own, then the names that the package knows.
        label: as it stands in the files.

    Example:
        >>> from fer_keras.readers.spec import load_spec
        >>> [find_emotion(load_spec("fer2013"), label) for label in ("3", "3.0", "Sadness", "9")]
        ['happy', 'happy', 'sad', None]
    """
    code = find_code(label, spec.labels)
    if code is not None:
        return spec.labels[code]
    own = {plain_name(name): name for name in spec.own_classes}
    if plain_name(label) in own:
        return own[plain_name(label)]
    try:
        return canonical_emotion(label)
    except ValueError:
        return None


def find_code(label: str, codes: Iterable[str]) -> str | None:
    """Return the one of `codes` that a label means: itself, without ".0", or whatever its case; or None."""
    codes = list(codes)
    number = _WHOLE_NUMBER.match(label.strip())
    for text in (label, label.strip(), number[1] if number else label):
        if text in codes:
            return text
    plain = {_plain(code): code for code in codes}
    return plain.get(_plain(label))


def guess_emotion(name: str) -> str | None:
    """Return the emotion that an unknown name probably means: misspelt, or in another language; or None.

    Example:
        >>> guess_emotion("happines"), guess_emotion("Colère"), guess_emotion("cats")
        ('happy', 'anger', None)
    """
    plain = _plain(name).lstrip("0123456789").strip(" _-.")
    if plain in _GUESSES:
        return _GUESSES[plain]
    near = difflib.get_close_matches(plain, [*_KNOWN, *_GUESSES], n=1, cutoff=0.78)
    return {**_KNOWN, **_GUESSES}[near[0]] if near else None


def labels_table(names: Sequence[str]) -> list[str]:
    """Return the lines of a spec's [labels] table for names that were not recognised, those nobody can guess commented out.

    Example:
        >>> labels_table(["colère", "7"])
        ['[labels]', '"colère" = "anger"', '# "7" = "..."  # one of neutral, happy, sad, surprise, fear, disgust, anger, contempt']
    """
    lines, other = ["[labels]"], f"# one of {', '.join(EMOTIONS)}"
    for name in names:
        text, guess = _quoted(name), guess_emotion(name)
        lines.append(f'{text} = "{guess}"' if guess else f'# {text} = "..."  {other}')
    return lines


def labels_advice(names: Sequence[str]) -> str:
    """Return how to make names that were not recognised known, in one or two sentences.

    Example:
        >>> print(labels_advice(["colère", "x"]))
        Write into [labels] of a copy of the data spec: "colère" = "anger"; "x" = "...". inspect --write-spec FILE.toml does.
    """
    if not names:
        return ""
    known = _NUMBERED.get(frozenset(_whole(name) for name in names))
    lines = "; ".join(f'{_quoted(name)} = "{guess_emotion(name) or "..."}"' for name in names[:_SHOWN])
    more = "; ..." if len(names) > _SHOWN else ""
    return (
        f"{known}. " if known else ""
    ) + f"Write into [labels] of a copy of the data spec: {lines}{more}. inspect --write-spec FILE.toml does."


def _whole(name: str) -> str:
    """Return a whole number without its ".0", other text as it is."""
    number = _WHOLE_NUMBER.match(name.strip())
    return number[1] if number else name


def _plain(name: str) -> str:
    """Return a name without what does not count: case, outer space, and how a disk composes accents."""
    return unicodedata.normalize("NFC", name.strip()).casefold()


def _quoted(name: str) -> str:
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


#: Split -> what others call it. FER2013 calls its validation and test splits PublicTest and PrivateTest.
SPLIT_WORDS = {
    "train": ("train", "training", "trn", "fer2013train"),
    "validation": ("validation", "valid", "val", "vld", "dev", "development", "publictest", "fer2013valid"),
    "test": ("test", "testing", "tst", "holdout", "eval", "evaluation", "privatetest", "fer2013test"),
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


def write_spec_copy(
    path: str | Path, spec: DataSpec, names: tuple[str, ...] = (), va_range: tuple[float, float] | None = None
) -> Path:
    """Write a copy of a data spec with a line for each name that it does not know.

    What a name probably means is filled in; where nobody can guess, the line is a comment.

    Args:
        path: of the file to make, ending in .toml.
        spec: what to copy.
        names: folders or labels that mean no emotion yet.
        va_range: see `DataSpec`; default: the spec's.

    Raises:
        ValueError: another suffix.
        FileExistsError: the file is there already.
    """
    path = Path(path)
    if path.suffix != ".toml":
        raise ValueError(f"--write-spec expects a file ending in .toml. Received: {path}.")
    if path.exists():
        raise FileExistsError(f"{path} is there already, and is not replaced. Name another file for --write-spec.")
    added = [name for name in names if name not in spec.labels]
    classes = spec.class_names if spec.own_classes else ()  # others are in the way of new lines of [labels]
    if classes:
        guesses = [guess for name in added if (guess := guess_emotion(name))]
        classes = tuple(dict.fromkeys([*classes, *(guess for guess in guesses if guess not in spec.emotions)]))
    copy = replace(spec, name=path.stem, labels={}, class_names=classes, va_range=va_range or spec.va_range)
    known = [f'"{code}" = "{emotion}"' for code, emotion in spec.labels.items()]
    new = labels_table(added)[1:]
    head = [
        f"# A copy of {spec.name}, to be checked: lines of [labels] say which emotion a folder or label means. Classes that",
        "# are none of them stand in class_names = [...] above, with all others, in the order of the model's answers.",
        f"# python -m fer_keras.train --data-spec {path.name} --data-dir DATA",
        "",
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, "\n".join([*head, dump_spec(copy), "[labels]", *known, *new, ""]))
    load_spec(path)
    return path
