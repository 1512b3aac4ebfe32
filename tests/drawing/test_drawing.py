"""What is drawn on a frame: boxes where faces are, bars as long as probabilities, points on the plane."""

import numpy as np
import pytest

from fer_keras.drawing.boxes import COLOURS, colour_of, draw_faces, draw_plane, draw_text, label_of
from fer_keras.faces.face_reader import FaceReading

READING = FaceReading(
    "happy", 0.75, {"happy": 0.75, "sad": 0.25}, 0.5, -0.5, face_box=(100.0, 120.0, 180.0, 200.0), id=2
)


@pytest.fixture
def frame():
    return np.full((300, 400, 3), 90, np.uint8)


def test_a_box_and_bars_are_drawn_in_the_faces_colour(frame):
    draw_faces(frame, [READING])
    assert tuple(frame[160, 100]) == colour_of(READING, 0) == COLOURS[1] and (frame[150:180, 110:170] == 90).all()
    rows = [(np.abs(frame[y, 184:300].astype(int) - np.array(COLOURS[1]) * 0.6).max(1) < 3).sum() for y in (121, 131)]
    assert rows[0] > 2 * rows[1] > 0, "happy has the longer bar"
    plain = draw_faces(np.full((300, 400, 3), 90, np.uint8), [READING], bars=False)
    assert (plain[125:200, 185:] == 90).all()


def test_labels_say_who_what_and_doubts():
    assert label_of(READING) == "#2 happy 75%  v +0.50 a -0.50"
    poor = FaceReading("sad", 0.3, {"sad": 0.3}, uncertain=True, marks=("small", "cut"))
    assert label_of(poor) == "sad 30%  (uncertain) (small) (cut)" and label_of(FaceReading(valence=0.1)) == "v +0.10"


def test_faces_at_the_edge_and_in_tiny_frames_do_not_fail():
    for shape in ((300, 400, 3), (40, 60, 3), (8, 8, 3)):
        frame = np.zeros(shape, np.uint8)
        for box in ((-20.0, -20.0, 30.0, 30.0), (shape[1] - 5.0, shape[0] - 5.0, shape[1] + 40.0, shape[0] + 40.0)):
            reading = FaceReading("happy", 1.0, {"happy": 1.0, "é": 0.0}, 1.0, 1.0, face_box=box)
            draw_text(draw_plane(draw_faces(frame, [reading]), [reading]), "30 fps")


def test_the_plane_shows_a_point_where_the_face_is(frame):
    draw_plane(frame, [READING], {2: [(-0.9, 0.9), (0.0, 0.0), (0.5, -0.5)]})
    where = np.argwhere((frame == COLOURS[1]).all(2))
    side = 90
    middle = np.array([300 - side - 4 + side / 2, 400 - side - 4 + side / 2])
    assert (where.mean(0) - middle) == pytest.approx([0.5 * side / 2, 0.5 * side / 2], abs=6)
    untouched = np.full((300, 400, 3), 90, np.uint8)
    assert (frame[:200] == untouched[:200]).all()
    assert (draw_plane(frame.copy(), [FaceReading("happy", 1.0, {"happy": 1.0})]) != untouched).any()


def test_bars_begin_beneath_a_label_at_the_top(frame):
    high = FaceReading("happy", 0.9, {"anger": 0.9, "happy": 0.1}, face_box=(100.0, 0.0, 180.0, 80.0), id=2)
    draw_faces(frame, [high])
    dimmed = np.abs(frame[:, 184:240].astype(int) - np.array(COLOURS[1]) * 0.6).max(2) < 3
    rows = np.flatnonzero(dimmed.sum(1) > 15)
    assert len(rows) and rows[0] >= 10, "the first bar is seen"
