"""Following faces: ids stay while faces move, pass and vanish for a while; scores move smoothly."""

import numpy as np
import pytest

from fer_keras.faces.tracking import FaceTracker, smoothed
from fer_keras.prediction.reading import FaceReading


def face(x, y=50.0, side=40.0, **scores) -> FaceReading:
    """A face with its left upper corner at x, y."""
    return FaceReading(face_box=(x, y, x + side, y + side), **scores)


def ids(readings):
    return [reading.id for reading in readings]


def test_ids_stay_while_faces_move_in_any_order():
    tracker = FaceTracker()
    assert ids(tracker.update([face(0, 120), face(200, 50)])) == [1, 2]
    for step in range(1, 60):
        assert ids(tracker.update([face(200 - 3 * step, 50), face(3 * step, 120)])) == [2, 1]


def test_close_faces_keep_their_ids_by_the_best_pairs():
    tracker = FaceTracker()
    tracker.update([face(0), face(30)])
    assert ids(tracker.update([face(24), face(-4)])) == [2, 1]


def test_a_fast_face_is_followed_by_distance_a_far_one_is_new():
    tracker = FaceTracker()
    tracker.update([face(0)])
    assert ids(tracker.update([face(23)])) == [1]
    assert ids(tracker.update([face(90)])) == [2]
    assert ids(FaceTracker().update([face(0), face(0, side=100)])) == [1, 2]


def test_lost_faces_are_forgotten_after_some_frames():
    tracker = FaceTracker(patience=3)
    tracker.update([face(0)])
    for _ in range(3):
        assert tracker.update([]) == []
    assert ids(tracker.update([face(2)])) == [1]
    for _ in range(4):
        tracker.update([])
    assert ids(tracker.update([face(2)])) == [2]


def test_scores_are_averaged_exponentially():
    tracker = FaceTracker(0.7)
    shares = [np.array([0.9, 0.1]), np.array([0.2, 0.8]), np.array([0.0, 1.0])]
    expected, valence = shares[0], 0.5
    for step, row in enumerate(shares):
        now = dict(zip(("happy", "sad"), row.tolist(), strict=True))
        read = face(
            0, probabilities=now, emotion=max(now, key=now.get), confidence=max(now.values()), valence=0.5 - step
        )
        (found,) = tracker.update([read])
        expected = 0.7 * expected + 0.3 * row if step else row
        valence = 0.7 * valence + 0.3 * (0.5 - step) if step else 0.5
        assert found.probabilities == pytest.approx({"happy": expected[0], "sad": expected[1]})
        assert found.valence == pytest.approx(valence) and found.arousal is None
        assert found.emotion == ("happy" if expected[0] > expected[1] else "sad")
        assert found.confidence == pytest.approx(expected.max())
        assert list(found.probabilities)[0] == found.emotion, "likeliest first"
    without = FaceTracker(0)
    without.update([face(0, valence=1.0)])
    assert without.update([face(0, valence=-1.0)])[0].valence == -1
    assert smoothed(face(0), face(9, valence=0.5), 0.9).valence == 0.5


def test_options_are_checked():
    with pytest.raises(ValueError, match="--smoothing expects"):
        FaceTracker(1.0)
    with pytest.raises(ValueError, match="patience expects"):
        FaceTracker(0.5, -1)
