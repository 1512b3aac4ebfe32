"""`predict --runner beam`: the output of a run on one machine, nothing that looks whole after a kill, clear refusals."""

import os
import shutil
import sys
from types import SimpleNamespace

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest

from fer_keras import Predictor, predict
from fer_keras.jobs import picture_run


@pytest.fixture
def beam():
    return pytest.importorskip("apache_beam", reason="needs the extra `beam`")


@pytest.fixture(scope="module")
def keras_model(tmp_path_factory, answering_model):
    """A bundle of 32 px that needs Keras alone, with random but large weights. Not to be changed."""
    from fer_keras.runs.bundle import Bundle, describe_model

    folder, model = tmp_path_factory.mktemp("model"), answering_model
    model.save(folder / "model.keras")
    labels, outputs = ("sad", "happy", "anger", "bored"), ("emotion", "valence", "arousal")
    Bundle(folder, describe_model(model, "none", labels, outputs)).save()
    return folder


@pytest.fixture
def photos(tmp_path, astronaut, group, faces_dir):
    """A folder with folders in it: one face, twelve faces, none, two drawn ones, a broken picture, one that is no picture."""
    folder = tmp_path / "photos"
    (folder / "more" / "deep").mkdir(parents=True)
    cv2.imwrite(str(folder / "astronaut.png"), astronaut[:, :, ::-1])
    cv2.imwrite(str(folder / "more" / "group.png"), group[:, :, ::-1])
    cv2.imwrite(str(folder / "more" / "wall.png"), np.full((90, 120, 3), 180, np.uint8))
    for number, face in enumerate(sorted((faces_dir / "val_set" / "images").iterdir())[:2]):
        cv2.imwrite(str(folder / "more" / "deep" / f"{number}.png"), cv2.resize(cv2.imread(str(face)), (200, 200)))
    shutil.copy(folder / "astronaut.png", os.fsencode(folder) + b"/no\xfftext.png")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8 cut")
    (folder / "notes.txt").write_text("none")
    return folder


@pytest.fixture
def arguments(photos, keras_model, monkeypatch):
    """Of a run from beside the photos, whose paths are relative and whose pictures come in three chunks."""
    monkeypatch.chdir(photos.parent)
    return ["photos", "--model", str(keras_model), "--faces", "haar", "--batch-size", "3", "--top-k", "2"]


def fails(capsys, *args: str) -> str:
    status = predict.main(list(args))
    line = capsys.readouterr().err.strip().splitlines()[-1]
    assert status == 2 and line.startswith("error: ")
    return line


def same_table(one, other) -> None:
    if one.suffix == ".parquet":
        assert pq.read_table(one).equals(pq.read_table(other), check_metadata=True)
    else:
        assert one.read_bytes() == other.read_bytes()


def test_the_output_is_that_of_a_run_on_one_machine(beam, arguments, tmp_path, capsys, monkeypatch):
    loaded = []
    original = Predictor.load.__func__
    monkeypatch.setattr(
        Predictor, "load", classmethod(lambda cls, *a, **k: (loaded.append(1), original(cls, *a, **k))[1])
    )
    printed = {}
    for name, extra in (("plain", []), ("beam", ["--runner", "beam"])):
        output = ["--output", f"{name}/out.json", "--annotate", f"{name}/copies"]
        assert predict.main([*arguments, *output, *extra]) == 0
        printed[name] = capsys.readouterr().out
    assert printed["beam"] == printed["plain"] and "16 faces read in 7 pictures" in printed["plain"]
    assert "broken.jpg: Unreadable image" in printed["plain"]
    assert len(loaded) == 3, "once for the plain run, once where the job is started, once by its workers"
    plain, on_beam = (sorted(path for path in (tmp_path / name).rglob("*") if path.is_file()) for name in printed)
    assert len(plain) == 1 + 6 and all(
        one.read_bytes() == two.read_bytes() for one, two in zip(plain, on_beam, strict=True)
    )
    assert [path.relative_to("plain") for path in map(relative, plain)] == [
        path.relative_to("beam") for path in map(relative, on_beam)
    ]


def relative(path):
    return path.relative_to(path.cwd())


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_failed_job_leaves_nothing_whole_and_is_resumed(beam, arguments, tmp_path, capsys, monkeypatch, suffix):
    from fer_keras.jobs import beam_run

    output, original, calls = tmp_path / f"out.{suffix}", picture_run.read_chunk, []

    def break_later(*args):
        calls.append(args)
        if len(calls) == 2:
            raise RuntimeError("no memory left")
        return original(*args)

    command = [*arguments, "--output", str(output)]
    monkeypatch.setattr(beam_run, "read_chunk", break_later)
    line = fails(capsys, *command, "--runner", "beam")
    assert "The Beam job failed" in line and "no memory left" in line and "--resume" in line
    assert not output.exists() and "--resume" in fails(capsys, *command, "--runner", "beam")
    read = []
    resumed = ["--runner", "beam"] if suffix == "csv" else []
    for module in (beam_run, picture_run):
        monkeypatch.setattr(
            module, "read_chunk", lambda job, chunk, *a: (read.extend(chunk), original(job, chunk, *a))[1]
        )
    assert predict.main([*command, "--resume", *resumed]) == 0
    assert len(read) in (4, 5, 6), "pictures of the chunk that was read are not read again, but for a broken one"
    monkeypatch.undo()
    os.chdir(tmp_path)
    assert predict.main([*arguments, "--output", str(tmp_path / f"plain.{suffix}")]) == 0
    same_table(output, tmp_path / f"plain.{suffix}")
    assert sorted(os.listdir(tmp_path)) == sorted(["photos", output.name, f"plain.{suffix}"]), "no journal is left"


def test_a_worker_that_would_answer_otherwise_is_refused(beam, tmp_path):
    from fer_keras.jobs.beam_run import ReadChunk

    settings = {"format": "onnx", "faces": "whole"}
    job = Job(settings={**settings, "format": "keras"}, top=0)
    read = ReadChunk(lambda: job, settings | {"top": 0}, tmp_path, tmp_path)
    with pytest.raises(ValueError, match=r"other settings \(format\)"):
        read.setup()


class Job(SimpleNamespace):
    """A `PictureJob` of settings alone."""


def test_rows_that_went_elsewhere_are_missed(beam, arguments, tmp_path, capsys, monkeypatch):
    from fer_keras.jobs import beam_run

    monkeypatch.setattr(beam_run, "write_part", lambda *args: None)
    line = fails(capsys, *arguments, "--output", str(tmp_path / "out.csv"), "--runner", "beam")
    assert "7 pictures came back without rows" in line and not (tmp_path / "out.csv").exists()


def test_what_does_not_go_with_beam_is_one_line(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "apache_beam", None)  # as if it were not installed
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((9, 9, 3), np.uint8))
    (tmp_path / "b.mp4").write_bytes(b"no video")
    command = [str(tmp_path), "--output", str(tmp_path / "out.csv"), "--runner", "beam"]
    assert "pip install 'fer_keras[beam]'" in fails(capsys, *command)
    assert "--beam-options expects --runner beam" in fails(capsys, *command[:-2], "--beam-options=--runner=x")
    from fer_keras.jobs import predict_run

    monkeypatch.setattr(predict_run, "import_beam", lambda flag: None)
    assert "reads pictures" in fails(capsys, *command) and not (tmp_path / "out.csv.journal").exists()
    assert "--runner beam expects --output" in fails(capsys, str(tmp_path), "--runner", "beam")
    assert "as a shell takes them" in fails(capsys, *command, "--beam-options='--runner=x")
