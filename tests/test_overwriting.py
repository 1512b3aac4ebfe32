"""No command writes over a file that it did not make, least of all one that it reads; each says what allows what."""

import json
import os
import sys
import types
from pathlib import Path

import pytest

from fer_keras import download, webcam
from fer_keras.outputs import Output, check_folder, check_outputs, check_own_files, same_place


def refused(capsys, main, *args) -> str:
    """Run a command line that must refuse, and return its one line."""
    status = main([str(arg) for arg in args])
    line = capsys.readouterr().err.strip()
    assert status == 2 and line.startswith("error: ") and "\n" not in line
    return line


class TestTheRule:
    """`fer_keras.outputs`, which all commands ask."""

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
        import numpy as np

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
