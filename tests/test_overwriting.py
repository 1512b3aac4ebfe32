"""No command writes over a file that it did not make, least of all one that it reads; each says what allows what."""

import json
import os
import sys
import types
from pathlib import Path

import cv2
import numpy as np
import pytest

from fer_keras import download, inspect, predict, prepare, train, webcam
from fer_keras.files import Output, check_folder, check_outputs, check_own_files, same_place

#: In place of what reads pictures, for runs that are refused before they read one.
UNUSED_JOB = types.SimpleNamespace(
    shown=None,
    reader=types.SimpleNamespace(
        finder=None, predictor=types.SimpleNamespace(bundle=types.SimpleNamespace(aligned=False), labels=())
    ),
    settings={},
    top=0,
)


def refused(capsys, main, *args) -> str:
    """Run a command line that must refuse, and return its one line."""
    status = main([str(arg) for arg in args])
    line = capsys.readouterr().err.strip()
    assert status == 2 and line.startswith("error: ") and "\n" not in line
    return line


class TestTheRule:
    """`fer_keras.files`, which all commands ask."""

    @pytest.fixture
    def photo(self, tmp_path) -> Path:
        photo = tmp_path / "photos" / "Ann.jpg"
        photo.parent.mkdir()
        photo.write_bytes(b"a photo")
        return photo

    def test_an_input_stays_whatever_is_allowed(self, photo, tmp_path, monkeypatch):
        os.link(photo, tmp_path / "hard.jpg")
        os.symlink(photo, tmp_path / "soft.jpg")
        os.symlink(photo.parent, tmp_path / "album")
        monkeypatch.chdir(tmp_path / "photos")
        names = [photo, "Ann.jpg", "../photos/./Ann.jpg", tmp_path / "hard.jpg", tmp_path / "soft.jpg"]
        for name in (*names, tmp_path / "album" / "Ann.jpg"):
            with pytest.raises(ValueError, match="--annotate would write over .* reads and never replaces"):
                check_outputs([Output(Path(name), "--annotate")], [photo], may_replace=lambda path: True)

    def test_another_file_stays_until_it_may_be_replaced(self, photo, tmp_path):
        outputs = [Output(path, "--annotate") for path in (photo, tmp_path / "free.jpg")]
        with pytest.raises(
            ValueError, match=r"Ann.jpg is there already\. Replace earlier outputs with --overwrite, or"
        ):
            check_outputs(outputs)
        check_outputs(outputs, may_replace=lambda path: path == photo)
        os.symlink(tmp_path / "nowhere", tmp_path / "free.jpg")  # a link that leads nowhere is a file too
        with pytest.raises(ValueError, match=r"Ann.jpg is there already \(and 1 more\)"):
            check_outputs(outputs)
        with pytest.raises(ValueError, match="Move it away, or choose another --x"):
            check_outputs([Output(photo, "--x")], advice="Move it away")

    def test_folders_and_files_are_not_mistaken_for_each_other(self, photo):
        with pytest.raises(ValueError, match="writes a file, .*photos. Received: a folder"):
            check_outputs([Output(photo.parent, "--output")], may_replace=lambda path: True)
        with pytest.raises(ValueError, match="writes a folder, .*Ann.jpg. Received: a file"):
            check_outputs([Output(photo, "--output-dir", folder=True)], may_replace=lambda path: True)
        for folder in (photo, photo / "deep" / "er"):
            with pytest.raises(ValueError, match=r"--annotate expects a folder.*Ann.jpg is a file"):
                check_folder(folder, "--annotate")
        check_folder(photo.parent / "new" / "er", "--annotate")

    def test_two_outputs_in_one_file_are_refused(self, photo, tmp_path):
        os.symlink(photo.parent, tmp_path / "album")
        for one, two in (("photos/b.png", "album/b.png"), ("photos/b.png", "photos/B.PNG"), ("é.png", "e\u0301.png")):
            outputs = [Output(tmp_path / one, "--annotate"), Output(tmp_path / two, "--grad-cam")]
            with pytest.raises(ValueError, match="--annotate and --grad-cam would write the same file twice"):
                check_outputs(outputs)
        assert same_place(tmp_path / "photos" / "b.png") != same_place(tmp_path / "photos" / "c.png")

    def test_a_sign_tells_whose_files_they_are(self, tmp_path):
        asked = {"sign": "facts.json", "keys": ("spec", "counts")}
        names = ("facts.json", "picture.png", "plots/")
        check_own_files(tmp_path / "new", names, **asked)
        (tmp_path / "picture.png").write_text("mine")
        for content in (None, "no JSON", "[]", '{"spec": 1}'):
            if content is not None:
                (tmp_path / "facts.json").write_text(content)
            with pytest.raises(ValueError, match="there already"):
                check_own_files(tmp_path, names, **asked)
        check_own_files(tmp_path, names, **asked, overwrite=True)
        (tmp_path / "facts.json").write_text('{"spec": 1, "counts": {}, "more": 2}')
        check_own_files(tmp_path, names, **asked)


