"""Faces levelled by their landmarks: turned right, the same pixels everywhere, and told by the bundle."""

import numpy as np
import pytest

from fer_keras.batches.inputs import open_split
from fer_keras.config.run_config import RunConfig
from fer_keras.data.loading import load_faces
from fer_keras.prediction.predictor import Predictor
from fer_keras.preprocessing import crop_face, five_points, level_points
from fer_keras.readers.rows import ArrayImages, LevelImages
from fer_keras.runs.bundle import load_bundle
from fer_keras.synthetic.dataset import draw_face
from fer_keras.training.training_run import train_run

SIDE = 32


def tilted(degrees: float, size: int = 160) -> tuple[np.ndarray, np.ndarray]:
    """Return a drawn face turned about the middle of its picture, and its landmarks."""
    import cv2

    face = draw_face(np.random.default_rng(4), 1, size)
    turn = cv2.getRotationMatrix2D(((size - 1) / 2, (size - 1) / 2), degrees, 1.0)
    image = cv2.warpAffine(face.image, turn, (size, size), borderMode=cv2.BORDER_REPLICATE)
    return image, face.landmarks @ turn[:, :2].T + turn[:, 2]


def eyes_angle(points: np.ndarray) -> float:
    left, right = five_points(points)[:2]
    return float(np.degrees(np.arctan2(right[1] - left[1], right[0] - left[0])))


def test_a_tilted_face_comes_out_level():
    """Levelled, two pictures of a face at different tilts are nearly one; as they are, they are not."""
    found, plain = [], []
    for degrees in (-25, 25):
        image, points = tilted(degrees)
        assert abs(eyes_angle(points)) > 10
        patch, box = level_points(image, points, (20, 20, 140, 140))
        found.append(crop_face(patch, (64, 64), box).astype(float))
        plain.append(crop_face(image, (64, 64), (20, 20, 140, 140)).astype(float))
    assert abs(found[0] - found[1]).mean() < 0.2 * abs(plain[0] - plain[1]).mean()


def test_five_points_are_the_eyes_nose_and_mouth_of_68():
    points = tilted(0)[1]
    five = five_points(points)
    assert five[0, 0] < five[1, 0] and five[3, 0] < five[4, 0] and five[:2, 1].max() < five[2, 1] < five[3:, 1].min()
    assert (five_points(five) == five).all()
    with pytest.raises(ValueError, match="68 or 5"):
        five_points(points[:67])


def test_a_face_without_landmarks_stays_as_it_is():
    image, points = tilted(20)
    source = LevelImages(ArrayImages(np.stack([image] * 2)), np.stack([points, np.full_like(points, np.nan)]))
    assert (source.load(1) == image).all() and (source.load(0) != image).any()
    boxed = LevelImages(ArrayImages(image[None]), points[None], np.array([[20.0, 20, 140, 140]]))
    patch, box = level_points(image, points, (20, 20, 140, 140))
    assert (crop_face(boxed.load(0), (48, 48)) == crop_face(patch, (48, 48), box)).all(), (
        "cut first or at once, one face"
    )


@pytest.fixture(scope="module")
def aligned_run(faces_dir, tmp_path_factory):
    run = tmp_path_factory.mktemp("aligned") / "run"
    config = RunConfig.of(data_dir=str(faces_dir), output_dir=str(run), backbone="tiny", image_size=SIDE, epochs=1,
                         batch_size=16, validation_fraction=0.2, max_samples=32, align=True, outputs="emotion")  # fmt: skip
    return train_run(config)


def test_direct_cached_and_predicted_pixels_agree(aligned_run, faces_dir, tmp_path, monkeypatch):
    monkeypatch.setenv("FER_KERAS_CACHE", str(tmp_path))
    index = load_faces("synthetic", str(faces_dir), validation_fraction=0.2).of_split("validation")
    rows = np.arange(6)
    direct = open_split(index, (SIDE, SIDE), (), align=True).loader.load(rows)[0]
    for _ in range(2):  # the second time from the file
        assert (open_split(index, (SIDE, SIDE), (), cache="disk", align=True).loader.load(rows)[0] == direct).all()
    plain = open_split(index, (SIDE, SIDE), (), cache="disk").loader.load(rows)[0]
    assert (plain != direct).any(), "the disk keeps levelled and plain faces apart"
    predictor = Predictor.load(aligned_run, "keras")
    source, fed = index.open_images(), []
    monkeypatch.setattr(predictor.runtime, "run", spy(predictor.runtime.run, fed))
    for row in rows:
        predictor.read(source.load(row), landmarks=index.landmarks[row])
    assert (np.concatenate(fed) == direct).all()


def spy(function, seen: list):
    def called(faces):
        seen.append(np.asarray(faces))
        return function(faces)

    return called


def test_the_bundle_tells_and_the_apps_follow(aligned_run):
    from fer_keras.faces.detection import DetectedFace
    from fer_keras.faces.face_reader import FaceReader
    from fer_keras.faces.finder import FaceFinder, FinderOptions

    bundle = load_bundle(aligned_run)
    assert bundle.aligned and bundle.data.not_aligned == 0
    image, points = tilted(25)
    five = five_points(points).astype(np.float32)
    face = DetectedFace((20.0, 20.0, 140.0, 140.0), 1.0, five)
    predictor, fed = Predictor.load(aligned_run, "keras"), []
    predictor.runtime.run = spy(predictor.runtime.run, fed)
    for align in (None, True, False):
        reader = FaceReader(predictor, FaceFinder(FinderOptions("haar", align=align)))
        reader.read_found([image], [[face]])
    patch, box = level_points(image, five, face.face_box)
    level, plain = crop_face(patch, (SIDE, SIDE), box), crop_face(image, (SIDE, SIDE), face.face_box)
    assert [bool((found[0] == level).all()) for found in fed] == [True, True, False]
    assert (fed[2][0] == plain).all()


def test_whole_pictures_for_an_aligned_model_are_read_with_a_note(aligned_run, tmp_path, capsys):
    import cv2

    from fer_keras.predict import main

    cv2.imwrite(str(tmp_path / "face.png"), tilted(10)[0])
    assert main(["--model", str(aligned_run), "--engine", "keras", "--faces", "whole", str(tmp_path / "face.png")]) == 0
    assert "trained on levelled faces" in capsys.readouterr().err


def test_aligning_without_landmarks_is_refused(tmp_path):
    import cv2

    for name in ("happy", "sad"):
        (tmp_path / "data" / "train" / name).mkdir(parents=True)
        for number in range(3):
            picture = np.random.default_rng(number).integers(0, 255, (20, 20, 3), np.uint8)
            cv2.imwrite(str(tmp_path / "data" / "train" / name / f"{number}.png"), picture)
    config = RunConfig.of(data_spec="image_folder", data_dir=str(tmp_path / "data"), backbone="tiny", monitor="loss",
                         align=True, output_dir=str(tmp_path / "run"))  # fmt: skip
    with pytest.raises(ValueError, match="--align expects faces with landmarks"):
        train_run(config)
