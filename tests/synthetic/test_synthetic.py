"""Drawn faces: exact landmarks, labels that follow the expression, AffectNet's layout, atomic, repeatable writing."""

import json
import os

import cv2
import numpy as np
import pytest

from fer_keras.labels import EMOTIONS
from fer_keras.synthetic import dataset as synthetic
from fer_keras.synthetic.dataset import SHARES, draw_face, write_synthetic
from fer_keras.synthetic.face_shape import Expression, Pose, Shape, face_landmarks
from fer_keras.synthetic.portrait import Look, Portrait, Scene, render_face


def face(emotion: str, seed: int = 0, size: int = 64):
    return draw_face(np.random.default_rng(seed), EMOTIONS.index(emotion), size)


def frontal(size: int = 96, **angles: float) -> Pose:
    return Pose(**{"yaw": 0.0, "pitch": 0.0, "roll": 0.0, **angles}, scale=0.37 * size, centre=(0.5 * size, 0.4 * size))


def landmarks_of(expression: Expression, **angles: float) -> np.ndarray:
    return frontal(**angles).project(face_landmarks(Shape(), expression))


def corner_lift(points: np.ndarray) -> float:
    """How far the mouth's corners stand above the middle of the lip line, in mouth widths."""
    middle = (points[62, 1] + points[66, 1]) / 2
    return (middle - (points[48, 1] + points[54, 1]) / 2) / np.linalg.norm(points[54] - points[48])


def contents(folder) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    return write_synthetic(tmp_path_factory.mktemp("drawn") / "faces", train=60, val=16, size=48, seed=3)


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_a_face_is_the_same_byte_for_byte_and_another_seed_is_another_face(emotion):
    first, again, other = face(emotion, 5), face(emotion, 5), face(emotion, 6)
    assert first.image.tobytes() == again.image.tobytes()
    assert first.landmarks.tobytes() == again.landmarks.tobytes()
    assert (first.valence, first.arousal) == (again.valence, again.arousal)
    assert first.image.tobytes() != other.image.tobytes()
    assert first.valence != other.valence


@pytest.mark.parametrize("size", [32, 96, 224])
def test_types_and_shapes(size):
    drawn = face("fear", size=size)
    assert drawn.image.shape == (size, size, 3) and drawn.image.dtype == np.uint8
    assert drawn.landmarks.shape == (68, 2) and drawn.landmarks.dtype == np.float64
    assert type(drawn.emotion) is int and type(drawn.valence) is float and type(drawn.arousal) is float
    assert drawn.image.std() > 15


def test_size_scales_the_landmarks_only():
    assert np.allclose(face("happy", 2, 48).landmarks * 4, face("happy", 2, 192).landmarks)


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_landmarks_follow_the_ibug_order(emotion):
    for seed in range(12):
        points = face(emotion, seed).landmarks
        brows, eyes = points[17:27], points[36:48]
        assert points[0, 0] < eyes[:6, 0].mean() < points[27, 0] < eyes[6:, 0].mean() < points[16, 0]
        assert np.all(np.diff(brows[:, 0]) > 0)
        assert points[36, 0] < points[39, 0] < points[42, 0] < points[45, 0]
        assert points[48, 0] < points[60, 0] < points[62, 0] < points[64, 0] < points[54, 0]
        assert brows[:, 1].mean() < eyes[:, 1].mean() < points[33, 1] < points[48:, 1].mean() < points[8, 1]
        assert points[8, 1] == points[:17, 1].max() or abs(points[8, 1] - points[:17, 1].max()) < 2.0


def test_eye_outlines_go_round_clockwise_in_the_image():
    points = landmarks_of(Expression())
    for start in (36, 42):
        x, y = points[start : start + 6].T
        assert np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y) > 0  # y grows downwards, so positive is clockwise


def test_a_frontal_resting_face_is_symmetric():
    points = landmarks_of(Expression())
    mirrored = points * (-1.0, 1.0) + (96.0, 0.0)
    pairs = [*range(16, -1, -1), *range(26, 16, -1), 27, 28, 29, 30, 35, 34, 33, 32, 31]
    pairs += [45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40]
    pairs += [54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65]
    assert np.allclose(mirrored[pairs], points)


