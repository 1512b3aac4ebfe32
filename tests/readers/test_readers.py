"""Layouts of the same faces: whatever file they lie in, labels and pixels are the same."""

import sys
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from fer_keras.batches.loader import FaceLoader
from fer_keras.data.loading import load_index
from fer_keras.labels import EMOTIONS
from fer_keras.preprocessing import crop_face, decode_image
from fer_keras.readers.spec import load_spec

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


AFFECTNET = "subDirectory_filePath,face_x,face_y,face_width,face_height,facial_landmarks,expression,valence,arousal"
CODES = {"neutral": 0, "happiness": 1, "sadness": 2, "surprise": 3, "fear": 4, "disgust": 5, "anger": 6}


def write_pictures(folder, names) -> list[str]:
    """The faces as PNG files; returns their paths."""
    paths = []
    for number in range(len(names)):
        path = folder / f"{number % 2}" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), FACES[number])
        paths.append(path.relative_to(folder).as_posix())
    return paths


def faces_of(index) -> list[tuple]:
    return sorted(face[:2] + face[3:] for face in contents(index).values())


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_table_gives_the_faces_and_labels_of_the_other_layouts(tmp_path, suffix):
    names = [NAMES[number % 7] for number in range(21)]
    write_votes(tmp_path / "f.npz", names)
    splits = ["train", "validation", "test"]
    table = pa.table(
        {
            "image": write_pictures(tmp_path / "pictures", names),
            "emotion": names,
            "split": [splits[number % 3] for number in range(21)],
            "valence": [None if number == 4 else number / 20 - 0.5 for number in range(21)],
            "arousal": [0.25] * 21,
            "unused": ["x,y"] * 21,
        }
    )
    path = tmp_path / "pictures" / f"faces.{suffix}"
    pq.write_table(table, path) if suffix == "parquet" else pa.csv.write_csv(table, path)
    index = load_index(load_spec("face_table"), path)
    assert faces_of(index) == faces_of(load_index(load_spec("ferplus"), tmp_path / "f.npz"))
    row = index.id.tolist().index("0/4.png")
    assert np.isnan(index.valence[row]) and index.arousal[row] == 0.25
    assert index.report.missing_labels == {"valence: not a number": 1}
    assert load_index(load_spec("face_table"), path.parent).fingerprint() == index.fingerprint()


@pytest.fixture
def affectnet_csv(tmp_path):
    """Seven pictures of 80 x 60 with a face of 30 x 30 at (20, 10), in AffectNet's CSV release; returns the folder."""
    rng = np.random.default_rng(1)
    lines = []
    for number, name in enumerate(CODES):
        picture = rng.integers(0, 256, (60, 80, 3), dtype=np.uint8)
        path = tmp_path / "Manually_Annotated_Images" / "17" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), picture)
        points = ";".join(f"{20 + point % 30};{10 + point % 30}" for point in range(68))
        lines.append(f"17/{number}.png,20,10,30,30,{points},{CODES[name]},{-2 if number == 1 else 0.5},{number / 10}")
    (tmp_path / "training.csv").write_text("\n".join([AFFECTNET, *lines[:5]]) + "\n")
    (tmp_path / "validation.csv").write_text("\n".join(lines[5:]) + "\n")  # the release's has no header
    return tmp_path


def test_affectnets_csv_release_is_cropped_by_its_box_by_the_one_geometry_rule(affectnet_csv):
    index = load_index(load_spec("affectnet_csv"), affectnet_csv)
    assert index.split.tolist() == ["train"] * 5 + ["test"] * 2
    assert [index.labels[code] for code in index.emotion] == [
        load_spec("affectnet").labels[str(c)] for c in CODES.values()
    ]
    assert np.isnan(index.valence[1]) and index.valence[0] == 0.5 and index.arousal[4] == pytest.approx(0.4)
    faces, readable = FaceLoader(index.open_images(), (48, 48)).load(np.arange(7))
    assert readable.all()
    for row in range(7):
        picture = decode_image((affectnet_csv / str(index.path[row])).read_bytes())
        assert (faces[row] == crop_face(picture, (48, 48), (20, 10, 50, 40))).all()
    assert index.landmarks[0, 3].tolist() == [3, 3], "landmarks move into the crop"
    again = load_index(load_spec("affectnet_csv"), affectnet_csv)
    assert (again.face_box == index.face_box).all() and again.fingerprint() == index.fingerprint()


