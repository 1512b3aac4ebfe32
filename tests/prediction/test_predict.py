"""The command line `predict`: what it writes, how it goes on after a stop, what it says of files it cannot read."""

import csv
import json
import shutil
import subprocess
import sys

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest

from fer_keras import Predictor, predict
from fer_keras.jobs import picture_run
from fer_keras.prediction.sources import list_sources


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    """Nine pictures in two folders, two files that are none and one other file. Not to be changed."""
    folder = tmp_path_factory.mktemp("in") / "faces"
    (folder / "more").mkdir(parents=True)
    for seed in range(9):
        coarse = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), np.uint8)
        image = cv2.resize(coarse, (50 + seed, 40), interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(folder / ("more" if seed % 2 else ".") / f"{seed}.png"), image)
    (folder / "3x.jpg").write_bytes(b"\xff\xd8\xff\xe0 cut")
    (folder / "more" / "empty.png").write_bytes(b"")
    (folder / "readme.txt").write_text("no face")
    return folder


@pytest.fixture
def arguments(model_files, faces):
    return [str(faces), "--faces", "whole", "--model", str(model_files), "--engine", "onnx", "--batch-size", "2"]


def fails(capsys, *args: str) -> str:
    """Run a command line that must fail, and return its one line."""
    try:
        status = predict.main(list(args))
    except SystemExit as stop:
        status = stop.code
    line = capsys.readouterr().err.strip()
    assert status == 2 and line.startswith("error: ") and "\n" not in line
    return line


def test_csv_json_and_parquet_say_the_same(arguments, faces, model_files, tmp_path, capsys):
    for suffix in ("csv", "json", "parquet"):
        assert predict.main([*arguments, "--output", str(tmp_path / "new" / f"out.{suffix}"), "--top-k", "2"]) == 0
    printed = capsys.readouterr()
    assert "9 faces read in 11 pictures" in printed.out and "2 unreadable:" in printed.out
    assert "3x.jpg: Unreadable image" in printed.out
    assert "passed over: 3\n" in printed.err and "  1 x file that is neither picture nor video: " in printed.err
    folder = tmp_path / "new"
    assert sorted(path.name for path in folder.iterdir()) == ["out.csv", "out.json", "out.parquet"], (
        "no journal is left"
    )
    records = json.loads((folder / "out.json").read_text())["readings"]
    table = pq.read_table(folder / "out.parquet").to_pylist()
    rows = list(csv.DictReader((folder / "out.csv").read_text(encoding="utf-8").splitlines()))
    assert [row["path"] for row in rows] == [row["path"] for row in table] == [row["path"] for row in records]
    assert [row["path"] for row in rows] == sorted(row["path"] for row in rows) and len(rows) == 11
    predictor = Predictor.load(model_files, engine="onnx")
    for record, row, flat in zip(records, rows, table, strict=True):
        if record["error"]:
            assert row["emotion"] == "" and flat["emotion"] is None and flat["error"] == record["error"]
            continue
        reading = predictor.read(record["path"])
        assert record["emotion"] == row["emotion"] == flat["emotion"] == reading.emotion
        assert flat["probability_bored"] == float(row["probability_bored"]) == record["probabilities"]["bored"]
        assert record["probabilities"] == pytest.approx(reading.probabilities, abs=2e-6)
        assert float(row["valence"]) == flat["valence"] == record["valence"] == pytest.approx(reading.valence, abs=2e-6)
        assert row["top"] == flat["top"] == record["top"] and len(row["top"].split("; ")) == 2
        assert row["face"] == "0" and row["uncertain"] == "False" and flat["uncertain"] is False and row["x0"] == ""


