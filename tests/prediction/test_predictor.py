"""The predictor: one answer whatever the engine, the picture's format or the batch it comes in."""

import io
import json
import shutil
import subprocess
import sys

import cv2
import numpy as np
import pytest
from PIL import Image

from fer_keras import Predictor, webcam
from fer_keras.config.settings import settings_from
from fer_keras.prediction.reading import Reading, Unreadable, quadrant
from fer_keras.preprocessing import crop_face

LABELS = ("sad", "happy", "anger", "bored")


def picture(seed: int, height: int = 40, width: int = 56) -> np.ndarray:
    """A smooth RGB picture with colours that tell RGB from BGR."""
    coarse = np.random.default_rng(seed).integers(0, 256, (5, 7, 3), np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


def encoded(image: np.ndarray, kind: str = "PNG", **options) -> bytes:
    target = io.BytesIO()
    Image.fromarray(image).save(target, kind, **options)
    return target.getvalue()


@pytest.fixture(scope="module")
def predictor(model_files) -> Predictor:
    return Predictor.load(model_files, engine="onnx")


def same(left: Reading, right: Reading, tolerance: float = 1e-5) -> bool:
    assert left.probabilities == pytest.approx(right.probabilities, abs=tolerance)
    assert (left.valence, left.arousal) == pytest.approx((right.valence, right.arousal), abs=tolerance)
    return left.emotion == right.emotion and left.face_box == right.face_box


@pytest.mark.parametrize("engine", ["keras", "saved_model", "litert", "onnx", "h5"])
def test_engines_agree(model_files, predictor, engine):
    other = Predictor.load(model_files, engine=engine)
    for seed in range(4):
        assert same(other.read(picture(seed)), predictor.read(picture(seed)), 1e-4)


def test_labels_come_from_the_bundle_in_its_order(model_files, tmp_path, predictor):
    reading = predictor.read(picture(0))
    shares = predictor.scores(crop_face(picture(0), (32, 32))[None])["emotion"][0]
    assert {name: reading.probabilities[name] for name in LABELS} == dict(zip(LABELS, shares.tolist(), strict=True))
    assert list(reading.probabilities.values()) == sorted(shares.tolist(), reverse=True)
    copy = copied(model_files, tmp_path, "model.onnx", labels=LABELS[::-1])
    renamed = Predictor.load(copy / "model.onnx").read(picture(0))
    assert renamed.emotion == LABELS[::-1][LABELS.index(reading.emotion)]


def copied(model_files, folder, *files: str, **changes):
    """Copy some of the model's files with a changed bundle."""
    for name in files:
        shutil.copy(model_files / name, folder / name)
    content = json.loads((model_files / "bundle.json").read_text()) | changes
    (folder / "bundle.json").write_text(json.dumps(content))
    return folder


def test_bgr_is_told_not_guessed(predictor):
    image = picture(1)
    assert same(predictor.read(image[:, :, ::-1], colour="bgr"), predictor.read(image))
    assert predictor.read(image[:, :, ::-1]).probabilities != pytest.approx(
        predictor.read(image).probabilities, abs=1e-3
    )
    with pytest.raises(ValueError, match="colour expects one of rgb, bgr"):
        predictor.read(image, colour="grb")


def test_a_path_bytes_a_file_a_pil_image_and_an_array_are_one(predictor, tmp_path):
    image, path = picture(2), tmp_path / "face.png"
    path.write_bytes(encoded(image))
    expected = predictor.read(image)
    for source in (path, str(path), path.read_bytes(), io.BytesIO(path.read_bytes()), Image.open(path)):
        assert same(predictor.read(source), expected)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_honoured(predictor, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(picture(3), "JPEG", quality=95, exif=exif)
    turned = predictor.read(np.asarray(Image.open(io.BytesIO(encoded(picture(3), "JPEG", quality=95)))))
    expected = predictor.read(data)
    assert same(predictor.read(Image.open(io.BytesIO(data))), expected)
    assert (orientation == 1) == (turned.probabilities == pytest.approx(expected.probabilities, abs=1e-3))


@pytest.mark.parametrize("mode", ["L", "RGBA", "LA", "P", "CMYK", "1"])
def test_pictures_of_every_mode_are_read_alike_from_file_and_memory(predictor, mode):
    image = Image.fromarray(picture(4)).convert(mode)
    if mode in ("RGBA", "LA"):
        image.putalpha(Image.fromarray(picture(5)[:, :, 0]))
    target = io.BytesIO()
    image.save(target, "TIFF" if mode == "CMYK" else "PNG")
    assert same(predictor.read(target.getvalue()), predictor.read(image))


def test_16_bits_grey_and_colour(predictor):
    deep = picture(6).astype(np.uint16) * 256 + 99
    assert same(predictor.read(deep), predictor.read(picture(6)))
    grey = deep[:, :, 0]
    data = cv2.imencode(".png", grey)[1].tobytes()
    for source in (grey, grey[:, :, None], data, Image.open(io.BytesIO(data))):
        assert same(predictor.read(source), predictor.read(picture(6)[:, :, 0]))


def test_a_cmyk_jpeg_is_read(predictor):
    target = io.BytesIO()
    Image.fromarray(picture(4)).convert("CMYK").save(target, "JPEG", quality=100)
    assert same(predictor.read(target.getvalue()), predictor.read(picture(4)), 0.05)


@pytest.mark.parametrize(
    "source", [picture(0) / 255.0, np.zeros((0, 4, 3), np.uint8), None, 3.5, np.zeros(5, np.uint8)]
)
def test_what_is_no_picture_is_refused(predictor, source):
    with pytest.raises(ValueError, match="Expected a"):
        predictor.read(source)


def test_no_faces_have_no_scores(predictor):
    scores = predictor.scores(np.zeros((0, 32, 32, 3), np.uint8))
    assert scores["emotion"].shape == (0, len(predictor.labels)) and scores["valence"].shape == (0,)


def test_a_batch_is_many_single_faces(model_files):
    predictor = Predictor.load(model_files, engine="onnx", batch_size=3)
    images = [picture(seed, 30 + seed, 50 - seed) for seed in range(8)]
    single = [predictor.read(image) for image in images]
    assert all(map(same, predictor.read(images), single))
    assert all(map(same, predictor.read(image for image in images), single))
    square = np.stack([picture(seed) for seed in range(4)])
    assert all(map(same, predictor.read(square), [predictor.read(image) for image in square]))
    assert predictor.read([]) == []


def test_a_generator_is_read_a_batch_at_a_time(model_files):
    predictor = Predictor.load(model_files, engine="onnx", batch_size=4)
    taken = []

    def endless():
        while True:
            taken.append(1)
            yield picture(len(taken) % 5)

    readings = predictor.read(endless())
    assert not taken
    assert isinstance(next(readings), Reading) and len(taken) == 4


def test_a_folder_is_read_sorted(predictor, tmp_path):
    (tmp_path / "b").mkdir()
    for name, seed in (("z.png", 0), ("b/a.JPG", 1), ("a.png", 2)):
        (tmp_path / name).write_bytes(encoded(picture(seed), "PNG"))
    (tmp_path / "notes.txt").write_text("no face")
    (tmp_path / ".hidden.png").write_bytes(b"")
    assert all(map(same, predictor.read(tmp_path), [predictor.read(picture(seed)) for seed in (2, 1, 0)]))


def test_several_faces_an_image(predictor):
    images = [picture(0), picture(1), picture(2)]
    boxes = [[(0, 0, 20, 20), (20, 10, 50, 40)], [], [(5, 5, 30, 30)]]
    found = list(predictor.read_faces(images, boxes))
    assert [len(faces) for faces in found] == [2, 0, 1]
    for image, image_boxes, readings in zip(images, boxes, found, strict=True):
        for box, reading in zip(image_boxes, readings, strict=True):
            assert same(predictor.read(image, face_box=box), reading) and reading.face_box == box
            face = crop_face(image, (32, 32), box)
            assert predictor.scores(face[None])["valence"][0] == pytest.approx(reading.valence, abs=1e-6)
    with pytest.raises(ValueError):
        list(predictor.read_faces(images, boxes[:2]))


def test_an_unreadable_image_is_named_or_passed_over(predictor, tmp_path):
    good, bad = tmp_path / "good.png", tmp_path / "bad.png"
    good.write_bytes(encoded(picture(0)))
    bad.write_bytes(encoded(picture(1))[:100])
    with pytest.raises(ValueError, match="bad.png: Unreadable image.*truncated PNG"):
        predictor.read([good, bad])
    with pytest.raises(FileNotFoundError, match="nothing.png"):
        predictor.read(tmp_path / "nothing.png")
    sources = [bad, good, tmp_path / "nothing.png", b"", good]
    found = [faces[0] for faces in predictor.read_faces(sources, keep_going=True)]
    assert [type(face) for face in found] == [Unreadable, Reading, Unreadable, Unreadable, Reading]
    assert found[2].reason == "No such file or directory" and "truncated PNG" in found[0].reason
    outside = list(predictor.read_faces([picture(0)], [[(900, 900, 990, 990)]], keep_going=True))
    assert "inside the image" in outside[0][0].reason


def test_augmentation_averages_its_views(model_files, predictor):
    image = picture(7, 64, 64)
    views = {"flip": [image, image[:, ::-1]]}
    windows = [image[top : top + 58, left : left + 58] for top in (0, 6) for left in (0, 6)]
    views["crops"] = [image, *windows]
    views["crops+flip"] = [*views["crops"], *(view[:, ::-1] for view in views["crops"])]
    for tta, expected in views.items():
        single = predictor.read([np.ascontiguousarray(view) for view in expected])
        found = Predictor.load(model_files, engine="onnx", tta=tta, batch_size=3).read([image, image])[1]
        assert found.valence == pytest.approx(np.mean([view.valence for view in single]), abs=1e-5)
        for name in LABELS:
            share = np.mean([view.probabilities[name] for view in single])
            assert found.probabilities[name] == pytest.approx(share, abs=1e-5)


def test_bundled_models_alone_see_the_mirror_image_unless_told_otherwise(model_files):
    assert Predictor.load(engine="onnx").tta == Predictor.load("fast", engine="onnx").tta == "flip"
    assert Predictor.load("fast", engine="onnx", tta="none").tta == "none"
    assert Predictor.load(model_files, engine="onnx").tta == "none"
    assert settings_from(webcam.build_parser().parse_args([]), webcam.WebcamConfig).reading.tta == "none"


def test_calibration_is_the_bundles_and_can_be_left_out(model_files, predictor, tmp_path):
    copied(model_files, tmp_path, "model.onnx", calibration={"temperature": 2.0})
    plain = predictor.read(picture(0))
    warm = Predictor.load(tmp_path, engine="onnx").read(picture(0))
    powers = {name: share**0.5 for name, share in plain.probabilities.items()}
    assert warm.probabilities == pytest.approx({n: p / sum(powers.values()) for n, p in powers.items()}, abs=1e-5)
    assert warm.emotion == plain.emotion and warm.confidence < plain.confidence
    assert same(Predictor.load(tmp_path, engine="onnx", calibrated=False).read(picture(0)), plain)


def test_an_uncertain_answer_is_marked(model_files, predictor):
    confidence = predictor.read(picture(0)).confidence
    for least, uncertain in ((confidence - 0.01, False), (confidence + 0.01, True)):
        reading = Predictor.load(model_files, engine="onnx", min_confidence=least).read(picture(0))
        assert reading.uncertain is uncertain and reading.to_dict()["uncertain"] is uncertain
        assert reading.answer == ("uncertain" if uncertain else reading.emotion)


@pytest.mark.parametrize("outputs", [("valence",), ("emotion",), ("valence", "arousal")])
def test_models_with_some_outputs_say_none_for_the_others(tmp_path, outputs):
    import keras

    from fer_keras.config.run_config import ModelConfig
    from fer_keras.models.heads import build_heads
    from fer_keras.runs.bundle import Bundle, describe_model

    image = keras.Input((16, 16, 3))
    model = keras.Model(image, build_heads(keras.layers.Conv2D(4, 4)(image), outputs, 3, ModelConfig(dropout=0.0)))
    model.save(tmp_path / "model.keras")
    Bundle(tmp_path, describe_model(model, "none", ("a", "b", "c"), outputs)).save()
    reading = Predictor.load(tmp_path).read(picture(0))
    facts = reading.to_dict()
    assert (facts["emotion"] is None) == (facts["probabilities"] is None) == ("emotion" not in outputs)
    assert (facts["valence"] is None) == ("valence" not in outputs)
    assert (facts["quadrant"] is None) == (outputs != ("valence", "arousal"))
    assert json.loads(json.dumps(facts)) == facts and reading.top(2) == list((reading.probabilities or {}).items())[:2]


def test_the_engine_is_chosen_by_what_is_there_and_installed(model_files, tmp_path, monkeypatch):
    from fer_keras import formats

    assert Predictor.load(model_files).file.format == "onnx"
    assert Predictor.load(model_files, engine="tflite-int8").file.path.name == "model-int8.tflite"
    assert Predictor.load(model_files / "saved_model").file.engine == "saved_model"
    if formats.ENGINES["openvino"].installed:
        for model in (model_files, model_files / "model.onnx"):
            file = Predictor.load(model, engine="openvino").file
            assert (file.path.name, file.format, file.engine) == ("model.onnx", "onnx", "openvino")
    real = formats.find_spec
    monkeypatch.setattr(formats, "find_spec", lambda name: real(name) if name != "onnxruntime" else None)
    assert Predictor.load(model_files).file.format == "tflite"
    monkeypatch.setattr(formats, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r'pip install "fer_keras\[litert\]"'):
        Predictor.load(model_files, engine="litert")
    monkeypatch.undo()
    exports = {"tflite": {"file": "model.tflite", "forced": False}, "onnx": {"file": "model.onnx", "forced": True}}
    copied(model_files, tmp_path, "model.tflite", "model.onnx", exports=exports)
    assert Predictor.load(tmp_path).file.format == "tflite", "what failed its parity check is the last to choose"
    for name in ("model.tflite", "model.onnx"):
        (tmp_path / name).unlink()
    copied(model_files, tmp_path, "model-int8.tflite", model=None)
    assert Predictor.load(tmp_path).file.format == "tflite-int8"
    with pytest.raises(ValueError, match="no file for engine keras. Found: tflite-int8"):
        Predictor.load(tmp_path, engine="keras")


def test_what_cannot_be_loaded_is_said_in_one_line(model_files, tmp_path):
    (tmp_path / "lone").mkdir()
    shutil.copy(model_files / "model.onnx", tmp_path / "lone")
    cases = [
        (tmp_path / "nowhere", {}, "No model there"),
        (tmp_path / "lone", {}, "No model bundle"),
        (tmp_path / "lone" / "model.onnx", {}, "No bundle.json beside.*never guessed"),
        (model_files, {"engine": "onx"}, "Did you mean 'onnx'"),
        (model_files, {"tta": "flips"}, "Did you mean 'flip'"),
        (model_files, {"min_confidence": 30}, "min_confidence expects"),
        (model_files, {"batch_size": 0}, "batch_size expects"),
        (model_files, {"threads": 0}, "threads expects"),
        (model_files / "model.onnx", {"engine": "keras"}, "engine keras cannot run"),
        (model_files / "bundle.json", {}, "Expected a model file"),
    ]
    for path, options, message in cases:
        with pytest.raises((ValueError, FileNotFoundError), match=message) as error:
            Predictor.load(path, **options)
        assert "\n" not in str(error.value)


def test_a_model_that_its_bundle_does_not_describe_is_refused(model_files, tmp_path):
    for changes in ({"labels": ["a", "b"]}, {"image_size": [48, 48]}, {"outputs": {"emotion": {}}}):
        copied(model_files, tmp_path, "model.onnx", **changes)
        with pytest.raises(ValueError, match="not the model that its bundle describes"):
            Predictor.load(tmp_path, engine="onnx")
    copied(model_files, tmp_path, "model.onnx", exports={})
    with pytest.raises(ValueError, match="describes another file"):
        Predictor.load(tmp_path / "model.onnx")


def test_the_pixels_are_those_of_the_evaluation(predictor, tmp_path):
    from fer_keras.batches.loader import FaceLoader
    from fer_keras.readers.rows import FileImages

    exif = Image.Exif()
    exif[0x0112] = 6
    names = ["a.jpg", "b.png"]
    (tmp_path / "a.jpg").write_bytes(encoded(picture(8, 100, 60), "JPEG", exif=exif))
    (tmp_path / "b.png").write_bytes(encoded(picture(9, 20, 24)))
    faces, readable = FaceLoader(FileImages(tmp_path, names), (32, 32)).load(np.arange(2))
    assert readable.all()
    seen = []
    original = predictor.runtime.run
    predictor.runtime.run = lambda batch: (seen.append(batch.copy()), original(batch))[1]
    try:
        predictor.read([tmp_path / name for name in names])
    finally:
        del predictor.runtime.run
    assert (np.concatenate(seen) == faces).all()


def test_quadrants():
    words = [quadrant(*point) for point in ((0.5, 0.5), (-0.5, 0.5), (-0.5, -0.5), (0.5, -0.5), (0.05, 0.05))]
    assert words == ["excited", "distressed", "depressed", "calm", "neutral"]


def test_importing_and_using_the_predictor_loads_no_tensorflow(model_files):
    code = f"""
import sys, numpy as np
from fer_keras import Predictor
Predictor.load({str(model_files)!r}, engine=sys.argv[1], tta="crops+flip").read(np.zeros((1, 9, 9, 3), np.uint8))
print([name for name in ("tensorflow", "keras", "matplotlib", "pyarrow", "PIL", "sklearn") if name in sys.modules])
"""
    for engine in ("onnx", "litert"):
        done = subprocess.run([sys.executable, "-c", code, engine], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == "[]"
