"""Label order and aliases."""

import pytest

from fer_keras.labels import ALIASES, EMOTIONS, canonical_emotion


def test_order_is_affectnets():
    assert EMOTIONS == ("neutral", "happy", "sad", "surprise", "fear", "disgust", "anger", "contempt")


@pytest.mark.parametrize(
    "name, emotion",
    [
        ("Happiness", "happy"),
        ("JOY", "happy"),
        ("sadness", "sad"),
        (" angry ", "anger"),
        ("Surprised", "surprise"),
        ("fearful", "fear"),
        ("disgusted", "disgust"),
        ("Contempt", "contempt"),
        ("3_sad", "sad"),
        ("06-neutral", "neutral"),
    ],
)
def test_aliases_are_matched_by_name_case_free(name, emotion):
    assert canonical_emotion(name) == emotion


def test_no_alias_means_two_emotions():
    aliases = [alias for names in ALIASES.values() for alias in names]
    assert len(set(aliases)) == len(aliases)
    assert not set(aliases) & set(EMOTIONS)


@pytest.mark.parametrize("name", ["", "7", "bored", "none"])
def test_unknown_names_are_refused(name):
    with pytest.raises(ValueError, match="Unknown emotion name"):
        canonical_emotion(name)
