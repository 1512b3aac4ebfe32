"""The command lines: bad input is one clear line and exit status 2; inspection writes what it says."""

import json
import os
import subprocess
import sys
from importlib import import_module

import cv2
import numpy as np
import pytest

import fer_keras
from fer_keras import cli, compare, evaluate, inspect, train
from fer_keras.__main__ import COMMANDS
from fer_keras.cli import ALIASES, Parser, nearest_flag, run_cli


@pytest.fixture(autouse=True)
def called_as_modules(monkeypatch):
    """Name commands as modules again after a test that ran the console command in this process."""
    monkeypatch.setattr(cli, "_called_as", cli._AS_MODULE)


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
    assert "at least two emotions. Received: happy." in fails(capsys, train.main, *arguments)
    (tmp_path / "data" / "test" / "sad").mkdir()
    cv2.imwrite(str(tmp_path / "data" / "test" / "sad" / "b.png"), np.full((9, 9, 3), 99, np.uint8))
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


PARSERS = {name: import_module(f"fer_keras.{name}").build_parser() for name in COMMANDS}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_flag_is_explained(name):
    parser = PARSERS[name]
    assert all(action.help for action in parser._actions)
    assert parser.prog == f"python -m fer_keras.{name}" and parser.prog in parser.format_help()


@pytest.mark.parametrize("name", ["predict", "webcam", "serve", "app"])
def test_help_names_every_detector(name):
    from fer_keras.faces.detectors import DETECTORS

    text = " ".join(PARSERS[name].format_help().split())
    assert all(detector in text for detector in DETECTORS)


def test_help_of_export_names_every_format():
    from fer_keras.formats import FORMATS

    text = " ".join(PARSERS["export"].format_help().split())
    assert all(name in text for name in FORMATS)


@pytest.mark.parametrize(
    "command, typed, meant",
    [
        ("train", "--lr", "--learning-rate"),
        ("train", "--lr=0.1", "--learning-rate"),
        ("train", "-lr", "--learning-rate"),
        ("train", "--epoch", "--epochs"),
        ("train", "--batch", "--batch-size"),
        ("train", "--Batch_Size", "--batch-size"),
        ("train", "--force", "--overwrite"),
        ("train", "--dataset", "--data-spec"),
        ("train", "--out", "--output-dir"),
        ("predict", "--out", "--output"),
        ("predict", "--conf", "--min-confidence"),
        ("predict", "--detector", "--faces"),
        ("export", "--format", "--formats"),
        ("train", "--xyzzy", None),
        ("train", "epochs=3", "--epochs"),
        ("train", "extra", None),
    ],
)
def test_a_flag_of_another_program_is_guessed(command, typed, meant):
    assert nearest_flag(typed, list(PARSERS[command]._option_string_actions)) == meant


def test_files_may_stand_between_flags():
    args = PARSERS["predict"].parse_args(["a.jpg", "--annotate", "out", "b.jpg", "--json", "c.jpg"])
    assert args.sources == ["a.jpg", "b.jpg", "c.jpg"] and args.annotate == "out" and args.json


def test_aliases_lead_to_flags_that_exist():
    flags = {flag for parser in PARSERS.values() for flag in parser._option_string_actions}
    assert {f"--{name}" for names in ALIASES.values() for name in names} <= flags


def fer_keras_command(*arguments: str, program: str = "fer-keras", **options) -> subprocess.CompletedProcess:
    """Run the console command as its script does."""
    code = f"import sys; sys.argv[0] = {program!r}; from fer_keras.__main__ import main; sys.exit(main())"
    command = [sys.executable, *options.pop("python", []), "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, **options)


def test_the_console_command_lists_commands_in_a_line_each_without_importing_them():
    done = fer_keras_command("--help", python=["-X", "importtime"], check=True)
    lines = done.stdout.split("commands:\n")[1].splitlines()
    assert [line.split()[0] for line in lines[: len(COMMANDS)]] == list(COMMANDS)
    assert all(len(line.split()) > 4 for line in lines[: len(COMMANDS)])
    assert not any(name in done.stderr for name in ("numpy", "fer_keras.train", "fer_keras.predict"))


def test_the_console_command_runs_commands_under_its_name():
    done = fer_keras_command("compare", "a", "--repeats", "-1")
    assert done.returncode == 2 and "--repeats expects" in done.stderr
    done = fer_keras_command("predict", "--help", check=True)
    assert done.stdout.startswith("usage: fer-keras predict ") and "\nfer-keras predict photo.jpg\n" in done.stdout
    assert "python -m" not in done.stdout
    done = fer_keras_command("train", "--lr", "1")
    assert done.returncode == 2 and "Did you mean --learning-rate? (see fer-keras train --help)" in done.stderr
    assert fer_keras_command("--version").stdout == f"fer_keras {fer_keras.__version__}\n"
    done = fer_keras_command("evalute")
    assert done.returncode == 2 and "Did you mean 'evaluate'?" in done.stderr and done.stderr.count("\n") == 1
    done = subprocess.run([sys.executable, "-m", "fer_keras"], capture_output=True, text=True, check=True)
    assert "python -m fer_keras predict photo.jpg" in done.stdout


#: Commands whose --help lists what heavy modules define: the file formats of shards.
HEAVY_HELP = {"prepare"}


def test_help_loads_nothing_heavy():
    code = (
        "import contextlib, importlib, io, sys\n"
        "heavy = 'tensorflow keras numpy cv2 matplotlib pyarrow sklearn scipy onnxruntime pandas PIL'.split()\n"
        "for name in sys.argv[1:]:\n"
        "    with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):\n"
        "        importlib.import_module('fer_keras.' + name).main(['--help'])\n"
        "    print(name, *(module for module in heavy if module in sys.modules))"
    )
    names = sorted(set(COMMANDS) - HEAVY_HELP)
    done = subprocess.run([sys.executable, "-c", code, *names], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:-1] == names


@pytest.mark.skipif(os.name != "posix", reason="pipes of POSIX")
@pytest.mark.parametrize("arguments", [["--help"], ["download", "--list"]], ids=" ".join)
def test_a_reader_that_ends_early_is_no_error(arguments):
    command = [sys.executable, "-m", "fer_keras", *arguments]
    receiver, sender = os.pipe()
    os.close(receiver)
    done = subprocess.run(command, stdout=sender, stderr=subprocess.PIPE, text=True)
    os.close(sender)
    assert done.returncode == 141 and done.stderr == ""


def test_a_command_that_was_named_after_the_package_is_recorded_as_its_module(monkeypatch):
    from fer_keras import __main__ as package
    from fer_keras.evaluation.evaluator import _command

    monkeypatch.setattr(sys, "argv", ["fer-keras", "compare", "a"])
    monkeypatch.setattr(compare, "main", lambda argv: 7)
    assert package.main() == 7 and _command() == ["fer_keras.compare", "a"]