def test_bad_lines_of_a_table_are_counted(affectnet_csv):
    with open(affectnet_csv / "training.csv", "a") as file:
        file.write("17/0.png,20,10,0,30,,1,0,0\n")  # a box without width
        file.write("17/none.png,20,10,30,30,,1,0,0\n")
        file.write("17/1.png,20,10,30,30,1;2,9,0,0\n")
        file.write("17/1.png,22,10,30,30,1;2,1,0,3\n")  # a second face of the picture
    index = load_index(load_spec("affectnet_csv"), affectnet_csv)
    assert index.report.dropped == {
        "face box is not a place and a size": 1,
        "image not readable (No such file or directory)": 1,
        "label 9 (uncertain)": 1,
    }
    assert {"landmarks: not 68 points": 1, "arousal: outside -1..1": 1}.items() <= index.report.missing_labels.items()
    assert "17/1.png#3" in [str(name).removeprefix("Manually_Annotated_Images/") for name in index.id]
    assert len(set(index.content.tolist())) == len(index)


def test_a_changed_picture_or_table_is_read_again(affectnet_csv):
    spec = load_spec("affectnet_csv")
    before = load_index(spec, affectnet_csv)
    path = affectnet_csv / "Manually_Annotated_Images" / "17" / "0.png"
    path.write_bytes((path.parent / "3.png").read_bytes())
    assert load_index(spec, affectnet_csv).content[0] != before.content[0]


@pytest.mark.parametrize(
    "text, message",
    [
        ("image,emotion\na.png,happy\n", "lacks the column valence, arousal.*options.columns"),
        ("", "is not a readable table|lacks the column"),
        ("image,emotion,valence,arousal,split\na.png,happy,0,0,gallery\n", "unknown split 'gallery'"),
    ],
)
def test_a_table_that_does_not_fit_its_spec(tmp_path, text, message):
    (tmp_path / "faces.csv").write_text(text)
    with pytest.raises(ValueError, match=message):
        load_index(load_spec("face_table"), tmp_path)


def test_a_folder_without_one_table(tmp_path):
    with pytest.raises(ValueError, match="Expected one .csv or .parquet file. Received: none"):
        load_index(load_spec("face_table"), tmp_path)
    with pytest.raises(ValueError, match="Expected training.csv, validation.csv"):
        load_index(load_spec("affectnet_csv"), tmp_path)


def test_class_folders_and_ferplus_folders_give_the_faces_of_the_archive(tmp_path):
    names = [NAMES[number % 7] for number in range(21)]
    write_votes(tmp_path / "f.npz", names)
    folders = {"Training": "FER2013Train", "PublicTest": "FER2013Valid", "PrivateTest": "FER2013Test"}
    splits = {"Training": "train", "PublicTest": "validation", "PrivateTest": "test"}
    for number, (name, face) in enumerate(zip(names, FACES, strict=True)):
        usage = USAGE[number % 3]
        by_class = tmp_path / "classes" / splits[usage] / name
        by_votes = tmp_path / "votes" / folders[usage]
        for folder in (by_class, by_votes):
            folder.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(folder / f"fer{number:07}.png"), face)
        votes = [9 * (name == voted) for voted in NAMES] + [0, 0, 0]
        with open(by_votes / "label.csv", "a") as file:
            file.write(f'fer{number:07}.png,"(0, 0, 48, 48)",{",".join(map(str, votes))}\n')
    archive = faces_of(load_index(load_spec("ferplus"), tmp_path / "f.npz"))
    assert faces_of(load_index(load_spec("image_folder"), tmp_path / "classes")) == archive
    assert faces_of(load_index(load_spec("ferplus"), tmp_path / "votes")) == archive


def test_a_first_index_reads_each_table_once_and_again_where_it_was_written_to_meanwhile(affectnet_csv, monkeypatch):
    from fer_keras.readers import face_table

    spec, read = load_spec("affectnet_csv"), []
    monkeypatch.setattr(
        face_table,
        "read_cells",
        lambda spec, path, do=face_table.read_cells: (read.append(path.name), do(spec, path))[1],
    )
    load_index(spec, affectnet_csv)
    assert sorted(read) == ["training.csv", "validation.csv"]
    listing = face_table.list_files(spec, affectnet_csv)
    with open(affectnet_csv / "training.csv", "a") as file:
        file.write("17/4.png,20,10,30,30,,1,0,0\n")
    assert len(face_table.read_rows(spec, affectnet_csv, listing).rows) == 8


@pytest.fixture
def layouts():
    """The script that writes an archive's faces in the other layouts."""
    import importlib.util

    path = Path(__file__).parents[2] / "benchmarks" / "layouts.py"
    module_spec = importlib.util.spec_from_file_location("layouts", path)
    module = importlib.util.module_from_spec(module_spec)
    sys.modules["layouts"] = module  # its dataclass looks itself up there
    module_spec.loader.exec_module(module)
    yield module
    del sys.modules["layouts"]


def some_of(archive, path, rows):
    """Write some rows of an archive as one of their own."""
    with np.load(archive, allow_pickle=False) as arrays:
        np.savez(path, **{name: arrays[name][rows] for name in arrays.files})


