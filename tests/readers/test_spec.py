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
    assert set(spec.emotions) <= {*EMOTIONS, *spec.own_classes}


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


WRONG = {
    "name = 3": "name expects text",
    'name = "a\\u0000b"': "name expects text",
    "targets = 'emotion'": "targets expects a list of text",
    "targets = [[1]]": "targets expects a list of text",
    "labels = 3": "labels expects a table of text",
    "labels = {0 = 1}": "labels expects a table of text",
    "splits = ['train']": "splits expects a table of text",
    "image_size = -4": "image_size expects a whole number from 1",
    "missing_va = nan": "missing_va expects a number",
    "subject_pattern = '(('": "subject_pattern expects a regular expression",
    "class_names = 'happy'": "class_names expects a list of text",
    "options = []": "options expects a table",
    "options = {columns = ['a']}": "options.columns expects a table of text",
    "options = {split_aliases = {train = 'x'}}": "options.split_aliases expects a table of lists",
    "options = {image_name = '{stem.__class__}'}": "options.image_name expects a file's name",
    "options = {split_pattern = 'a'}": "options.split_pattern expects a regular expression with a group",
    "note = " + "[" * 3000 + "]" * 3000: "is not a TOML file|expects text",
    "image_size = " + "9" * 5000: "is not a TOML file|expects a whole number",
}


@pytest.mark.parametrize("line", WRONG, ids=lambda line: line[:30])
def test_values_of_wrong_types_are_one_line(tmp_path, line):
    facts = {
        "name": "'x'",
        "title": "'x'",
        "homepage": "''",
        "licence": "'x'",
        "reader": "'arrays'",
        "targets": "['emotion']",
    }
    key, _, value = line.partition(" = ")
    path = tmp_path / "mine.toml"
    path.write_text("".join(f"{name} = {text}\n" for name, text in {**facts, key: value}.items()))
    with pytest.raises(ValueError, match=WRONG[line]) as error:
        load_spec(path)
    assert "\n" not in str(error.value) and len(str(error.value)) < 400 and str(path) in str(error.value)
