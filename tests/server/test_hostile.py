"""Requests made to break the server: other sites' pages, tokens, odd HTTP, memory of all requests together."""

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest

pytest.importorskip("fastapi")
pytest.importorskip("prometheus_client")
pytest.importorskip("httpx")

from fastapi.testclient import TestClient  # noqa: E402 - after the skips

from fer_keras import serve  # noqa: E402
from fer_keras.config.service import Access, Address  # noqa: E402
from fer_keras.image_headers import is_decoded_whole  # noqa: E402
from fer_keras.server.batching import Overloaded  # noqa: E402
from fer_keras.server.limits import Limits  # noqa: E402
from fer_keras.server.room import Budget, Room  # noqa: E402
from fer_keras.server.server import build_app  # noqa: E402
from fer_keras.server.uploads import Refused, check_upload  # noqa: E402

PNG = cv2.imencode(".png", np.zeros((40, 60, 3), np.uint8))[1].tobytes()
TOKEN = "a-token-of-some-length"


def jpeg(height: int, width: int, *options: int) -> bytes:
    return cv2.imencode(".jpg", np.zeros((height, width, 3), np.uint8), list(options))[1].tobytes()


@pytest.fixture(scope="module")
def client(bundled_reader):
    with TestClient(build_app(bundled_reader, Limits(megabytes=1, megapixels=1, batch_megapixels=2))) as client:
        yield client


def test_a_server_of_this_machine_answers_to_its_own_names(bundled_reader):
    hosts = Access(allowed_host="faces.example.org").hosts(Address())
    with TestClient(build_app(bundled_reader, hosts=hosts)) as client:
        for host in ("127.0.0.1:8000", "localhost", "[::1]:8000", "LOCALHOST:80", "faces.example.org"):
            assert client.get("/version", headers={"Host": host}).status_code == 200, host
        for host in ("attacker.example", "127.0.0.1.attacker.example", "", "[::1", "localhost,attacker.example"):
            answer = client.get("/version", headers={"Host": host})
            assert answer.status_code == 400 and "--allowed-host" in answer.json()["detail"], host


def test_names_follow_the_address_unless_they_are_given():
    assert Access().hosts(Address(host="0.0.0.0")) is None
    assert "localhost" in Access().hosts(Address(host="127.0.0.1"))
    assert set(Access(allowed_host="a, b").hosts(Address(host="0.0.0.0"))) >= {"a", "b", "127.0.0.1"}


def test_pages_of_other_sites_send_nothing(client, bundled_reader):
    own = {"Host": "localhost:8000", "Origin": "http://localhost:8000"}
    form = {"files": {"image": ("a.png", PNG)}}
    for path in ("/faces", "/v2/models/fer_keras/infer"):
        for origin in ("https://attacker.example", "null", "http://localhost:9000", "http://localhost:8000.x"):
            answer = client.post(path, **form, headers={**own, "Origin": origin})
            assert answer.status_code == 403 and "--cors-origin" in answer.text, origin
    assert client.post("/faces", **form, headers=own).status_code == 200
    assert client.post("/faces", **form).status_code == 200, "a program sends no origin"
    with TestClient(build_app(bundled_reader, origins=["https://example.org"])) as open_client:
        answer = open_client.post("/faces", **form, headers={"Origin": "https://example.org"})
        assert answer.status_code == 200 and answer.headers["access-control-allow-origin"] == "https://example.org"
        assert open_client.post("/faces", **form, headers={"Origin": "https://example.com"}).status_code == 403


