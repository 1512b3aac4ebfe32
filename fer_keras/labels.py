"""Emotion names and their order, output names and the valence/arousal range, each defined here alone.

This module imports nothing, so every other part of the package, with or without TensorFlow, can read it.
"""

#: The eight emotions in AffectNet's code order (0 to 7). A model's `emotion` output follows this order
#: unless its bundle says otherwise; data sets with other orders or names are mapped by name, never by position.
EMOTIONS = ("neutral", "happy", "sad", "surprise", "fear", "disgust", "anger", "contempt")

#: The names of a model's outputs, everywhere: data sets, losses, metrics, exports, JSON.
OUTPUTS = ("emotion", "valence", "arousal")

#: The two continuous outputs.
AXES = ("valence", "arousal")

#: Valence and arousal live in this closed interval (tanh heads).
VA_RANGE = (-1.0, 1.0)

#: A word for each quadrant of the valence-arousal plane, by (valence >= 0, arousal >= 0).
#: Source: Russell 1980, A circumplex model of affect.
QUADRANTS = {(True, True): "excited", (False, True): "distressed", (False, False): "depressed", (True, False): "calm"}

#: The names of each emotion in other data sets, folders and papers.
ALIASES = {
    "neutral": ("neutrality", "none_neutral", "calm", "ne"),
    "happy": ("happiness", "joy", "joyful", "happily", "smile", "ha"),
    "sad": ("sadness", "sadly", "sorrow", "sa"),
    "surprise": ("surprised", "surprising", "su"),
    "fear": ("fearful", "afraid", "scared", "fe"),
    "disgust": ("disgusted", "di"),
    "anger": ("angry", "angrily", "an"),
    "contempt": ("contemptuous", "contemptful", "disdain", "co"),
}

_BY_ALIAS = {alias: name for name, aliases in ALIASES.items() for alias in (name, *aliases)}


def canonical_emotion(name: str) -> str:
    """Return the package's name of an emotion that another source calls `name`.

    Matching ignores case, surrounding space and a leading number such as the "0_" or "3-" of class folders.

    Args:
        name: the name as found, for example a folder's.

    Returns:
        One of `EMOTIONS`.

    Raises:
        ValueError: no emotion has that name.

    Example:
        >>> canonical_emotion("Happiness"), canonical_emotion("6_Angry")
        ('happy', 'anger')
    """
    key = str(name).strip().lower().lstrip("0123456789").strip(" _-.")
    try:
        return _BY_ALIAS[key]
    except KeyError:
        raise ValueError(
            f"Unknown emotion name. Expected one of {', '.join(EMOTIONS)} or a known alias. Received: {name!r}. "
            "Map it by name in the data spec's [labels] table."
        ) from None


def known_emotion(text: str) -> str:
    """Return the package's name of an emotion, given any of its aliases; other text unchanged.

    Example:
        >>> known_emotion("Joy"), known_emotion("bored")
        ('happy', 'bored')
    """
    try:
        return canonical_emotion(text)
    except ValueError:
        return text


def plain_name(text: str) -> str:
    """Return the name of a class without what does not count: case, a leading number, and which signs part its words.

    Example:
        >>> plain_name("01_Happily_Surprised"), plain_name("happily surprised")
        ('happily surprised', 'happily surprised')
    """
    text = str(text).strip().casefold().lstrip("0123456789")
    return " ".join(text.replace("_", " ").replace("-", " ").replace(".", " ").split())


def is_emotion(name: str) -> bool:
    """Return whether a name is one of `EMOTIONS` or an alias of one.

    Example:
        >>> is_emotion("Joy"), is_emotion("happily surprised")
        (True, False)
    """
    return known_emotion(name) in EMOTIONS


def in_package_order(names) -> tuple[str, ...]:
    """Return emotions in the order of `EMOTIONS`, then the other names as they come, each once.

    Example:
        >>> in_package_order(["awed", "sad", "bored", "happy", "sad"])
        ('happy', 'sad', 'awed', 'bored')
    """
    names = list(dict.fromkeys(names))
    return (*(name for name in EMOTIONS if name in names), *(name for name in names if name not in EMOTIONS))


def same_emotion(name: str, other: str) -> bool:
    """Return whether two names mean the same emotion, under any aliases; names that are not emotions must be equal.

    Example:
        >>> same_emotion("Angry", "anger"), same_emotion("sad", "fear")
        (True, False)
    """
    try:
        return name == other or canonical_emotion(name) == canonical_emotion(other)
    except ValueError:
        return False


def match_emotions(names, others) -> list[int]:
    """Return the place of each of `names` in `others`, matched by meaning; -1 if it has no counterpart there.

    Example:
        >>> match_emotions(["happy", "contempt"], ["Angry", "Happy"])
        [1, -1]
    """
    return [next((place for place, other in enumerate(others) if same_emotion(name, other)), -1) for name in names]
