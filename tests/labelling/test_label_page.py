"""The page for labelling in a real Chromium: keys, plane, undo, a closed tab, a stopped server, a phone, both themes."""

import json
import signal
import socket
import subprocess
import sys

import pytest
from browser import CHROMIUM, Browser

from fer_keras.labelling.label_table import Label

pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")]

READY = "document.getElementById('page')?.dataset.state === 'ready'"
STATUS = "document.getElementById('status').innerText"
FACES = [f"faces/{number:05}.png" for number in range(1, 6)]
CODES = {"Enter": 13, "Backspace": 8, "Tab": 9, "ArrowRight": 39, " ": 32}


@pytest.fixture
def browser(tmp_path):
    browser = Browser(tmp_path / "profile")
    browser.size(1200, 850)
    yield browser
    browser.close()


def address(server) -> str:
    return f"http://127.0.0.1:{server.server_port}/"


def open_page(browser, server) -> None:
    browser.open(address(server))
    browser.wait(READY)


def press(browser, *keys: str) -> None:
    for key in keys:
        code = CODES.get(key, ord(key.upper()[0]))
        text = {} if key in CODES and key != "Enter" else {"text": "\r" if key == "Enter" else key}
        for kind in ("keyDown", "keyUp"):
            browser.call(
                "Input.dispatchKeyEvent",
                type=kind,
                key=key,
                windowsVirtualKeyCode=code,
                **(text if kind == "keyDown" else {}),
            )


