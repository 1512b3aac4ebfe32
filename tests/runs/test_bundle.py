"""The bundle: what the last version wrote is read and written unchanged, and what a bundle cannot have is refused."""

import copy
import dataclasses
import json
import shutil
from pathlib import Path

import pytest

from fer_keras.bundled import BUNDLED, bundled_model
from fer_keras.runs.bundle import Bundle, load_bundle
from fer_keras.runs.bundle_parts import Export, ModelDescription, ModelOutput, TrainingData

SHIPPED = Path(__file__).parents[2] / "saved_models" / "ferplus_compact"
DROP = object()


@pytest.fixture(scope="module")
def shipped() -> dict:
    """The content of the bundled model's file. Not to be changed."""
    return json.loads((SHIPPED / "bundle.json").read_text())


@pytest.fixture
def changed(shipped, tmp_path):
    """A folder whose bundle is the bundled model's with one value changed: `changed(value, "data", "spec")`."""

    def change(value, *keys: str) -> Path:
        content = copy.deepcopy(shipped)
        inside = content
        for key in keys[:-1]:
            inside = inside[key]
        if value is DROP:
            del inside[keys[-1]]
        else:
            inside[keys[-1]] = value
        (tmp_path / "bundle.json").write_text(json.dumps(content))
        return tmp_path

    return change


def refusal(folder: Path) -> str:
    with pytest.raises(ValueError) as error:
        load_bundle(folder)
    text = str(error.value)
    assert "\n" not in text and str(folder / "bundle.json") in text and len(text) < 400
    return text


def saved(bundle: Bundle, folder: Path) -> bytes:
    folder.mkdir(exist_ok=True)
    dataclasses.replace(bundle, directory=folder).save()
    return (folder / "bundle.json").read_bytes()


def test_the_bundled_model_s_file_is_written_as_it_was(tmp_path):
    assert saved(load_bundle(SHIPPED), tmp_path) == (SHIPPED / "bundle.json").read_bytes()


def test_the_parts_read_well():
    bundle = load_bundle(SHIPPED)
    assert bundle.model.image_size == bundle.image_size == (64, 64) and bundle.model.input.geometry["version"] == 1
    assert bundle.labels[3] == "surprise" and bundle.outputs == ("emotion", "valence", "arousal") and not bundle.aligned
    assert bundle.model.outputs["valence"].range == (-1, 1) and bundle.model.backbone == "compact"
    scores = bundle.scores["ferplus/validation"]
    assert scores.measured["emotion"]["accuracy"]["n"] == 3396 and len(scores.conditions) > 5 and scores.fingerprint
    assert bundle.exports["onnx"].file == "model.onnx" and bundle.exports["onnx"].details == {"opset": 17}
    assert bundle.exports["tflite-int8"].parity["top_class_changed"] == 31
    assert 0.8 < bundle.calibration.temperature < 0.9 and bundle.calibration.split == "validation"
    assert bundle.data.splits == {"train": 26618, "validation": 3396} and bundle.trained_on(["ferplus"])
    assert bundle.selected.epoch == 23 and bundle.training.epochs == 26 and bundle.created.startswith("2026")
    assert bundle.data_config().derive_va == "circumplex" and bundle.derived["axes"] == ["valence", "arousal"]


@pytest.mark.parametrize(
    "keys",
    [
        ("new",),
        ("input", "new"),
        ("outputs", "emotion", "new"),
        ("config", "new"),
        ("data", "new"),
        ("scores", "ferplus/validation", "new"),
        ("exports", "onnx", "new"),
        ("exports", "onnx", "parity", "new"),
        ("selected", "new"),
        ("training", "new"),
        ("calibration", "new"),
    ],
    ids=".".join,
)
def test_what_a_newer_version_added_is_kept(changed, tmp_path, keys):
    folder = changed({"a": [1, None]}, *keys)
    found = json.loads(saved(load_bundle(folder), tmp_path / "copy"))
    assert found == json.loads((folder / "bundle.json").read_text())


@pytest.mark.parametrize(
    "keys",
    [
        ("derived",),
        ("calibration",),
        ("input", "align"),
        ("data", "sets"),
        ("data", "splits"),
        ("data", "not_aligned"),
        ("selected", "before"),
        ("scores", "ferplus/validation", "conditions"),
    ],
    ids=".".join,
)
def test_keys_that_older_versions_did_not_write_have_defaults(changed, keys):
    bundle = load_bundle(changed(DROP, *keys))
    assert bundle.labels[1] == "happy" and not bundle.aligned