@pytest.mark.parametrize("suffix", ["csv", "json", "parquet"])
def test_a_stopped_run_goes_on_and_ends_as_an_unbroken_one(arguments, tmp_path, monkeypatch, suffix, capsys):
    whole, output = tmp_path / f"whole.{suffix}", tmp_path / f"out.{suffix}"
    predict.main([*arguments, "--output", str(whole)])
    original, calls = picture_run.ResultsFile.add, []

    def stop_later(self, pictures):
        original(self, pictures)
        calls.append(len(pictures))
        if len(calls) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(picture_run.ResultsFile, "add", stop_later)
    assert predict.main([*arguments, "--output", str(output)]) == 130
    monkeypatch.setattr(
        picture_run.ResultsFile, "add", lambda self, rows: (calls.append(len(rows)), original(self, rows))
    )
    journal = tmp_path / f"out.{suffix}.journal"
    assert journal.exists() and not output.exists()
    journal.write_text(journal.read_text()[:-10])  # as a kill in the middle of a write leaves it
    capsys.readouterr()
    assert "--resume" in fails(capsys, *arguments, "--output", str(output))
    other = [*arguments, "--output", str(output), "--resume", "--tta", "flip"]
    assert "other settings (tta)" in fails(capsys, *other)
    calls.clear()
    assert predict.main([*arguments, "--output", str(output), "--resume"]) == 0
    assert sum(calls) == 11 - 3 + 1, "three of four pictures are whole in the journal, one of them is unreadable"
    same(output, whole, suffix)
    assert not journal.exists()


def same(one, other, suffix: str) -> None:
    if suffix == "parquet":
        assert pq.read_table(one).equals(pq.read_table(other), check_metadata=True)
    else:
        assert one.read_bytes() == other.read_bytes()


@pytest.mark.parametrize("suffix", ["csv", "json", "parquet"])
def test_a_finished_run_keeps_its_rows_and_reads_what_is_new(arguments, faces, tmp_path, monkeypatch, suffix):
    folder = tmp_path / "faces"
    shutil.copytree(faces, folder)
    hidden = folder / "more" / "5.png"
    hidden.rename(tmp_path / "5.png")
    arguments[0] = str(folder)
    output, whole = tmp_path / f"out.{suffix}", tmp_path / f"whole.{suffix}"
    predict.main([*arguments, "--output", str(output)])
    (tmp_path / "5.png").rename(hidden)
    read = []
    original = Predictor.read_faces
    monkeypatch.setattr(Predictor, "read_faces", lambda self, i, **k: (read.extend(i), original(self, i, **k))[1])
    predict.main([*arguments, "--output", str(output), "--resume"])
    assert sorted(path.name for path in read) == ["3x.jpg", "5.png", "empty.png"], "unreadable ones are tried again"
    monkeypatch.undo()
    predict.main([*arguments, "--output", str(whole)])
    same(output, whole, suffix)


@pytest.mark.parametrize("suffix", ["json", "parquet"])
def test_a_resumed_run_sees_faces_as_the_rows_that_are_there_were_seen(arguments, faces, tmp_path, suffix):
    """Earlier versions saw one view by default; their results go on without a flag."""
    from fer_keras.prediction.results_file import earlier_settings

    output = tmp_path / f"out.{suffix}"
    single = [str(faces / "more" / "7.png"), *arguments[1:], "--tta", "crops"]
    assert predict.main([*single, "--output", str(output)]) == 0
    assert predict.main([*arguments, "--output", str(output), "--resume"]) == 0
    assert earlier_settings(output)["tta"] == "crops"


def test_rows_of_other_folders_are_kept_and_stand_first(arguments, faces, tmp_path):
    output = tmp_path / "out.json"
    single = [str(faces / "more" / "7.png"), *arguments[1:]]
    predict.main([*single, "--output", str(output)])
    predict.main([str(faces / "0.png"), *arguments[1:], "--output", str(output), "--resume"])
    names = [row["path"].rsplit("/")[-1] for row in json.loads(output.read_text())["readings"]]
    assert names == ["7.png", "0.png"]


