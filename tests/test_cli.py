"""The command lines: bad input is one clear line and exit status 2; inspection writes what it says."""

import json

import cv2
import numpy as np
import pytest

from fer_keras import compare, evaluate, inspect, train
from fer_keras.cli import Parser, run_cli


def fails(capsys, main, *args: str) -> str:
    """Run a command line that must fail, and return its one line."""
    try:
        status = main(list(args))
    except SystemExit as stop:  # argparse's own way
        status = stop.code
    line = capsys.readouterr().err.strip()
    assert status == 2 and line.startswith("error: ") and "\n" not in line and "Traceback" not in line
    return line


TRAIN = {
    "unknown flag": (["--batchsize", "3"], "Did you mean --batch-size?"),
    "wrong type": (["--epochs", "many"], "--epochs"),
    "out of range": (["--dropout", "2"], "--dropout expects a number from 0 to 0.95"),
    "unknown choice": (["--optimizer", "adm"], "Did you mean 'adam'?"),
    "unknown spec": (["--data-spec", "afectnet"], "Did you mean 'affectnet'?"),
    "unknown backbone": (["--backbone", "resnet5"], "Did you mean 'resnet50'?"),
    "no data_dir": (["--data-spec", "affectnet"], "affectnet expects --data-dir"),
    "no such folder": (["--data-spec", "affectnet", "--data-dir", "nowhere"], "nowhere"),
    "no such config": (["--config", "nowhere.toml"], "nowhere.toml"),
    "resume and overwrite": (["--resume", "--overwrite"], "not allowed with"),
}


@pytest.mark.parametrize("args, message", TRAIN.values(), ids=TRAIN.keys())
def test_train_refuses_in_one_line(capsys, tmp_path, args, message):
    assert message in fails(capsys, train.main, *args, "--output-dir", str(tmp_path / "run"))


def test_an_unknown_key_in_a_config_file(capsys, tmp_path):
    (tmp_path / "run.toml").write_text("[training]\nepoch = 3\n")
    assert "Unknown key 'epoch'" in fails(capsys, train.main, "--config", str(tmp_path / "run.toml"))


def test_an_output_that_cannot_be_written(capsys, tmp_path, faces_dir):
    (tmp_path / "file").write_text("")
    for output, message in ((tmp_path / "file", "a file"), (tmp_path / "file" / "run", "cannot be written")):
        assert message in fails(capsys, train.main, "--data-dir", str(faces_dir), "--output-dir", str(output))


def test_an_empty_folder_and_one_without_faces_to_train_on(capsys, tmp_path):
    (tmp_path / "data").mkdir()
    arguments = [
        "--data-spec",
        "image_folder",
        "--data-dir",
        str(tmp_path / "data"),
        "--output-dir",
        str(tmp_path / "run"),
    ]
    assert "No class folders" in fails(capsys, train.main, *arguments)
    (tmp_path / "data" / "test" / "happy").mkdir(parents=True)
    assert "it holds no images" in fails(capsys, train.main, *arguments)
    cv2.imwrite(str(tmp_path / "data" / "test" / "happy" / "a.png"), np.zeros((9, 9, 3), np.uint8))
    assert "No faces in split 'train'" in fails(capsys, train.main, *arguments)


def test_evaluate_and_compare_refuse_what_is_no_run(capsys, tmp_path):
    assert "No model bundle" in fails(capsys, evaluate.main, "--model", str(tmp_path))
    assert "--batch-size expects at least 1" in fails(
        capsys, evaluate.main, "--model", str(tmp_path), "--batch-size", "0"
    )
    assert "--model" in fails(capsys, evaluate.main)
    assert "No model bundle" in fails(capsys, compare.main, str(tmp_path), str(tmp_path))


def test_debug_shows_the_traceback():
    def work(args):
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        run_cli(work, Parser(prog="x").parse_args(["--debug"]))
    assert run_cli(work, Parser(prog="x").parse_args([])) == 2


def test_inspect_writes_picture_and_facts(capsys, tmp_path, faces_copy):
    paths = sorted((faces_copy / "train_set" / "images").iterdir())
    paths[0].write_bytes(b"")
    paths[1].write_bytes(paths[2].read_bytes())
    twin = sorted((faces_copy / "val_set" / "images").iterdir())[0]
    paths[3].write_bytes(twin.read_bytes())
    data = paths[4].read_bytes()
    paths[4].write_bytes(data[:2] + b"\xff\xda\xff\xd9")  # looks whole, decodes to nothing
    status = inspect.main(["--data-dir", str(faces_copy), "--output-dir", str(tmp_path / "out"), "--decode-all"])
    assert status == 0
    facts = json.loads((tmp_path / "out" / "dataset.json").read_text())
    assert facts["dropped"] == {"unreadable image (empty file)": 1, "train face that is also in test": 1}
    assert facts["duplicates"]["groups"] == 1 and facts["duplicates"]["dropped_across_splits"] == 1
    assert list(facts["unreadable"]) == [f"train/{paths[4].stem}"] or list(facts["unreadable"]) == [
        f"validation/{paths[4].stem}"
    ]
    assert facts["used"] == sum(sum(split.values()) for split in facts["counts"].values()) == 206
    assert facts["axes"]["valence"]["test"]["n"] == 48
    picture = cv2.imread(str(tmp_path / "out" / "dataset.png"))
    assert picture.shape[0] > 500 and picture.std() > 20
    out = capsys.readouterr().out
    assert "1 unreadable" in out and "dataset.png" in out


def test_every_flag_is_explained(capsys):
    for main in (train.main, evaluate.main, compare.main, inspect.main):
        with pytest.raises(SystemExit) as stop:
            main(["--help"])
        assert stop.value.code == 0
    assert "--early-stopping" in capsys.readouterr().out
