"""Sizes and times of files: the same from one process or several, for names that are listed or derived."""

import os

import numpy as np

from fer_keras.readers import file_states as module
from fer_keras.readers.file_states import DerivedNames, file_states


def test_derived_names_are_those_of_every_stem_in_order():
    names = DerivedNames(["a", "b", "c"], ("_x", "_y"))
    written = ["a_x", "a_y", "b_x", "b_y", "c_x", "c_y"]
    assert list(names) == written and len(names) == 6
    assert names[-1] == "c_y" and names[1:4] == written[1:4] and names[6:] == []
    assert [list(part) for part in names.parts(5)] == [written[:4], written[4:]]


def test_processes_find_the_states_that_one_process_finds(tmp_path, monkeypatch):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        for number in range(9):
            path = tmp_path / folder / f"{number}_x"
            path.write_bytes(b"." * number)
            os.utime(path, ns=(1, 10 + number))
    gone = "gone_x"
    listing = {"a": DerivedNames([*map(str, range(9)), "gone"], ("_x",)), "b": [gone, "3_x"], "no folder": ["4_x"]}
    one = file_states(tmp_path, listing)
    assert one[8:].tolist() == [[8, 18], [-1, -1], [-1, -1], [3, 13], [-1, -1]]
    monkeypatch.setattr(module, "_MANY", 1)
    monkeypatch.setattr(module, "_CHUNK", 4)
    assert np.array_equal(file_states(tmp_path, listing, jobs=2), one)
    assert file_states(tmp_path, {}).shape == (0, 2)
