"""`predict` with faces to find: photos, folders, videos; tables, annotated copies, overviews."""

import csv
import json

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest

from fer_keras import predict
from fer_keras.faces.detection import overlap


@pytest.fixture
def photos(tmp_path, astronaut, group, moving):
    """A folder: one face, twelve faces, none, no picture, a broken picture, a video."""
    folder = tmp_path / "in" / "photos"
    (folder / "clips").mkdir(parents=True)
    cv2.imwrite(str(folder / "astronaut.png"), astronaut[:, :, ::-1])
    cv2.imwrite(str(folder / "group.png"), group[:, :, ::-1])
    cv2.imwrite(str(folder / "wall.png"), np.full((90, 120, 3), 180, np.uint8))
    (folder / "broken.jpg").write_bytes(b"\xff\xd8 cut")
    (folder / "notes.txt").write_text("none")
    (folder / "clips" / "moving.mp4").write_bytes(moving.read_bytes())
    return folder


@pytest.fixture
def arguments(photos, model_files, detector_flags):
    return [str(photos), "--model", str(model_files), "--engine", "onnx", *detector_flags]


def test_a_folder_with_a_video_in_each_format(arguments, photos, tmp_path, capsys, astronaut_box):
    tables = {}
    for suffix in ("csv", "json", "parquet"):
        assert predict.main([*arguments, "--output", str(tmp_path / f"out.{suffix}")]) == 0
    printed = capsys.readouterr()
    assert "40 of 40 frames read, 0 broken; 2 faces followed, 75 readings" in printed.out
    assert "13 faces read in 4 pictures" in printed.out and "broken.jpg: Unreadable image" in printed.out
    assert "1 of 4 pictures have no face that was found" in printed.err
    end = printed.err.splitlines()
    end = end[next(place for place, line in enumerate(end) if line.startswith("passed over: 2")) :]
    assert sorted(end[1:3]) == [
        f"  1 x file that is neither picture nor video: {photos / 'notes.txt'}",
        f"  1 x unreadable picture or video (truncated JPEG): {photos / 'broken.jpg'}",
    ]
    tables["json"] = json.loads((tmp_path / "out.json").read_text())["readings"]
    tables["parquet"] = pq.read_table(tmp_path / "out.parquet").to_pylist()
    tables["csv"] = list(csv.DictReader((tmp_path / "out.csv").read_text(encoding="utf-8").splitlines()))
    assert {len(rows) for rows in tables.values()} == {75 + 15}
    for row in (rows[75] for rows in tables.values()):
        assert row["path"].endswith("astronaut.png") and row["marks"] in ("", None) and float(row["detection"]) > 0.7
    assert overlap(tables["json"][75]["face_box"], astronaut_box) > 0.5
    first = tables["parquet"][0]
    assert first["frame"] == 0 and first["seconds"] == 0 and first["id"] == 1 and first["error"] is None


def test_a_stopped_run_goes_on_after_the_video(arguments, tmp_path, monkeypatch, capsys):
    whole, output = tmp_path / "whole.json", tmp_path / "out.json"
    predict.main([*arguments, "--output", str(whole)])
    from fer_keras.jobs import predict_run, video_run

    def stop(*args, **options):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(predict_run, "read_pictures", stop)
        assert predict.main([*arguments, "--output", str(output)]) == 130
    monkeypatch.setattr(video_run, "read_video", stop)  # its rows are kept, so it is not read again
    capsys.readouterr()
    assert predict.main([*arguments, "--output", str(output), "--resume"]) == 0
    assert output.read_bytes() == whole.read_bytes()
    other = [*arguments, "--output", str(output), "--resume", "--min-face", "50"]
    assert predict.main(other) == 2 and "other settings (faces)" in capsys.readouterr().err


