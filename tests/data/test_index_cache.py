"""The cached index: every column comes back as it was, whatever its texts and however many row groups it takes."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fer_keras.data import index_cache
from fer_keras.data.index import COLUMNS
from fer_keras.data.index_cache import read_index, write_index
from fer_keras.data.loading import load_index
from fer_keras.readers.spec import load_spec


@pytest.fixture(scope="module")
def faces(faces_dir, tmp_path_factory):
    return load_index(load_spec("affectnet"), faces_dir, tmp_path_factory.mktemp("cache"))


@pytest.mark.parametrize("rows", [1, 50, 208])
@pytest.mark.parametrize("texts", ["plain", "accents", "votes"])
def test_every_column_comes_back_as_it_was(faces, tmp_path, monkeypatch, rows, texts):
    monkeypatch.setattr(index_cache, "_GROUP", 50)
    index = faces.take(np.arange(rows))
    if texts == "accents":
        names = np.array([f"{'é' * (number % 4)}{number % 7}" for number in range(rows)], "U9")
        index = replace(index, id=names, subject=names[::-1], landmarks=None)
    if texts == "votes":
        votes = np.arange(rows * 8, dtype=np.float32).reshape(rows, 8)
        boxes = np.where(np.arange(rows)[:, None] % 2, np.nan, 7.5) * np.ones((1, 4), np.float32)
        index = replace(index, votes=votes, agreed=votes[:, 0], face_box=boxes.astype(np.float32))
    path = tmp_path / "index.parquet"
    write_index(path, index, "key")
    key, again = read_index(path, index.spec, Path(index.root))
    assert key == "key" and again.report == index.report and again.labels == index.labels
    for name in COLUMNS:
        one, other = getattr(index, name), getattr(again, name)
        assert (one is None) == (other is None), name
        if one is not None:
            assert one.shape == other.shape and one.dtype.kind == other.dtype.kind, name
            assert np.array_equal(one, other, equal_nan=one.dtype.kind == "f"), name
