"""The gates: what is refused leaves nothing, what fails does not stop the others, training faces calibrate."""

import dataclasses
import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fer_keras.exporters import export_run as room
from fer_keras.exporters.export_run import FAILED, FORCED, KEPT, REFUSED, ExportOptions, export_run
from fer_keras.exporters.source import FaceSource
from fer_keras.formats import FORMATS
from fer_keras.runs.bundle import load_bundle

FEW = ExportOptions(samples=16, calibration_samples=8)


def replace(monkeypatch, name: str, export) -> None:
    """Put a function in the place of a format's exporter."""
    module, _, function = FORMATS[name].exporter.partition(":")
    monkeypatch.setattr(f"fer_keras.exporters.{module}.{function}", export)


def perturb(monkeypatch, name: str, largest: float) -> None:
    """Have a format export another model: one whose trained weights were moved; a variance below 0 would give no numbers."""
    original = FORMATS[name].load_exporter()

    def export(source, path):
        weights = source.model.get_weights()
        rng = np.random.default_rng(0)
        try:
            for variable in source.model.trainable_variables:
                variable.assign(variable.numpy() + rng.normal(0, largest, variable.shape))
            return original(source, path)
        finally:
            source.model.set_weights(weights)

    replace(monkeypatch, name, export)


@pytest.fixture
def target(tmp_path) -> Path:
    return tmp_path / "out"


def files_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_changed_export_is_refused_and_leaves_nothing(run, target, monkeypatch):
    perturb(monkeypatch, "h5", 0.05)
    bad, good = export_run(load_bundle(run), ("h5", "keras"), target, FEW)
    assert (bad.verdict, good.verdict) == (REFUSED, KEPT)
    assert "differs by up to" in bad.reasons[0] and "allowed 0.0001" in bad.reasons[0]
    assert files_in(target) == {"model.keras", "bundle.json", "labels.txt", "training_faces.npz"}
    assert set(load_bundle(target).exports) == {"keras"}


def test_force_keeps_it_and_says_so(run, target, monkeypatch):
    perturb(monkeypatch, "h5", 0.05)
    (result,) = export_run(load_bundle(run), ("h5",), target, dataclasses.replace(FEW, force=True))
    assert result.verdict == FORCED and result.written
    bundle = load_bundle(target)
    assert bundle.exports["h5"].forced is True and (target / "model.h5").is_file()
    assert bundle.model.file is None
    with pytest.raises(ValueError, match="holds exports only .h5."):
        bundle.load_model()


def test_a_quantised_export_that_loses_accuracy_is_refused(run, target, monkeypatch):
    perturb(monkeypatch, "tflite-dynamic", 2.0)
    (result,) = export_run(load_bundle(run), ("tflite-dynamic",), target, FEW)
    assert result.verdict == REFUSED and "points" in result.reasons[0] and not files_in(target)


@pytest.mark.parametrize("name", ["h5", "saved_model"])
def test_a_full_disk_leaves_no_half_written_export(name, run, target, monkeypatch):
    def fill(source, path):
        if name == "saved_model":
            path.mkdir()
            (path / "saved_model.pb").write_bytes(b"half")
        else:
            path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    replace(monkeypatch, name, fill)
    broken, good = export_run(load_bundle(run), (name, "keras"), target, FEW)
    assert broken.verdict == FAILED and broken.reasons == (f"no space left on the disk of {target}",)
    assert good.verdict == KEPT
    assert files_in(target) == {"model.keras", "bundle.json", "labels.txt", "training_faces.npz"}