def test_annotated_copies_and_an_overview(arguments, photos, tmp_path, capsys):
    seen, copies = tmp_path / "seen", tmp_path / "copies"
    assert predict.main([*arguments, "--annotate", str(copies), "--overview", str(seen), "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert len(content["readings"]) == 90 and content["summary"]["faces"] == 13
    names = sorted(path.relative_to(copies / "photos").as_posix() for path in copies.rglob("*.*"))
    assert names == ["astronaut.png", "clips/moving.mp4", "group.png", "wall.png"]
    before, after = (cv2.imread(str(folder / "astronaut.png")) for folder in (photos, copies / "photos"))
    changed = np.argwhere((before != after).any(2))
    assert before.shape == after.shape and changed.min(0)[0] > 20 and changed.max(0)[0] < 200
    assert sorted(path.name for path in seen.iterdir()) == ["contact_sheet.png", "moving-time_line.png", "summary.json"]
    summary = json.loads((seen / "summary.json").read_text())
    assert summary["faces"] == 13 and sum(summary["emotions"].values()) == 13 and -1 <= summary["valence"] <= 1
    assert summary["videos"][0]["faces"] == 2 and summary["videos"][0]["broken"] == 0
    assert cv2.imread(str(seen / "contact_sheet.png")).shape[1] > 1000
    assert cv2.imread(str(seen / "moving-time_line.png")).shape[1] > 1000


def test_one_photo_prints_a_line_per_face(arguments, photos, capsys):
    assert predict.main([str(photos / "group.png"), *arguments[1:]]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("group.png: 12 faces") and lines[13] == ""
    assert all(line.startswith(f"  face {face}, ") and "valence" in line for face, line in enumerate(lines[1:13], 1))
    assert predict.main([str(photos / "wall.png"), *arguments[1:]]) == 0
    printed = capsys.readouterr()
    assert "no face" in printed.out and "--faces whole takes each picture as one face" in printed.err
    assert predict.main([str(photos / "wall.png"), *arguments[1:5], "--faces", "whole"]) == 0
    assert "valence" in capsys.readouterr().out


def test_doubtful_faces_are_marked_wherever_they_are_shown(arguments, group, tmp_path, capsys):
    few = 11 if "haar" in arguments else 12  # Haar misses one of this size
    small = tmp_path / "small.png"
    cv2.imwrite(str(small), cv2.resize(group, (256, 192), interpolation=cv2.INTER_AREA)[:, :, ::-1])
    assert predict.main([str(small), *arguments[1:]]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert all(line.endswith("(small)") for line in lines[1 : few + 1]) and lines[few + 1] == ""
    assert predict.main([str(small), *arguments[1:], "--output", str(tmp_path / "out.csv")]) == 0
    assert f"doubtful: small {few}" in capsys.readouterr().out
    rows = list(csv.DictReader((tmp_path / "out.csv").read_text(encoding="utf-8").splitlines()))
    assert [row["marks"] for row in rows] == ["small"] * few


def test_grad_cam_of_found_faces_stands_side_by_side(photos, model_files, detector_flags, tmp_path):
    command = [str(photos / name) for name in ("group.png", "wall.png")]
    command += ["--model", str(model_files), *detector_flags, "--grad-cam", str(tmp_path / "cam")]
    assert predict.main(command) == 0
    assert cv2.imread(str(tmp_path / "cam" / "group.png")).shape == (32, 12 * 32, 3)
    assert cv2.imread(str(tmp_path / "cam" / "wall.png")).shape == (90, 120, 3)


def test_an_unreadable_video_is_a_row_with_the_reason(arguments, tmp_path, capsys):
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"no video")
    assert predict.main([str(bad), *arguments[1:]]) == 1
    assert "Unreadable video" in capsys.readouterr().out


def test_what_is_refused(arguments, photos, capsys):
    video = str(photos / "clips" / "moving.mp4")
    cases = [
        ([video, "--faces", "whole"], "--faces whole goes with pictures"),
        ([video, "--every", "0"], "--every expects"),
        ([video, "--smoothing", "1"], "--smoothing expects"),
        ([video, "--padding", "-1"], "--padding expects"),
        ([video, "--faces", "yunnet"], "Did you mean 'yunet'"),
        (["nowhere.mp4"], "No such file or folder"),
    ]
    for extra, message in cases:
        assert predict.main([extra[0], *arguments[1:], *extra[1:]]) == 2
        line = capsys.readouterr().err.strip()
        assert message in line and "\n" not in line, line
