"""One list of words for splits, whatever reader meets them."""

import cv2
import numpy as np
import pytest
from faces_on_disk import NAMES, face, split_sizes, write_classes, write_face, write_spec

from fer_keras.data.loading import load_faces, load_index
from fer_keras.readers.arrays import save_arrays
from fer_keras.readers.names import find_splits, split_in_name, split_meant
from fer_keras.readers.spec import load_spec

WORDS = {
    "train": ["train", "training", "train_set", "Training", "Train", "TRAIN", "train-data", "01_train", "FER2013Train"],
    "validation": [
        "validation",
        "val",
        "valid",
        "dev",
        "val_set",
        "PublicTest",
        "Public Test",
        "Validation_Set",
        "VAL",
    ],
    "test": ["test", "testing", "test_set", "PrivateTest", "eval", "Test Images", "evaluation"],
}
EVERY_WORD = [(word, split) for split, words in WORDS.items() for word in words]


@pytest.mark.parametrize(("word", "split"), EVERY_WORD, ids=[word for word, _ in EVERY_WORD])
def test_words_are_matched_by_meaning(word, split):
    assert split_meant(word) == split


@pytest.mark.parametrize("word", ["", "happy", "trainer", "faces", "S001", "testimony", "fold1"])
def test_other_words_mean_no_split(word):
    assert split_meant(word) is None


def test_a_files_name_tells_its_split_where_it_tells_one():
    assert split_in_name("test-00000-of-00003") == "test" and split_in_name("labels_val") == "validation"
    assert split_in_name("train_and_test") is None and split_in_name("contest") is None


def test_a_specs_own_words_come_first():
    affectnet = load_spec("affectnet")
    assert find_splits(["train_set", "val_set"], affectnet) == {"train_set": "train", "val_set": "test"}
    assert find_splits(["Train", "Val"], affectnet) == {"Train": "train", "Val": "test"}
    three = find_splits(["train_set", "val_set", "test_set"], affectnet)
    assert three == {"train_set": "train", "val_set": "validation", "test_set": "test"}
    assert find_splits(["all", "", "gallery"], affectnet) == {"all": "", "": "", "gallery": None}


SHAPES = [("Training", "PublicTest", "PrivateTest"), ("train_set", "dev", "test_set"), ("TRAIN", "Valid", "Testing")]


@pytest.mark.parametrize("words", SHAPES, ids=["kaggle", "sets", "capitals"])
class TestEveryReader:
    """The same 24 + 8 + 8 faces under other words give the same splits."""

    sizes = {"test": 8, "train": 24, "validation": 8}

    def faces(self, words):
        splits = [words[0]] * 24 + [words[1]] * 8 + [words[2]] * 8
        return [(number, NAMES[number % 8], split) for number, split in enumerate(splits)]

    def test_image_folder(self, tmp_path, words):
        for number, name, split in self.faces(words):
            write_face(tmp_path / split / name / f"{number}.png", number)
        assert split_sizes(load_index(load_spec("image_folder"), tmp_path, tmp_path / "c")) == self.sizes

    def test_arrays(self, tmp_path, words):
        numbers, names, splits = zip(*self.faces(words), strict=True)
        path = save_arrays(tmp_path / "a.npz", np.stack([face(n) for n in numbers]), emotion=names, split=splits)
        index = load_index(load_spec(write_spec(tmp_path, "arrays")), path, tmp_path / "c")
        assert split_sizes(index) == self.sizes

    def test_face_table(self, tmp_path, words):
        lines = [f"{write_face(tmp_path / f'{n}.png', n).name},{name},{split}" for n, name, split in self.faces(words)]
        (tmp_path / "t.csv").write_text("\n".join(["image,emotion,split", *lines]))
        index = load_index(load_spec(write_spec(tmp_path, "face_table")), tmp_path / "t.csv", tmp_path / "c")
        assert split_sizes(index) == self.sizes

    def test_tables_named_after_their_splits(self, tmp_path, words):
        for word in words:
            faces = [(number, name) for number, name, split in self.faces(words) if split == word]
            lines = [f"{write_face(tmp_path / f'{n}.png', n).name},{name}" for n, name in faces]
            (tmp_path / f"{word}.csv").write_text("\n".join(["image,emotion", *lines]))
        index = load_index(load_spec(write_spec(tmp_path, "face_table")), tmp_path, tmp_path / "c")
        assert split_sizes(index) == self.sizes

    def test_fer2013(self, tmp_path, words):
        lines = [
            f"{number % 7},{' '.join(map(str, face(number, 48).ravel()))},{split}"
            for number, _, split in self.faces(words)
        ]
        (tmp_path / "fer2013.csv").write_text("\n".join(["emotion,pixels,Usage", *lines]))
        assert split_sizes(load_index(load_spec("fer2013"), tmp_path, tmp_path / "c")) == self.sizes

    def test_affectnet_folders(self, tmp_path, words):
        for number, name, split in self.faces(words):
            stem = tmp_path / split / "annotations" / str(number)
            write_face(tmp_path / split / "images" / f"{number}.jpg", number, ".jpg")
            stem.parent.mkdir(exist_ok=True)
            for what, value in (("exp", NAMES.index(name)), ("val", 0.1), ("aro", 0.1)):
                np.save(f"{stem}_{what}.npy", np.array(str(value)))
        assert split_sizes(load_index(load_spec("affectnet"), tmp_path, tmp_path / "c")) == self.sizes


def test_no_second_validation_split_is_cut_beside_val(tmp_path):
    for word, first in (("train", 0), ("val", 50)):
        write_classes(tmp_path / word, per_class=4, first=first * 1000)
    index = load_faces("image_folder", str(tmp_path))
    assert split_sizes(index) == {"train": 32, "validation": 32}


def test_words_that_mean_no_split_are_dropped_and_named_everywhere(tmp_path):
    images = np.stack([face(number) for number in range(4)])
    splits = ["train", "train", "gallery", "gallery"]
    path = save_arrays(tmp_path / "a.npz", images, emotion=["happy", "sad"] * 2, split=splits)
    index = load_index(load_spec(write_spec(tmp_path, "arrays")), path, tmp_path / "c")
    assert len(index) == 2 and index.report.dropped == {"unknown split 'gallery'": 2}
    for number in range(len(splits)):
        cv2.imwrite(str(tmp_path / f"{number}.png"), images[number])
    lines = [f"{number}.png,happy,{split}" for number, split in enumerate(splits)]
    (tmp_path / "t.csv").write_text("\n".join(["image,emotion,split", *lines]))
    index = load_index(load_spec(write_spec(tmp_path, "face_table")), tmp_path / "t.csv", tmp_path / "c2")
    assert index.report.examples["unknown split 'gallery'"] == ["2.png at line 4", "3.png at line 5"]
