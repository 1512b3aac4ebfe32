"""A checkpoint that is damaged is one line, never a traceback or half of its values."""

import keras
import numpy as np
import pytest

from fer_keras.training.checkpoint import read_facts, restore_variables, save_variables


def test_damage_is_one_line_and_changes_nothing(tmp_path):
    path = tmp_path / "state.npz"
    values = [np.arange(600, dtype="float32").reshape(20, 30), np.ones(7, "float32")]
    save_variables(path, [keras.Variable(value) for value in values], {"epoch": 3})
    whole, rng = path.read_bytes(), np.random.default_rng(1)
    variables = [keras.Variable(np.zeros_like(value)) for value in values]
    refused = 0
    for place in [*rng.integers(0, len(whole), 60).tolist(), "half"]:
        damaged = whole[: len(whole) // 2] if place == "half" else bytearray(whole)
        if place != "half":
            damaged[place] ^= 0x55
        path.write_bytes(damaged)
        try:
            read_facts(path)
            restore_variables(path, variables)
        except ValueError as error:
            refused += 1
            assert "\n" not in str(error) and "Start again with --overwrite" in str(error)
        else:  # the byte stands in what no reader needs, such as a time
            assert all((np.asarray(mine) == value).all() for mine, value in zip(variables, values, strict=True))
    assert refused > 40


def test_values_of_another_model_are_refused(tmp_path):
    save_variables(tmp_path / "state.npz", [keras.Variable(np.zeros(3, "float32"))], {})
    for variables in ([], [keras.Variable(np.zeros(4, "float32"))]):
        with pytest.raises(ValueError, match="another model or another version of Keras"):
            restore_variables(tmp_path / "state.npz", variables)
