"""Rows in columns: an index made of them is the one made of the same rows one by one, whatever is wrong with their files."""

from dataclasses import replace

import numpy as np
import pytest

from fer_keras.data.index import COLUMNS
from fer_keras.data.index_building import build_index
from fer_keras.data.loading import load_index
from fer_keras.readers.listing import Notes
from fer_keras.readers.reader_table import get_reader
from fer_keras.readers.spec import load_spec

SPEC = load_spec("affectnet")


def damage(root) -> None:
    """Spoil files in every way that is counted, each of several images."""
    folder = root / "train_set" / "annotations"
    files = {what: sorted(folder.glob(f"*_{what}.npy")) for what in ("exp", "val", "aro", "lnd")}
    for number, label in enumerate(["9", "11", "1.5", "nan", "-1", *map(str, range(100, 130))]):
        np.save(files["exp"][number], np.array(label))
    for number, value in enumerate(["-2", "nan", "1.0001", "-1", "1", "0", "text", "1e300", "inf"]):
        np.save(files["val"][40 + number], np.array(value))
        np.save(files["aro"][44 + number], np.array(value))
    for what, first in (("exp", 60), ("val", 61), ("aro", 62), ("lnd", 63)):
        files[what][first].unlink()
        files[what][first + 10].write_bytes(b"\x93NUMPY")
    for what in ("exp", "val", "aro"):
        files[what][80].unlink()
    images = sorted((root / "train_set" / "images").iterdir())
    images[90].write_bytes(b"")
    images[91].write_bytes(images[91].read_bytes()[:300])
    images[92].with_suffix(".png").write_bytes(images[92].read_bytes())  # another image of the same id
    (folder / "stray.npy").write_bytes(b"x")
    (folder / "notes.txt").write_text("x")


@pytest.mark.parametrize("va_range", [None, (-1.0, 1.0), (-4.0, 4.0)])
def test_columns_give_the_index_that_their_rows_give(faces_copy, va_range):
    damage(faces_copy)
    spec, reader = replace(SPEC, va_range=va_range), get_reader(SPEC.reader)
    raw = reader.read_rows(spec, faces_copy, reader.list_files(spec, faces_copy), jobs=1)
    notes = Notes(dict(raw.notes.counts), {reason: list(names) for reason, names in raw.notes.examples.items()})
    one = build_index(spec, faces_copy, raw)
    other = build_index(spec, faces_copy, replace(raw, rows=list(raw.rows), notes=notes))
    assert one.report == other.report and len(one.report.dropped) > 3 and len(one.report.missing_labels) > 12
    assert list(one.report.missing_labels) == list(other.report.missing_labels)
    assert one.fingerprint() == other.fingerprint()
    for name in COLUMNS:
        found, expected = getattr(one, name), getattr(other, name)
        assert (found is None) == (expected is None), name
        if found is not None:
            assert found.dtype.kind == expected.dtype.kind and np.array_equal(
                found, expected, equal_nan=found.dtype.kind == "f"
            ), name


def test_an_index_without_landmarks_has_no_column_of_them(faces_copy, tmp_path):
    for path in faces_copy.glob("*/annotations/*_lnd.npy"):
        path.unlink()
    index = load_index(SPEC, faces_copy, tmp_path)
    assert index.landmarks is None and index.report.missing_labels == {"landmarks: no annotation file": 208}


def test_a_stray_file_in_place_of_an_annotation_is_found_though_their_number_is_right(faces_copy, tmp_path):
    """As many annotations as four per image are looked up by name only while they are read."""
    whole = load_index(SPEC, faces_copy, tmp_path)
    folder = faces_copy / "train_set" / "annotations"
    path = sorted(folder.glob("*_val.npy"))[3]
    path.rename(folder / "stray_val.npy")
    for _ in range(2):  # read, then from the cache
        index = load_index(SPEC, faces_copy, tmp_path)
        assert index.report.missing_labels == {"valence: no annotation file": 1}
        assert index.report.warnings == {"annotation without an image": 1}
    (folder / "stray_val.npy").rename(folder / "other_val.npy")
    index = load_index(SPEC, faces_copy, tmp_path)
    assert index.report.examples["annotation without an image"] == ["train_set/annotations/other"]
    (folder / "other_val.npy").rename(path)
    assert load_index(SPEC, faces_copy, tmp_path).report == whole.report
