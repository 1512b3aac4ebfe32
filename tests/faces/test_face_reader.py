"""One call reads a photo: every face with its box and scores, drawn, printed, as rows; many images, bad ones among them."""

import io
import sys

import cv2
import numpy as np
import pytest
from PIL import Image

import fer_keras
from fer_keras import FaceReader, Predictor, read
from fer_keras.faces import face_reader
from fer_keras.faces.detection import overlap

LABELS = ["sad", "happy", "anger", "bored"]


@pytest.fixture(autouse=True)
def nothing_kept():
    """Forget the reader that `read` keeps."""
    face_reader._kept_reader.cache_clear()


@pytest.fixture
def options(model_files, detector_options):
    """Of `read`: a small model and a detector that is there."""
    model = detector_options.get("detector_model")
    return {
        "model": str(model_files),
        "engine": "onnx",
        "faces": detector_options["detector"],
        **({"detector_model": model} if model else {}),
    }


@pytest.fixture
def photos(tmp_path, astronaut, group):
    """A folder: one face, twelve faces, a broken picture, none."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for name, image in (("a.png", astronaut), ("b.png", group), ("d.png", np.full((90, 120, 3), 180, np.uint8))):
        cv2.imwrite(str(folder / name), image[:, :, ::-1])
    (folder / "c.jpg").write_bytes(b"\xff\xd8 cut")
    return folder


def test_one_call_finds_and_reads_every_face(photos, options, astronaut_box):
    photo = read(photos / "a.png", **options)
    assert len(photo) == 1 and photo.path == photos / "a.png" and photo.error is None
    face = photo[0]
    assert overlap(face.face_box, astronaut_box) > 0.5 and face.detection > 0 and face.marks == ()
    assert face.emotion in LABELS and set(face.probabilities) == set(LABELS)
    assert -1 <= face.valence <= 1 and -1 <= face.arousal <= 1
    assert len(read(str(photos / "b.png"), **options)) == 12 and list(read(photos / "d.png", **options)) == []
    cut = Predictor.load(options["model"], "onnx").read(photos / "a.png", face_box=face.face_box)
    assert cut.probabilities == pytest.approx(face.probabilities, abs=1e-5)


def test_whatever_holds_the_picture_the_faces_are_the_same(photos, options, astronaut):
    data, known = (photos / "a.png").read_bytes(), read(photos / "a.png", **options)
    sources = [data, io.BytesIO(data), Image.open(photos / "a.png"), astronaut]
    found = [read(source, **options) for source in sources]
    found.append(read(astronaut[:, :, ::-1], colour="bgr", **options))
    for photo in found:
        assert [face.to_dict() for face in photo] == [face.to_dict() for face in known] and photo.path is None
        assert (photo.draw() == known.draw()).all()


def test_the_result_draws_itself_and_a_notebook_shows_it(photos, options, astronaut):
    photo = read(photos / "a.png", **options)
    drawn = photo.draw()
    assert drawn.shape == astronaut.shape and (photo.image == astronaut).all()
    changed = np.argwhere((drawn != astronaut).any(2))
    assert changed.min(0)[0] > 20 and changed.max(0)[0] < 200, "around the face only"
    assert 0 < (photo.draw(bars=False) != astronaut).any(2).sum() < len(changed)
    shown = cv2.imdecode(np.frombuffer(photo._repr_png_(), np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1]
    assert (shown == drawn).all()
    large = read(cv2.resize(astronaut, (2000, 2000)), **options)
    assert max(cv2.imdecode(np.frombuffer(large._repr_png_(), np.uint8), cv2.IMREAD_COLOR).shape) == 1280
    (photos / "a.png").unlink()
    assert photo._repr_png_() is None
    with pytest.raises(FileNotFoundError, match="a.png"):
        photo.draw()


def test_the_result_prints_a_line_per_face(photos, options):
    text = repr(read(photos / "b.png", **options))
    lines = text.splitlines()
    assert lines[0].endswith("b.png: 12 faces") and len(lines) == 13
    assert all("valence" in line and "arousal" in line and ", box " in line for line in lines[1:])
    assert repr(read(photos / "d.png", **options)).endswith("d.png: 0 faces")
    assert repr(read(np.zeros((50, 50, 3), np.uint8), **options)) == "image: 0 faces"


def test_rows_are_those_of_predict(photos, options, detector_flags, tmp_path, capsys):
    import csv
    import json

    pandas = pytest.importorskip("pandas")
    arguments = [str(photos), "--model", options["model"], "--engine", "onnx", *detector_flags]
    for suffix in ("json", "csv"):
        assert fer_keras_predict([*arguments, "--output", str(tmp_path / f"out.{suffix}")]) == 0
    found = read(photos, keep_going=True, **options)
    rows = [row for photo in found for row in photo.to_dicts()]
    assert rows == json.loads((tmp_path / "out.json").read_text())["readings"]
    table = pandas.concat([photo.to_frame() for photo in found])
    header, *lines = csv.reader((tmp_path / "out.csv").read_text(encoding="utf-8").splitlines())
    assert set(found[1].to_frame().columns) == set(header) and len(table) == len(lines) == 15
    assert table["probability_bored"].tolist()[:13] == [
        float(line[header.index("probability_bored")]) for line in lines[:13]
    ]


def fer_keras_predict(arguments):
    from fer_keras import predict

    return predict.main(arguments)


def test_without_pandas_one_line_says_what_to_do(photos, options, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    photo = read(photos / "a.png", **options)
    with pytest.raises(ImportError, match="to_frame needs pandas: pip install pandas. to_dicts gives the same rows"):
        photo.to_frame()
    assert photo.to_dicts(top=2)[0]["top"].count(";") == 1


def test_many_images_and_folders_give_a_list(photos, options, astronaut, group):
    found = read(photos, keep_going=True, **options)
    assert [(photo.path.name, len(photo)) for photo in found] == [
        ("a.png", 1),
        ("b.png", 12),
        ("c.jpg", 0),
        ("d.png", 0),
    ]
    assert "truncated JPEG" in found[2].error and "unreadable" in repr(found[2]) and found[2].to_dicts()[0]["error"]
    assert [len(photo) for photo in read([astronaut, photos / "b.png"], **options)] == [1, 12]
    assert [len(photo) for photo in read(np.stack([astronaut, astronaut]), **options)] == [1, 1]
    (photos / "c.jpg").unlink()
    assert [len(photo) for photo in read([photos, group], **options)] == [1, 12, 0, 12]
    stream = read((image for image in [astronaut, group]), **options)
    assert not isinstance(stream, list) and [len(photo) for photo in stream] == [1, 12]


def test_photos_are_read_side_by_side_as_one_by_one(photos, options, monkeypatch):
    threads = set()
    load = face_reader.load_image

    def seen(*source):
        threads.add(cv2.getNumThreads())
        return load(*source)

    monkeypatch.setattr(face_reader, "load_image", seen)
    reader, before = FaceReader.load(**options), cv2.getNumThreads()
    names = [photos / name for name in ("a.png", "b.png", "c.jpg", "d.png", "b.png", "a.png")]
    found = list(reader.read_many(names, keep_going=True))
    assert threads == {1} and cv2.getNumThreads() == before
    for name, faces in zip(names, found, strict=True):
        alone = next(reader.read_many([name], keep_going=True))
        assert [face.face_box for face in alone] == [face.face_box for face in faces] and alone.error == faces.error
        for one, other in zip(alone, faces, strict=True):
            assert one.probabilities == pytest.approx(other.probabilities, abs=1e-5)
    with pytest.raises(ValueError, match="c.jpg: Unreadable image"):
        list(reader.read_many(names))


def test_pixels_are_kept_where_they_are_drawn_later(photos, options, monkeypatch):
    reader = FaceReader.load(**options)
    kept, opened = (next(reader.read_many([photos / "a.png"], keep_images=keep)) for keep in (True, False))
    drawn = opened.draw()
    monkeypatch.setattr("fer_keras.prediction.reading.load_image", lambda *_: pytest.fail("decoded again"))
    assert np.array_equal(kept.draw(), drawn) and kept.path == photos / "a.png"


def test_a_bad_image_is_named(photos, options, tmp_path):
    with pytest.raises(ValueError, match=r"c\.jpg: Unreadable image"):
        read(photos, **options)
    with pytest.raises(ValueError, match=r"c\.jpg: Unreadable image"):
        read(photos / "c.jpg", faces="whole", model=options["model"], engine="onnx")
    assert "truncated" in read(photos / "c.jpg", keep_going=True, **options).error
    with pytest.raises(FileNotFoundError, match=r"nowhere\.jpg"):
        read("nowhere.jpg", **options)
    (tmp_path / "clip.mp4").write_bytes(b"video")
    with pytest.raises(ValueError, match="Videos are read by python -m fer_keras.predict"):
        read(tmp_path / "clip.mp4", **options)
    with pytest.raises(ValueError, match="Expected a PIL image"):
        read(3, **options)


def test_each_image_can_be_one_face(photos, options, astronaut):
    options = {"model": options["model"], "engine": "onnx", "faces": "whole"}
    photo = read(photos / "a.png", **options)
    known = Predictor.load(options["model"], "onnx").read(astronaut)
    assert len(photo) == 1 and photo[0].face_box is None
    assert photo[0].probabilities == pytest.approx(known.probabilities, abs=1e-5)
    assert (photo.draw()[300:] == astronaut[300:]).all() and (photo.draw() != astronaut).any()
    assert "box" not in repr(photo) and "detection" not in photo.to_dicts()[0]


def test_a_reader_serves_many_images(photos, options, astronaut):
    reader = FaceReader.load(options.pop("model"), min_confidence=1.0, padding=0.2, batch_size=2, **options)
    assert reader.predictor.batch_size == 2 and reader.finder.options.padding == 0.2
    assert reader.read(astronaut[:, :, ::-1], colour="bgr")[0].doubts == ("uncertain",)
    found = reader.read_many(photos, keep_going=True)
    assert [len(photo) for photo in found] == [1, 12, 0, 0]
    for several in (photos, [astronaut], iter([astronaut])):
        with pytest.raises(ValueError, match="read expects one image. .* Give it to read_many"):
            reader.read(several)
    with pytest.raises(TypeError, match="Received: 'minface'. Did you mean 'min_face'"):
        FaceReader.load(minface=3)
    with pytest.raises(ValueError, match="Did you mean 'haar'"):
        FaceReader.load(faces="har")


def test_the_model_is_loaded_once_until_it_is_written_again(model_files, tmp_path, astronaut, monkeypatch):
    import os
    import shutil

    for name in ("model.onnx", "bundle.json"):
        shutil.copy(model_files / name, tmp_path / name)
    loaded = []
    original = FaceReader.load.__func__
    monkeypatch.setattr(
        FaceReader, "load", classmethod(lambda cls, *a, **k: (loaded.append(1), original(cls, *a, **k))[1])
    )
    for _ in range(2):
        read(astronaut, tmp_path, engine="onnx", faces="haar")
    assert len(loaded) == 1
    read(astronaut, tmp_path, engine="onnx", faces="haar", min_face=30)
    assert len(loaded) == 2
    changed = (tmp_path / "bundle.json").stat().st_mtime_ns + 10**9
    os.utime(tmp_path / "bundle.json", ns=(changed, changed))
    read(astronaut, tmp_path, engine="onnx", faces="haar", min_face=30)
    assert len(loaded) == 3


def test_the_bundled_model_reads_the_astronaut(astronaut):
    photo = fer_keras.read(astronaut, faces="haar")
    assert photo[0].emotion == "happy" and photo[0].valence > 0.5
