"""A reader that needs no TensorFlow, and real servers on free ports of this machine."""

import contextlib
import threading

import pytest


@pytest.fixture(scope="package")
def bundled_reader():
    """The fast bundled model on ONNX Runtime, with the Haar cascade."""
    from fer_keras import Predictor
    from fer_keras.bundled import bundled_model
    from fer_keras.faces.face_reader import FaceReader
    from fer_keras.faces.finder import FaceFinder, FinderOptions

    return FaceReader(Predictor.load(bundled_model("fast"), "onnx"), FaceFinder(FinderOptions(detector="haar")))


@pytest.fixture
def serve_app():
    """A context manager that serves an ASGI application with limited connections, and gives its port."""
    uvicorn = pytest.importorskip("uvicorn")
    from fer_keras.server.connections import guarded
    from fer_keras.server.limits import Limits

    @contextlib.contextmanager
    def serving(app, limits: Limits | None = None):
        config = uvicorn.Config(
            app, host="127.0.0.1", port=0, log_level="error", http=guarded(limits or Limits()), timeout_keep_alive=1
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        while not server.started:
            thread.join(0.02)
        try:
            yield server.servers[0].sockets[0].getsockname()[1]
        finally:
            server.should_exit = True
            thread.join(10)

    return serving
