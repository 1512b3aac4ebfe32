"""Several models exported as one: it answers as `predict --model a,b`, and what does not fit or differs is refused."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from tiny_models import tiny_bundle

from fer_keras import export
from fer_keras.data.training_faces import TrainingFaces, read_training_faces, write_training_faces
from fer_keras.exporters.ensemble import write_ensemble
from fer_keras.exporters.export_run import KEPT, ExportOptions, export_run
from fer_keras.formats import FORMATS, missing_packages
from fer_keras.labels import EMOTIONS
from fer_keras.prediction.predictor import Predictor
from fer_keras.runs.bundle import load_bundle
from fer_keras.runs.bundle_parts import Calibration, TrainingData
from fer_keras.runs.run_directory import TRAINING_FACES_FILE

FEW = ExportOptions(samples=16)
SPLITS = {"validation_fraction": 0.2, "test_fraction": 0.1, "split_seed": 0}


@pytest.fixture(scope="module")
def runs(tmp_path_factory, faces_dir) -> dict:
    """Three runs: `a` and `b` of 32 px with their classes in another order, `small` of 24 px. Not to be changed."""
    folder = tmp_path_factory.mktemp("members")
    own = {"data_spec": "affectnet", "data_dir": str(faces_dir), **SPLITS}
    runs = {
        "a": tiny_bundle(folder / "a", 32, seed=1, config=own, calibration=Calibration(0.7)),
        "b": tiny_bundle(folder / "b", 32, EMOTIONS[::-1], seed=2, calibration=Calibration(1.6)),
        "small": tiny_bundle(folder / "small", 24, seed=3, data=TrainingData(spec="mine", licence="CC0")),
    }
    write_training_faces(folder / "a" / TRAINING_FACES_FILE, TrainingFaces(np.array([5, 9], np.uint64), 1))
    return runs


@pytest.fixture(scope="module")
def one(runs, tmp_path_factory):
    """`a` and `b` as one run. Not to be changed."""
    folder = tmp_path_factory.mktemp("one")
    return write_ensemble({name: runs[name] for name in ("a", "b")}, folder, FEW)


@pytest.fixture(scope="module")
def sizes(runs, tmp_path_factory):
    """`a` and `small` as one run, whatever that loses. Not to be changed."""
    options, folder = dataclasses.replace(FEW, max_drop=1.0), tmp_path_factory.mktemp("sizes")
    return write_ensemble({name: runs[name] for name in ("a", "small")}, folder, options)


def together(bundles) -> Predictor:
    return Predictor.load(",".join(str(bundle.directory) for bundle in bundles), engine="keras", tta="none")


def test_it_reads_faces_as_its_members_do(one, runs, faces):
    found, expected = Predictor.load(one.directory, tta="none"), together([runs["a"], runs["b"]])
    assert found.labels == expected.labels == EMOTIONS and found.temperature is None
    for name, values in expected.scores(faces).items():
        np.testing.assert_allclose(found.scores(faces)[name], values, atol=1e-5)


def test_members_of_other_sizes_differ_by_their_resizing_only(sizes, runs, faces):
    found, expected = Predictor.load(sizes.directory, tta="none"), together([runs["a"], runs["small"]])
    differences = [np.abs(found.scores(faces)[name] - values).max() for name, values in expected.scores(faces).items()]
    assert 1e-6 < max(differences) < 0.1


def test_the_bundle_names_members_and_what_was_measured(one, sizes, runs):
    kept = load_bundle(one.directory)
    assert kept.ensemble == one.ensemble and kept.model == one.model and kept.model.backbone == "tiny+tiny"
    first, second = kept.ensemble.members
    assert (first["name"], first["temperature"], second["temperature"]) == ("a", 0.7, 1.6)
    assert first["weights"] == dict.fromkeys(("emotion", "valence", "arousal"), 0.5)
    assert second["sha256"] == runs["b"].model.sha256 and second["image_size"] == [32, 32]
    parity = kept.ensemble.parity
    assert parity["split"] == "validation" and parity["assembly"]["faces"] == 16
    assert parity["assembly"]["emotion"]["largest"] <= 1e-4 and "resizing" not in parity
    assert sizes.ensemble.parity["assembly"]["emotion"]["largest"] <= 1e-4
    assert set(sizes.ensemble.parity["resizing"]["scores"]) == {"accuracy", "valence_ccc", "arousal_ccc"}
    assert kept.calibration is None and kept.config == runs["a"].config
    assert sizes.data.licence == "CC0"


def test_the_training_faces_of_its_members_are_known(one):
    known = read_training_faces(one.directory / TRAINING_FACES_FILE)
    assert known.hashes.tolist() == [5, 9]
    assert [(found.name, found.faces) for found in known.ancestors] == [("a", 1), ("b", None)]


def test_it_is_exported_like_any_run(sizes, tmp_path, faces):
    kept = export_run(sizes, ("h5", "onnx"), tmp_path / "out", FEW)
    assert [result.verdict for result in kept] == [KEPT, KEPT]
    folder = load_bundle(tmp_path / "out")
    assert folder.ensemble == sizes.ensemble and set(folder.exports) == {"h5", "onnx"}
    found, expected = Predictor.load(folder.directory, engine="onnx"), Predictor.load(sizes.directory)
    np.testing.assert_allclose(found.scores(faces)["emotion"], expected.scores(faces)["emotion"], atol=1e-4)
    (again,) = export_run(sizes, ("keras",), tmp_path / "out", FEW)
    assert again.verdict == KEPT


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in FORMATS if not FORMATS[name].named_only])
def test_every_format_falls_out(name, sizes, tmp_path):
    if missing_packages(name):
        pytest.skip(f"needs {', '.join(missing_packages(name))}")
    options = dataclasses.replace(FEW, max_drop=0.2, calibration_samples=32)
    (result,) = export_run(sizes, (name,), tmp_path / "out", options)
    assert result.verdict == KEPT, result.reasons


def test_another_ensemble_does_not_go_into_its_folder(one, sizes, tmp_path):
    export_run(one, ("keras",), tmp_path / "out", FEW)
    with pytest.raises(ValueError, match="holds another model"):
        export_run(sizes, ("h5",), tmp_path / "out", FEW)


def test_what_loses_accuracy_is_refused_and_kept_by_force(runs, tmp_path, monkeypatch):
    members = {name: runs[name] for name in ("a", "small")}
    loss = {"accuracy": {"before": 0.8, "after": 0.7, "drop": 0.1, "faces": 16}}
    monkeypatch.setattr("fer_keras.exporters.ensemble_parity.score_loss", lambda *args: loss)
    with pytest.raises(ValueError, match=r"accuracy falls by 10.00 points.*--image-size \(members: 24, 32\).*--force"):
        write_ensemble(members, tmp_path, FEW)
    assert not list(tmp_path.iterdir())
    assert write_ensemble(members, tmp_path, dataclasses.replace(FEW, force=True)).ensemble.forced


def test_without_labelled_faces_other_sizes_are_refused(runs, tmp_path):
    lines = []
    with pytest.raises(ValueError, match="could not be measured"):
        write_ensemble({"small": runs["small"], "b": runs["b"]}, tmp_path, FEW, say=lines.append)
    assert "drawn faces are compared" in lines[0]


def fails(capsys, *args: str) -> str:
    assert export.main([*args, "--formats", "keras"]) == 2
    line = capsys.readouterr().err.strip()
    assert line.startswith("error: ") and "\n" not in line
    return line


def test_what_does_not_fit_is_one_line(runs, one, tmp_path, capsys):
    out = ("--output-dir", str(tmp_path / "out"))
    a, b = (str(runs[name].directory) for name in ("a", "b"))
    assert "--output-dir is needed" in fails(capsys, "--model", f"{a},{b}")
    assert "has its own" in fails(capsys, "--model", a, "--image-size", "48", *out)
    assert "No model bundle in" in fails(capsys, "--model", f"{a},{tmp_path / 'none'}", *out)
    assert "Expected its members instead: a, b" in fails(capsys, "--model", f"{a},{one.directory}", *out)
    other = tiny_bundle(tmp_path / "other", 32, ("happy", "sad"))
    assert "must have the same classes" in fails(capsys, "--model", f"{a},{other.directory}", *out)
    assert "holds exports only" in fails(capsys, "--model", f"{a},{exports_only(tmp_path / 'onnx', b)}", *out)


def exports_only(folder: Path, run: str) -> Path:
    folder.mkdir()
    content = json.loads((Path(run) / "bundle.json").read_text()) | {"model": None}
    (folder / "bundle.json").write_text(json.dumps(content))
    return folder


def test_the_command_makes_one_model(runs, tmp_path, capsys):
    names = f"{runs['a'].directory},{runs['b'].directory}"
    args = ("--formats", "keras", "--samples", "8", "--image-size", "48", "--max-drop", "1")
    assert export.main(["--model", names, "--output-dir", str(tmp_path / "out"), *args]) == 0
    shown = capsys.readouterr().out
    assert "the same pixels: largest difference" in shown and "each resizing for itself" in shown
    assert load_bundle(tmp_path / "out").image_size == (48, 48)
