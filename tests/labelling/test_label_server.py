"""The server of the page for labelling: what it gives, what it takes, whom it answers."""

import http.client
import json

import pytest

from fer_keras.labelling.label_server import _FILES

FACE = "faces/00001.png"


@pytest.fixture
def ask(served):
    """A function that sends a request to a server of the selection: (method, path, body, headers) -> (status, headers, body)."""
    server, job = served()

    def send(method: str, path: str, body=None, server=server, **headers):
        connection = http.client.HTTPConnection(*server.server_address, timeout=10)
        if body is not None and not isinstance(body, bytes):
            headers.setdefault("Content-Type", "application/json")
            body = json.dumps(body).encode()
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, answer.headers, content

    send.job = job
    return send


def test_every_file_of_the_page_is_there_and_may_load_nothing_from_elsewhere(ask):
    for name in _FILES:
        status, headers, content = ask("GET", f"/{name}")
        assert status == 200 and content and headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self';")
    assert b"http://" not in ask("GET", "/")[2] and b"https://" not in ask("GET", "/")[2]


def test_faces_out_labels_in(ask):
    facts = json.loads(ask("GET", "/job.json")[2])
    assert facts["images"][0] == FACE and len(facts["images"]) == 5 and facts["labels"] == []
    assert facts["emotions"][:2] == ["neutral", "happy"] and facts["asked"] == ["emotion", "valence", "arousal"]
    status, headers, content = ask("GET", f"/{FACE}")
    assert status == 200 and headers["Content-Type"] == "image/png" and content.startswith(b"\x89PNG")
    assert ask("PUT", f"/labels/{FACE}", {"emotion": "sad", "valence": -0.5, "arousal": 0.123456})[0] == 200
    assert ask("PUT", "/labels/faces/00002.png", {"skipped": "unsure"})[0] == 200
    text = ask.job.table.path.read_text()
    assert text == "image,emotion,valence,arousal,skipped\nfaces/00001.png,sad,-0.5,0.123,\nfaces/00002.png,,,,unsure\n"
    labels = json.loads(ask("GET", "/job.json")[2])["labels"]
    assert labels[0] == {"image": FACE, "emotion": "sad", "valence": -0.5, "arousal": 0.123, "skipped": None}
    assert ask("DELETE", "/labels/faces/00002.png")[0] == 200
    assert ask("DELETE", "/labels/faces/00002.png")[0] == 200, "sent again after an answer that was lost"
    assert list(ask.job.table.labels) == [FACE]


@pytest.mark.parametrize(
    "body",
    [{}, {"emotion": "bored"}, {"valence": 1.1}, {"valence": "nan"}, {"valence": True}, {"skipped": "dull"}]
    + [{"emotion": "sad", "skipped": "unsure"}, {"emotion": ["sad"]}, [], "sad", b"{"],
    ids=str,
)
def test_what_is_no_label_is_refused(ask, body):
    headers = {"Content_Type": "application/json"} if isinstance(body, bytes) else {}
    status, _, content = ask("PUT", f"/labels/{FACE}", body, **headers)
    assert status == 422 and json.loads(content)["error"] and not ask.job.table.path.exists()


@pytest.mark.parametrize(
    "path", ["/selection.csv", "/faces/00009.png", "/faces/../selection.csv", "/..%2f..%2fetc/passwd", "/modules/"]
)
def test_nothing_else_of_the_disk_is_given(ask, path):
    assert ask("GET", path)[0] == 404
    assert ask("PUT", f"/labels{path}", {"emotion": "sad"})[0] == 404


def test_pages_of_other_sites_get_and_change_nothing(ask):
    label = {"emotion": "sad"}
    assert ask("GET", "/job.json", Host="faces.example.org:80")[0] == 400
    assert ask("PUT", f"/labels/{FACE}", label, Origin="http://example.org")[0] == 403
    assert ask("PUT", f"/labels/{FACE}", json.dumps(label).encode(), Content_Type="text/plain")[0] == 415
    assert ask("PUT", f"/labels/{FACE}", b" " * 5000, Content_Type="application/json")[0] == 413
    assert ask("POST", f"/labels/{FACE}", label)[0] == 501 and not ask.job.table.path.exists()


def test_a_server_for_others_asks_for_the_secret(ask, served):
    server, _ = served(secret="k3y")
    assert ask("GET", "/job.json", server=server)[0] == 404
    assert ask("GET", "/k3y/job.json", server=server, Host="faces.example.org")[0] == 200


def test_a_file_that_another_program_changed_is_not_written_over(ask):
    ask("PUT", f"/labels/{FACE}", {"emotion": "sad"})
    mine = ask.job.table.path.read_text() + "faces/00003.png,happy,,,\n"
    ask.job.table.path.write_text(mine)
    status, _, content = ask("PUT", f"/labels/{FACE}", {"emotion": "fear"})
    assert status == 409 and "changed by another program" in json.loads(content)["error"]
    assert ask.job.table.path.read_text() == mine
