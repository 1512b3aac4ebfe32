"""Hashes of training faces: equal faces are known in any file, others are not, and the file stays small."""

import time
from dataclasses import replace

import cv2
import numpy as np
import pytest
from faces_on_disk import NAMES, face, write_classes, write_spec

from fer_keras.data import training_faces
from fer_keras.data.loading import load_faces
from fer_keras.data.training_faces import (
    Ancestor,
    TrainingFaces,
    hash_faces,
    read_training_faces,
    short_hashes,
    write_training_faces,
)
from fer_keras.readers.arrays import save_arrays


@pytest.fixture
def index(tmp_path):
    write_classes(tmp_path / "set", per_class=2)
    return load_faces("image_folder", str(tmp_path / "set"), validation_fraction=0.0, test_fraction=0.0)


def test_the_same_file_and_the_same_pixels_are_known_and_others_are_not(index, tmp_path):
    faces = hash_faces(index, pixels=True)
    assert faces.faces == len(index) == 16 and faces.pixels and faces.by_pixels and faces.known(index).all()
    write_classes(tmp_path / "bmp", per_class=3, suffix=".bmp")
    for path in (tmp_path / "bmp").rglob("*.bmp"):  # as PNG so far, whatever its name
        path.write_bytes(cv2.imencode(".bmp", cv2.imread(str(path)))[1].tobytes())
    other = load_faces("image_folder", str(tmp_path / "bmp"))
    known = faces.known(other)
    assert known.sum() == 16 and all(
        (name.split("/")[-1] != "2.bmp") == one for name, one in zip(other.id, known, strict=True)
    )


def test_pictures_and_arrays_of_the_same_faces_are_the_same(index, tmp_path):
    images = np.stack([face(place * 100 + number) for place in range(8) for number in range(3)])
    save_arrays(tmp_path / "set.npz", images, emotion=np.repeat(NAMES, 3))
    arrays = load_faces(write_spec(tmp_path, "arrays"), str(tmp_path / "set.npz"))
    assert hash_faces(index, pixels=True).known(arrays).sum() == 16
    assert hash_faces(arrays, pixels=True).known(index).all()


def test_too_many_pixels_are_not_decoded(index, monkeypatch):
    monkeypatch.setattr(training_faces, "BUDGET", 100)
    monkeypatch.setattr(training_faces, "pixel_hashes", lambda *args: pytest.fail("decoded"))
    faces = hash_faces(index, pixels=True)
    assert not faces.pixels and len(faces.hashes) == 16 and faces.known(index).all()


def test_unknown_contents_match_nothing(index):
    blank = replace(index, content=np.array([""] * len(index)))
    faces = hash_faces(blank, pixels=False)
    assert len(faces.hashes) == 0 and not faces._holds(short_hashes(blank.content.tolist())).any()


def test_the_file_gives_back_what_was_written(tmp_path):
    faces = TrainingFaces(
        np.array([1, 2**64 - 1], np.uint64), 2, False, (Ancestor("bundled", ("ferplus",), 7, True), Ancestor("old"))
    )
    path = tmp_path / "training_faces.npz"
    assert read_training_faces(path) is None
    write_training_faces(path, faces)
    found = read_training_faces(path)
    assert found.hashes.tolist() == faces.hashes.tolist() and replace(found, hashes=0) == replace(faces, hashes=0)
    whole = path.read_bytes()
    np.savez(path, hashes=np.zeros(3, np.uint64), facts=np.array("[]"))  # what only looks like such a file
    with pytest.raises(ValueError, match="Expected an index of training faces"):
        read_training_faces(path)
    path.write_bytes(whole[:50])
    with pytest.raises(
        ValueError, match="Expected an index of training faces of format 1. Received: .*training_faces.npz"
    ):
        read_training_faces(path)


def test_a_model_has_the_faces_of_all_it_started_from():
    def faces(*values, ancestors=()):
        return TrainingFaces(np.array(values, np.uint64), len(values), True, ancestors)

    first = faces(1, 2)
    second = faces(3).joined(first, Ancestor("first", ("a",), 2, False))
    third = faces(2, 4).joined(second, Ancestor("second", ("b",), 1, True))
    assert third.hashes.tolist() == [1, 2, 3, 4] and third.faces == 2 and not third.by_pixels
    assert [one.name for one in third.ancestors] == ["second", "first"]


def test_the_index_of_affectnet_is_small_and_quick(tmp_path):
    rng = np.random.default_rng(0)
    hashes = np.unique(rng.integers(1, 2**63, 2 * 287_651).astype(np.uint64))
    path = tmp_path / "training_faces.npz"
    write_training_faces(path, TrainingFaces(hashes, 287_651))
    started = time.perf_counter()
    faces = read_training_faces(path)
    assert faces._holds(hashes[:4000]).all() and not faces._holds(hashes[:4000] + np.uint64(2**63)).any()
    assert time.perf_counter() - started < 2 and path.stat().st_size < 5_000_000