def test_a_bundle_of_the_model_alone_is_enough(tmp_path):
    content = {"format": 1, "model": None, "image_size": [32, 48], "labels": [], "outputs": {"valence": {}}}
    (tmp_path / "bundle.json").write_text(json.dumps(content))
    bundle = load_bundle(tmp_path)
    assert bundle.image_size == (32, 48) and bundle.data.spec is None and bundle.calibration is None
    assert bundle.selected.split is None and not bundle.scores and not bundle.trained_on(["ferplus"])
    with pytest.raises(ValueError, match="does not say what the model was trained on.*lacks data_spec, data_dir"):
        bundle.data_config()
    bundle.exports["onnx"] = Export("model.onnx", details={"opset": 17})
    written = json.loads(saved(bundle, tmp_path))
    assert written["exports"]["onnx"]["opset"] == 17 and not {"data", "selected", "training", "config"} & set(written)
    assert load_bundle(tmp_path) == bundle


WRONG = [
    (None, "labels"),
    ("happy", "labels"),
    ([1, 2, 3], "labels"),
    (["a", "a"], "labels"),
    (["a", ""], "labels"),
    (["a", "b\nc"], "labels"),
    (["a", "\ud800"], "labels[1]"),
    (["only"], "labels"),
    (DROP, "labels"),
    ({}, "outputs"),
    ({"joy": {}}, "outputs"),
    ([], "outputs"),
    (3, "outputs.emotion"),
    ([64], "image_size"),
    ([64, 0], "image_size"),
    ([64, 10**9], "image_size"),
    ([64.5, 64], "image_size"),
    (DROP, "image_size"),
    ("no", "input.align"),
    (-1, "parameters"),
    (True, "parameters"),
    ("../model.keras", "model"),
    ("/etc/passwd", "model"),
    ("C:\\model.keras", "model"),
    ("..", "model"),
    ("", "model"),
    ("a\0b", "model"),
    (7, "model"),
    ("../x", "exports.onnx.file"),
    ("folder/x.onnx", "exports.onnx.file"),
    ("folder\\x.onnx", "exports.onnx.file"),
    (DROP, "exports.onnx.file"),
    ("model.onnx", "exports.onnx"),
    ([], "exports"),
    ("yes", "exports.onnx.forced"),
    ("much", "exports.onnx.bytes"),
    ([], "exports.onnx.parity"),
    (float("nan"), "calibration.temperature"),
    (float("inf"), "calibration.temperature"),
    (0, "calibration.temperature"),
    (-1.5, "calibration.temperature"),
    (1e-300, "calibration.temperature"),
    ("1.2", "calibration.temperature"),
    (None, "calibration.temperature"),
    (DROP, "calibration.temperature"),
    ([], "calibration"),
    ([1], "scores"),
    ("high", "scores.ferplus/validation"),
    ([], "scores.ferplus/validation.emotion"),
    ("high", "scores.ferplus/validation.emotion.accuracy.value"),
    (float("nan"), "scores.ferplus/validation.emotion.accuracy.low"),
    (0.9, "scores.ferplus/validation.valence.ccc"),
    (DROP, "scores.ferplus/validation.emotion.accuracy.high"),
    (DROP, "scores.ferplus/validation.emotion.n"),
    ([1, 2], "scores.ferplus/validation.emotion.labels"),
    ([1], "scores.ferplus/validation.conditions"),
    (5, "config"),
    (5, "config.data_spec"),
    ("half", "config.validation_fraction"),
    ([], "baseline"),
    ([0.5, "x"], "baseline.emotion"),
    ([], "data"),
    ({"train": "many"}, "data.splits"),
    ([{}], "data.sets"),
    (10**30, "data.faces"),
    ([], "selected"),
    ("slow", "training.seconds"),
    (3, "created"),
    ([], "versions"),
    ("1", "format"),
    (0, "format"),
    (True, "format"),
    (DROP, "format"),
]


@pytest.mark.parametrize("value, key", WRONG)
def test_a_wrong_value_is_named_with_file_key_and_what_was_expected(changed, value, key):
    text = refusal(changed(value, *key.partition("[")[0].split(".")))
    assert f"Wrong {key}. Expected " in text and "Received: " in text


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"\xff\xfe", b"9" * 5000, b'{"format": ' + b"9" * 5000 + b"}", b"[" * 100_000, b'{"a":' * 900 + b"1" + b"}" * 900],
    ids=["empty", "cut", "not UTF-8", "digits", "format of digits", "lists", "objects"],
)  # fmt: skip
def test_a_file_that_is_no_bundle_is_one_line(tmp_path, content):
    (tmp_path / "bundle.json").write_bytes(content)
    refusal(tmp_path)


