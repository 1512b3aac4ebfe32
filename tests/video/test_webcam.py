"""The webcam without a camera: a video in its place, to a file, and in a window on a virtual screen with real keys."""

import os
import shutil
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest

from fer_keras import webcam
from fer_keras.drawing.palette import FACE_COLOURS, rgb
from fer_keras.prediction.reading import FaceReading
from fer_keras.video.frames import VideoFile, VideoWriter
from fer_keras.video.live import Camera, Newest, Rate, ReadingThread, Seen
from fer_keras.video.window import View


@pytest.fixture
def arguments(model_files, detector_flags):
    return ["--model", str(model_files), "--engine", "onnx", *detector_flags]


def fails(capsys, *args: str) -> str:
    try:
        status = webcam.main(list(args))
    except SystemExit as stop:
        status = stop.code
    line = capsys.readouterr().err.strip()
    assert status == 2 and line.startswith("error: ") and "\n" not in line
    return line


def test_a_video_is_shown_at_its_own_speed_into_a_file(arguments, moving, tmp_path, capsys):
    output = tmp_path / "seen.mp4"
    command = [*arguments, "--source", str(moving), "--no-window", "--output", str(output)]
    assert webcam.main(command) == 0
    printed = capsys.readouterr().out
    assert "at most 2 faces at once" in printed
    video = VideoFile(output)
    frames = list(video.frames())
    assert len(frames) >= 36 and video.rate == 20, "as long as what was shown, on a slow machine too"
    last = frames[-1].image.astype(int)
    for colour in FACE_COLOURS[:2]:
        assert (np.abs(last - rgb(colour)).max(2) < 60).sum() > 150, "both boxes and labels"


def test_the_time_can_be_bounded(arguments, moving, tmp_path):
    started = time.monotonic()
    command = [*arguments, "--source", str(moving), "--no-window", "--output", str(tmp_path / "o.avi")]
    assert webcam.main([*command, "--seconds", "0.5"]) == 0
    assert time.monotonic() - started < 10 and 0 < len(list(VideoFile(tmp_path / "o.avi").frames())) < 30


