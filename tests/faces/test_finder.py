"""What stands around a detector: shrinking, smallest face, padding, contrast, marks, level eyes."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest

from fer_keras.faces import finder as finder_module
from fer_keras.faces.detection import overlap
from fer_keras.faces.finder import FaceFinder, FinderOptions, quality_marks, sharpness
from fer_keras.faces.frame_finder import FrameFinder
from fer_keras.faces.haar import HaarDetector
from fer_keras.preprocessing import crop_face, level_face, square_box
from fer_keras.video.frames import VideoFile


@pytest.fixture
def finder(detector_options):
    """Makes a finder with a detector that is there."""
    return lambda **options: FaceFinder(FinderOptions(**detector_options, **options))


@pytest.fixture
def yunet_finder(yunet_file):
    """Makes a finder with YuNet, for what Haar cannot do."""
    return lambda **options: FaceFinder(FinderOptions("yunet", str(yunet_file), **options))


def test_large_photos_are_shrunk_for_finding_only(finder, astronaut, astronaut_box):
    large = cv2.resize(astronaut, (3000, 3000), interpolation=cv2.INTER_CUBIC)
    face = finder(max_side=600).find(large)[0]
    assert overlap(np.array(face.face_box) * 512 / 3000, astronaut_box) > 0.7 and face.side > 500


def test_landmarks_are_in_the_pixels_of_a_large_photo(yunet_finder, astronaut):
    large = cv2.resize(astronaut, (3000, 3000), interpolation=cv2.INTER_CUBIC)
    face, small = yunet_finder(max_side=600).find(large)[0], yunet_finder(max_side=512).find(astronaut)[0]
    assert np.abs(face.landmarks * 512 / 3000 - small.landmarks).max() < 8


def test_small_faces_are_passed_over_or_marked(finder, group, detector_options):
    shrunk = cv2.resize(group, (256, 192), interpolation=cv2.INTER_AREA)
    faces = finder(min_face=10).find(shrunk)
    few = 11 if detector_options["detector"] == "haar" else 12  # Haar misses one of this size
    assert len(faces) == few and all("small" in face.marks for face in faces)
    assert finder(min_face=60).find(shrunk) == []
    assert all(face.marks == () for face in finder().find(group))


def test_padding_grows_the_box_on_each_side(finder, astronaut):
    plain, wide = finder().find(astronaut)[0].face_box, finder(padding=0.25).find(astronaut)[0].face_box
    assert wide[2] - wide[0] == pytest.approx(1.5 * (plain[2] - plain[0]))
    assert wide[0] + wide[2] == pytest.approx(plain[0] + plain[2])


def test_marks_say_blurred_and_cut(finder, astronaut, astronaut_box):
    face = finder().find(astronaut)[0]
    assert face.marks == ()
    out_of_focus = cv2.GaussianBlur(astronaut, (0, 0), 0.03 * 106)
    assert quality_marks(out_of_focus, astronaut_box) == ("blurred",)
    x0, y0, x1, y1 = (round(value) for value in face.face_box)
    assert sharpness(out_of_focus[y0:y1, x0:x1]) < 40 < 800 < sharpness(astronaut[y0:y1, x0:x1])
    assert "cut" in quality_marks(astronaut[:, (x0 + x1) // 2 - 10 :], (-35, y0, 55, y1))


def test_half_a_face_is_found_and_marked_as_cut(yunet_finder, astronaut):
    half = astronaut[:, 213:]
    assert "cut" in yunet_finder(detector_confidence=0.3).find(np.ascontiguousarray(half))[0].marks


def test_contrast_helps_in_the_dark(yunet_finder, astronaut, astronaut_box):
    noise = np.random.default_rng(0).normal(0, 1, astronaut.shape)
    dark = np.clip(astronaut * 0.04 + noise, 0, 255).astype(np.uint8)
    assert yunet_finder().find(dark) == []
    found = yunet_finder(clahe=True).find(dark)
    assert len(found) == 1 and overlap(found[0].face_box, astronaut_box) > 0.5


def test_haar_finds_a_face_in_the_dark_and_in_fog(astronaut, astronaut_box):
    finder = FaceFinder(FinderOptions("haar"))
    for view in (astronaut * 0.05, 128 + (astronaut - 128.0) * 0.05):
        found = finder.find(view.astype(np.uint8))
        assert any(overlap(face.face_box, astronaut_box) > 0.5 for face in found)


def test_frames_are_searched_around_known_faces_and_now_and_then_everywhere(moving, monkeypatch):
    frames = list(VideoFile(moving).frames())
    finder = FaceFinder(FinderOptions("haar"))
    whole = [finder.find(frame.image) for frame in frames]
    sweeps = []
    detect = finder.detector.detect
    monkeypatch.setattr(finder.detector, "detect", lambda image: (sweeps.append(1), detect(image))[1])
    following = FrameFinder(finder)
    found = [following.find(frame.image, frame.seconds) for frame in frames]
    assert len(sweeps) < 10 and sum(map(len, whole)) == 75
    for number, (faces, expected) in enumerate(zip(found, whole, strict=True)):
        if 20 <= number < 28:  # the left face is back, and found 0.4 s later at the latest
            expected = [face for face in expected if face.face_box[0] > 120]
        for face in expected:
            assert any(overlap(face.face_box, other.face_box) > 0.5 for other in faces), number
        assert len(faces) <= 2 and (not 15 <= number < 20 or len(faces) == 1)


def test_a_face_is_found_as_soon_as_it_is_there(moving):
    frames = list(VideoFile(moving).frames())
    following = FrameFinder(FaceFinder(FinderOptions("haar")))
    assert following.find(np.full_like(frames[0].image, 90), 0.0) == []
    assert len(following.find(frames[0].image, 0.05)) == 2
    assert following.find(np.full_like(frames[0].image, 90), 0.1) == []


def test_alignment_levels_the_eyes(yunet_finder, astronaut):
    turn = cv2.getRotationMatrix2D((223, 119), 30, 1)
    tilted = cv2.warpAffine(astronaut, turn, (512, 512), borderMode=cv2.BORDER_REPLICATE)
    aligned = yunet_finder(align=True)
    face = aligned.find(tilted)[0]
    patch, box = aligned.face_patch(tilted, face)
    before, after = eye_angle(yunet_finder, tilted, face.face_box), eye_angle(yunet_finder, patch, box)
    assert abs(before) > 12 and abs(after) < abs(before) / 2
    assert yunet_finder().face_patch(tilted, face) == (tilted, face.face_box), "off unless asked"


def eye_angle(finder, image, face_box) -> float:
    """The tilt of the eyes in degrees, seen large."""
    face = finder().find(crop_face(image, (400, 400), np.add(face_box, (-50, -50, 50, 50)).tolist()))[0]
    rise = face.landmarks[1] - face.landmarks[0]
    return float(np.degrees(np.arctan2(rise[1], rise[0])))


def test_a_level_face_stays_where_it_is_and_a_turned_one_becomes_level(astronaut):
    box = (170.0, 60.0, 270.0, 160.0)
    patch, moved = level_face(astronaut, box, (200, 100), (240, 100))
    whole, turned = crop_face(astronaut, (64, 64), box), crop_face(patch, (64, 64), moved)
    assert np.abs(whole.astype(int) - turned).mean() < 1
    image = np.zeros((200, 200, 3), np.uint8)
    cv2.circle(image, (80, 80), 4, (255, 0, 0), -1)
    cv2.circle(image, (120, 110), 4, (0, 255, 0), -1)
    patch, _ = level_face(image, (60, 60, 140, 140), (80, 80), (120, 110))
    red, green = (np.argwhere(patch[:, :, channel] > 128).mean(0) for channel in (0, 1))
    assert red[0] == pytest.approx(green[0], abs=0.5) and green[1] - red[1] == pytest.approx(50, abs=0.5)


def test_options_are_checked():
    for options, flag in (
        ({"min_face": 0}, "--min-face"),
        ({"padding": -1}, "--padding"),
        ({"max_side": 8}, "--max-side"),
    ):
        with pytest.raises(ValueError, match=flag):
            FinderOptions(**options)


@pytest.mark.parametrize("name", ["haar", "yunet"])
def test_a_face_that_fills_a_small_picture_is_found(name, astronaut, astronaut_box, request):
    x0, y0, x1, y1 = astronaut_box
    model = str(request.getfixturevalue("yunet_file")) if name == "yunet" else None
    finder = FaceFinder(FinderOptions(name, model))
    for side in (48, 120):
        tight = cv2.resize(astronaut[y0:y1, x0:x1], (side, side), interpolation=cv2.INTER_AREA)
        faces = finder.find(tight)
        assert len(faces) == 1 and overlap(faces[0].face_box, (0, 0, side, side)) > 0.5


@pytest.mark.parametrize("copies", [True, False])
def test_threads_get_a_detector_each_where_it_is_small_and_take_turns_where_not(copies, astronaut, monkeypatch):
    monkeypatch.setattr(HaarDetector, "copies", copies)
    monkeypatch.setattr(finder_module, "usable_cores", lambda: 2)
    finder, lock, inside, most, used = FaceFinder(FinderOptions("haar")), threading.Lock(), [], [0], set()
    detect = HaarDetector.detect

    def watched(detector, image):
        with lock:
            assert detector not in inside
            inside.append(detector)
            used.add(detector)
            most[0] = max(most[0], len(inside))
        time.sleep(0.02)
        found = detect(detector, image)
        with lock:
            inside.remove(detector)
        return found

    monkeypatch.setattr(HaarDetector, "detect", watched)
    small = np.ascontiguousarray(astronaut[:256:2, 100:356:2])
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(finder.find, [small] * 8))
    assert all([face.face_box for face in faces] == [face.face_box for face in found[0]] for faces in found)
    assert most[0] == len(used) == (2 if copies else 1) and finder.detector in used


def test_haars_boxes_become_the_square_that_models_are_trained_on(astronaut, yunet_finder):
    haar = FaceFinder(FinderOptions("haar"))
    raw, framed = haar.detect(astronaut, 1280)[0].face_box, haar.find(astronaut)[0].face_box
    side = raw[2] - raw[0]
    assert framed[2] - framed[0] == pytest.approx(1.16 * side)
    assert (framed[1] + framed[3]) / 2 == pytest.approx((raw[1] + raw[3]) / 2 + 0.02 * side)
    yunet = yunet_finder().find(astronaut)[0].face_box  # its square is about that of FER2013's faces
    assert overlap(framed, square_box(yunet, (1, 1))) > overlap(raw, square_box(yunet, (1, 1))) + 0.1
