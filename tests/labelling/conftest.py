"""A selection of drawn faces without a model, and a server of it."""

import threading
from pathlib import Path

import pytest
from faces_on_disk import write_face

from fer_keras.labelling.label_server import LabelJob, start_server
from fer_keras.labelling.label_table import LabelTable
from fer_keras.labelling.selection_files import FACES, read_selection, selection_id, write_table


def write_selection(folder: Path, count: int = 5, side: int = 64) -> Path:
    """Write a selection as `select` does, of noise."""
    rows = []
    for number in range(1, count + 1):
        name = f"{FACES}/{number:05}.png"
        write_face(folder / name, number, side=side)
        rows.append({"image": name, "path": f"photo{number}.jpg", "content": f"{number:024x}"})
    write_table(folder, rows)
    return folder


@pytest.fixture
def selection(tmp_path) -> Path:
    return write_selection(tmp_path / "to_label")


@pytest.fixture
def served(selection):
    """A function that starts a server of the selection and returns it with its job; all are stopped at the end."""
    running = []

    def serve(asked: str = "both", annotator: str = "", secret: str = "", port: int = 0):
        rows = read_selection(selection)
        name = f"labels-{annotator}.csv" if annotator else "labels.csv"
        job = LabelJob(
            selection,
            LabelTable(selection / name, [row["image"] for row in rows]),
            asked,
            annotator,
            selection_id(rows),
        )
        server = start_server(job, ("127.0.0.1", port), secret)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        running.append(server)
        return server, job

    yield serve
    for server in running:
        server.shutdown()
        server.server_close()