def click_plane(browser, valence: float, arousal: float) -> None:
    x, y, side = browser.ask(
        "(() => { const box = document.getElementById('plane').getBoundingClientRect();"
        "return [box.left, box.top, box.width]; })()"
    )
    place = {"x": x + side * (1.2 + valence) / 2.4, "y": y + side * (1.2 - arousal) / 2.4}
    for kind in ("mousePressed", "mouseReleased"):
        browser.call("Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **place)


def saved(browser, job, count: int) -> list[Label]:
    browser.wait(f"{STATUS}.includes('{count} of 5 done')")
    browser.wait("Object.values(localStorage).every((text) => text === '[]' || text === 'dark' || text === 'light')")
    return list(job.table.labels.values())


def test_faces_are_labelled_by_keys_and_clicks(browser, served):
    server, job = served()
    open_page(browser, server)
    press(browser, "2")
    click_plane(browser, 0.5, 0.25)
    (label,) = saved(browser, job, 1)
    assert label.image == FACES[0] and label.emotion == "happy"
    assert abs(label.valence - 0.5) < 0.02 and abs(label.arousal - 0.25) < 0.02
    press(browser, "8", "0", "n", "s", "3", "Enter")
    assert saved(browser, job, 5)[1:] == [
        Label(FACES[1], "contempt", 0.0, 0.0),
        Label(FACES[2], skipped="not a face"),
        Label(FACES[3], skipped="unsure"),
        Label(FACES[4], "sad"),
    ]
    assert browser.ask("!document.getElementById('end').hidden && document.getElementById('work').hidden")
    assert "3 with a label and 2 skipped" in browser.ask("document.getElementById('end-text').innerText")
    press(browser, "u")
    saved(browser, job, 4)
    pressed = "document.querySelector('#emotions [aria-pressed=true]')?.dataset.emotion"
    assert browser.ask(pressed) == "sad", "undo shows what was said, to be changed"
    press(browser, "7", "Enter")
    assert saved(browser, job, 5)[-1] == Label(FACES[4], "anger")
    assert not browser.messages()


def test_a_closed_tab_and_another_browser_go_on_where_it_stopped(browser, served, tmp_path):
    server, job = served("emotion", "anna")
    open_page(browser, server)
    assert browser.ask("document.getElementById('plane-part').hidden")
    press(browser, "1", "2")
    assert [label.emotion for label in saved(browser, job, 2)] == ["neutral", "happy"]
    assert job.table.path.name == "labels-anna.csv"
    browser.open("about:blank")
    other = Browser(tmp_path / "other")
    open_page(other, server)
    assert other.ask(STATUS) == "Face 3 of 5. 2 of 5 done"
    assert "anna" in other.ask("document.getElementById('about').innerText")
    press(other, "u")
    assert [label.emotion for label in saved(other, job, 1)] == ["neutral"]
    other.close()


def test_labels_wait_in_the_browser_while_the_command_is_stopped(browser, selection):
    port = free_port()
    command = start_command(selection, port)
    browser.open(f"http://127.0.0.1:{port}/")
    browser.wait(READY)
    press(browser, "4")
    browser.wait(f"{STATUS}.includes('1 of 5 done')")
    browser.wait("Object.values(localStorage).every((text) => text === '[]')")
    command.send_signal(signal.SIGINT)
    assert command.wait(20) == 0 and "1 of 5 faces are labelled" in command.stdout.read()
    press(browser, "2", "u", "6")
    browser.wait("document.getElementById('problem').innerText.includes('wait in this browser')")
    browser.open("about:blank")  # the tab is closed meanwhile
    command = start_command(selection, port)
    browser.open(f"http://127.0.0.1:{port}/")
    browser.wait(f"{READY} && Object.values(localStorage).every((text) => text === '[]')")
    command.kill()
    lines = (selection / "labels.csv").read_text().splitlines()
    assert lines[1:] == [f"{FACES[0]},surprise,,,", f"{FACES[1]},disgust,,,"]


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def start_command(folder, port: int) -> subprocess.Popen:
    words = [sys.executable, "-m", "fer_keras.label", str(folder), "--ask", "emotion", "--port", str(port)]
    command = subprocess.Popen(
        words,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # shells let jobs in the background ignore it
    )
    while f":{port}/" not in (line := command.stderr.readline()):
        assert line, "it ended before it said where the page is"
    return command


def test_all_of_it_works_without_a_mouse_and_is_named_for_screen_readers(browser, served):
    server, job = served()
    open_page(browser, server)
    browser.ask("document.querySelector('[data-emotion=fear]').focus()")
    press(browser, " ")
    browser.ask("document.getElementById('valence').focus()")
    press(browser, "ArrowRight")
    assert browser.ask("document.getElementById('valence').getAttribute('aria-valuetext')") == "0.05"
    assert browser.ask("document.getElementById('arousal').getAttribute('aria-valuetext')") == "not given"
    press(browser, "Enter")
    assert saved(browser, job, 1) == [Label(FACES[0], "fear", 0.05, None)]
    assert browser.ask("document.getElementById('speech').innerText") == "Face 2 of 5"
    assert browser.ask("document.activeElement.id") == "valence", "the focus stays for the next face"
    tree = browser.call("Accessibility.getFullAXTree")["nodes"]
    unnamed = [
        node["role"]["value"]
        for node in tree
        if node.get("role", {}).get("value") in ("button", "slider", "image", "progressbar")
        and not node.get("ignored")
        and not node.get("name", {}).get("value")
    ]
    assert not unnamed


def test_it_loads_and_sends_nothing_elsewhere(browser, served):
    server, _ = served()
    open_page(browser, server)
    with pytest.raises(RuntimeError, match="Failed to fetch"):
        browser.ask("fetch('http://127.0.0.1:9/', {method: 'POST', body: 'face'})")
    asked = [
        event["params"]["request"]["url"] for event in browser.events if event["method"] == "Network.requestWillBeSent"
    ]
    assert asked and all(url.startswith((address(server), "http://127.0.0.1:9/")) for url in asked)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_fits_a_phone(theme, browser, served, tmp_path):
    server, job = served()
    browser.size(390, 844, mobile=True)
    browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": theme}])
    open_page(browser, server)
    assert browser.ask("document.documentElement.scrollWidth") <= 390
    assert browser.ask("document.documentElement.dataset.theme") == theme
    small = (
        "[...document.querySelectorAll('button, input')].filter((each) => each.offsetParent && each.offsetHeight < 32)"
    )
    assert browser.ask(f"{small}.length") == 0
    bottom = "Math.round(document.getElementById('plane').getBoundingClientRect().bottom)"
    assert browser.ask(bottom) <= 844, "face, emotions and plane are seen without scrolling"
    browser.ask("document.querySelector('[data-emotion=surprise]').click()")
    click_plane(browser, -0.5, 0.5)
    assert saved(browser, job, 1)[0].emotion == "surprise"
    browser.screenshot(tmp_path / "phone.png")
    assert json.loads(browser.ask("JSON.stringify(document.getElementById('face').naturalWidth)")) == 64