def test_a_token_opens(bundled_reader):
    with TestClient(build_app(bundled_reader, token=TOKEN)) as client:
        for header in (
            {},
            {"Authorization": "Bearer wrong"},
            {"Authorization": f"Basic {TOKEN}"},
            {"Authorization": TOKEN},
        ):
            for answer in (client.post("/faces", content=PNG, headers=header), client.get("/metrics", headers=header)):
                assert answer.status_code == 401 and answer.headers["www-authenticate"] == "Bearer"
        odd = [(b"authorization", "Bearer ü²".encode("latin-1"))]
        assert client.post("/faces", content=PNG, headers=odd).status_code == 401
        right = {"Authorization": f"bearer {TOKEN}"}
        assert client.post("/faces", content=PNG, headers=right).status_code == 200
        assert client.get("/v2", headers=right).status_code == 200 and "error" in client.get("/v2").json()
        for path in ("/health", "/v2/health/ready", "/docs", "/openapi.json"):
            assert client.get(path).status_code == 200, path
        assert "HTTPBearer" in client.get("/openapi.json").json()["components"]["securitySchemes"]
        assert "<form" not in client.get("/docs").text


def test_where_the_token_comes_from(monkeypatch, capsys):
    assert Access().secret() is None
    monkeypatch.setenv("FER_KERAS_TOKEN", TOKEN)
    assert Access().secret() == TOKEN and Access(token="another-one").secret() == "another-one"
    monkeypatch.setenv("FER_KERAS_TOKEN", "short")
    for arguments in ([], ["--token", "with a space"]):
        assert serve.main(arguments) == 2
        line = capsys.readouterr().err
        assert "--token expects 8 to 1000" in line and "short" not in line and "with a space" not in line


def test_the_page_loads_nothing_from_elsewhere(client):
    page = client.get("/docs")
    assert page.status_code == 200 and "POST /faces" in page.text and "<form" in page.text
    assert "http" not in page.text.replace("http-equiv", "") and "<script" not in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert client.get("/redoc").status_code == 404


def test_odd_http_is_refused(client):
    multipart = "multipart/form-data; boundary=x"
    file = b'--x\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\nb\r\n'
    part = file + b"--x--\r\n"
    for path, headers, body, status in (
        ("/faces", {"Content-Encoding": "gzip"}, PNG, 415),
        ("/faces", {"Content-Encoding": "identity"}, PNG, 200),
        ("/faces", {"Content-Length": "9" * 5000}, PNG, 413),
        ("/faces", {"Content-Length": "3", "Transfer-Encoding": "chunked"}, PNG, 400),
        ("/faces", {"Content-Type": f"{multipart}; charset=undefined"}, part, 422),
        ("/faces", {"Content-Type": "multipart/form-data; boundary=" + "x" * 9000}, part, 422),
        ("/faces", {"Content-Type": multipart}, part.replace(b'"image"', b'"a' + b"b" * 200_000), 422),
        ("/faces", {"Content-Type": multipart}, b"--x\r\n" + b"A: b\r\n" * 50_000, 422),
        ("/faces/batch", {"Content-Type": multipart}, file * 40 + part, 413),
        ("/faces", {"Content-Type": multipart}, file.replace(b'; filename="a"', b"") * 200 + part, 422),
    ):
        answer = client.post(path, headers=headers, content=body)
        assert answer.status_code == status, (headers, answer.status_code, answer.text[:200])


def test_a_batch_of_too_many_pixels_is_refused_before_it_is_decoded(client, monkeypatch):
    monkeypatch.setattr("fer_keras.server.uploads.decode_image", lambda data: pytest.fail("decoded"))
    files = [("images", ("a.jpg", jpeg(900, 1000)))] * 3
    answer = client.post("/faces/batch", files=files)
    assert answer.status_code == 413 and "at most 2 megapixels" in answer.json()["detail"]


def test_what_a_batch_has_no_time_for_is_said_and_the_rest_is_answered(bundled_reader, monkeypatch):
    app = build_app(bundled_reader, Limits(seconds=1.0))
    finder, slow = bundled_reader.finder, jpeg(40, 41)
    find, wait = finder.find, threading.Event()
    monkeypatch.setattr(finder, "find", lambda image: wait.wait(5) and [] if image.shape[1] == 41 else find(image))
    with TestClient(app) as client:
        answer = client.post("/faces/batch", files=[("images", ("a", PNG)), ("images", ("b", slow))])
        wait.set()
    assert answer.status_code == 200
    assert [image.get("status") for image in answer.json()["images"]] == [None, 503]


