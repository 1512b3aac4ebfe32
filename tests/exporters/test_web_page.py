"""The exported page in a real Chromium: photos, a camera that plays a video of a real face, offline, at phone size."""

import csv
import io
import json
import os
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from browser import CHROMIUM, Browser, StaticHost

from fer_keras.bundled import bundled_model
from fer_keras.exporters import web
from fer_keras.exporters.export_options import ExportOptions
from fer_keras.exporters.source import ExportSource
from fer_keras.exporters.web_runtime import web_runtime
from fer_keras.faces.face_reader import FaceReader
from fer_keras.prediction.predictor import Predictor
from fer_keras.runs.bundle import load_bundle

pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")]

_RUNTIME = os.environ.get("FER_KERAS_WEB_RUNTIME")
READY = "document.getElementById('page')?.dataset.state === 'ready'"
STATUS = "document.getElementById('status').innerText"


def write_page(place: Path, yunet_file: Path | None) -> Path:
    """Write the page of the bundled model; skips where onnxruntime-web is not there."""
    try:
        runtime = web_runtime(_RUNTIME, forbidden=True)
    except (ValueError, FileNotFoundError):
        pytest.skip("needs onnxruntime-web: FER_KERAS_WEB_RUNTIME=folder")
    options = ExportOptions(web_runtime=str(runtime), detector_model=yunet_file and str(yunet_file))
    source = ExportSource(None, load_bundle(bundled_model("fast")), place, None, options)
    web._write(
        source,
        place / "web",
        lambda source, file: {"file": shutil.copyfile(bundled_model("fast") / "model.onnx", file)},
    )
    return place / "web"


@pytest.fixture(scope="module")
def folder(yunet_file, tmp_path_factory) -> Path:
    return write_page(tmp_path_factory.mktemp("page"), yunet_file)


@pytest.fixture
def host(folder):
    host = StaticHost(folder)
    yield host
    host.close()


@pytest.fixture
def camera(tmp_path, astronaut) -> Path:
    """A camera's video, 640 x 480: the astronaut moves from left to right and back."""
    path = tmp_path / "camera.y4m"
    picture = cv2.resize(astronaut, (480, 480), interpolation=cv2.INTER_AREA)
    with open(path, "wb") as file:
        file.write(b"YUV4MPEG2 W640 H480 F15:1 Ip A1:1 C420jpeg\n")
        for number in [*range(30), *reversed(range(30))]:
            frame = np.full((480, 640, 3), 90, np.uint8)
            frame[:, 40 + 3 * number : 520 + 3 * number] = picture
            file.write(b"FRAME\n" + cv2.cvtColor(frame, cv2.COLOR_RGB2YUV_I420).tobytes())
    return path


@pytest.fixture
def browser(tmp_path, camera):
    browser = Browser(
        tmp_path / "profile",
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-video-capture={camera}",
    )
    browser.size(1200, 850)
    yield browser
    browser.close()


def errors(browser) -> list[str]:
    return [text for text in browser.messages() if "No available adapters" not in text]  # no GPU here


def table(browser) -> list[dict]:
    """The rows of the CSV that the page lets one download."""
    browser.ask(
        "window.saved = ''; URL.createObjectURL = (blob) => { blob.text().then((text) => saved = text); return ''; }"
    )
    browser.ask("document.getElementById('csv').click()")
    return list(csv.DictReader(io.StringIO(browser.wait("window.saved"))))


def test_photos_are_read_as_the_package_reads_them(browser, host, yunet_file, astronaut, group, tmp_path):
    reader = FaceReader.load("fast", tta="none", detector="yunet", detector_model=str(yunet_file))
    pictures = {"astronaut.png": astronaut, "group.png": group}
    for name, image in pictures.items():
        cv2.imwrite(str(tmp_path / name), image[:, :, ::-1])
    browser.open(host.address)
    browser.wait(READY)
    browser.choose_files("#files", *(tmp_path / name for name in pictures))
    browser.wait(f"{READY} && {STATUS}.includes('12 faces')")
    rows = table(browser)
    assert [row["path"] for row in rows] == ["astronaut.png", *["group.png"] * 12]
    for name, image in pictures.items():
        expected = list(reader.read(image))
        found = [row for row in rows if row["path"] == name]
        for reading in expected:
            places = [np.array([float(row[side]) for side in ("x0", "y0", "x1", "y1")]) for row in found]
            near = int(np.argmin([np.abs(place - reading.face_box).max() for place in places]))
            assert np.abs(places[near] - reading.face_box).max() < 0.05
            shares = {label: float(found[near][f"probability_{label}"]) for label in reading.probabilities}
            assert max(abs(shares[label] - share) for label, share in reading.probabilities.items()) <= 1e-3
            assert abs(float(found[near]["valence"]) - reading.valence) <= 1e-3
            assert abs(float(found[near]["arousal"]) - reading.arousal) <= 1e-3
            assert found[near]["emotion"] == reading.emotion
    assert browser.ask("document.querySelectorAll('[role=meter]').length") >= 8
    assert not errors(browser)


