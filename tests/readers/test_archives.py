"""Archives and bare arrays in the place of data: one line that says what to do, and nothing about pickles."""

import gzip
import io
import pickle
import tarfile
import zipfile

import numpy as np
import pytest
from faces_on_disk import write_face

from fer_keras.data.loading import load_index
from fer_keras.readers.reader_table import READERS
from fer_keras.readers.spec import load_spec, spec_names

SPECS = {load_spec(name).reader: name for name in spec_names()}


def zipped(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("train/happy/a.png", b"x")


def tarred(path, mode="w"):
    with tarfile.open(path, mode) as archive:
        archive.addfile(tarfile.TarInfo("a.png"), io.BytesIO())


ARCHIVES = {
    "a.zip": (zipped, "zip archive.*unzip .*a.zip -d .*a"),
    "a.tar": (tarred, "tar archive.*tar xf"),
    "a.tar.gz": (lambda path: tarred(path, "w:gz"), "tar archive.*tar xf"),
    "fer2013.csv.gz": (lambda path: path.write_bytes(gzip.compress(b"emotion,pixels")), "gzip file.*gunzip"),
    "a.rar": (lambda path: path.write_bytes(b"Rar!\x1a\x07\x01\x00" + bytes(50)), "RAR archive.*unrar"),
    "a.7z": (lambda path: path.write_bytes(b"7z\xbc\xaf\x27\x1c" + bytes(50)), "7-Zip archive.*7z x"),
    "zip_by_content.csv": (zipped, "zip archive"),
}


@pytest.mark.parametrize("reader", [reader for reader in READERS if reader in SPECS])
@pytest.mark.parametrize("name", ARCHIVES)
def test_an_archive_is_named_by_every_reader(tmp_path, reader, name):
    write, message = ARCHIVES[name]
    write(tmp_path / name)
    with pytest.raises(ValueError, match=f"{message}") as caught:
        load_index(load_spec(SPECS[reader]), tmp_path / name, tmp_path / "cache")
    assert "unpack it" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("spec", ["image_folder", "affectnet", "fer2013", "ferplus", "face_table"])
def test_a_folder_that_holds_an_archive_alone_says_so(tmp_path, spec):
    zipped(tmp_path / "set.zip")
    with pytest.raises(ValueError, match="It holds an archive, set.zip: unpack it first"):
        load_index(load_spec(spec), tmp_path, tmp_path / "cache")


def test_an_excel_workbook_is_to_be_saved_as_csv(tmp_path):
    with zipfile.ZipFile(tmp_path / "t.xlsx", "w") as archive:
        archive.writestr("xl/workbook.xml", "x")
    with pytest.raises(ValueError, match="Excel workbook.*save it as CSV"):
        load_index(load_spec("face_table"), tmp_path / "t.xlsx", tmp_path / "cache")


@pytest.mark.parametrize("spec", ["image_folder", "affectnet"])
def test_a_file_in_the_place_of_a_folder(tmp_path, spec):
    path = write_face(tmp_path / "a.png", 0)
    with pytest.raises(ValueError, match="expects --data-dir to be a folder. Received: the file .*a.png"):
        load_index(load_spec(spec), path, tmp_path / "cache")


@pytest.mark.parametrize("spec", ["arrays", "ferplus"])
def test_a_bare_array_has_no_labels(tmp_path, spec):
    np.save(tmp_path / "faces.npy", np.zeros((3, 48, 48), np.uint8))
    with pytest.raises(ValueError, match=r"a single array, \(3, 48, 48\) uint8, without labels. Expected an .npz with"):
        load_index(load_spec(spec), tmp_path / "faces.npy", tmp_path / "cache")


def object_array(path):
    np.savez(path, images=np.array([{"a": 1}], object))


def pickled(path):
    path.write_bytes(pickle.dumps({"images": [1, 2]}))


@pytest.mark.parametrize("spec", ["arrays", "ferplus"])
@pytest.mark.parametrize("write", [object_array, pickled])
def test_nobody_is_told_how_to_load_pickles(tmp_path, spec, write):
    write(tmp_path / "faces.npz")
    with pytest.raises(ValueError, match="only plain arrays of numbers and text are read") as caught:
        load_index(load_spec(spec), tmp_path / "faces.npz", tmp_path / "cache")
    assert "pickle" not in str(caught.value)


@pytest.mark.parametrize("spec", ["arrays", "ferplus"])
@pytest.mark.parametrize("cut", [0, 10, 200, -30])
def test_damaged_npz_files_end_in_one_line(tmp_path, spec, cut):
    np.savez_compressed(tmp_path / "whole.npz", images=np.zeros((3, 48, 48), np.uint8))
    (tmp_path / "faces.npz").write_bytes((tmp_path / "whole.npz").read_bytes()[:cut])
    with pytest.raises(ValueError, match="faces.npz"):
        load_index(load_spec(spec), tmp_path / "faces.npz", tmp_path / "cache")


def test_ferplus_arrays_of_other_shapes(tmp_path):
    good = {
        "images": np.zeros((3, 48, 48), np.uint8),
        "votes": np.full((3, 10), 2),
        "usage": np.array([0, 1, 7]),
        "image_name": np.array(["a", "b", "c"]),
    }
    for name, values in (("votes", np.zeros((3, 4), int)), ("usage", np.zeros(2, int)), ("images", np.zeros(3))):
        np.savez(tmp_path / "f.npz", **{**good, name: values})
        with pytest.raises(ValueError, match="Unreadable FER\\+ archive"):
            load_index(load_spec("ferplus"), tmp_path / "f.npz", tmp_path / "cache")
    good["votes"] = np.eye(3, 10, dtype=int) * 9
    np.savez(tmp_path / "f.npz", **good)
    report = load_index(load_spec("ferplus"), tmp_path / "f.npz", tmp_path / "cache").report
    assert report.dropped == {"unknown usage 7": 1}
