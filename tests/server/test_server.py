"""The server: answers equal the reader's, bad input is refused with a reason, requests are answered together."""

import asyncio
import struct
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest

pytest.importorskip("fastapi")
pytest.importorskip("prometheus_client")
pytest.importorskip("multipart")
pytest.importorskip("httpx")

from fastapi.testclient import TestClient  # noqa: E402 - after the skips

from fer_keras import Predictor, serve  # noqa: E402
from fer_keras.faces.face_reader import FaceReader  # noqa: E402
from fer_keras.faces.finder import FaceFinder, FinderOptions  # noqa: E402
from fer_keras.server.batching import Batcher, Overloaded  # noqa: E402
from fer_keras.server.server import build_app  # noqa: E402
from fer_keras.server.uploads import Limits  # noqa: E402


@pytest.fixture(scope="module")
def reader(model_files, detector_options):
    return FaceReader(Predictor.load(model_files, "onnx"), FaceFinder(FinderOptions(**detector_options)))


@pytest.fixture(scope="module")
def client(reader):
    with TestClient(build_app(reader, Limits(megabytes=1, megapixels=1, images=3, seconds=20))) as client:
        yield client


def encoded(image, suffix=".png") -> bytes:
    return cv2.imencode(suffix, np.ascontiguousarray(image[:, :, ::-1]))[1].tobytes()