def test_the_camera_is_read_and_nothing_leaves(browser, host):
    browser.open(host.address)
    browser.wait(READY)
    browser.ask("document.getElementById('camera').focus()")
    for kind in ("rawKeyDown", "keyUp"):  # from the keyboard
        browser.call("Input.dispatchKeyEvent", type=kind, key=" ", code="Space", windowsVirtualKeyCode=32)
    browser.wait("document.getElementById('page').dataset.perSecond > 0")
    browser.wait("document.querySelector('.card h2')?.innerText.startsWith('Face 1: happy')")
    assert "1 face" in browser.wait("document.getElementById('speech').innerText")
    browser.wait("document.getElementById('csv').disabled === false")
    rows = table(browser)
    assert len({row["seconds"] for row in rows}) > 1 and {row["face"] for row in rows} == {"1"}
    with pytest.raises(RuntimeError, match="Failed to fetch"):
        browser.ask("fetch('http://127.0.0.1:9/', {method: 'POST', body: 'frame'})")
    browser.ask("document.getElementById('camera').click()")
    assert browser.ask("document.getElementById('video').srcObject === null")
    assert all(line.startswith("GET ") for line in host.requests)
    blocked = [text for text in errors(browser) if "Content Security Policy" not in text]
    assert len(errors(browser)) > len(blocked) == 0


def test_a_choice_of_cameras(host, tmp_path):
    two = "--use-fake-device-for-media-stream=device-count=2"  # not with a file: that is one camera
    browser = Browser(tmp_path / "profile", two, "--use-fake-ui-for-media-stream")
    browser.open(host.address)
    browser.wait(READY)
    browser.ask("document.getElementById('camera').click()")
    browser.wait("document.getElementById('cameras-label').hidden === false")
    before = browser.ask("document.getElementById('cameras').value")
    other = "document.getElementById('cameras').options[1 - document.getElementById('cameras').selectedIndex].value"
    browser.ask(
        f"document.getElementById('cameras').value = {other};"
        "document.getElementById('cameras').dispatchEvent(new Event('change'))"
    )
    using = "document.getElementById('video').srcObject?.getVideoTracks()[0].getSettings().deviceId"
    browser.wait(f"{using} && {using} !== {json.dumps(before)}")
    browser.close()


def test_a_video_file_is_read_to_its_end(browser, host, moving, tmp_path):
    """Two faces; WebM, which every Chromium plays."""
    source, path = cv2.VideoCapture(str(moving)), tmp_path / "moving.webm"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"VP80"), 20, (320, 240))
    for _ in range(14):
        writer.write(source.read()[1])
    writer.release()
    browser.open(host.address)
    browser.wait(READY)
    browser.choose_files("#files", path)
    browser.wait("document.getElementById('page').dataset.state === 'live'")
    browser.wait(READY)
    rows = table(browser)
    assert {row["path"] for row in rows} == {"moving.webm"} and {row["face"] for row in rows} == {"1", "2"}


def test_without_a_detector_a_picture_is_one_face(browser, astronaut, astronaut_box, tmp_path):
    x0, y0, x1, y1 = astronaut_box
    cv2.imwrite(str(tmp_path / "face.png"), astronaut[y0:y1, x0:x1, ::-1])
    host = StaticHost(write_page(tmp_path, None))
    browser.open(host.address)
    browser.wait(READY)
    assert "each picture is taken as one face" in browser.ask("document.getElementById('about').innerText")
    browser.choose_files("#files", tmp_path / "face.png")
    browser.wait(f"{STATUS}.startsWith('face.png: 1 face')")
    (row,) = table(browser)
    expected = Predictor.load("fast").read(tmp_path / "face.png")
    assert row["emotion"] == expected.emotion and abs(float(row["confidence"]) - expected.confidence) <= 1e-3
    host.close()


def test_photos_may_be_dropped_and_what_is_no_picture_is_named(browser, host, astronaut):
    browser.open(host.address)
    browser.wait(READY)
    content = cv2.imencode(".png", astronaut[:, :, ::-1])[1].tobytes()
    browser.ask(
        f"window.picture = new File([new Uint8Array({json.dumps(list(content))})], 'dropped.png', {{type: 'image/png'}});"
        "window.other = new File(['text'], 'notes.txt', {type: 'text/plain'});"
        "window.drop = (...files) => { const data = new DataTransfer(); files.forEach((file) => data.items.add(file));"
        "document.getElementById('stage').dispatchEvent(new DragEvent('drop', {dataTransfer: data, cancelable: true})); }"
    )
    browser.ask("drop(picture)")
    browser.wait(f"{READY} && {STATUS}.startsWith('dropped.png: 1 face')")
    browser.ask("drop(other)")
    browser.wait(f"{STATUS}.includes('notes.txt')")


def test_it_starts_again_offline_with_threads(browser, host):
    browser.open(host.address)
    browser.wait(READY)
    browser.wait("document.getElementById('page').dataset.kept === 'true'")
    browser.wait("navigator.serviceWorker.controller !== null")
    assert browser.call("Page.getInstallabilityErrors")["installabilityErrors"] == []
    host.close()
    browser.call("Page.reload")
    browser.wait(f"crossOriginIsolated && {READY}")
    assert "WebAssembly" in browser.ask(STATUS)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_fits_a_phone(theme, browser, host, tmp_path):
    browser.size(390, 844, mobile=True)
    browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": theme}])
    browser.open(host.address)
    browser.wait(READY)
    assert browser.ask("document.documentElement.scrollWidth") <= 390
    assert browser.ask("document.documentElement.dataset.theme") == theme
    small = "[...document.querySelectorAll('button')].filter((each) => each.offsetHeight < 44).length"
    assert browser.ask(small) == 0
    dark = sum(map(int, browser.ask("getComputedStyle(document.body).backgroundColor.match(/\\d+/g)"))) < 200
    assert dark == (theme == "dark")
    browser.screenshot(tmp_path / "phone.png")
