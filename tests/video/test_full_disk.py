"""A disk without room: told in one line, and an earlier good video stays. A small tmpfs where it may be mounted."""

import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from fer_keras import predict
from fer_keras.prediction.results_file import journal_of
from fer_keras.video.frames import VideoWriter, count_frames

ROOT = Path(__file__).parents[2]
FRAMES = np.random.default_rng(0).integers(0, 256, (30, 240, 320, 3), np.uint8)  # noise, which compresses badly


@pytest.fixture
def full_disk(tmp_path):
    """A file system of 600 kB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", str(place)]
    if sys.platform != "linux" or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("a tmpfs cannot be mounted here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def write_noise(path: Path, frames=FRAMES) -> None:
    with VideoWriter(path, (240, 320), 25) as writer:
        for frame in frames:
            writer.write(frame)


@pytest.mark.parametrize("suffix", [".mp4", ".avi"])
def test_frames_are_counted_as_they_were_written(tmp_path, suffix):
    write_noise(tmp_path / f"x{suffix}")
    assert count_frames(tmp_path / f"x{suffix}") == 30
    whole = (tmp_path / f"x{suffix}").read_bytes()
    (tmp_path / f"half{suffix}").write_bytes(whole[: len(whole) // 2])
    assert count_frames(tmp_path / f"half{suffix}") < 30


@pytest.mark.parametrize("suffix", [".mp4", ".avi"])
def test_a_full_disk_is_an_error_and_the_earlier_video_stays(full_disk, suffix):
    path = full_disk / f"x{suffix}"
    write_noise(path, FRAMES[:2] // 16)
    before = path.read_bytes()
    with pytest.raises(OSError, match=f"No space left to write {path}"):
        write_noise(path)
    assert path.read_bytes() == before and os.listdir(full_disk) == [path.name]


def test_an_encoder_that_loses_frames_is_an_error_and_the_earlier_video_stays(tmp_path, monkeypatch):
    path = tmp_path / "x.mp4"
    write_noise(path, FRAMES[:3])
    before = path.read_bytes()
    lost = pytest.raises(OSError, match="could not be written whole: 4 of 5 frames. Nothing was replaced")
    with lost, VideoWriter(path, (240, 320), 25) as writer:
        for frame in FRAMES[:4]:
            writer.write(frame)
        monkeypatch.setattr(writer, "_writer", Silent(writer._writer))
        writer.write(FRAMES[4])
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["x.mp4"]


class Silent:
    """An encoder that takes frames and writes none, as OpenCV's does on a full disk."""

    def __init__(self, writer):
        self.release = writer.release

    def write(self, image):
        pass


@pytest.mark.skipif(os.name != "posix", reason="RLIMIT_FSIZE")
def test_a_limit_of_the_size_of_files_is_an_error_too(tmp_path):
    """In a process of its own: every file ends at 200 kB."""
    code = f"""
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
sys.path.insert(0, {str(ROOT)!r})
import numpy as np
from fer_keras.video.frames import VideoWriter
frames = np.random.default_rng(0).integers(0, 256, (30, 240, 320, 3), np.uint8)
with VideoWriter({str(tmp_path / "x.avi")!r}, (240, 320), 25) as writer:
    for frame in frames:
        writer.write(frame)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "could not be written whole" in done.stderr and not os.listdir(tmp_path)


def test_predict_on_a_full_disk_says_resume_and_keeps_what_it_read(
    full_disk, moving, model_files, detector_flags, tmp_path, capsys
):
    noisy = tmp_path / "noisy.avi"
    with VideoWriter(noisy, (480, 640), 25) as writer:
        capture = cv2.VideoCapture(str(moving))
        for number in range(30):
            frame = cv2.resize(capture.read()[1], (640, 480))[:, :, ::-1]
            writer.write(frame ^ np.random.default_rng(number).integers(0, 128, frame.shape, np.uint8))
    out = full_disk / "noisy.mp4"
    out.write_bytes(b"an earlier good video")
    results = tmp_path / "out.csv"
    flags = ["--model", str(model_files), *detector_flags, "--output", str(results), "--annotate", str(full_disk)]
    assert predict.main([str(moving), str(noisy), *flags, "--overwrite"]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert f"No space left to write {out.parent}" in error and error.endswith("then go on with --resume.")
    assert out.read_bytes() == b"an earlier good video" and journal_of(results).is_file() and not results.exists()


def test_results_on_a_full_disk_name_the_file(full_disk, model_files, tmp_path, capsys):
    folder = tmp_path / "faces"
    folder.mkdir()
    for number in range(3):
        cv2.imwrite(str(folder / f"{number}.png"), np.full((40, 40, 3), 80 * number, np.uint8))
    (full_disk / "fill").write_bytes(bytes(590_000))
    output = full_disk / "out.csv"
    flags = ["--model", str(model_files), "--faces", "whole", "--output", str(output)]
    status = predict.main([str(folder), *flags])
    error = capsys.readouterr().err.splitlines()[-1]
    if status:  # whether the last page is enough depends on the kernel
        assert status == 2 and f"No space left to write {output}" in error and "--resume" in error
    (full_disk / "fill").unlink()
    assert predict.main([str(folder), *flags, "--resume"]) == 0 and output.read_text().count("\n") == 4