def test_roll_turns_the_landmarks_about_the_centre():
    angle = np.deg2rad(12.0)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    centre = np.array(frontal().centre)
    expected = (landmarks_of(Expression()) - centre) @ turn.T + centre
    turned = landmarks_of(Expression(), roll=angle)
    assert np.allclose(turned, expected)
    assert turned[45, 1] > turned[36, 1] + 5  # clockwise: the image-right eye goes down


def test_yaw_brings_the_nose_towards_the_side_the_face_turns_to():
    ahead, turned = landmarks_of(Expression()), landmarks_of(Expression(), yaw=0.3)
    assert turned[30, 0] > ahead[30, 0] + 5
    assert turned[30, 0] - ahead[30, 0] > turned[0, 0] - ahead[0, 0]


@pytest.mark.parametrize(
    "action, measured",
    [
        ("corner_pull", corner_lift),
        ("jaw_drop", lambda p: p[66, 1] - p[62, 1]),
        ("lid_raise", lambda p: p[41, 1] - p[37, 1]),
        ("inner_brow_raise", lambda p: p[17, 1] - p[21, 1]),
        ("outer_brow_raise", lambda p: -p[17, 1]),
        ("brow_lower", lambda p: p[21, 1]),
        ("lip_stretch", lambda p: p[54, 0] - p[48, 0]),
        ("one_sided", lambda p: p[48, 1] - p[54, 1]),
        ("one_brow", lambda p: p[17, 1] - p[26, 1]),
    ],
)
def test_an_action_moves_its_landmarks(action, measured):
    rest, half, full = (measured(landmarks_of(Expression(**{action: amount}))) for amount in (0.0, 0.5, 1.0))
    assert rest < half < full


def test_corners_are_up_when_happy_and_down_when_sad():
    happy = [corner_lift(face("happy", seed).landmarks) for seed in range(30)]
    sad = [corner_lift(face("sad", seed).landmarks) for seed in range(30)]
    assert min(happy) > max(sad)


@pytest.mark.parametrize("angles", [{}, {"roll": 0.25}, {"yaw": 0.2, "pitch": -0.1}])
def test_the_mouth_is_drawn_where_the_landmarks_say(angles):
    size = 192
    grey = np.full(3, 200.0)
    look = Look(grey, grey, grey, grey, grey, 0.06, 0, np.zeros(5), 0.0, False)
    scene = Scene(np.zeros(2), np.zeros(2), 0.0, np.ones(3), np.full((3, 3, 3), 200.0), 0.0, 0.0, False)
    expression = Expression(jaw_drop=1.0)
    portrait = Portrait(Shape(), look, expression, frontal(size, **angles), scene)
    image, points = render_face(np.random.default_rng(0), portrait, size)
    red = image[..., 0].astype(float) - image[..., 1]  # the inside of the mouth is the only colour
    lips = cv2.moments(points[60:68].astype(np.float32))
    expected = np.array([lips["m10"], lips["m01"]]) / lips["m00"]
    drawn = cv2.moments((red > 20).astype(np.uint8), binaryImage=True)
    assert np.hypot(*(np.array([drawn["m10"], drawn["m01"]]) / drawn["m00"] - expected)) < 2.5
    assert drawn["m00"] == pytest.approx(lips["m00"], rel=0.2)


@pytest.mark.parametrize(
    "emotion, valence, arousal",
    [("happy", 1, 1), ("sad", -1, -1), ("surprise", 1, 1), ("fear", -1, 1), ("disgust", -1, 1), ("anger", -1, 1)]
    + [("contempt", -1, 1), ("neutral", 0, 0)],
)
def test_valence_and_arousal_lie_where_the_emotion_does(emotion, valence, arousal):
    faces = [face(emotion, seed, 32) for seed in range(60)]
    values = np.array([(one.valence, one.arousal) for one in faces])
    assert np.abs(values).max() <= 1.0
    assert np.all(values == np.round(values, 6))
    assert np.all(values.std(0) > 0.05)
    for axis, sign in enumerate((valence, arousal)):
        mean = values[:, axis].mean()
        assert abs(mean) < 0.06 if sign == 0 else sign * mean > 0.1


