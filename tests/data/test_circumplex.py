"""Derived valence and arousal: the expectation of the coordinates, only where nothing was measured, marked."""

from dataclasses import replace

import numpy as np
import pytest

from fer_keras.data.circumplex import CIRCUMPLEX, SOURCE, derive_axes
from fer_keras.data.loading import load_index
from fer_keras.labels import AXES, EMOTIONS, OUTPUTS
from fer_keras.readers.spec import load_spec


@pytest.fixture
def measured(faces_dir):
    return load_index(load_spec("affectnet"), faces_dir)


@pytest.fixture
def emotions_only(measured):
    nothing = np.full(len(measured), np.nan, np.float32)
    return replace(measured, spec=replace(measured.spec, targets=("emotion",)), valence=nothing, arousal=nothing)


def test_every_emotion_has_coordinates_in_range_and_the_source_names_the_substitutes():
    assert tuple(CIRCUMPLEX) == EMOTIONS
    assert np.abs(list(CIRCUMPLEX.values())).max() <= 1
    assert "1977" in SOURCE["source"] and set(SOURCE["substitutes"]) == {"neutral", "contempt"}


def test_a_label_gives_its_emotions_coordinates(emotions_only):
    derived = derive_axes(emotions_only)
    names = [derived.labels[code] for code in derived.emotion]
    assert derived.valence == pytest.approx([CIRCUMPLEX[name][0] for name in names])
    assert derived.arousal == pytest.approx([CIRCUMPLEX[name][1] for name in names])
    assert derived.spec.targets == OUTPUTS and derived.spec.derived == AXES
    assert derived.fingerprint() != emotions_only.fingerprint(), "scores on derived labels are not those of other data"


def test_votes_give_their_expectation_and_no_vote_the_label_and_nothing_nothing(emotions_only):
    index = emotions_only.take(np.arange(3))
    votes = np.zeros((3, 8), np.float32)
    votes[0, EMOTIONS.index("happy")], votes[0, EMOTIONS.index("neutral")] = 6, 2
    emotion = np.array([1, EMOTIONS.index("sad"), -1], np.int16)
    derived = derive_axes(replace(index, votes=votes, emotion=emotion))
    assert derived.valence[:2] == pytest.approx([0.75 * 0.81, -0.63])
    assert derived.arousal[:2] == pytest.approx([0.75 * 0.51, -0.27])
    assert np.isnan(derived.valence[2]) and np.isnan(derived.arousal[2]), "a face without emotion stays unlabelled"


def test_measured_labels_are_never_mixed_with_derived_ones(measured):
    with pytest.raises(ValueError, match="never mixed with measured ones. Received: affectnet"):
        derive_axes(measured)
