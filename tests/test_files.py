"""The cache folder: the variable first, then the folder of earlier versions, then the system's place for caches."""

from pathlib import Path

import platformdirs

from fer_keras.files import cache_folder


def test_the_cache_folder_is_the_variable_s_the_earlier_one_or_the_system_s(tmp_path, monkeypatch):
    monkeypatch.setenv("FER_KERAS_CACHE", str(tmp_path / "named"))
    assert cache_folder() == tmp_path / "named"
    monkeypatch.delenv("FER_KERAS_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda name, appauthor: Path("/system") / name)
    assert cache_folder() == Path("/system/fer_keras")
    earlier = tmp_path / ".cache" / "fer_keras"
    earlier.mkdir(parents=True)
    assert cache_folder() == earlier
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == Path("/system/fer_keras")


def test_on_linux_both_places_are_the_same(tmp_path, monkeypatch):
    monkeypatch.delenv("FER_KERAS_CACHE")
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "fer_keras"