def test_valence_and_arousal_within_a_class_show_in_the_landmarks():
    faces = [face("neutral", seed, 32) for seed in range(150)]
    eyes = [np.linalg.norm(one.landmarks[41] - one.landmarks[37]) for one in faces]
    lifts = [corner_lift(one.landmarks) for one in faces]
    assert np.corrcoef(lifts, [one.valence for one in faces])[0, 1] > 0.6
    assert np.corrcoef(eyes, [one.arousal for one in faces])[0, 1] > 0.6


@pytest.mark.parametrize("emotion, size", [(-1, 96), (8, 96), (0, 31)])
def test_draw_face_refuses(emotion, size):
    with pytest.raises(ValueError, match="Received"):
        draw_face(np.random.default_rng(0), emotion, size)


def test_layout_is_affectnets(written):
    assert sorted(path.name for path in written.iterdir()) == ["synthetic.json", "train_set", "val_set"]
    for split, count in (("train_set", 60), ("val_set", 16)):
        images = sorted((written / split / "images").iterdir())
        assert len(images) == count
        assert len(list((written / split / "annotations").iterdir())) == 4 * count
        for path in images:
            assert path.suffix == ".jpg" and path.stem == str(int(path.stem))
            read = {key: np.load(written / split / "annotations" / f"{path.stem}_{key}.npy") for key in
                    ("exp", "val", "aro", "lnd")}  # fmt: skip
            assert read["exp"].dtype.str == "<U1" and 0 <= int(str(read["exp"])) < 8
            for key in ("val", "aro"):
                text = str(read[key])
                assert read[key].dtype.kind == "U" and read[key].dtype.str == f"<U{len(text)}" and len(text) <= 11
                assert len(text.partition(".")[2]) <= 6 and -1.0 <= float(text) <= 1.0
            assert all(read[key].shape == () for key in ("exp", "val", "aro"))
            assert read["lnd"].shape == (136,) and read["lnd"].dtype == np.float64
            assert cv2.imread(str(path)).shape == (48, 48, 3)


def test_files_hold_the_face_of_their_seed_split_and_id(written):
    for number, split in enumerate(SHARES):
        name = max(path.stem for path in (written / split / "images").iterdir())
        annotations = written / split / "annotations"
        emotion = int(str(np.load(annotations / f"{name}_exp.npy")))
        drawn = draw_face(np.random.default_rng((3, number, int(name))), emotion, 48)
        assert float(str(np.load(annotations / f"{name}_val.npy"))) == drawn.valence
        assert float(str(np.load(annotations / f"{name}_aro.npy"))) == drawn.arousal
        assert np.array_equal(np.load(annotations / f"{name}_lnd.npy").reshape(68, 2), drawn.landmarks)
        read = cv2.imread(str(written / split / "images" / f"{name}.jpg"))[..., ::-1]
        assert np.abs(read.astype(float) - drawn.image).mean() < 6  # JPEG, and red is red


def test_ids_have_gaps_and_repeat_across_splits(written):
    train, val = ({int(p.stem) for p in (written / split / "images").iterdir()} for split in SHARES)
    assert max(train) >= len(train) and max(val) >= len(val)
    assert train & val


def test_the_same_id_is_another_face_in_the_other_split(written):
    train, val = ({p.name for p in (written / split / "images").iterdir()} for split in SHARES)
    for name in train & val:
        assert (written / "train_set/images" / name).read_bytes() != (written / "val_set/images" / name).read_bytes()


def test_some_landmarks_leave_the_frame():
    outside = [np.any((p < 0) | (p > 63)) for p in (face(EMOTIONS[seed % 8], seed).landmarks for seed in range(80))]
    assert 0 < np.mean(outside) < 1