class TestWebcam:
    def test_a_recording_goes_over_no_file(self, tmp_path, capsys):
        mine = tmp_path / "mine.mp4"
        mine.write_bytes(b"a video")
        command = ["--no-window", "--output", mine]
        assert "mine.mp4 is there already. Replace earlier outputs with --overwrite" in refused(
            capsys, webcam.main, *command
        )
        line = refused(capsys, webcam.main, *command, "--overwrite", "--source", mine)
        assert "--output would write over" in line and mine.read_bytes() == b"a video"
        assert "--overwrite goes with --output" in refused(capsys, webcam.main, "--overwrite")
        assert "--screenshots expects a folder" in refused(capsys, webcam.main, "--screenshots", mine)

    def test_a_screenshot_goes_over_no_file_and_through_no_link(self, tmp_path, monkeypatch):
        from fer_keras.video import window

        monkeypatch.setattr(window.time, "strftime", lambda form: "shot")
        (tmp_path / "shot.png").write_bytes(b"mine")
        os.symlink(tmp_path / "elsewhere", tmp_path / "shot-1.png")
        path = window.View(screenshots=tmp_path).save(np.zeros((8, 8, 3), np.uint8))
        assert path.name == "shot-2.png" and (tmp_path / "shot.png").read_bytes() == b"mine"
        assert not (tmp_path / "elsewhere").exists()


def test_download_goes_over_no_file(tmp_path, monkeypatch, capsys):
    fetched = []
    hub = types.ModuleType("kagglehub")
    hub.competition_download = lambda *args, **options: fetched.append(args) or str(mine)
    monkeypatch.setitem(sys.modules, "kagglehub", hub)
    mine = tmp_path / "icml_face_data.csv"
    mine.write_text("mine")
    command = ["fer2013", "--output-dir", tmp_path]
    assert "there already. Replace earlier outputs with --overwrite" in refused(capsys, download.main, *command)
    assert not fetched
    assert download.main([*map(str, command), "--overwrite"]) == 0 and fetched


