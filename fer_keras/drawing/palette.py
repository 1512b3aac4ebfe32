"""Every colour of the package, as "#rrggbb": a class, a face and a doubt look the same wherever they are drawn.

`rgb` turns a colour into the values that a picture holds. Hues are Okabe and Ito's (2008), which people with the common
colour blindnesses tell apart.
"""

import functools
from collections.abc import Sequence

from fer_keras.labels import EMOTIONS, is_emotion, known_emotion

#: Text, lesser text, grid lines, the first and the second curve of plots and pages, on white.
INK, MUTED, GRID, ACCENT, WARM = "#1f2933", "#5f6b7a", "#e3e7ec", "#0072b2", "#d55e00"
#: Axes and diagonals; outlines and unlabelled points; single faces and the lesser of two curves; empty cells.
AXIS, OUTLINE, POINT, EMPTY = "#b8c0ca", "#9aa5b1", "#7b8794", "#a3acb8"
#: The empty part of a bar, and the lines of the valence-arousal plane, on white pages.
TRACK, PLANE_LINE = "#eef1f4", "#d5dbe2"
#: A warning over a plot.
ALERT = "#b3261e"
#: Text on pictures, the panels beneath it, and the plane's lines and words on such a panel.
LIGHT, DARK, PANEL_LINE, PANEL_WORD = "#ffffff", INK, "#6e7882", "#bec6cd"
#: A face that is uncertain or marked.
DOUBT = "#e69f00"

#: One colour per face, by its number or its id.
FACE_COLOURS = ("#56b4e9", "#f0e442", "#009e73", "#cc79a7", "#d55e00", "#0072b2")
#: One colour per emotion, in the order of `EMOTIONS`: grey for neutral, and a dark red in place of Okabe and Ito's yellow,
#: which is hard to see on white.
CLASS_COLOURS = ("#6b7280", "#e69f00", "#0072b2", "#56b4e9", "#cc79a7", "#009e73", "#d55e00", "#7a1f3d")
#: Of classes that are none of these emotions, as far as they go: each far from all before it, from white and from `INK`, also
#: to people with the common colour blindnesses (chosen one by one by the distance in Lab).
OWN_COLOURS = (
    *("#0000f0", "#6060f0", "#c0c078", "#484800", "#d83048", "#781878", "#d8a8a8", "#0048a8"),
    *("#4818c0", "#7890f0", "#d89048", "#487848", "#a8c0d8", "#786090", "#900060", "#c06030"),
)
#: One colour per run that is compared.
RUN_COLOURS = (ACCENT, "#e69f00", "#009e73", "#cc79a7", "#56b4e9", WARM, "#6b7280", "#7a1f3d")
#: One colour per split of a data set.
SPLIT_COLOURS = {"train": ACCENT, "validation": "#e69f00", "test": "#009e73"}


@functools.cache
def rgb(colour: str) -> tuple[int, int, int]:
    """Return a colour as (red, green, blue), 0..255.

    Example:
        >>> rgb("#56b4e9")
        (86, 180, 233)
    """
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def class_colour(label: str, labels: Sequence[str] = EMOTIONS) -> str:
    """Return the colour of a class, the same in every picture: by emotion name, otherwise by its place in the alphabet.

    Args:
        label: name of the class.
        labels: all classes of the model or the data, in any order; those that are no emotions have colours of their own.

    Example:
        >>> class_colour("happy") == class_colour("Happiness", ["Happiness", "Sadness"])
        True
    """
    emotion = known_emotion(label)
    if emotion in EMOTIONS:
        return CLASS_COLOURS[EMOTIONS.index(emotion)]
    own = sorted(name for name in labels if not is_emotion(name))
    return OWN_COLOURS[own.index(label) % len(OWN_COLOURS)] if label in own else MUTED


def face_colour(reading, number: int = 0) -> str:
    """Return the colour of a face: by its id where it has one, otherwise by its number in the picture, from 0."""
    face = getattr(reading, "id", None)
    return id_colour(number + 1 if face is None else face)


def id_colour(face: int) -> str:
    """Return the colour of the face with this id, from 1.

    Example:
        >>> id_colour(1) == id_colour(7)
        True
    """
    return FACE_COLOURS[(face - 1) % len(FACE_COLOURS)]
