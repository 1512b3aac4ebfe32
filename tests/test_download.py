"""Downloading: the package and the network are played, so that nothing is fetched and every failure is one line."""

import shlex
import sys
import types

import pytest

from fer_keras.data.loading import load_index
from fer_keras.download import DOWNLOADS, download, main
from fer_keras.readers.spec import load_spec
from fer_keras.train import build_parser


@pytest.fixture
def kagglehub(monkeypatch, tmp_path):
    """A module of that name whose one function writes a small file where the real one would; returns the calls."""
    calls = []

    def competition_download(handle, path=None, *, force_download=False, output_dir=None):
        calls.append((handle, path, output_dir))
        found = tmp_path / "cache" / path
        found.parent.mkdir(exist_ok=True)
        found.write_text("emotion, Usage, pixels\n3,Training," + "7 " * 2303 + "7\n")
        return str(found)

    module = types.ModuleType("kagglehub")
    module.competition_download = competition_download
    monkeypatch.setitem(sys.modules, "kagglehub", module)
    return types.SimpleNamespace(calls=calls, module=module)


def test_what_was_fetched_is_named_with_the_command_that_trains_on_it(kagglehub, capsys):
    assert main(["fer2013"]) == 0
    path, licence, command = capsys.readouterr().out.splitlines()
    assert path.endswith("icml_face_data.csv") and "no redistribution" in licence
    arguments = build_parser().parse_args(shlex.split(command.removeprefix("next: "))[3:])
    index = load_index(load_spec(arguments.data_spec), arguments.data_dir)
    assert [index.labels[code] for code in index.emotion] == ["happy"]
    entry = DOWNLOADS["fer2013"]
    assert kagglehub.calls == [(entry.competition, entry.file, None)]


def test_a_place_of_ones_own(kagglehub, tmp_path):
    download("fer2013", tmp_path / "mine")
    assert kagglehub.calls[0][2] == str(tmp_path / "mine")


def test_without_the_package(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "kagglehub", None)
    assert main(["fer2013"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "pip install 'fer_keras[download]'" in error and "https://www.kaggle.com" in error


@pytest.mark.parametrize("reason", ["User is not authenticated", "403 Client Error.\n\nYou don't have permission", ""])
def test_without_token_rules_or_network(kagglehub, monkeypatch, capsys, reason):
    def fail(*args, **options):
        raise ConnectionError(reason)

    monkeypatch.setattr(kagglehub.module, "competition_download", fail)
    assert main(["fer2013"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "token" in error and "rules accepted" in error and "By hand: fetch" in error
    assert (reason.split("\n")[0] or "ConnectionError") in error


def test_names_and_the_list(capsys):
    assert main(["fer2103"]) == 2 and "Did you mean 'fer2013'" in capsys.readouterr().err
    assert main([]) == 2 and "--list says" in capsys.readouterr().err
    assert main(["--list"]) == 0
    listing = capsys.readouterr().out
    assert all(name in listing and entry.page in listing for name, entry in DOWNLOADS.items())


@pytest.mark.parametrize("name", DOWNLOADS)
def test_the_current_kagglehub_has_what_is_called(name):
    import inspect

    hub = pytest.importorskip("kagglehub", reason="needs the extra 'download'")
    assert {"path", "output_dir"} <= set(inspect.signature(hub.competition_download).parameters)