def in_every_layout(layouts, archive, folder) -> dict[str, list[tuple]]:
    """Split, emotion and pixels of an archive's faces, sorted, from each layout; all but contempt, which FER2013 lacks."""
    faces = layouts.read_faces(archive)
    faces = faces.take(faces.emotions != "contempt")
    found = {"npz": faces_of(load_index(load_spec("ferplus"), archive))}
    for name, spec in (("class_folders", "image_folder"), ("fer2013_csv", "fer2013"), ("ferplus_folders", "ferplus")):
        found[name] = faces_of(load_index(load_spec(spec), layouts.LAYOUTS[name](faces, folder / name)))
    return {name: [face for face in rows if face[1] != "contempt"] for name, rows in found.items()}


def test_every_layout_of_an_archive_gives_the_same_labels_and_pixels(tmp_path, layouts):
    write_votes(tmp_path / "f.npz", [NAMES[number % 7] for number in range(21)])
    found = in_every_layout(layouts, tmp_path / "f.npz", tmp_path)
    assert len(found["npz"]) == 21 and all(rows == found["npz"] for rows in found.values())
    affectnet = load_index(
        load_spec("affectnet"), layouts.write_affectnet_npy(layouts.read_faces(tmp_path / "f.npz"), tmp_path / "a")
    )
    assert sorted(face[1:] for face in faces_of(affectnet)) == sorted(face[1:] for face in found["npz"])
    assert affectnet.valence[affectnet.emotion == EMOTIONS.index("happy")].tolist() == pytest.approx([0.81] * 3)


def test_every_layout_of_real_faces_gives_the_same_labels_and_pixels(tmp_path, layouts, ferplus_npz):
    some_of(ferplus_npz, tmp_path / "f.npz", np.r_[0:300, 31000:31200])
    found = in_every_layout(layouts, tmp_path / "f.npz", tmp_path)
    assert len(found["npz"]) > 400 and all(rows == found["npz"] for rows in found.values())


def test_original_labels_are_mapped_by_name(tmp_path, layouts, ferplus_npz):
    some_of(ferplus_npz, tmp_path / "f.npz", slice(0, 300))
    faces = layouts.read_faces(tmp_path / "f.npz", "original")
    index = load_index(load_spec("fer2013"), layouts.write_fer2013_csv(faces, tmp_path))
    with np.load(tmp_path / "f.npz", allow_pickle=False) as arrays:
        codes, images = arrays["fer2013_label"], arrays["images"]
    names = ["anger", "disgust", "fear", "happy", "neutral", "sad", "surprise"]
    assert [index.labels[code] for code in index.emotion] == [names[code] for code in codes if code >= 0]
    source = index.open_images()
    assert all((source.load(row)[..., 0] == images[codes >= 0][row]).all() for row in range(len(index)))


def test_arrays_give_back_what_was_saved(tmp_path):
    from fer_keras.readers.arrays import save_arrays

    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (6, 20, 16, 3), dtype=np.uint8)
    emotion = ["happy", "Sadness", "", "anger", "happy", "wrong"]
    valence = [0.5, -0.5, 0.1, np.nan, 0.2, 0.3]
    split = ["train"] * 4 + ["validation", "test"]
    path = save_arrays(
        tmp_path / "faces.npz", images, emotion=emotion, valence=valence, arousal=np.zeros(6), split=split
    )
    index = load_index(load_spec("arrays"), path)
    source = index.open_images()
    for row, name in enumerate(index.id.tolist()):
        assert (source.load(row) == images[int(name)]).all() and index.split[row] == split[int(name)]
    labels = dict(zip(index.id.tolist(), index.emotion.tolist(), strict=True))
    assert {name: code < 0 or index.labels[code] for name, code in labels.items()}["1"] == "sad"
    assert labels["2"] == -1 and np.isnan(index.valence[index.id == "3"]).all()


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"images": np.zeros((2, 4, 4), np.float32)}, "images expects"),
        ({"images": np.zeros((2, 4, 4), np.uint8), "valence": [0.1]}, "valence expects"),
        ({"images": np.zeros((2, 4, 4), np.uint8), "emotion": [0, 1]}, "emotion expects"),
        ({"images": np.zeros((2, 4, 4), np.uint8), "mood": ["x", "y"]}, "Received: images, mood"),
    ],
)
def test_arrays_of_other_kinds_are_refused(tmp_path, arrays, message):
    from fer_keras.readers.arrays import save_arrays

    with pytest.raises(ValueError, match=message):
        save_arrays(tmp_path / "faces.npz", **arrays)
    np.savez(tmp_path / "raw.npz", **arrays)
    with pytest.raises(ValueError, match=message):
        load_index(load_spec("arrays"), tmp_path / "raw.npz")