class TestExport:
    """Only what the bundle beside them lists are exports of this model."""

    @pytest.fixture
    def export(self, model_files, tmp_path, monkeypatch):
        """A function: what `export_run` refuses before it loads the model, or the formats it would write."""
        from fer_keras.exporters import export_run as room
        from fer_keras.exporters.export_options import ExportOptions
        from fer_keras.runs.bundle import load_bundle

        class Begun(Exception):
            pass

        def begin(model):
            raise Begun

        monkeypatch.setattr(room, "float32_model", begin)

        def run(folder, *formats, **options):
            bundle = load_bundle(model_files)
            try:
                room.export_run(bundle, formats, folder, ExportOptions(**options))
            except Begun:
                return None
            except ValueError as error:
                return str(error)

        return run

    @pytest.mark.parametrize("name", ["labels.txt", "model.h5", "saved_model/variables"])
    def test_files_of_an_exports_name_stay(self, export, tmp_path, name):
        mine = tmp_path / name
        mine.parent.mkdir(exist_ok=True)
        mine.write_text("mine")
        reason = export(tmp_path, "h5", "saved_model")
        assert f"{tmp_path / name.split('/')[0]} is there already" in reason and "--overwrite" in reason
        assert mine.read_text() == "mine" and export(tmp_path, "h5", "saved_model", overwrite=True) is None

    def test_a_model_of_a_format_that_is_not_asked_for_is_nobodys_business(self, export, tmp_path):
        (tmp_path / "model.h5").write_text("mine")
        assert export(tmp_path, "onnx") is None

    def test_exports_are_made_again_where_the_bundle_lists_them(self, export, model_files, tmp_path):
        assert export(model_files, "h5", "onnx", "saved_model", "keras") is None
        facts = json.loads((model_files / "bundle.json").read_text())
        del facts["exports"]["h5"]
        (tmp_path / "bundle.json").write_text(json.dumps(facts))
        for name in ("model.h5", "model.onnx", "labels.txt"):
            (tmp_path / name).write_text("an export?")
        assert export(tmp_path, "onnx") is None
        assert "model.h5 is there already" in export(tmp_path, "onnx", "h5")