def test_too_many_images_at_a_time_are_refused_before_work(bundled_reader, monkeypatch):
    app = build_app(bundled_reader, Limits(waiting=2, images=2))
    wait = threading.Event()
    monkeypatch.setattr(bundled_reader.finder, "find", lambda image: wait.wait(10) and [])
    with TestClient(app) as client, ThreadPoolExecutor(2) as pool:
        first = [pool.submit(client.post, "/faces", content=PNG) for _ in range(2)]
        until = time.monotonic() + 5
        while client.get("/metrics").text.count("fer_keras_requests_active 3.0") == 0 and time.monotonic() < until:
            time.sleep(0.02)
        time.sleep(0.1)
        answer = client.post("/faces", content=PNG)
        assert answer.status_code == 503 and answer.headers["retry-after"] and "Too many images" in answer.text
        wait.set()
        assert [answer.result().status_code for answer in first] == [200, 200]
        assert client.post("/faces", content=PNG).status_code == 200


def test_bodies_of_all_requests_share_a_room(bundled_reader):
    app = build_app(bundled_reader, Limits(megabytes=1, megapixels=0.1, memory=4))
    with TestClient(app) as client:
        app.state.room.bodies.take_now(900_000)
        answer = client.post("/faces", content=bytes(200_000))
        assert answer.status_code == 503 and "Too many bytes" in answer.json()["detail"]
        app.state.room.bodies.give_back(900_000)
        assert client.post("/faces", content=PNG).status_code == 200
        assert client.post("/faces", content=bytes(200_000)).status_code == 415
        assert client.post("/faces/batch", files={"images": ("a", PNG)}).status_code == 200
        assert app.state.room.bodies.taken == app.state.room.work.taken == 0, "everything is given back"


def test_a_budget_is_given_in_order_and_given_back():
    async def play() -> list[str]:
        budget, order = Budget(10), []

        async def work(name: str, amount: int, seconds: float = 0.01) -> None:
            async with budget.holding(amount):
                order.append(name)
                await asyncio.sleep(seconds)

        tasks = [asyncio.ensure_future(work(*job)) for job in (("a", 6), ("b", 8), ("c", 2), ("d", 99), ("e", 1))]
        await asyncio.sleep(0)
        tasks[1].cancel()  # b waits, and gives up
        await asyncio.gather(*tasks, return_exceptions=True)
        assert budget.taken == 0
        return order

    assert asyncio.run(play()) == ["a", "c", "d", "e"]


def test_room_has_places_for_a_largest_request():
    room = Room(Limits(waiting=1, images=3))
    with room.places(3), pytest.raises(Overloaded), room.places(1):
        pass


def test_memory_must_hold_one_largest_request(capsys):
    assert serve.main(["--max-memory", "100"]) == 2
    assert "--max-memory expects at least 480" in capsys.readouterr().err
    assert Limits(megapixels=400).work_room >= 2_400_000_000


def test_a_progressive_jpeg_is_not_read_smaller():
    plain, progressive = jpeg(900, 900), jpeg(900, 900, cv2.IMWRITE_JPEG_PROGRESSIVE, 1)
    assert not is_decoded_whole(plain) and is_decoded_whole(progressive)
    assert check_upload(plain, Limits(megapixels=0.3)).divisor == 2
    assert check_upload(progressive, Limits(megapixels=1)).divisor == 1
    with pytest.raises(Refused, match=r"at most 0\.3 megapixels"):
        check_upload(progressive, Limits(megapixels=0.3))
    # Colours in scans of their own: the first scan has one of three.
    scan = plain.index(b"\xff\xda")
    assert is_decoded_whole(plain[: scan + 4] + b"\x01" + plain[scan + 5 :])
