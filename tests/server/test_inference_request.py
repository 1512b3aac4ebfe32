"""Requests of the inference protocol: what is refused with a reason, and that nothing ends in a status of 500."""

import json
import random

import numpy as np
import pytest

pytest.importorskip("fastapi")
pytest.importorskip("prometheus_client")
pytest.importorskip("httpx")

from fastapi.testclient import TestClient  # noqa: E402 - after the skips

from fer_keras.server.inference_request import InferInput, json_length, read_faces, read_request  # noqa: E402
from fer_keras.server.limits import Limits  # noqa: E402
from fer_keras.server.server import build_app  # noqa: E402
from fer_keras.server.uploads import Refused  # noqa: E402

INFER = "/v2/models/fer_keras/infer"
SIZE = 64
COUNT = SIZE * SIZE * 3


@pytest.fixture(scope="module")
def client(bundled_reader):
    assert bundled_reader.predictor.image_size == (SIZE, SIZE)
    with TestClient(build_app(bundled_reader, Limits(faces=3))) as client:
        yield client


def one_input(**changes) -> dict:
    return {"name": "image", "datatype": "UINT8", "shape": [1, SIZE, SIZE, 3], "data": [0] * COUNT} | changes


def one_request(changes: dict | None = None, **parts) -> bytes:
    return json.dumps({"inputs": [one_input(**(changes or {}))], **parts}).encode()


