"""What a label in the files means: a code or a name of the spec, or an emotion by any of its names; and what to do about others.

Every reader hands its labels over as text; whatever wrote them, "3", "3.0", "Angry" and "6_angry" are understood alike.
"""

import difflib
import re
import unicodedata
from collections.abc import Iterable, Sequence

from fer_keras.labels import ALIASES, EMOTIONS, canonical_emotion
from fer_keras.readers.spec import DataSpec

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
    """Return the emotion that a label means in a data set, or None.

    Args:
        spec: its [labels] come first, then the names that the package knows.
        label: as it stands in the files.

    Example:
        >>> from fer_keras.readers.spec import load_spec
        >>> [find_emotion(load_spec("fer2013"), label) for label in ("3", "3.0", "Sadness", "9")]
        ['happy', 'happy', 'sad', None]
    """
    code = find_code(label, spec.labels)
    if code is not None:
        return spec.labels[code]
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
    known = _NUMBERED.get(frozenset(names))
    lines = "; ".join(f'{_quoted(name)} = "{guess_emotion(name) or "..."}"' for name in names[:_SHOWN])
    more = "; ..." if len(names) > _SHOWN else ""
    return (
        f"{known}. " if known else ""
    ) + f"Write into [labels] of a copy of the data spec: {lines}{more}. inspect --write-spec FILE.toml does."


def _plain(name: str) -> str:
    """Return a name without what does not count: case, outer space, and how a disk composes accents."""
    return unicodedata.normalize("NFC", name.strip()).casefold()


def _quoted(name: str) -> str:
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