def bomb(width: int, height: int) -> bytes:
    """A small PNG whose header announces a huge image."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 1000))
        + chunk(b"IEND", b"")
    )


def test_an_image_gets_what_the_reader_says(client, reader, group, astronaut):
    for image, count in ((astronaut, 1), (group, 12), (np.zeros((60, 60, 3), np.uint8), 0)):
        answer = client.post("/faces", content=encoded(image), headers={"Content-Type": "image/png"})
        assert answer.status_code == 200
        content = answer.json()
        assert (content["height"], content["width"]) == image.shape[:2] and len(content["faces"]) == count
        for face, reading in zip(content["faces"], reader.read(image), strict=True):
            assert face["probabilities"] == pytest.approx(reading.probabilities, abs=1e-4)
            assert face["valence"] == pytest.approx(reading.valence, abs=1e-4)
            assert face["face_box"] == pytest.approx(reading.face_box, abs=0.02) and face["marks"] == []
    form = client.post("/faces", files={"image": ("a.png", encoded(astronaut))})
    assert form.status_code == 200 and len(form.json()["faces"]) == 1


def test_a_batch_goes_on_after_a_bad_image(client, astronaut):
    files = [
        ("images", ("a.png", encoded(astronaut))),
        ("images", ("b.txt", b"text")),
        ("images", ("c.jpg", b"\xff\xd8")),
    ]
    answer = client.post("/faces/batch", files=files)
    assert answer.status_code == 200
    names = [(image["name"], image.get("status"), len(image["faces"])) for image in answer.json()["images"]]
    assert names == [("a.png", None, 1), ("b.txt", 415, 0), ("c.jpg", 422, 0)]


def test_bad_input_is_refused_with_a_reason(client, astronaut):
    whole = encoded(astronaut, ".jpg")
    png = {"Content-Type": "image/png"}
    cases = [
        ("/faces", {"content": b"", "headers": png}, 422, "Empty image"),
        ("/faces", {"content": b"hello", "headers": png}, 415, "JPEG, PNG or WebP"),
        ("/faces", {"content": b"GIF89a" + bytes(99), "headers": png}, 415, "JPEG, PNG or WebP"),
        ("/faces", {"content": whole[: len(whole) // 2], "headers": png}, 422, "truncated JPEG"),
        ("/faces", {"content": encoded(astronaut)[:-40], "headers": png}, 422, "truncated PNG"),
        ("/faces", {"content": bomb(30000, 30000), "headers": png}, 413, "at most 1 megapixels"),
        ("/faces", {"content": bomb(0, 10), "headers": png}, 422, "no size"),
        ("/faces", {"content": bytes(1_000_001), "headers": png}, 413, "at most 1 MB"),
        ("/faces", {"content": (bytes(300_000) for _ in range(9)), "headers": png}, 413, "at most 1 MB"),
        ("/faces", {"json": {"image": 1}}, 415, "application/json"),
        ("/faces", {"files": [("image", ("a", whole)), ("image", ("b", whole))]}, 422, "Received: 2"),
        ("/faces", {"content": b"x", "headers": {"Content-Type": "multipart/form-data"}}, 422, "Unreadable form"),
        ("/faces/batch", {"content": whole, "headers": png}, 415, "files named images"),
        ("/faces/batch", {"files": {"other": ("a", whole)}}, 422, "Received: none"),
        ("/faces/batch", {"files": [("images", ("a", b"x"))] * 4}, 413, "at most 3 images"),
    ]
    for path, request, status, reason in cases:
        answer = client.post(path, **request)
        assert answer.status_code == status and reason in answer.json()["detail"], (
            path,
            answer.status_code,
            answer.text,
        )
    assert client.get("/faces").status_code == 405 and client.get("/nowhere").status_code == 404


def test_health_version_metrics_and_openapi(client, reader):
    assert client.get("/health").json() == {"status": "ok"}
    facts = client.get("/version").json()
    assert (
        facts["labels"] == ["sad", "happy", "anger", "bored"]
        and facts["detector"]["detector"] == reader.finder.detector.name
    )
    counts = client.get("/metrics").text
    assert 'fer_keras_requests_total{route="/health",status="200"}' in counts and "fer_keras_batch_images_sum" in counts
    paths = client.get("/openapi.json").json()["paths"]
    assert {"/faces", "/faces/batch", "/health", "/version", "/metrics", "/v2/models/{name}/infer"} <= set(paths)
    assert client.get("/docs").status_code == 200


def test_a_request_may_take_so_long(reader, astronaut, monkeypatch):
    wait = threading.Event()
    monkeypatch.setattr(reader, "read_found", lambda images, faces: (wait.wait(20), [[] for _ in images])[1])
    with TestClient(build_app(reader, Limits(seconds=0.5))) as slow:
        answer = slow.post("/faces", content=encoded(astronaut))
        assert answer.status_code == 503 and "longer than 0.5 s" in answer.json()["detail"]
        wait.set()
        assert slow.post("/faces", content=encoded(astronaut)).status_code in (200, 503)


def test_concurrent_requests_are_answered_together(reader, group, astronaut):
    app = build_app(reader, wait=0.2)
    with TestClient(app) as client, ThreadPoolExecutor(8) as pool:
        data = [encoded(group) if number % 2 else encoded(astronaut) for number in range(8)]
        answers = list(pool.map(lambda body: client.post("/faces", content=body), data))
        counts = client.get("/metrics").text
    assert [len(answer.json()["faces"]) for answer in answers] == [1, 12] * 4
    batches = float(counts.split("\nfer_keras_batch_images_count ")[1].split()[0])
    assert batches < 8, "some of eight requests shared a batch"
    assert float(counts.split("\nfer_keras_faces_total ")[1].split()[0]) == 52


def test_one_bad_item_of_a_batch_fails_alone():
    def run(items):
        if 3 in items:
            raise ValueError("three")
        return [item * 10 for item in items]

    async def play():
        sizes = []
        batcher = Batcher(run, most=4, wait=0.05, queue=6, observe=sizes.append)
        batcher.start()
        found = await asyncio.gather(*(batcher.submit(item) for item in range(6)), return_exceptions=True)
        full = [asyncio.ensure_future(batcher.submit(item)) for item in range(20)]
        late = await asyncio.gather(*full, return_exceptions=True)
        await batcher.close()
        return found, late, sizes

    found, late, sizes = asyncio.run(play())
    assert [str(value) for value in found] == ["0", "10", "20", "three", "40", "50"] and sizes[0] == 4
    assert any(isinstance(value, Overloaded) for value in late) and 0 in late


def test_the_inference_protocol_answers_for_the_model(client, reader):
    faces = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), np.uint8)
    expected = reader.predictor.scores(faces)
    assert (
        client.get("/v2/health/ready").status_code
        == client.get("/v2/models/fer_keras/versions/1/ready").status_code
        == 200
    )
    facts = client.get("/v2/models/fer_keras").json()
    assert facts["inputs"] == [{"name": "image", "datatype": "UINT8", "shape": [-1, 32, 32, 3]}]
    assert {output["name"]: output["shape"] for output in facts["outputs"]} == {
        "emotion": [-1, 4],
        "valence": [-1, 1],
        "arousal": [-1, 1],
    }
    image = {"name": "image", "datatype": "FP32", "shape": [3, 32, 32, 3], "data": faces.tolist()}
    answer = client.post("/v2/models/fer_keras/infer", json={"id": "7", "inputs": [image]}).json()
    assert answer["id"] == "7" and [output["name"] for output in answer["outputs"]] == ["emotion", "valence", "arousal"]
    for output in answer["outputs"]:
        values = np.reshape(output["data"], output["shape"])
        assert values == pytest.approx(expected[output["name"]].reshape(3, -1), abs=1e-6)


def test_what_the_inference_protocol_refuses(client):
    good = {"name": "image", "datatype": "UINT8", "shape": [1, 32, 32, 3], "data": [0] * 3072}
    cases = [
        ({"inputs": []}, "one input"),
        ({"inputs": [{**good, "name": "x"}]}, "Expected input image"),
        ({"inputs": [{**good, "shape": [1, 64, 64, 3]}]}, "Expected input image"),
        ({"inputs": [{**good, "shape": [-1, 32, 32, 3]}]}, "Expected input image"),
        ({"inputs": [{**good, "shape": [0, 32, 32, 3], "data": []}]}, "Expected input image"),
        ({"inputs": [{**good, "datatype": "INT64"}]}, "Expected input image"),
        ({"inputs": [{**good, "data": [0] * 5}]}, "3,072 values"),
        ({"inputs": [{**good, "data": [300] * 3072}]}, "from 0 to 255"),
        ({"inputs": [{**good, "data": ["a"] * 3072}]}, "as numbers"),
        ({"inputs": [good], "outputs": [{"name": "age"}]}, "Expected outputs of"),
        ({"inputs": [{**good, "parameters": {"binary_data_size": 9}}]}, "9 bytes"),
        ([1], "JSON object"),
    ]
    for body, message in cases:
        answer = client.post("/v2/models/fer_keras/infer", json=body)
        assert answer.status_code == 400 and message in answer.json()["error"], answer.text
    headers = {"Inference-Header-Content-Length": "99"}
    assert client.post("/v2/models/fer_keras/infer", content=b"{", headers=headers).status_code == 400
    assert client.post("/v2/models/fer_keras/infer", content=b"{").status_code == 400
    assert client.post("/v2/models/other/infer", json={}).status_code == 404


@pytest.fixture
def address(reader):
    """A real server on a free port of this machine."""
    uvicorn = pytest.importorskip("uvicorn")
    from fer_keras.server.connections import guarded

    options = {"log_level": "warning", "http": guarded(Limits())}
    server = uvicorn.Server(uvicorn.Config(build_app(reader), host="127.0.0.1", port=0, **options))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        thread.join(0.05)
    yield f"127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(10)


def test_tritons_client_works(address, reader):
    triton = pytest.importorskip("tritonclient.http")
    client = triton.InferenceServerClient(address)
    assert client.is_server_live() and client.is_server_ready() and client.is_model_ready("fer_keras")
    assert (
        client.get_server_metadata()["name"] == "fer_keras" and client.get_model_metadata("fer_keras", "1")["outputs"]
    )
    faces = np.random.default_rng(1).integers(0, 256, (5, 32, 32, 3), np.uint8)
    expected = reader.predictor.scores(faces)
    for kind, binary in (("UINT8", True), ("UINT8", False), ("FP32", True)):
        image = triton.InferInput("image", list(faces.shape), kind)
        image.set_data_from_numpy(faces if kind == "UINT8" else faces.astype(np.float32), binary_data=binary)
        outputs = [triton.InferRequestedOutput(name, binary_data=binary) for name in ("valence", "emotion")]
        result = client.infer("fer_keras", [image], outputs=outputs)
        assert result.as_numpy("emotion") == pytest.approx(expected["emotion"], abs=1e-6)
        assert result.as_numpy("valence")[:, 0] == pytest.approx(expected["valence"], abs=1e-6)
        assert result.as_numpy("arousal") is None
    assert client.infer("fer_keras", [image]).as_numpy("arousal").shape == (5, 1)
    with pytest.raises(Exception, match="Unknown model"):
        client.infer("other", [image])


def test_the_command_line_checks_its_flags(model_files, monkeypatch, capsys):
    cases = [(["--port", "0"], "--port expects"), (["--max-megapixels", "0"], "--max-megapixels expects")]
    for extra, message in cases:
        assert serve.main(["--model", str(model_files), *extra]) == 2
        assert message in capsys.readouterr().err
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "fastapi" else True)
    assert serve.main(["--model", str(model_files)]) == 2
    assert 'serve needs fastapi: pip install "fer_keras[serve]"' in capsys.readouterr().err


def test_webp_a_form_called_file_and_the_way_to_the_docs(client, astronaut):
    webp = cv2.imencode(".webp", astronaut[:, :, ::-1])[1].tobytes()
    sent = client.post("/faces", content=webp, headers={"Content-Type": "image/webp"}).json()
    assert len(sent["faces"]) == 1 and (sent["width"], sent["height"]) == (512, 512)
    form = client.post("/faces", files={"file": ("photo.jpg", webp)}).json()
    assert form["faces"][0]["face_box"] == sent["faces"][0]["face_box"]
    start = client.get("/", follow_redirects=False)
    assert start.status_code == 307 and start.headers["location"] == "docs"


def test_a_photo_of_more_pixels_than_the_limit_is_read_smaller(astronaut, astronaut_box):
    from fer_keras.server.uploads import Refused, decode_upload

    large = cv2.resize(astronaut, (1100, 1000))
    photo = cv2.imencode(".jpg", large[:, :, ::-1])[1].tobytes()
    image, divisor = decode_upload(photo, Limits(megapixels=0.3))
    assert divisor == 2 and image.shape == (500, 550, 3)
    assert np.abs(image.astype(int) - cv2.resize(large, (550, 500), interpolation=cv2.INTER_AREA)).mean() < 4
    assert decode_upload(photo, Limits(megapixels=2))[1] == 1
    with pytest.raises(Refused, match="at most 0.01 megapixels"):
        decode_upload(photo, Limits(megapixels=0.01))
    with pytest.raises(Refused, match="at most 0.3 megapixels"):
        decode_upload(cv2.imencode(".png", large)[1].tobytes(), Limits(megapixels=0.3))


def test_pages_of_other_origins_read_answers_only_where_allowed(reader, astronaut):
    origin = {"Origin": "https://example.org"}
    for origins, allowed in (((), None), (("https://example.org",), "https://example.org")):
        with TestClient(build_app(reader, origins=origins)) as client:
            assert client.get("/health", headers=origin).headers.get("access-control-allow-origin") == allowed