#: What answered with a status of 500, or was taken for numbers, until 0.1.0; and its neighbours.
BAD = {
    "datatype list": one_request({"datatype": ["UINT8"]}),
    "datatype object": one_request({"datatype": {}}),
    "input parameters list": one_request({"parameters": [1]}),
    "input parameters text": one_request({"parameters": "binary"}),
    "request parameters list": one_request(parameters=[1]),
    "request parameters number": one_request(parameters=1),
    "output parameters text": one_request(outputs=[{"name": "emotion", "parameters": "x"}]),
    "output name list": one_request(outputs=[{"name": ["emotion"]}]),
    "outputs object": one_request(outputs={"name": "emotion"}),
    "many outputs": one_request(outputs=[{"name": "emotion"}] * 100),
    "many inputs": json.dumps({"inputs": [{"name": "x"}] * 100}).encode(),
    "2**63 faces": one_request({"shape": [2**63, SIZE, SIZE, 3]}),
    "10**30 faces": one_request({"shape": [10**30, SIZE, SIZE, 3]}),
    "2**62 faces binary": one_request({"shape": [2**62, SIZE, SIZE, 3], "parameters": {"binary_data_size": 0}}),
    "4,299 digits of data": one_request().replace(b"[0, 0", b"[" + b"9" * 4299 + b", 0"),
    "4,301 digits of data": one_request().replace(b"[0, 0", b"[" + b"9" * 4301 + b", 0"),
    "4,299 digits of shape": one_request().replace(b'"shape": [1', b'"shape": [' + b"9" * 4299),
    "4,299 digits of an id": b'{"id": ' + b"9" * 4299 + b', "inputs": []}',
    "surrogate id": one_request(id="\ud800"),
    "surrogate output": one_request(outputs=[{"name": "\ud800"}]),
    "surrogate name": one_request({"name": "\ud800"}),
    "long id": one_request(id="a" * 201),
    "text of digits": one_request({"data": ["0"] * COUNT}),
    "one text": one_request({"data": [0] * (COUNT - 1) + ["0"]}),
    "booleans": one_request({"data": [True] * COUNT}),
    "one boolean": one_request({"data": [0] * (COUNT - 1) + [False]}),
    "nulls": one_request({"data": [None] * COUNT}),
    "boolean in shape": one_request({"shape": [True, SIZE, SIZE, 3]}),
    "float in shape": one_request({"shape": [1.0, SIZE, SIZE, 3]}),
    "text in shape": one_request({"shape": ["1", SIZE, SIZE, 3]}),
    "binary size text": one_request({"parameters": {"binary_data_size": "0"}}),
    "binary size boolean": one_request({"parameters": {"binary_data_size": True}}),
    "binary size negative": one_request({"parameters": {"binary_data_size": -1}}),
    "binary flag number": one_request(outputs=[{"name": "emotion", "parameters": {"binary_data": 1}}]),
    "NaN": one_request().replace(b"[0, 0", b"[NaN, 0"),
    "Infinity": one_request().replace(b"[0, 0", b"[Infinity, 0"),
    "1e999": one_request().replace(b"[0, 0", b"[1e999, 0"),
    "uneven": one_request({"data": [[0, 0], [0]]}),
    "nested too deep": one_request({"data": [[[[[0] * 3] * SIZE] * SIZE]]}),
    "brackets": b"[" * 100_000,
    "objects": b'{"inputs": [' + b",".join([b"{}"] * 1000) + b"]}",
    "lists": b'{"inputs": [' + b",".join([b"[]"] * 100_000) + b"]}",
    "no UTF-8": b'{"inputs": "\xff"}',
    "UTF-16": one_request().decode().encode("utf-16"),
    "empty": b"",
    "null": b"null",
    "no data": one_request({"data": None}),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_bodies_get_a_reason(client, name):
    answer = client.post(INFER, content=BAD[name])
    assert answer.status_code == 400, answer.text[:300]
    reason = answer.json()["error"]
    assert reason and len(reason) < 500 and "\n" not in reason


def test_lengths_in_headers_are_ascii_digits_within_the_body(client):
    for header in ("²".encode("latin-1"), b"9" * 5000, b"-1", b"1.0", b"", b" ", b"1_0"):
        answer = client.post(INFER, content=one_request(), headers=[(b"inference-header-content-length", header)])
        assert answer.status_code == 400, header
    assert json_length("12", 12) == json_length(None, 12) == 12


def test_too_many_faces_are_refused_before_the_model_runs(client, bundled_reader, monkeypatch):
    monkeypatch.setattr(bundled_reader.predictor, "scores", lambda faces: pytest.fail("run"))
    size = 4 * COUNT
    head = one_request({"shape": [4, SIZE, SIZE, 3], "data": None, "parameters": {"binary_data_size": size}})
    headers = {"Inference-Header-Content-Length": str(len(head))}
    answer = client.post(INFER, content=head + bytes(size), headers=headers)
    assert answer.status_code == 413 and answer.json()["error"].startswith("Expected at most 3 faces")


def test_ids_come_back_and_unknown_keys_are_left_alone(client):
    for identity in ("seven", "", "ü", 7, -(2**63)):
        answer = client.post(INFER, content=one_request({"note": 1}, id=identity, note=[{}])).json()
        assert answer["id"] == str(identity)
    assert "id" not in client.post(INFER, content=one_request(id=None)).json()


def test_data_may_be_flat_or_nested():
    faces = np.random.default_rng(0).integers(0, 256, (2, 4, 5, 3), np.uint8)
    for data in (faces.tolist(), faces.ravel().tolist(), faces.reshape(2, -1).tolist(), faces.reshape(-1, 3).tolist()):
        request = json.dumps({"inputs": [{"name": "image", "datatype": "FP32", "shape": [2, 4, 5, 3], "data": data}]})
        assert (read_faces(read_request(request.encode(), (4, 5)).inputs[0], b"") == faces).all()


def test_binary_data_has_the_size_of_the_shape():
    image = InferInput(name="image", datatype="FP32", shape=[1, 1, 1, 3], parameters={"binary_data_size": 12})
    assert read_faces(image, np.float32([1.4, 2.6, 255]).tobytes()).ravel().tolist() == [1, 3, 255]
    for values in ([np.nan, 0, 0], [-1, 0, 0], [256, 0, 0], [np.inf, 0, 0]):
        with pytest.raises(Refused, match="from 0 to 255"):
            read_faces(image, np.float32(values).tobytes())
    for size in (0, 11, 13, 24):
        image.parameters.binary_data_size = size
        with pytest.raises(Refused, match="bytes"):
            read_faces(image, bytes(size))


def test_no_mutated_request_ends_in_500(client):
    """2,000 requests, each with some bytes changed, left out or put twice, from a seed; every tenth by HTTP too."""
    chance, whole = random.Random(0), one_request({"data": [0] * 9}, id="x", outputs=[{"name": "emotion"}])
    snippets = (b'"', b"{", b"[", b"null", b"true", b"-1", b"1e400", b"\\ud800", b"\xff", b"9" * 50, b"0.5", b",", b":")
    for number in range(2000):
        body = bytearray(whole)
        for _ in range(chance.randint(1, 4)):
            start = chance.randrange(len(body))
            body[start : start + chance.choice((0, 1, 5, 20))] = chance.choice((b"", *snippets))
        with pytest.raises(Refused) as refused:
            read_faces(read_request(bytes(body), (SIZE, SIZE)).inputs[0], b"")
        assert refused.value.status == 400, (number, bytes(body))
        if number % 10 == 0:
            answer = client.post(INFER, content=bytes(body))
            assert answer.status_code == 400, (number, bytes(body), answer.text)