def test_a_face_does_not_depend_on_the_counts(written, tmp_path):
    fewer = contents(write_synthetic(tmp_path / "fewer", train=10, val=9, size=48, seed=3))
    whole = contents(written)
    del fewer["synthetic.json"]
    assert len(fewer) == 5 * 19
    assert all(whole[name] == data for name, data in fewer.items())


def test_class_counts():
    train = np.bincount(synthetic._emotions(SHARES["train_set"], 2400), minlength=8)
    assert train.tolist() == [624, 720, 288, 216, 144, 96, 240, 72]
    assert np.bincount(synthetic._emotions(SHARES["val_set"], 400), minlength=8).tolist() == [50] * 8


@pytest.mark.parametrize(
    "value, text",
    [(-0.176846, "-0.176846"), (0.5, "0.5"), (0.0, "0"), (-0.0, "0"), (1.0, "1"), (1e-06, "0.000001")],
)
def test_decimals(value, text):
    assert synthetic._decimal(value) == text


def test_writing_again_returns_at_once(tmp_path, monkeypatch):
    folder = write_synthetic(tmp_path / "faces", train=3, val=2, size=32)
    before = contents(folder)
    assert json.loads(before["synthetic.json"])["note"].startswith("These faces are drawn, not photographed")
    monkeypatch.setattr(synthetic, "draw_face", lambda *_: pytest.fail("drew again"))
    assert write_synthetic(str(folder), train=3, val=2, size=32) == folder
    assert contents(folder) == before


def test_an_empty_folder_is_filled(tmp_path):
    write_synthetic(tmp_path, train=2, val=1, size=32)
    assert (tmp_path / "synthetic.json").is_file()


@pytest.mark.parametrize("held", ["photo", "other seed", "broken marker", "a file", "dangling link"])
def test_a_folder_that_is_something_else_is_refused_and_kept(tmp_path, held):
    folder = tmp_path / "mine"
    if held == "a file":
        folder.write_text("notes")
    elif held == "dangling link":
        folder.symlink_to(tmp_path / "nowhere")
    elif held == "other seed":
        write_synthetic(folder, train=2, val=1, size=32, seed=1)
    else:
        folder.mkdir()
        (folder / ("synthetic.json" if held == "broken marker" else "photo.jpg")).write_text("{")
    before = sorted(os.listdir(tmp_path)), contents(tmp_path)
    with pytest.raises(ValueError, match=r"Cannot write drawn faces.*Received: '.*mine'"):
        write_synthetic(folder, train=2, val=1, size=32)
    assert (sorted(os.listdir(tmp_path)), contents(tmp_path)) == before


@pytest.mark.parametrize("cleaned", [True, False])
def test_stopped_half_way_leaves_nothing_that_looks_whole(tmp_path, monkeypatch, cleaned):
    drawn = []

    def stop_at_the_fourth(*arguments):
        drawn.append(arguments)
        if len(drawn) == 4:
            raise KeyboardInterrupt
        return draw_face(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(synthetic, "draw_face", stop_at_the_fourth)
        if not cleaned:  # as after a kill, which runs no cleaning
            patch.setattr(synthetic.shutil, "rmtree", lambda *_, **__: None)
        with pytest.raises(KeyboardInterrupt):
            write_synthetic(tmp_path / "faces", train=5, val=2, size=32)
    left = list(tmp_path.iterdir())
    assert not (tmp_path / "faces").exists()
    assert len(left) == (0 if cleaned else 1)
    assert all(path.name.startswith(".") and not (path / "synthetic.json").exists() for path in left)
    folder = write_synthetic(tmp_path / "faces", train=5, val=2, size=32)
    assert len(list(folder.rglob("*.jpg"))) == 7


@pytest.mark.parametrize("wrong", [{"train": -1}, {"val": 1.5}, {"size": 16}, {"seed": -1}, {"train": True}])
def test_write_synthetic_refuses_numbers(tmp_path, wrong):
    with pytest.raises(ValueError, match=f"`{next(iter(wrong))}` must be an integer"):
        write_synthetic(tmp_path / "faces", **wrong)
    assert not list(tmp_path.iterdir())