def test_what_is_refused(arguments, moving, tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    (tmp_path / "no.mp4").write_bytes(b"no video")
    to_file = ["--no-window", "--output", str(tmp_path / "out.mp4")]
    cases = [
        (["--source", str(moving)], "no screen"),
        (["--no-window"], "goes with --output"),
        (["--source", "nowhere.mp4", *to_file], "No such file"),
        (["--source", str(tmp_path / "no.mp4"), *to_file], "no readable video"),
        (["--camera", "77", *to_file], "camera 77 gives no picture"),
        (["--source", str(moving), "--no-window", "--output", str(tmp_path / "out.gif")], ".mp4 or .avi"),
        (["--seconds", "0", *to_file], "--seconds expects"),
        (["--source", str(moving), "--smoothing", "2", *to_file], "--smoothing expects"),
    ]
    for extra, message in cases:
        assert message in fails(capsys, *arguments, *extra)
    assert "not allowed with" in fails(capsys, *arguments, "--camera", "0", "--source", str(moving))


def test_keys_change_the_view(tmp_path, capsys):
    view = View(screenshots=tmp_path / "shots")
    frame = np.full((240, 320, 3), 90, np.uint8)
    reading = FaceReading("happy", 0.9, {"happy": 0.9, "sad": 0.1}, 0.5, 0.5, face_box=(50.0, 80.0, 110.0, 150.0), id=1)
    seen = Seen((reading,), {1: ((0.1, 0.1), (0.5, 0.5))}, 12.0)
    whole = view.draw(frame, seen, 30.0)
    for key in "vpf":
        assert view.press(ord(key), whole)
    assert (view.plane, view.bars, view.rate) == (False, False, False)
    bare = view.draw(frame, seen, 30.0)
    assert (bare[160:] == 90).all() and (bare[:40] == 90).all() and (whole[200:, 280:] != 90).any()
    assert view.press(ord("s"), whole) and view.bars
    assert view.press(-1, whole) and view.press(ord("c"), whole) and view.press(ord("c"), whole)
    shots = sorted((tmp_path / "shots").iterdir())
    assert len(shots) == 2 and (cv2.imread(str(shots[0]))[:, :, ::-1] == whole).all()
    assert "screenshot: " in capsys.readouterr().err
    assert not view.press(ord("q"), whole) and not view.press(27, whole)
    assert (frame == 90).all(), "what the camera gave stays as it is"


def test_only_the_newest_value_is_handed_on():
    newest = Newest()
    for value in range(5):
        newest.put(value)
    assert newest.get(0) == (5, 4) and newest.get(5, 0.01) == (5, None)
    newest.close()
    assert newest.get(4) == (5, 4) and newest.get(5) == (5, None) and newest.finished
    rate = Rate()
    assert rate.value == 0
    for _ in range(5):
        rate.tick()
        time.sleep(0.02)
    assert 10 < rate.value < 60


def test_a_reading_thread_ends_when_frames_stop():
    class Faces:
        def read(self, image):
            return Seen()

    frames = Newest()
    thread = ReadingThread(frames, Faces(), patience=0.3)
    thread.start()
    frames.put(np.zeros((4, 4, 3), np.uint8))
    assert thread.seen.get(0, 5)[1] == Seen() and thread.alive
    for _ in range(50):
        time.sleep(0.1)
        if not thread.alive:
            break
    assert not thread.alive and thread.error is None and not frames.finished


def test_a_mirror_turns_frames(moving):
    images = []
    for mirror in (False, True):
        camera = Camera(str(moving), mirror)
        camera.start()
        images.append(camera.frames.get(0, 5)[1])
        camera.close()
    assert (images[0][:, ::-1] == images[1]).all()


@pytest.fixture
def screen(tmp_path):
    """A virtual screen; skips where Xvfb or xdotool is missing."""
    if not (shutil.which("Xvfb") and shutil.which("xdotool")):
        pytest.skip("needs Xvfb and xdotool")
    receiver, sender = os.pipe()
    command = ["Xvfb", "-displayfd", str(sender), "-screen", "0", "800x600x24", "-nolisten", "tcp"]
    server = subprocess.Popen(command, pass_fds=[sender], stderr=subprocess.DEVNULL)
    os.close(sender)
    yield ":" + os.read(receiver, 16).decode().strip()
    os.close(receiver)
    server.terminate()
    server.wait()


def test_a_window_obeys_real_keys(arguments, moving, screen, tmp_path):
    long = tmp_path / "long.mp4"
    frames = [frame.image for frame in VideoFile(moving).frames()]
    with VideoWriter(long, (240, 320), 20) as writer:
        for _ in range(60):
            for image in frames:
                writer.write(image)
    environment = {**os.environ, "DISPLAY": screen}
    command = [sys.executable, "-m", "fer_keras.webcam", *arguments, "--source", str(long), "--seconds", "100"]
    command += ["--screenshots", str(tmp_path / "shots")]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:

        def press(key: str) -> None:
            subprocess.run(["xdotool", "key", "--window", window, key], env=environment, check=True)
            time.sleep(1.0)

        find = ["xdotool", "search", "--sync", "--onlyvisible", "--name", "^fer_keras$"]
        window = subprocess.run(find, env=environment, capture_output=True, text=True, timeout=60).stdout.split()[0]
        subprocess.run(["xdotool", "windowfocus", window], env=environment)
        time.sleep(2)
        for key in ("c", "v", "p", "f", "c"):
            press(key)
        press("q")
        printed, notes = process.communicate(timeout=60)
    assert process.returncode == 0, notes
    assert "frames in" in printed
    shots = [cv2.imread(str(path)) for path in sorted((tmp_path / "shots").iterdir())]
    assert len(shots) == 2 and (shots[0][:20, :60] != 90).any(), "frame rate is shown"
    assert (np.abs(shots[1][:20, :60].astype(int) - 90) < 12).all(), "and hidden after f"
    assert (np.abs(shots[1][175:, 250:].astype(int) - 90) < 12).mean() > 0.7, "the plane is hidden after v"
