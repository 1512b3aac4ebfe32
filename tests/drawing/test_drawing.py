"""What is drawn: boxes where faces are, bars as long as probabilities, points on the plane, one colour per class and face."""

import re

import numpy as np
import pytest

from fer_keras.drawing.bars import bars_svg
from fer_keras.drawing.boxes import annotated, draw_faces, label_of
from fer_keras.drawing.lettering import draw_text
from fer_keras.drawing.palette import DOUBT, FACE_COLOURS, class_colour, face_colour, rgb
from fer_keras.drawing.plane import draw_plane, plane_svg
from fer_keras.prediction.reading import FaceReading, Reading

READING = FaceReading(
    "happy", 0.75, {"happy": 0.75, "sad": 0.25}, 0.5, -0.5, face_box=(100.0, 120.0, 180.0, 200.0), id=2
)
COLOUR = rgb(FACE_COLOURS[1])


@pytest.fixture
def frame():
    return np.full((300, 400, 3), 90, np.uint8)


def test_a_box_and_bars_are_drawn_in_the_faces_colour(frame):
    draw_faces(frame, [READING])
    assert tuple(frame[160, 100]) == rgb(face_colour(READING)) == COLOUR and (frame[150:180, 110:170] == 90).all()
    rows = [(np.abs(frame[y, 184:300].astype(int) - np.array(COLOUR) * 0.6).max(1) < 3).sum() for y in (121, 131)]
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
    where = np.argwhere((frame == COLOUR).all(2))
    side = 90
    middle = np.array([300 - side - 4 + side / 2, 400 - side - 4 + side / 2])
    assert (where.mean(0) - middle) == pytest.approx([0.5 * side / 2, 0.5 * side / 2], abs=6)
    untouched = np.full((300, 400, 3), 90, np.uint8)
    assert (frame[:200] == untouched[:200]).all()
    assert (draw_plane(frame.copy(), [FaceReading("happy", 1.0, {"happy": 1.0})]) != untouched).any()


def test_bars_begin_beneath_a_label_at_the_top(frame):
    high = FaceReading("happy", 0.9, {"anger": 0.9, "happy": 0.1}, face_box=(100.0, 0.0, 180.0, 80.0), id=2)
    draw_faces(frame, [high])
    dimmed = np.abs(frame[:, 184:240].astype(int) - np.array(COLOUR) * 0.6).max(2) < 3
    rows = np.flatnonzero(dimmed.sum(1) > 15)
    assert len(rows) and rows[0] >= 10, "the first bar is seen"


def test_a_doubtful_face_has_the_colour_of_doubt(frame):
    for doubt in ({"uncertain": True}, {"marks": ("small",)}):
        reading = FaceReading("sad", 0.3, {"sad": 0.3}, face_box=(100.0, 120.0, 180.0, 200.0), **doubt)
        assert tuple(draw_faces(frame.copy(), [reading])[160, 100]) == rgb(DOUBT)


def test_a_copy_of_a_small_picture_is_enlarged_with_its_boxes():
    small = np.full((60, 80, 3), 90, np.uint8)
    reading = FaceReading("happy", 0.9, face_box=(20.0, 30.0, 60.0, 50.0))
    copy = annotated(small, [reading])
    assert copy.shape == (320, 427, 3) and (small == 90).all()
    assert tuple(copy[213, 107]) == rgb(FACE_COLOURS[0]), "the left edge, 40 / 60 down and 20 / 80 across"
    assert annotated(small, []).shape == small.shape and annotated(np.zeros((9, 3000, 3), np.uint8), [reading]).size


def test_a_whole_picture_that_is_one_face_gets_a_label_and_bars_but_no_box():
    reading = Reading("happy", 0.9, {"happy": 0.9, "sad": 0.1})
    copy = annotated(np.full((400, 400, 3), 90, np.uint8), [reading])
    assert (copy[200:, :] == 90).all() and (copy[:, 200:] == 90).all() and (copy[:80, :80] != 90).any()


def test_bars_of_a_page_are_as_long_as_probabilities_and_names_are_escaped():
    svg = bars_svg({"happy": 0.25, "<b>": 0.75}, ("happy", "<b>"))
    widths = re.findall(r'<rect [^>]*width="([\d.]+)" height="18" fill="#0072b2"', svg)
    assert [float(width) for width in widths] == [75, 225]
    assert "<b>" not in svg and "&lt;b&gt;" in svg and "25%" in svg


def test_the_plane_of_a_page_shows_points_and_trails():
    svg = plane_svg({1: [(-1.0, -1.0), (0.0, 0.0), (0.5, 0.5)], 2: []})
    assert '<circle cx="215.0" cy="85.0" r="7"' in svg and svg.count("<line") == 2 and "excited" in svg
    assert f'fill="{FACE_COLOURS[0]}"' in svg


def test_a_class_has_one_colour_whatever_other_classes_there_are():
    for labels in (["happy"], ["sad", "happy"], ["anger", "contempt", "happy"]):
        assert class_colour("happy", labels) == class_colour("happy")