def test_what_is_refused_before_any_work(arguments, faces, tmp_path, capsys, model_files):
    (tmp_path / "old.csv").write_text("a,b\n1,2\n")
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "nothing").mkdir()
    cases = [
        (["--output", str(tmp_path / "out.xlsx")], "--output expects a file ending in .csv, .json, .parquet"),
        (["--output", str(tmp_path / "folder.csv")], "a folder"),
        (["--output", str(tmp_path / "old.csv")], "there already"),
        (["--output", str(tmp_path / "old.csv"), "--resume"], "does not hold rows as this run writes them"),
        (["--resume"], "--resume goes with --output"),
        (["--engine", "onx"], "Did you mean 'onnx'"),
        (["--tta", "flop"], "Did you mean 'flip'"),
        (["--min-confidence", "2"], "--min-confidence expects"),
        (["--top-k", "-1"], "--top-k expects"),
        (["--batch-size", "0"], "--batch-size expects"),
        (["--grad-cam", str(tmp_path)], "--grad-cam goes with --engine keras"),
        (["--attention", "rollout"], "--attention goes with --grad-cam"),
        (["--colour", "bgr"], "unknown argument"),
    ]
    for extra, message in cases:
        assert message in fails(capsys, *arguments, *extra)
    assert "No such file" in fails(capsys, str(tmp_path / "no.png"), *arguments[1:])
    assert "which hold none" in fails(capsys, str(tmp_path / "nothing"), *arguments[1:])
    assert "Received: none" in fails(capsys, *arguments[1:])
    assert (tmp_path / "old.csv").read_text() == "a,b\n1,2\n"
    assert predict.main([*arguments, "--output", str(tmp_path / "old.csv"), "--overwrite"]) == 0
    assert (tmp_path / "old.csv").read_text().startswith("path,face,x0")


