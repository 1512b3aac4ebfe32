"""Faces of a video file: around known ones, newcomers backwards, everywhere now and then."""

import numpy as np
import pytest

from fer_keras.faces.detection import overlap
from fer_keras.faces.finder import FaceFinder, FinderOptions
from fer_keras.video.clip import find_in_clip
from fer_keras.video.frames import Frame, VideoFile


@pytest.fixture(params=["yunet", "haar"])
def finder(request):
    model = str(request.getfixturevalue("yunet_file")) if request.param == "yunet" else None
    return FaceFinder(FinderOptions(request.param, model))


def count_looks(finder, monkeypatch) -> list:
    """Let a finder's detector note when it looks everywhere."""
    looks, detect = [], finder.detector.detect
    monkeypatch.setattr(finder.detector, "detect", lambda image: (looks.append(1), detect(image))[1])
    return looks


def test_every_face_is_found_where_it_came_in_with_few_looks_everywhere(finder, moving, monkeypatch):
    frames = list(VideoFile(moving).frames())
    whole = [finder.finished(frame.image, finder.detect(frame.image, 320)) for frame in frames]
    assert sum(map(len, whole)) == 75
    looks = count_looks(finder, monkeypatch)
    found = list(find_in_clip(iter(frames), finder))
    assert [frame.number for frame, _ in found] == list(range(40)) and len(looks) <= 12
    for (frame, faces), expected in zip(found, whole, strict=True):
        # The left face is back at 20, between two looks everywhere.
        assert len(faces) == len(expected), frame.number
        assert all(max(overlap(face.face_box, other.face_box) for other in faces) > 0.5 for face in expected)


def test_frames_that_are_passed_over_keep_their_place(finder, moving):
    found = list(find_in_clip(VideoFile(moving).frames(every=3), finder, every=3))
    assert [frame.number for frame, _ in found] == list(range(40))
    assert all((faces is None) == (frame.number % 3 > 0) for frame, faces in found)
    assert sum(len(faces) for _, faces in found if faces) == 26, "14 frames, in 2 of them one face"


def test_faces_are_found_at_the_edge_and_in_a_frame_that_they_fill(finder, astronaut):
    tall, edge = astronaut[40:190, 150:300], astronaut[60:, 168:]
    for image in (tall, edge):
        frames = [Frame(number, number / 25, np.ascontiguousarray(image)) for number in range(3)]
        first, *others = [faces for _, faces in find_in_clip(frames, finder)]
        for faces in others:
            assert len(faces) == len(first) == 1
            assert all(overlap(one.face_box, other.face_box) > 0.5 for one, other in zip(first, faces, strict=True))


def test_many_faces_are_looked_for_everywhere_where_that_costs_less(group, yunet_file, monkeypatch):
    finder = FaceFinder(FinderOptions("yunet", str(yunet_file)))
    looks = count_looks(finder, monkeypatch)
    found = list(find_in_clip([Frame(number, number / 25, group) for number in range(3)], finder))
    assert [len(faces) for _, faces in found] == [12, 12, 12] and len(looks) == 3


@pytest.mark.parametrize("name", ["yunet", "haar"])
def test_faces_are_followed_with_their_contrast_raised(name, request, moving, monkeypatch):
    noise = np.random.default_rng(0)
    dark = [
        Frame(
            frame.number,
            frame.seconds,
            np.clip(frame.image * 0.06 + noise.normal(0, 1, (240, 320, 3)), 0, 255).astype("u1"),
        )
        for frame in list(VideoFile(moving).frames())[:12]
    ]
    model = str(request.getfixturevalue("yunet_file")) if name == "yunet" else None
    finder = FaceFinder(FinderOptions(name, model, clahe=True))
    looks = count_looks(finder, monkeypatch)
    assert [len(faces) for _, faces in find_in_clip(dark, finder)] == [2] * 12 and len(looks) <= 4
