"""Images inside Parquet cells: Hugging Face's structs, bare bytes, rows of pixels; labels by code with names in the file."""

import json
import pickle

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from faces_on_disk import NAMES, face, split_sizes, write_face, write_spec

from fer_keras.data.loading import load_index
from fer_keras.readers.embedded_images import as_pixels
from fer_keras.readers.spec import load_spec

KAGGLE = ["angry", "disgust", "fear", "happy", "neutral", "sad", "surprise"]


def png(number: int) -> bytes:
    return cv2.imencode(".png", face(number))[1].tobytes()


def hugging_face(path, numbers, names=KAGGLE, rows=3):
    """Write rows as `datasets` does: image = {bytes, path}, label = code, class names in the metadata."""
    path.parent.mkdir(parents=True, exist_ok=True)
    features = {"image": {"_type": "Image"}, "label": {"names": names, "_type": "ClassLabel"}}
    table = pa.table(
        {
            "image": [{"bytes": png(number), "path": f"{number}.png"} for number in numbers],
            "label": [number % len(names) for number in numbers],
        }
    ).replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    pq.write_table(table, path, row_group_size=rows)


def check(index, numbers):
    """Labels and pixels of each face, by the number in its id."""
    source = index.open_images()
    assert len(index) == len(source) == len(numbers)
    for row in np.random.default_rng(0).permutation(len(index)).tolist():
        number = int(index.id[row].removesuffix(".png"))
        assert (source.load(row)[..., 0] == face(number)).all()
        assert index.extent[row].tolist() == [12, 12]


@pytest.mark.parametrize("place", ["", "data"])
def test_a_set_from_hugging_face(tmp_path, place):
    root = tmp_path / "set"
    hugging_face(root / place / "train-00000-of-00002.parquet", range(0, 10))
    hugging_face(root / place / "train-00001-of-00002.parquet", range(10, 20))
    hugging_face(root / place / "test-00000-of-00001.parquet", range(20, 27))
    index = load_index(load_spec("huggingface"), root, tmp_path / "cache")
    assert split_sizes(index) == {"test": 7, "train": 20} and index.report.warnings == {}
    check(index, range(27))
    named = {"angry": "anger"}
    assert [index.labels[code] for code in index.emotion] == [
        named.get(KAGGLE[int(name[:-4]) % 7], KAGGLE[int(name[:-4]) % 7]) for name in index.id
    ]
    again = load_index(load_spec("huggingface"), root, tmp_path / "cache")
    assert again.fingerprint() == index.fingerprint()


def test_one_file_and_names_as_labels(tmp_path):
    numbers = range(8)
    cells = [{"bytes": png(number), "path": f"{number}.png"} for number in numbers]
    pq.write_table(pa.table({"image": cells, "emotion": list(NAMES)}), tmp_path / "t.parquet")
    index = load_index(load_spec(write_spec(tmp_path, "face_table")), tmp_path / "t.parquet", tmp_path / "cache")
    check(index, numbers)
    assert [index.labels[code] for code in index.emotion] == list(NAMES)


@pytest.mark.parametrize(
    "cell",
    [lambda number: png(number), lambda number: face(number).tolist(), lambda number: face(number).ravel().tolist()],
    ids=["bytes", "rows", "flat"],
)
@pytest.mark.parametrize("column", ["image", "img_bytes"])
def test_bytes_and_rows_of_pixels(tmp_path, cell, column):
    table = pa.table({column: [cell(number) for number in range(8)], "labels": list(NAMES)})
    pq.write_table(table, tmp_path / "t.parquet", row_group_size=2)
    index = load_index(load_spec(write_spec(tmp_path, "face_table")), tmp_path / "t.parquet", tmp_path / "cache")
    source = pickle.loads(pickle.dumps(index.open_images()))
    assert all((source.load(row)[..., 0] == face(row)).all() for row in range(8))
    assert index.report.dropped == {}


def test_bad_cells_cost_one_row_each(tmp_path):
    write_face(tmp_path / "2.png", 2)
    cells = [
        {"bytes": png(0), "path": "0.png"},
        {"bytes": png(1)[:40], "path": "1.png"},
        {"bytes": None, "path": "2.png"},
        {"bytes": None, "path": None},
        {"bytes": png(4) + b"trailing", "path": "4.png"},
        None,
    ]
    pq.write_table(pa.table({"image": cells, "emotion": list(NAMES[:6])}), tmp_path / "t.parquet")
    index = load_index(load_spec(write_spec(tmp_path, "face_table")), tmp_path / "t.parquet", tmp_path / "cache")
    check(index, [0, 2, 4])
    assert index.report.dropped == {"unreadable image (truncated PNG)": 1, "cell without an image": 2}


def test_the_specs_own_codes_come_before_the_files_names(tmp_path):
    hugging_face(tmp_path / "t.parquet", range(4), ["zero", "one"])
    spec = write_spec(tmp_path, "face_table", more='labels = {0 = "fear", 1 = "sad"}')
    index = load_index(load_spec(spec), tmp_path / "t.parquet", tmp_path / "cache")
    assert [index.labels[code] for code in index.emotion] == ["fear", "sad"] * 2
    with pytest.raises(ValueError, match='unknown label zero.*"zero" = "..."'):
        load_index(load_spec("huggingface"), tmp_path / "t.parquet", tmp_path / "cache")


def test_pixels_of_every_shape_and_no_others():
    grey, colour = face(0), np.stack([face(0), face(1), face(2)], 2)
    assert (as_pixels(grey.tolist()) == grey).all() and (as_pixels(grey[:, :, None].tolist()) == grey).all()
    assert (as_pixels(colour.tolist()) == colour).all()
    assert (as_pixels(np.moveaxis(colour, 2, 0).tolist()) == colour).all()
    for values in ([[0, 256]], [[0.5, 1]], [[-1, 1]], [[1, 2], [3]], [1, 2, 3], [], [["a"]], [[float("nan")]]):
        with pytest.raises(ValueError):
            as_pixels(values)