class TestPredict:
    """With the bundled model, each picture as one face: what counts is what is written."""

    @pytest.fixture
    def here(self, tmp_path, monkeypatch) -> Path:
        """The current folder, with a photo, an album of two and a clip."""
        face = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
        (tmp_path / "album" / "more").mkdir(parents=True)
        for name in ("photo.jpg", "album/a.png", "album/more/b.bmp"):
            cv2.imwrite(str(tmp_path / name), face)
        monkeypatch.chdir(tmp_path)
        return tmp_path

    @staticmethod
    def contents(folder: Path) -> dict[str, bytes]:
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    @staticmethod
    def run(*arguments) -> int:
        return predict.main([*map(str, arguments), "--faces", "whole", "--engine", "onnx"])

    @pytest.mark.parametrize("flag", ["--annotate", "--grad-cam"])
    @pytest.mark.parametrize(
        "source, folder", [("photo.jpg", "."), ("album", "."), ("album/", "album/.."), (".", "..")]
    )
    @pytest.mark.parametrize("more", [(), ("--overwrite",), ("--output", "o.csv", "--resume")], ids=str)
    def test_an_input_is_never_drawn_on(self, here, capsys, monkeypatch, flag, source, folder, more):
        before = self.contents(here)
        if "--resume" in more:  # is refused once the model is loaded, when it is known what is left to read
            monkeypatch.setattr("fer_keras.jobs.predict_run.load_job", lambda config: UNUSED_JOB)
        line = refused(capsys, predict.main, source, flag, folder, *more)
        assert f"{flag} would write over" in line and "--overwrite" in line and f"Choose another {flag}" in line
        left = self.contents(here)
        left.pop("o.csv.journal", None)
        assert left == before

    def test_videos_are_inputs_too(self, here, capsys):
        for name in ("clip.mp4", "clip.avi"):
            (here / name).write_bytes(b"a video")
        for more in ((), ("--overwrite",)):
            line = refused(capsys, predict.main, "clip.mp4", "--annotate", ".", *more)
            assert "--annotate would write over clip.mp4" in line
        assert "clip.mp4 is there already" in refused(capsys, predict.main, "clip.avi", "--annotate", ".")
        assert {path.read_bytes() for path in here.glob("clip.*")} == {b"a video"}

    def test_links_to_inputs_are_inputs(self, here, capsys):
        (here / "out").mkdir()
        os.link("photo.jpg", "out/photo.jpg")
        os.symlink("../album", "out/album")
        for source in ("photo.jpg", "album"):
            for more in ((), ("--overwrite",)):
                line = refused(capsys, predict.main, source, "--annotate", "out", *more)
                assert "--annotate would write over out/" in line

    def test_what_is_there_stays_until_the_user_says_otherwise(self, here, capsys):
        (here / "out").mkdir()
        (here / "out" / "photo.jpg").write_bytes(b"mine")
        line = refused(capsys, predict.main, "photo.jpg", "--annotate", "out")
        assert "out/photo.jpg is there already. Replace earlier outputs with --overwrite, or choose" in line
        assert (here / "out" / "photo.jpg").read_bytes() == b"mine"
        assert self.run("photo.jpg", "--annotate", "out", "--overwrite") == 0
        assert cv2.imread("out/photo.jpg") is not None
        capsys.readouterr()
        assert "there already" in refused(capsys, predict.main, "photo.jpg", "--annotate", "out")
        (here / "seen").mkdir()
        (here / "seen" / "summary.json").write_text("{}")
        assert "seen/summary.json is there" in refused(capsys, predict.main, "photo.jpg", "--overview", "seen")
        assert "--overwrite goes with" in refused(capsys, predict.main, "photo.jpg", "--overwrite")

    @pytest.mark.parametrize("flag", ["--annotate", "--grad-cam", "--overview"])
    def test_folders_that_cannot_be_drawn_into(self, here, capsys, flag):
        assert f"{flag} expects a folder" in refused(capsys, predict.main, "photo.jpg", flag, "photo.jpg")
        line = refused(capsys, predict.main, "album", flag, "album/", "--overwrite")
        assert f"{flag} would write into album, a folder that is read" in line

    def test_drawings_in_a_folder_that_is_read_are_not_read_the_next_time(self, here, capsys):
        for more in ((), ("--overwrite",)):
            assert self.run(".", "--annotate", "drawn", "--overview", "album/seen", *more) == 0
            printed = capsys.readouterr()
            assert "3 faces read in 3 pictures" in printed.out
        assert "4 files in drawn, album/seen are not read" in printed.err
        assert len(self.contents(here / "drawn")) == 3

    def test_two_flags_do_not_share_a_file(self, here, capsys):
        for extra in (("--annotate", "out", "--grad-cam", "out/../out"), ("--annotate", "Out", "--grad-cam", "out")):
            line = refused(capsys, predict.main, "photo.jpg", *extra)
            assert "--annotate and --grad-cam would write the same file twice" in line
        line = refused(capsys, predict.main, "photo.jpg", "--output", "out/summary.json", "--overview", "out")
        assert "--output and --overview would write the same file twice" in line

    def test_results_go_over_no_input(self, here, capsys):
        (here / "run").mkdir()
        (here / "run" / "bundle.json").write_text("{}")
        (here / "table.csv").write_text("a\n")
        for arguments in (
            ("table.csv", "--output", "table.csv"),
            ("photo.jpg", "--output", "run/bundle.json", "--model", "run"),
            ("photo.jpg", "--output", "run/bundle.json", "--model", "run/model.onnx"),
            ("photo.jpg", "--output", "table.csv", "--detector-model", "table.csv"),
        ):
            line = refused(capsys, predict.main, *arguments, "--overwrite")
            assert "--output would write over" in line
        (here / "run" / "faces.csv").write_text("a\n")
        assert "not a usable bundle" in refused(  # a table beside a model is no part of it
            capsys, predict.main, "photo.jpg", "--output", "run/faces.csv", "--model", "run", "--overwrite"
        )

    def test_names_that_differ_in_case_or_suffix_only_get_a_number(self, here):
        from fer_keras.prediction.sources import list_sources

        for name in ("A.PNG", "a.png.gif", "a.gif", "c.avi", "C.mp4", "d/c.mkv"):
            (here / "album" / name).parent.mkdir(exist_ok=True)
            (here / "album" / name).write_bytes(b"GIF89a")
        pictures, videos, _ = list_sources(["album", "album/d"])
        copies = {str(item.path): str(item.copy) for item in (*pictures, *videos)}
        assert copies["album/A.PNG"] == "album/A.PNG" and copies["album/a.png"] == "album/a-2.png"
        assert copies["album/a.gif"] == "album/a.gif.png" and copies["album/a.png.gif"] == "album/a.png.gif.png"
        assert sorted(copies[f"album/{name}"] for name in ("c.avi", "C.mp4", "d/c.mkv")) == [
            "album/C.mp4", "album/c-2.mp4", "d/c.mp4",
        ]  # fmt: skip
        spelled = [copy.casefold() for copy in copies.values()]
        assert len(set(spelled)) == len(spelled)

    def test_a_resumed_run_knows_what_the_stopped_one_drew(self, here, capsys, monkeypatch):
        from fer_keras.jobs import picture_run

        command = ("album", "photo.jpg", "--annotate", "out", "--output", "o.csv", "--batch-size", "1")
        original = picture_run.ResultsFile.add

        def stop(self, rows):
            raise KeyboardInterrupt

        monkeypatch.setattr(picture_run.ResultsFile, "add", stop)
        assert self.run(*command) == 130 and len(self.contents(here / "out")) == 1
        monkeypatch.setattr(picture_run.ResultsFile, "add", original)
        capsys.readouterr()
        cv2.imwrite("late.png", np.zeros((40, 40, 3), np.uint8))
        (here / "out" / "late.png").write_bytes(b"mine")
        assert self.run(*command, "late.png", "--resume") == 2
        assert "out/late.png is there already" in capsys.readouterr().err
        assert self.run(*command, "late.png", "--resume") == 2, "what was refused is not taken for begun"
        (here / "out" / "late.png").unlink()
        for _ in range(2):
            assert self.run(*command, "late.png", "--resume", "--overview", "seen") == 0
        assert len(self.contents(here / "out")) == 4 and not (here / "o.csv.journal").exists()


