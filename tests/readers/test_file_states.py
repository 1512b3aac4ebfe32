"""Sizes and times of files: the same from one process or several, for names that are listed or derived."""

import os
import sys

import numpy as np
import pytest

from fer_keras.readers import file_states as module
from fer_keras.readers.file_states import DerivedNames, count_aside, file_states


def test_derived_names_are_those_of_every_stem_in_order():
    names = DerivedNames(["a", "b", "c"], ("_x", "_y"))
    written = ["a_x", "a_y", "b_x", "b_y", "c_x", "c_y"]
    assert list(names) == written and len(names) == 6
    assert names[-1] == "c_y" and names[1:4] == written[1:4] and names[6:] == []
    assert [list(part) for part in names.parts(5)] == [written[:4], written[4:]]


@pytest.fixture
def files(tmp_path):
    """A folder with files, the listing of them and of some that are not there, and their states."""
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        for number in range(9):
            path = tmp_path / folder / f"{number}_é"
            path.write_bytes(b"." * number)
            os.utime(path, ns=(1, 10 + number))
    derived = DerivedNames([*map(str, range(9)), "gone"], ("_é",))
    listing = {"a": derived, "b": ["gone_é", "3_é", "no\0path", "5_é", "\ud800"], "no folder": ["4_é"]}
    expected = [[number, 10 + number] for number in range(9)]
    return tmp_path, listing, [*expected, [-1, -1], [-1, -1], [3, 13], [-1, -1], [5, 15], [-1, -1], [-1, -1]]


def test_one_process_finds_the_states_in_order(files):
    folder, listing, expected = files
    assert file_states(folder, listing).tolist() == expected
    assert file_states(folder, {}).shape == (0, 2)


@pytest.mark.parametrize("python", [sys.executable, "/no/such/python", "/bin/false"])
def test_processes_find_what_one_process_finds_or_are_done_without(files, monkeypatch, python):
    folder, listing, expected = files
    monkeypatch.setattr(sys, "executable", python)
    for name, value in (("_MANY", 1), ("_LEAST", 4), ("_MOST", 4)):
        monkeypatch.setattr(module, name, value)
    assert file_states(folder, listing, jobs=2).tolist() == expected
    assert count_aside(str(folder / "a")) == 9 and count_aside(str(folder / "no folder")) == 0


def test_the_script_answers_in_a_bare_python(files):
    folder, _, _ = files
    found = module._run_aside("states", str(folder / "a"), "_é", given=b"2\x007")
    assert np.frombuffer(found, np.int64).tolist() == [2, 7, 12, 17]
    assert module._run_aside("count", str(folder / "a")) == b"9\n"
