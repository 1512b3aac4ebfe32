"""Shared fixtures: a small drawn data set in AffectNet's layout, and a cache folder that is not the user's."""

import os
from pathlib import Path

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

FERPLUS = Path(__file__).parents[2] / "shared" / "datasets" / "ferplus" / "ferplus.npz"


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    """Keep indexes and drawn faces of the tests out of the user's cache."""
    monkeypatch.setenv("FER_KERAS_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture(scope="session")
def faces_dir(tmp_path_factory) -> Path:
    """160 training and 48 test faces of 48 px in AffectNet's official layout. Not to be changed: `copy_of` it."""
    from fer_keras.data.synthetic import write_synthetic

    return write_synthetic(tmp_path_factory.mktemp("faces") / "set", train=160, val=48, size=48, seed=3)


@pytest.fixture
def faces_copy(faces_dir, tmp_path) -> Path:
    """A copy of `faces_dir` that a test may damage."""
    import shutil

    return Path(shutil.copytree(faces_dir, tmp_path / "copy"))


@pytest.fixture(scope="session")
def ferplus_npz() -> Path:
    """The real FER+ archive; skips where it is not there."""
    if not FERPLUS.is_file():
        pytest.skip(f"needs the real FER+ faces at {FERPLUS}")
    return FERPLUS