def test_a_run_directory_is_refused_by_the_command_itself(tmp_path, capsys):
    (tmp_path / "report.md").write_text("mine")
    line = refused(capsys, train.main, "--output-dir", tmp_path, "--overwrite")
    assert "report.md is there already" in line and (tmp_path / "report.md").read_text() == "mine"


@pytest.mark.parametrize("name", ["dataset.json", "dataset.png"])
def test_inspect_replaces_an_inspection_only(name, tmp_path, capsys, faces_dir):
    (tmp_path / name).write_text("mine")
    command = ["--data-dir", str(faces_dir), "--output-dir", str(tmp_path), "--per-class", "1"]
    assert f"{name} is there already. Replace earlier outputs with --overwrite" in refused(
        capsys, inspect.main, *command
    )
    assert (tmp_path / name).read_text() == "mine"
    assert inspect.main([*command, "--overwrite"]) == 0
    assert inspect.main(command) == 0
    (tmp_path / "my.toml").write_text("mine")
    capsys.readouterr()
    assert "my.toml is there already. It is not replaced" in refused(
        capsys, inspect.main, "--data-dir", "nowhere", "--write-spec", tmp_path / "my.toml"
    )


def test_compare_replaces_a_comparison_only(tmp_path):
    from fer_keras.evaluation.run_comparison import check_comparison_place

    (tmp_path / "seeds.md").write_text("mine")
    check_comparison_place(tmp_path)
    with pytest.raises(ValueError, match=r"seeds.md is there already\. Replace earlier outputs with --overwrite"):
        check_comparison_place(tmp_path, seeds=True)
    check_comparison_place(tmp_path, seeds=True, overwrite=True)
    (tmp_path / "seeds.json").write_text('{"evaluation": "a/test", "seeds": [0, 1], "scores": []}')
    check_comparison_place(tmp_path, seeds=True)


def test_prepare_makes_a_folder_of_its_own(tmp_path, capsys, faces_dir):
    pytest.importorskip("tensorflow_datasets")
    (tmp_path / "notes.txt").write_text("mine")
    line = refused(capsys, prepare.main, "--data-dir", faces_dir, "--output-dir", tmp_path, "--image-size", "16")
    assert "already exists" in line and [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
