"""The page: its drawings, its command line, and itself in a real Chromium whose camera is a video of a real face."""

import importlib.util
import os
import re
import shutil
import socket
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest

from fer_keras import app
from fer_keras.page.display import DisplaySmoother
from fer_keras.prediction.reading import FaceReading


def face(identity: int, valence: float = 0.0, **shares) -> FaceReading:
    return FaceReading(probabilities=shares, valence=valence, arousal=0.5, face_box=(0, 0, 9, 9), id=identity)


def needs_streamlit() -> None:
    """Skip without the extra; it is not imported here, for it must not be after TensorFlow."""
    if importlib.util.find_spec("streamlit_webrtc") is None:
        pytest.skip('needs pip install "fer_keras[app]"')


def test_what_is_shown_glides():
    smoother = DisplaySmoother(0.85)
    smoother.update([face(1, 1.0, happy=1.0, sad=0.0)])
    shares, trail = smoother.update([face(1, -1.0, happy=0.0, sad=1.0)])[1]
    assert shares == pytest.approx({"happy": 0.85, "sad": 0.15}) and trail[-1] == pytest.approx((0.7, 0.5))
    for _ in range(60):
        shares, trail = smoother.update([face(1, -1.0, happy=0.0, sad=1.0)])[1]
    assert shares["sad"] > 0.99 and trail[-1][0] == pytest.approx(-1, abs=0.01) and len(trail) == 40
    assert smoother.update([face(2, happy=0.3)])[2][0] == {"happy": 0.3}, "a new face begins where it is"
    assert smoother.update([face(1, 0.5, happy=0.4)])[1][1] == [(0.5, 0.5)], "a face that was gone is forgotten"
    with pytest.raises(ValueError, match="keep expects"):
        DisplaySmoother(1)


def test_the_command_line_checks_what_it_can(model_files, tmp_path, capsys, monkeypatch):
    cases = [
        (["--model", str(tmp_path)], "No model bundle"),
        (["--model", str(model_files), "--ice-servers", "stun:x"], "--ice-servers expects"),
        (["--model", str(model_files), "--port", "99999"], "--port expects"),
    ]
    needs_streamlit()
    for arguments, message in cases:
        assert app.main(arguments) == 2
        line = capsys.readouterr().err.strip()
        assert message in line and "\n" not in line
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert app.main(["--model", str(model_files)]) == 2
    assert 'pip install "fer_keras[app]"' in capsys.readouterr().err


@pytest.fixture
def page_address(model_files, detector_flags, tmp_path):
    """The page, served to this machine."""
    needs_streamlit()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "fer_keras.app", "--model", str(model_files), "--port", str(port)]
    log = open(tmp_path / "page.log", "w")  # noqa: SIM115 - open as long as the server
    server = subprocess.Popen([*command, *detector_flags], stdout=log, stderr=log, start_new_session=True)
    for _ in range(150):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.2)
    yield f"http://127.0.0.1:{port}"
    os.killpg(server.pid, 15)
    server.wait(20)
    log.close()


@pytest.fixture
def camera_file(astronaut, tmp_path):
    """An uncompressed video for Chromium's fake camera: the astronaut moves to and fro before a wall."""
    path = tmp_path / "camera.y4m"
    picture = cv2.resize(astronaut, (440, 440), interpolation=cv2.INTER_AREA)
    with open(path, "wb") as file:
        file.write(b"YUV4MPEG2 W640 H480 F20:1 Ip A1:1 C420jpeg\n")
        for number in range(60):
            frame = np.full((480, 640, 3), 120, np.uint8)
            left = round(100 + 90 * np.sin(number * np.pi / 30))
            frame[20:460, left : left + 440] = picture
            file.write(b"FRAME\n" + cv2.cvtColor(frame, cv2.COLOR_RGB2YUV_I420).tobytes())
    return path


@pytest.fixture
def browser(camera_file):
    """A page of Chromium whose camera is `camera_file`."""
    playwright = pytest.importorskip("playwright.sync_api")
    chromium = shutil.which("chromium")
    if not chromium:
        pytest.skip("needs Chromium")
    flags = ["--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream", "--no-sandbox"]
    flags += [f"--use-file-for-fake-video-capture={camera_file}", "--disable-gpu"]
    # Addresses of this machine as they are: no service resolves the names that would hide them.
    flags += ["--disable-features=WebRtcHideLocalIpsWithMdns"]
    with playwright.sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=chromium, args=flags)
        yield running.new_page(viewport={"width": 1280, "height": 900})
        running.close()


@pytest.mark.slow
def test_the_camera_in_a_real_browser(page_address, browser, tmp_path):
    browser.goto(page_address, timeout=60000)
    frame = browser.frame_locator("iframe")
    frame.get_by_role("button", name=re.compile("start", re.I)).click(timeout=60000)
    browser.wait_for_selector("img.bars", timeout=90000)
    drawn = []
    for _ in range(12):
        drawn.append(browser.locator("img.plane").first.get_attribute("src"))
        time.sleep(0.7)
    browser.screenshot(path=str(tmp_path / "camera.png"))
    assert len(set(drawn)) > 3, "the chart changes"
    assert re.search(r"Faces: [1-9]", browser.inner_text("body"))
    shot = cv2.imread(str(tmp_path / "camera.png"))[:, :, ::-1].astype(int)
    # The first face's blue box, however the video's compression and scaling have changed it.
    blue = (np.abs(shot - (86, 180, 233)).max(2) < 45).sum()
    assert blue > 300, "the picture that comes back has boxes"


@pytest.mark.slow
def test_files_in_a_real_browser(page_address, browser, tmp_path, astronaut, moving):
    photo = tmp_path / "astronaut.png"
    cv2.imwrite(str(photo), astronaut[:, :, ::-1])
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8 cut")
    browser.goto(page_address, timeout=60000)
    browser.get_by_text("Photos and videos").click(timeout=60000)
    chooser = browser.locator("input[type=file]")
    chooser.wait_for(state="attached", timeout=60000)
    chooser.set_input_files([str(photo), str(moving), str(tmp_path / "broken.jpg")])
    browser.get_by_text("All faces").wait_for(timeout=90000)
    text = browser.inner_text("body")
    assert "Faces: 1" in text and "40 of 40 frames read" in text and "truncated JPEG" in text
    with browser.expect_download() as download:
        browser.get_by_role("button", name="Table as CSV").click()
    lines = open(download.value.path(), encoding="utf-8").read().splitlines()  # noqa: SIM115
    assert lines[0].startswith("path,") and len(lines) == 1 + 1 + 75 + 1
    browser.screenshot(path=str(tmp_path / "files.png"), full_page=True)
    browser.get_by_text("About the model").click()
    browser.get_by_text("What it cannot do").wait_for(timeout=30000)
