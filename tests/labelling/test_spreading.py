"""Choosing faces: measures of doubt in order, and one person not chosen many times."""

import numpy as np
import pytest

from fer_keras.labelling.doubt import DOUBTS, Answers, measure_doubt
from fer_keras.labelling.select_options import MEASURES
from fer_keras.labelling.spreading import choose_faces


def answers(*probabilities, axes=None) -> Answers:
    """Answers of models (model, view, face, class) and, of axes, (model, view, face, 2)."""
    emotion = np.array(probabilities, float)
    return Answers(emotion, np.zeros((0, 1, emotion.shape[2], 2)) if axes is None else np.array(axes, float))


def test_every_measure_is_explained_and_none_is_explained_that_is_not():
    assert set(DOUBTS) == set(MEASURES)


@pytest.mark.parametrize("by", ["margin", "entropy"])
def test_doubt_of_the_mean_answer(by):
    found = measure_doubt(by, answers([[[1, 0, 0], [0.5, 0.4, 0.1]], [[1, 0, 0], [0.3, 0.4, 0.3]]]))
    assert found[0] == pytest.approx(0, abs=1e-9) and 0.5 < found[1] <= 1


def test_disagreement_of_members_is_not_that_of_views():
    sure, other, torn = [1.0, 0.0], [0.0, 1.0], [0.5, 0.5]
    members = answers([[sure, torn], [sure, torn]], [[other, torn], [other, torn]])
    assert measure_doubt("members", members).tolist() == pytest.approx([1, 0])
    assert measure_doubt("views", members).tolist() == pytest.approx([0, 0])
    views = answers([[sure, sure], [other, sure]])
    assert measure_doubt("views", views).tolist() == pytest.approx([1, 0])
    with pytest.raises(ValueError, match="--by members compares answers.*--model a,b"):
        measure_doubt("members", views)


def test_models_without_emotions_differ_in_valence_and_arousal():
    axes = Answers(np.zeros((0, 1, 2, 1)), np.array([[[[1, 0], [0, 0]], [[-1, 0], [0, 0]]]], float))
    assert measure_doubt("views", axes).tolist() == [0.5, 0]
    with pytest.raises(ValueError, match="--by margin expects a model with the output emotion"):
        measure_doubt("margin", axes)


def test_one_person_in_bad_light_is_not_chosen_again_and_again():
    """300 doubtful pictures of one person, 60 of twenty others, 340 sure ones."""
    rng = np.random.default_rng(0)
    people = rng.normal(size=(21, 32))
    who = np.repeat(np.arange(21), [300, *[20] * 20])
    features = people[who] + 0.05 * rng.normal(size=(len(who), 32))
    doubt = np.where(who == 0, 0.9, 0.2) + 0.05 * rng.random(len(who))
    doubt[np.isin(np.arange(len(who)), [np.flatnonzero(who == one)[:3] for one in range(1, 21)])] = 0.7
    by_doubt = choose_faces(doubt, None, 16)[0]
    spread, distances = choose_faces(doubt, features, 16)
    assert set(who[by_doubt]) == {0}
    assert len(set(who[spread])) == 16 and spread[0] == by_doubt[0]
    assert np.isnan(distances[0]) and (distances[1:] > 0.5).all()


def test_equal_features_are_chosen_last_and_nothing_twice():
    features = np.array([[1, 0], [1, 0], [0, 1], [0, 0]], float)
    rows, distances = choose_faces(np.array([0.9, 0.8, 0.3, 0.0]), features, 9)
    assert rows.tolist() == [0, 2, 1, 3] and distances[2] == pytest.approx(0, abs=1e-3)
    assert choose_faces(np.array([0.1, 0.2]), np.eye(2), 5)[0].tolist() == [1, 0]


def test_what_is_rare_and_known_is_left():
    rows, _ = choose_faces(np.array([0.9, 0.8, 0.01]), np.array([[1, 0.3], [1, -0.3], [-1, 0.0]]), 2)
    assert rows.tolist() == [0, 1]
