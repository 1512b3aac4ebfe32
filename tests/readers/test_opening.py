"""Opening what lies in a folder: regular files, of a limited size, without ever waiting."""

import os
import subprocess
import sys

import pytest
from faces_on_disk import write_face

from fer_keras.readers.opening import has_image_suffix, is_picture, read_bytes, read_head

needs_pipes = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")


def in_time(code: str, *arguments) -> str:
    """Run code in a process of its own, which has 60 s and 2 GB; return what it printed."""
    limit = "import resource; resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))\n"
    done = subprocess.run(
        [sys.executable, "-c", limit + code, *map(str, arguments)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@needs_pipes
def test_a_pipe_is_no_file_and_never_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.jpg")
    code = """
import sys
from fer_keras.prediction.sources import load_image
try:
    load_image(sys.argv[1])
except OSError as error:
    print(error.strerror)
"""
    assert in_time(code, tmp_path / "a.jpg") == "not a regular file"
    assert read_head(str(tmp_path / "a.jpg")) == b""


@needs_pipes
def test_pipes_and_devices_in_a_data_folder_cost_one_row_each(tmp_path):
    for number, name in enumerate(["happy", "sad"]):
        write_face(tmp_path / name / "a.png", number)
    os.mkfifo(tmp_path / "happy" / "pipe.jpg")
    os.mkfifo(tmp_path / "happy" / "pipe")
    (tmp_path / "sad" / "zero.png").symlink_to("/dev/zero")
    code = """
import sys
from fer_keras.data.loading import load_index
from fer_keras.readers.spec import load_spec
report = load_index(load_spec("image_folder"), sys.argv[1], sys.argv[2]).report
print(report.dropped, report.warnings)
"""
    found = in_time(code, tmp_path, tmp_path / "cache")
    assert found == "{'image not readable (not a regular file)': 2} {'file that is no image': 1}"


def test_large_files_folders_and_bad_paths_are_refused(tmp_path, monkeypatch):
    path = write_face(tmp_path / "a.png", 0)
    assert read_bytes(str(path)) == path.read_bytes()
    with open(tmp_path / "large.png", "wb") as file:
        file.truncate(3_000_000)
    monkeypatch.setenv("FER_KERAS_MAX_MEGABYTES", "2")
    with pytest.raises(OSError, match="more than 2 megabytes"):
        read_bytes(str(tmp_path / "large.png"))
    with pytest.raises(IsADirectoryError):
        read_bytes(str(tmp_path))
    with pytest.raises(FileNotFoundError):
        read_bytes(str(tmp_path / "none.png"))
    with pytest.raises(ValueError):
        read_bytes("a\0b")
    assert read_head("a\0b") == b""


def test_content_decides_where_no_suffix_does(tmp_path):
    assert has_image_suffix("A.JFIF") and not has_image_suffix("A.txt")
    assert is_picture(str(write_face(tmp_path / "plain", 0, ".jpg")))
    assert is_picture(str(write_face(tmp_path / "wrong.txt", 1, ".png")))
    (tmp_path / "notes").write_text("P1 was afraid")
    assert not is_picture(str(tmp_path / "notes"))