def test_without_an_output_lines_or_json_go_to_the_screen(arguments, faces, capsys):
    single = [str(faces / "0.png"), *arguments[1:]]
    assert predict.main([*single, "--top-k", "2", "--min-confidence", "1"]) == 0
    line = capsys.readouterr().out.strip()
    assert "\n" not in line and "uncertain: " in line and "valence" in line and line.count("0.") >= 4
    assert predict.main([*arguments, "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert len(content["readings"]) == 11 and content["summary"]["faces"] == 9
    assert sum(content["summary"]["emotions"].values()) == 9 and len(content["summary"]["unreadable"]) == 2


def test_nothing_readable_is_told_by_the_exit_status(arguments, faces, capsys):
    assert predict.main([str(faces / "3x.jpg"), *arguments[1:]]) == 1
    assert "unreadable" in capsys.readouterr().out


def test_annotated_copies_keep_the_folders_shape(arguments, faces, tmp_path):
    single = str(faces / "0.png")  # named twice, written once
    predict.main([single, *arguments, "--annotate", str(tmp_path / "a"), "--min-confidence", "0.5"])
    names = sorted(path.relative_to(tmp_path / "a").as_posix() for path in (tmp_path / "a").rglob("*.*"))
    expected = [f"faces/{'more/' if seed % 2 else ''}{seed}.png" for seed in range(1, 9)]
    assert names == sorted(["0.png", *expected])
    picture, copy = cv2.imread(single), cv2.imread(str(tmp_path / "a" / "0.png"))
    assert min(copy.shape[:2]) >= 320 and copy.shape[1] / copy.shape[0] == pytest.approx(50 / 40, rel=0.02)
    corner = picture[-2:, -2:].reshape(-1, 3).mean(0)
    assert copy[-8:, -8:].reshape(-1, 3).mean(0) == pytest.approx(corner, abs=25), "colours are those of the picture"


def test_equal_names_of_two_folders_do_not_overwrite_each_other(tmp_path, faces):
    for name in ("one", "two"):
        (tmp_path / name / "faces").mkdir(parents=True)
        shutil.copy(faces / "0.png", tmp_path / name / "faces" / "0.png")
    pictures, _, others = list_sources([tmp_path / "one" / "faces", tmp_path / "two" / "faces"])
    assert [str(picture.copy) for picture in pictures] == ["faces/0.png", "faces/0-2.png"] and not others.counts
    assert len(list_sources([faces, faces / "0.png"])[0]) == 11


def test_progress_is_a_line_redrawn_in_a_terminal_and_now_and_then_elsewhere(capsys, monkeypatch):
    from fer_keras.prediction import progress_line as progress

    clock = iter(range(0, 1000, 20))
    monkeypatch.setattr(progress.time, "perf_counter", lambda: next(clock))
    for terminal, lines in ((True, 1), (False, 2)):
        monkeypatch.setattr(progress.sys.stderr, "isatty", lambda terminal=terminal: terminal)
        line = progress.ProgressLine(40)
        for _ in range(4):
            line.advance(10)
        line.close()
        text = capsys.readouterr().err
        assert text.count("\n") == lines and text.count("\r") == 4 * terminal
        assert "40 of 40 pictures" in text and "s left" in text
        assert terminal == (f"[{'#' * 10}{'.' * 10}] 20 of 40" in text)


def test_parts_that_workers_wrote_belong_to_the_journal(tmp_path):
    from fer_keras.prediction.reading import Reading, Unreadable, records_of
    from fer_keras.prediction.results_file import ResultsFile, parts_folder, write_part

    output, settings = tmp_path / "out.json", {"model": "m"}
    pictures = [records_of("a", [Reading("sad"), Reading("happy")]), records_of("b", [Unreadable("empty")])]
    started = ResultsFile(output, (), settings)
    started.close()
    folder = parts_folder(output)
    folder.mkdir()
    for name, rows in zip("xy", pictures, strict=True):
        write_part(folder, name, started.settings, [rows])
    (folder / ".1-w.journal").write_text("half")  # what a killed worker leaves
    with pytest.raises(ValueError, match=r"other settings \(model\)"):
        ResultsFile(output, (), {"model": "other"}, resume=True)
    resumed = ResultsFile(output, (), settings, resume=True)
    assert resumed.done == {"a": pictures[0]} and not folder.exists(), "b is tried again"
    folder.mkdir()
    write_part(folder, "z", resumed.settings, [pictures[1]])
    resumed.add_parts()
    assert resumed.finish(["b", "a"]) == [*pictures[1], *pictures[0]]
    assert [path.name for path in tmp_path.iterdir()] == ["out.json"]


def test_a_summary_of_many_unreadable_files_stays_short():
    from fer_keras.prediction.reading import Unreadable, records_of
    from fer_keras.prediction.result_rows import picture_lines, summarise, summary_lines

    records = [row for number in range(50) for row in records_of(f"{number}.jpg", [Unreadable("empty file")])]
    lines = summary_lines(summarise(records))
    assert lines[:2] == ["0 faces read in 50 pictures", "50 unreadable:"] and lines[-1].startswith("  and 30 more")
    nobody = records_of("street.jpg", [])
    assert picture_lines(nobody) == ["street.jpg: no face"] and summarise(nobody)["unreadable"] == []


def test_grad_cam_shows_where_the_answer_comes_from(arguments, faces, tmp_path, model_files, capsys):
    arguments[arguments.index("onnx")] = "auto"
    assert predict.main([*arguments, "--grad-cam", str(tmp_path / "cam"), "--output", str(tmp_path / "o.csv")]) == 0
    assert cv2.imread(str(tmp_path / "cam" / "faces" / "0.png")).shape == (32, 32, 3)
    assert "note: --grad-cam shows Grad-CAM" in capsys.readouterr().err
    flags = ["--grad-cam", str(tmp_path / "other"), "--attention", "rollout", "--output", str(tmp_path / "p.csv")]
    assert predict.main([*arguments, *flags]) == 2
    assert "--attention rollout expects a net with attention layers" in capsys.readouterr().err


def test_grad_cam_points_at_what_matters(tmp_path):
    import keras

    from fer_keras.prediction.grad_cam import grad_cam
    from fer_keras.runs.bundle import Bundle, describe_model

    image = keras.Input((32, 32, 3))
    maps = keras.layers.Conv2D(1, 4, 4, kernel_initializer="ones", name="maps")(image)
    pooled = keras.layers.GlobalAveragePooling2D()(maps)
    outputs = {
        "emotion": keras.layers.Dense(2, activation="softmax", name="emotion")(pooled),
        "valence": keras.layers.Dense(1, activation="tanh", name="valence")(pooled),
    }
    model = keras.Model(image, outputs)
    model.get_layer("emotion").set_weights([np.array([[1e-3, -1e-3]]), np.zeros(2)])
    model.get_layer("valence").set_weights([np.array([[1e-4]]), np.zeros(1)])
    model.trainable = False
    model.save(tmp_path / "model.keras")
    Bundle(tmp_path, describe_model(model, "none", ("bright", "dark"), ("emotion", "valence"))).save()
    predictor = Predictor.load(tmp_path)
    face = np.zeros((32, 32, 3), np.uint8)
    face[4:12, 20:28] = 200
    for options in ({}, {"label": "bright"}, {"output": "valence"}):
        heat = grad_cam(predictor, face, **options)
        assert heat.shape == (32, 32) and heat.max() == 1 and heat[4:12, 20:28].min() > 0.3
        assert heat[20:, :].max() == 0 and heat[:, :14].max() == 0
    assert grad_cam(predictor, face, label="dark").max() == 0
    for options, message in (({"label": "grey"}, "label expects"), ({"output": "arousal"}, "output expects")):
        with pytest.raises(ValueError, match=message):
            grad_cam(predictor, face, **options)


def test_calibrate_fits_and_keeps_the_temperature(model_files, tmp_path, capsys):
    import pyarrow as pa

    from fer_keras.runs.bundle import load_bundle

    shutil.copy(model_files / "model.onnx", tmp_path)
    shutil.copy(model_files / "bundle.json", tmp_path)
    labels = load_bundle(tmp_path).labels
    assert "No predictions of the validation split" in fails(capsys, "--model", str(tmp_path), "--calibrate")
    shares = np.random.default_rng(0).dirichlet(np.full(4, 0.1), 200).astype(np.float32)
    columns = {"split": ["validation"] * 200, "emotion_true": [labels[row % 4] for row in range(200)]}
    columns |= {f"probability_{name}": shares[:, code] for code, name in enumerate(labels)}
    pq.write_table(pa.table(columns), tmp_path / "predictions.parquet")
    assert predict.main(["--model", str(tmp_path), "--calibrate"]) == 0
    assert "temperature" in capsys.readouterr().err
    predictor = Predictor.load(tmp_path)
    assert predictor.temperature == load_bundle(tmp_path).calibration.temperature > 1
    assert Predictor.load(tmp_path, calibrated=False).temperature is None


def test_the_command_line_loads_no_tensorflow(arguments, tmp_path):
    code = (
        "import sys; from fer_keras import predict; status = predict.main(sys.argv[1:]); "
        "print(status, [n for n in ('tensorflow', 'keras', 'matplotlib', 'pyarrow', 'sklearn') if n in sys.modules])"
    )
    for engine in ("onnx", "litert"):
        arguments[arguments.index("--engine") + 1] = engine
        command = [sys.executable, "-c", code, *arguments, "--output", str(tmp_path / f"{engine}.csv")]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert done.stdout.strip().endswith("0 []")


def test_several_faces_are_named_by_number_and_place():
    from fer_keras.prediction.reading import Reading, records_of
    from fer_keras.prediction.result_rows import picture_lines

    readings = [Reading("happy", 0.9, {"happy": 0.9}, face_box=(x, 0, x + 10, 10)) for x in (50, 0, 100)]
    lines = picture_lines(records_of("a.jpg", readings))
    assert lines[0] == "a.jpg: 3 faces"
    assert [line.split(":")[0] for line in lines[1:]] == ["  face 1, middle", "  face 2, left", "  face 3, right"]
    four = picture_lines(records_of("a.jpg", [*readings, Reading("sad", 0.5, {"sad": 0.5}, face_box=(20, 0, 30, 10))]))
    assert "face 4, number 2 from the left: sad 0.50" in four[4]
