"""Layouts of the same faces: whatever file they lie in, labels and pixels are the same."""

import numpy as np
import pytest

from fer_keras.data.index import load_index
from fer_keras.data.spec import load_spec

NAMES = ["neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear"]  # FER+'s order
KAGGLE = {"anger": 0, "disgust": 1, "fear": 2, "happiness": 3, "sadness": 4, "surprise": 5, "neutral": 6}
USAGE = ["Training", "PublicTest", "PrivateTest"]
FACES = np.random.default_rng(0).integers(0, 256, (21, 48, 48), dtype=np.uint8)


def write_votes(path, names):
    votes = np.zeros((len(names), 10), np.uint8)
    votes[np.arange(len(names)), [NAMES.index(name) for name in names]] = 9
    usage = np.arange(len(names)) % 3
    ids = np.array([f"fer{number:07}.png" for number in range(len(names))], "S15")
    np.savez(path, images=FACES, votes=votes, usage=usage.astype(np.uint8), image_name=ids)


def write_fer2013(path, names, header="emotion,pixels,Usage", faces=FACES):
    lines = [
        f"{KAGGLE[name]},{' '.join(map(str, face.ravel()))},{USAGE[number % 3]}"
        for number, (name, face) in enumerate(zip(names, faces, strict=True))
    ]
    path.write_text("\n".join([header, *lines]) + "\n")


def contents(index) -> dict:
    """Split, emotion, content hash and pixels of each face by its id."""
    source = index.open_images()
    return {
        str(index.id[row]): (
            str(index.split[row]),
            index.labels[index.emotion[row]],
            str(index.content[row]),
            source.load(row).tobytes(),
        )
        for row in range(len(index))
    }


@pytest.mark.parametrize("header", ["emotion,pixels,Usage", "emotion, Usage, pixels"])
def test_fer2013_csv_gives_the_faces_and_labels_of_the_ferplus_archive(tmp_path, header):
    names = [NAMES[number % 7] for number in range(21)]
    write_votes(tmp_path / "f.npz", names)
    write_fer2013(tmp_path / "fer2013.csv", names)
    if header != "emotion,pixels,Usage":  # as Kaggle's second file has it
        lines = [line.split(",") for line in (tmp_path / "fer2013.csv").read_text().splitlines()[1:]]
        text = "\n".join([header, *(f"{label}, {usage}, {pixels}" for label, pixels, usage in lines)])
        (tmp_path / "fer2013.csv").write_text(text + "\n")
    archive = contents(load_index(load_spec("ferplus"), tmp_path / "f.npz"))
    assert contents(load_index(load_spec("fer2013"), tmp_path / "fer2013.csv")) == archive
    assert contents(load_index(load_spec("fer2013"), tmp_path)) == archive, "again from the cache, found in its folder"
    assert {face[0] for face in archive.values()} == {"train", "validation", "test"}


def test_bad_lines_of_fer2013_are_counted(tmp_path):
    path = tmp_path / "fer2013.csv"
    write_fer2013(path, ["fear"] * 21)
    with open(path, "a") as file:
        file.write("3,1 2 3,Training\n3,,Training\n3," + "256 " * 2304 + ",Training\n3," + "x " * 2304 + ",Training\n")
        file.write(f"3,{'7 ' * 2304},Tset\n")
    report = load_index(load_spec("fer2013"), path).report
    assert report.found == 26 and report.dropped == {
        "unreadable pixels (3 values)": 1,
        "unreadable pixels (0 values)": 1,
        "unreadable pixels (value outside 0..255)": 1,
        "unreadable pixels (not whole numbers)": 1,
        "unknown Usage 'Tset'": 1,
    }


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "emotion,pixels\n1,2,3\n"])
def test_a_file_that_is_not_fer2013(tmp_path, text):
    (tmp_path / "fer2013.csv").write_text(text)
    with pytest.raises(ValueError, match="is not Kaggle's fer2013.csv"):
        load_index(load_spec("fer2013"), tmp_path)
    with pytest.raises(ValueError, match="Expected the file fer2013.csv or icml_face_data.csv"):
        (tmp_path / "other").mkdir()
        load_index(load_spec("fer2013"), tmp_path / "other")
