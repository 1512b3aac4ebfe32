"""Data specs: the shipped ones, and what is wrong with others."""

import pytest

from fer_keras.labels import EMOTIONS
from fer_keras.readers.reader_table import READERS
from fer_keras.readers.spec import load_spec, spec_names

GOOD = """
name = "mine"
title = "Mine"
homepage = ""
licence = "Mine"
reader = "image_folder"
targets = ["emotion"]
"""


def write(tmp_path, text: str) -> str:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize("name", spec_names())
def test_shipped_specs_are_whole(name):
    spec = load_spec(name)
    assert spec.name == name and spec.reader in READERS and spec.targets and spec.licence
    assert set(spec.emotions) <= set(EMOTIONS)


def test_affectnet_codes_are_the_official_ones():
    spec = load_spec("affectnet")
    assert [spec.labels[str(code)] for code in range(8)] == list(EMOTIONS)
    assert spec.drop_labels == {"8": "none", "9": "uncertain", "10": "no face"}
    assert spec.missing_va == -2


def test_a_spec_by_path_maps_other_names(tmp_path):
    spec = load_spec(write(tmp_path, GOOD + '[labels]\n"0" = "Angry"\n"1" = "joy"\n'))
    assert spec.labels == {"0": "anger", "1": "happy"} and spec.emotions == ("happy", "anger")


@pytest.mark.parametrize(
    "change, message",
    [
        (('title = "Mine"\n', ""), "lacks the key 'title'"),
        (("licence", "license"), "Unknown key 'license'.*Did you mean 'licence'"),
        (('["emotion"]', '["emotions"]'), "targets expects some of"),
        (('["emotion"]', "[]"), "targets expects some of"),
        (("targets", 'splits = {training = "x"}\ntargets'), "splits expects keys among"),
        (("targets", 'labels = {0 = "bored"}\ntargets'), "Unknown emotion name"),
        (("targets", 'labels = {0 = "sad"}\ndrop_labels = {0 = "x"}\ntargets'), "stand in both"),
        (("targets", "targets = ="), "not a TOML file"),
    ],
)
def test_mistakes_in_a_spec_are_named(tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        load_spec(write(tmp_path, GOOD.replace(*change)))


def test_unknown_names_and_missing_files():
    with pytest.raises(ValueError, match="Did you mean 'affectnet'"):
        load_spec("afectnet")
    with pytest.raises(FileNotFoundError):
        load_spec("nowhere/mine.toml")