@pytest.mark.parametrize("content", ["null", "3", "[]", '"text"'])
def test_json_that_is_no_object_is_refused(tmp_path, content):
    (tmp_path / "bundle.json").write_text(content)
    assert "Wrong content. Expected an object" in refusal(tmp_path)


def test_a_newer_format_says_so(changed):
    assert "written by a newer fer_keras (bundle format 2, this one reads 1)" in refusal(changed(2, "format"))


def test_a_failed_write_leaves_the_bundle_as_it_was(tmp_path):
    bundle = dataclasses.replace(load_bundle(SHIPPED), directory=tmp_path)
    bundle.save()
    before = (tmp_path / "bundle.json").read_bytes()
    bundle.calibration = dataclasses.replace(bundle.calibration, temperature=float("nan"))
    with pytest.raises(ValueError):
        bundle.save()
    assert (tmp_path / "bundle.json").read_bytes() == before and len(list(tmp_path.iterdir())) == 1


def test_a_model_described_by_hand_comes_back_equal(tmp_path):
    model = ModelDescription((16, 16), ("a", "b"), {"emotion": ModelOutput("softmax", (0, 1))}, "model.keras")
    bundle = Bundle(tmp_path, model, data=TrainingData("mine", sets=({"name": "x"},)))
    bundle.save()
    assert load_bundle(tmp_path) == bundle and bundle.trained_on(["mine"]) and bundle.trained_on(["x"])


def test_the_package_knows_the_file_s_keys_in_one_place():
    """Everything else goes through the typed bundle."""
    package = Path(__file__).parents[2] / "fer_keras"
    reading = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if "bundle.facts" in (text := path.read_text()) or ("json.load" in text and "BUNDLE_FILE" in text)
    }
    assert reading == {"runs/bundle_json.py"}


def hashed(model_files, folder: Path) -> Path:
    shutil.copytree(model_files, folder)
    load_bundle(folder).keep_hashes()
    return folder


@pytest.mark.parametrize("file", ["model.onnx", "model.tflite", "model.keras", "saved_model"])
def test_one_flipped_byte_of_a_model_file_is_refused_before_it_is_read(model_files, tmp_path, file, monkeypatch):
    from fer_keras.prediction import member, predictor

    folder = hashed(model_files, tmp_path / "run")
    path = folder / file
    path = path / "variables" / "variables.data-00000-of-00001" if path.is_dir() else path
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    monkeypatch.setattr(member, "load_runtime", lambda *args: pytest.fail("it was read"))
    with pytest.raises(ValueError, match="is damaged or not the file.*SHA-256") as error:
        predictor.Predictor.load(folder / file)
    assert "\n" not in str(error.value) and str(folder / file) in str(error.value)
    if file == "model.keras":
        with pytest.raises(ValueError, match="is damaged or not the file"):
            load_bundle(folder).load_model()


def test_a_file_of_another_model_and_a_file_added_to_a_folder_are_refused(model_files, tmp_path):
    folder = hashed(model_files, tmp_path / "run")
    shutil.copyfile(SHIPPED / "model.onnx", folder / "model.onnx")
    (folder / "saved_model" / "more").write_bytes(b"")
    for file in ("model.onnx", "saved_model"):
        with pytest.raises(ValueError, match="Copy the whole folder again"):
            load_bundle(folder).check_file(file)
    load_bundle(folder).check_file("model.tflite")


def test_a_bundle_without_hashes_is_read_with_one_line(model_files, tmp_path, capsys):
    folder = hashed(model_files, tmp_path / "run")
    content = json.loads((folder / "bundle.json").read_text())
    del content["sha256"], content["exports"]["onnx"]["sha256"]
    (folder / "bundle.json").write_text(json.dumps(content))
    bundle = load_bundle(folder)
    for _ in range(2):
        bundle.check_file("model.onnx")
    assert capsys.readouterr().err.splitlines() == [
        f"note: {folder / 'bundle.json'}, of an older version, has no SHA-256 of model.onnx, which is read unchecked"
    ]
    bundle.check_file("model.keras")
    assert "model.keras" in capsys.readouterr().err
    bundle.keep_hashes()
    load_bundle(folder).check_file("model.onnx")
    assert not capsys.readouterr().err


@pytest.mark.parametrize("name", BUNDLED)
def test_a_bundled_model_s_files_are_those_of_its_bundle(name):
    bundle = load_bundle(bundled_model(name))
    for file in (bundle.model.file, *(export.file for export in bundle.exports.values())):
        assert bundle.sha256(file)
        bundle.check_file(file)


def test_a_hash_that_is_none_is_refused(changed):
    assert "64 hexadecimal digits" in refusal(changed("00", "sha256"))