@pytest.mark.parametrize("step", ["Bundle.save", "_put_in_place"])
def test_an_export_without_room_for_its_last_step_can_be_made_again(step, run, target, monkeypatch):
    def fill(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(f"fer_keras.exporters.export_run.{step}", fill)
        (failed,) = export_run(load_bundle(run), ("h5",), target, FEW)
    assert failed.verdict == FAILED and "model.h5" not in files_in(target)
    (kept,) = export_run(load_bundle(run), ("h5",), target, FEW)
    assert kept.verdict == KEPT and files_in(target) == {"model.h5", "bundle.json", "labels.txt"}
    assert set(load_bundle(target).exports) == {"h5"}


def test_exports_lie_in_the_run_by_default(run, tmp_path):
    copy = Path(shutil.copytree(run, tmp_path / "run"))
    weights = load_bundle(copy).load_model().get_weights()
    export_run(load_bundle(copy), ("h5",), None, FEW)
    export_run(load_bundle(copy), ("keras",), copy, FEW)
    bundle = load_bundle(copy)
    assert set(bundle.exports) == {"h5", "keras"} and bundle.model.file == "model.keras"
    assert all((a == b).all() for a, b in zip(weights, bundle.load_model().get_weights(), strict=True))


def test_a_folder_export_replaces_the_one_before(run, target, monkeypatch):
    def folder(source, path):
        path.mkdir()
        (path / "saved_model.pb").write_text("new")
        return {}

    replace(monkeypatch, "saved_model", folder)
    monkeypatch.setattr(room, "export_outputs", lambda path, engine, faces: (room.keras_outputs(model, faces), 1.0))
    model = load_bundle(run).load_model()
    (target / "saved_model").mkdir(parents=True)
    (target / "saved_model" / "stale").write_text("old")
    (result,) = export_run(load_bundle(run), ("saved_model",), target, dataclasses.replace(FEW, overwrite=True))
    assert result.verdict == KEPT and files_in(target / "saved_model") == {"saved_model.pb"}


def test_what_a_killed_export_left_goes_at_the_next(run, target):
    target.mkdir(parents=True, exist_ok=True)
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    (target / f".{gone.pid}-model.h5").write_bytes(b"half")
    (target / f".{os.getppid()}-model.h5").write_bytes(b"another export at work")
    (target / ".mine-model.h5").write_bytes(b"the user's")
    export_run(load_bundle(run), ("h5",), target, FEW)
    assert {path.name for path in target.glob(".*")} == {f".{os.getppid()}-model.h5", ".mine-model.h5"}


def test_a_folder_of_another_model_is_not_mixed_with(run, target):
    export_run(load_bundle(run), ("keras",), target, FEW)
    dataclasses.replace(load_bundle(target), created="2020-01-01").save()
    with pytest.raises(ValueError, match="holds another model"):
        export_run(load_bundle(run), ("h5",), target, FEW)


def test_exports_go_when_their_run_is_overwritten(run, tmp_path):
    from fer_keras.config.config_file import load_config
    from fer_keras.runs.run_directory import open_run

    copy = Path(shutil.copytree(run, tmp_path / "run"))
    export_run(load_bundle(copy), ("h5",), None, FEW)
    content = json.loads((copy / "bundle.json").read_text())
    content["exports"]["evil"] = {"file": "../kept"}
    content["exports"]["worse"] = {"file": ".."}
    (copy / "bundle.json").write_text(json.dumps(content))
    (tmp_path / "kept").write_text("not the run's")
    config = load_config(copy / "config.toml").replace(output_dir=str(copy))
    open_run(config, resume=False, overwrite=True)
    assert not (copy / "model.h5").exists() and not (copy / "labels.txt").exists() and (tmp_path / "kept").exists()


def test_int8_is_scaled_on_training_faces_and_no_others(run, faces_dir, monkeypatch):
    source = FaceSource(load_bundle(run))
    seen = []
    monkeypatch.setattr(
        source, "_load", lambda index: (seen.append(index), (index, np.zeros((1, 32, 32, 3), np.uint8)))[1]
    )
    source.training(20)
    source.judging("validation", 20)
    training, judging = seen
    assert set(training.split.tolist()) == {"train"} and len(training) == 20
    assert set(judging.split.tolist()) == {"validation"}
    assert not set(training.content.tolist()) & set(judging.content.tolist())


def test_unreachable_data_leaves_float_formats(run, tmp_path, target):
    bundle = load_bundle(run)
    bundle.config = {**bundle.config, "data_dir": str(tmp_path / "gone")}
    lines = []
    keras, dynamic, int8 = export_run(bundle, ("keras", "tflite-dynamic", "tflite-int8"), target, FEW, say=lines.append)
    assert "cannot be read" in lines[0] and "64 drawn faces" in lines[0]
    assert keras.verdict == KEPT and keras.entry.parity["split"] == "drawn"
    assert dynamic.verdict == REFUSED and "could not be measured" in dynamic.reasons[0]
    assert int8.verdict == FAILED and "int8 needs training faces, give --data-dir" in int8.reasons[0]


def test_data_that_was_asked_for_must_be_there(run, tmp_path, target):
    options = dataclasses.replace(FEW, data_dir=str(tmp_path / "gone"))
    with pytest.raises((ValueError, FileNotFoundError)):
        export_run(load_bundle(run), ("keras",), target, options)


def test_drawn_faces_have_the_model_s_size():
    from fer_keras.exporters.source import drawn_faces

    drawn = drawn_faces((32, 48), 3)
    assert drawn.faces.shape == (3, 32, 48, 3) and drawn.faces.dtype == np.uint8 and drawn.index is None
