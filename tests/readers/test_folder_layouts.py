"""Class folders as they come: beside splits, nested, with persons, numbered, foreign; no picture is lost without a count."""

import numpy as np
import pytest
from faces_on_disk import NAMES, face, split_sizes, write_classes, write_face, write_spec

from fer_keras.data.loading import load_faces, load_index
from fer_keras.data.splits import assign_splits
from fer_keras.readers.names import UnknownLabels
from fer_keras.readers.spec import load_spec


def read(root, spec="image_folder"):
    return load_index(load_spec(spec), root, root.parent / "cache")


def labels_by_path(index) -> dict[str, str]:
    return {str(path): index.labels[code] for path, code in zip(index.path, index.emotion, strict=True)}


def test_class_folders_beside_a_split_folder_are_training_faces(tmp_path):
    root = tmp_path / "set"
    write_classes(root)
    write_classes(root / "test", first=5000)
    index = read(root)
    assert split_sizes(index) == {"": 16, "test": 16}
    reason = "class folder beside split folders, its faces go into training"
    assert index.report.warnings == {reason: 8} and len(index.report.examples[reason]) == 5
    sizes = split_sizes(load_faces("image_folder", str(root)))
    assert sizes == {"test": 16, "train": 16}, "two faces of a class are too few for a validation split"


def test_loose_files_and_folders_that_are_no_split_are_counted_and_named(tmp_path):
    root = tmp_path / "set"
    write_classes(root / "train")
    write_face(root / "train" / "loose.png", 7000)
    write_face(root / "top.jpg", 7001, ".jpg")
    write_face(root / "old" / "happy" / "a.png", 7002)
    write_face(root / "train" / "bored" / "b.png", 7003)
    (root / "labels.csv").write_text("x")
    (root / "README.md").write_text("x")
    (root / "images.zip").write_bytes(b"PK\x03\x04")
    report = read(root).report
    assert report.found == 16 and report.warnings == {
        "picture outside the class folders": 2,
        "data file outside the layout": 1,
        "archive that is not unpacked": 1,
        "file in a folder that is no split: old": 1,
        "file in a folder that is no emotion: train/bored": 1,
    }
    assert report.examples["picture outside the class folders"] == ["top.jpg", "train/loose.png"]
    assert report.examples["file in a folder that is no split: old"] == ["old/happy/a.png"]


@pytest.mark.parametrize("order", ["class/person", "person/class"])
@pytest.mark.parametrize("split", ["", "train"])
def test_persons_are_subjects(tmp_path, order, split):
    root = tmp_path / "set"
    for place, name in enumerate(NAMES):
        for person in range(6):
            folder = (
                root / split / name / f"S{person:03}"
                if order == "class/person"
                else root / split / f"S{person:03}" / name
            )
            write_face(folder / "1.png", place * 10 + person)
    index = read(root)
    assert len(index) == 48 and index.report.warnings == {}
    assert all(f"/{subject}/" in f"/{path}" for subject, path in zip(index.subject, index.path, strict=True))
    held = assign_splits(index, 0.2, 0.2)
    split_of = {subject: set(held.split[held.subject == subject].tolist()) for subject in set(held.subject.tolist())}
    assert len(split_of) == 6 and all(len(splits) == 1 for splits in split_of.values())
    assert len(set(held.split.tolist())) == (2 if split else 3)


def test_pictures_beside_a_deeper_folder_are_all_read_and_no_persons(tmp_path):
    root = tmp_path / "set"
    for place, name in enumerate(NAMES):
        write_face(root / name / "0.png", place)
        for number in range(2):
            write_face(root / name / "more" / f"{number}.png", 100 + place * 2 + number)
    index = read(root)
    assert len(index) == 24 and index.report.warnings == {} and set(index.subject.tolist()) == {""}


def test_folders_that_hold_no_persons_are_not_taken_for_them(tmp_path):
    root = tmp_path / "set"
    for place, name in enumerate(NAMES):
        for number, part in enumerate(["part1", "part2", "part3", "augmented"]):
            write_face(root / name / part / "0.png", place * 10 + number)
    assert set(read(root).subject.tolist()) == {""}


@pytest.mark.parametrize(
    "wrapper", ["train/train", "archive (3)/DATASET/train", "train/images", "data/train_set/train_set"]
)
def test_wrappers_and_doubled_folders_are_looked_through(tmp_path, wrapper):
    root = tmp_path / "set"
    write_classes(root / wrapper)
    index = read(root)
    assert split_sizes(index) == {"train": 16} and index.report.warnings == {} and set(index.subject.tolist()) == {""}


def test_splits_below_the_classes(tmp_path):
    root = tmp_path / "set"
    for name in NAMES:
        for place, split in enumerate(["train", "val", "test"]):
            write_face(root / name / split / "0.png", NAMES.index(name) * 10 + place)
    assert split_sizes(read(root)) == {"test": 8, "train": 8, "validation": 8}


def test_a_folder_of_two_emotions_is_not_guessed_at(tmp_path):
    root = tmp_path / "set"
    write_classes(root)
    write_face(root / "happy" / "sad" / "0.png", 999)
    index = read(root)
    assert len(index) == 16 and index.report.warnings == {"file in a folder of two emotions: happy/sad": 1}


def test_files_are_told_by_content(tmp_path):
    root = tmp_path / "set"
    for number, name in enumerate(["a.jfif", "b", "c.dat", "d.png"]):
        write_face(root / "happy" / name, number, ".jpg")
    (root / "happy" / "Thumbs.db").write_bytes(b"x")
    write_face(root / "sad" / "e.webp", 9, ".webp")
    index = read(root)
    assert sorted(labels_by_path(index)) == ["happy/a.jfif", "happy/b", "happy/c.dat", "happy/d.png", "sad/e.webp"]
    assert index.report.warnings == {"file that is no image": 1}
    assert index.report.examples["file that is no image"] == ["happy/Thumbs.db"]
    assert index.open_images().load(1).shape == (12, 12, 3)


RAFDB = ("surprise", "fear", "disgust", "happy", "sad", "anger", "neutral")


@pytest.mark.parametrize("top", ["", "DATASET"])
def test_rafdbs_numbered_folders(tmp_path, top):
    root = tmp_path / "raf"
    for split, first in (("train", 0), ("test", 5000)):
        write_classes(root / top / split, [str(code) for code in range(1, 8)], first=first)
    with pytest.raises(UnknownLabels, match="Received: 1, 2, 3, 4, 5, 6, 7. RAF-DB .*--data-spec rafdb_folders"):
        read(root)
    index = read(root, "rafdb_folders")
    assert split_sizes(index) == {"test": 14, "train": 14}
    assert all(name == RAFDB[int(path.split("/")[-2]) - 1] for path, name in labels_by_path(index).items())


def test_affectnets_numbered_and_named_folders(tmp_path):
    root = tmp_path / "affectnet"
    write_classes(root / "train", [str(code) for code in range(8)])
    write_classes(
        root / "val", ("Neutral", "Happy", "Sad", "Surprise", "Fear", "Disgust", "Anger", "Contempt"), first=5000
    )
    with pytest.raises(UnknownLabels, match="--data-spec affectnet_folders"):
        read(root / "train")
    index = read(root, "affectnet_folders")
    assert split_sizes(index) == {"train": 16, "validation": 16}
    for path, name in labels_by_path(index).items():
        folder = path.split("/")[1]
        assert name == (NAMES[int(folder)] if folder.isdecimal() else folder.lower())


def test_ckplus_is_split_by_person(tmp_path):
    root = tmp_path / "CK+48"
    for place, name in enumerate(("anger", "contempt", "disgust", "fear", "happy", "sadness", "surprise")):
        for person in range(8):
            for frame in range(3):
                number = place * 100 + person * 10 + frame
                write_face(root / name / f"S{person:03}_00{place}_000000{frame + 10}.png", number)
    index = assign_splits(read(root, "ckplus"), 0.2, 0.2)
    assert sorted(set(index.subject.tolist())) == [f"S{person:03}" for person in range(8)] and len(index) == 168
    assert all(len(set(index.split[index.subject == name].tolist())) == 1 for name in set(index.subject.tolist()))


FRENCH = ("neutre", "joie", "tristesse", "surprise", "peur", "dégoût", "colère", "mépris")


def test_foreign_folders_are_named_with_the_line_to_write(tmp_path):
    root = tmp_path / "set"
    write_classes(root, FRENCH)
    index = read(root)
    assert len(index) == 2 and index.report.warnings["file in a folder that is no emotion: colère"] == 2
    from fer_keras.data.facts import check_classes

    with pytest.raises(
        UnknownLabels, match='Received: surprise. Not recognised: .*colère.*"colère" = "anger"'
    ) as caught:
        check_classes(index, ("emotion",))
    assert set(caught.value.names) == set(FRENCH) - {"surprise"}
    check_classes(index, ("valence",))


def test_many_foreign_folders_do_not_flood_the_report(tmp_path):
    root = tmp_path / "set"
    write_classes(root)
    write_classes(root, [f"thing{number}" for number in range(30)], per_class=1, first=9000)
    warnings = read(root).report.warnings
    assert len(warnings) == 21 and warnings["file in a folder that is no emotion: (others)"] == 10


def test_a_spec_for_foreign_names_can_be_written_and_used(tmp_path):
    from fer_keras.inspect import main

    root = tmp_path / "set"
    write_classes(root, FRENCH[:7] + ("mystère",))
    made = tmp_path / "mine.toml"
    arguments = ["--data-dir", str(root), "--output-dir", str(tmp_path / "out")]
    assert main(["--data-spec", "image_folder", "--write-spec", str(made), *arguments]) == 0
    spec = load_spec(made)
    assert spec.labels == {
        "neutre": "neutral", "joie": "happy", "tristesse": "sad", "peur": "fear", "dégoût": "disgust", "colère": "anger"
    }  # fmt: skip
    assert '# "mystère" = "..."  # one of neutral' in made.read_text(encoding="utf-8")
    assert len(read(root, made)) == 14
    assert main(["--data-spec", "image_folder", "--write-spec", str(made), *arguments]) == 2, "never written over"


def test_a_spec_is_written_where_nothing_could_be_read_at_all(tmp_path, capsys):
    from fer_keras.inspect import main

    root = tmp_path / "set"
    write_classes(root, [str(code) for code in range(1, 8)])
    made = tmp_path / "raf.toml"
    assert main(["--data-spec", "image_folder", "--data-dir", str(root), "--write-spec", str(made)]) == 0
    assert "wrote" in capsys.readouterr().out and '# "4" = "..."' in made.read_text()
    made.write_text(made.read_text().replace('# "4" = "..."', '"4" = "happy"'))
    assert len(read(root, made)) == 2


def test_arrays_of_affectnet_unpacked_into_a_folder_of_its_own_name(tmp_path):
    """train_set/train_set/images and val_set/images are one data set; what belongs to no split is counted."""
    root = tmp_path / "set"
    places = (("train_set/train_set", 10), ("val_set", 4), ("extra", 2))
    number = 0
    for folder, count in places:
        for _ in range(count):
            write_face(root / folder / "images" / f"{number}.jpg", number, ".jpg")
            (root / folder / "annotations").mkdir(exist_ok=True)
            for what, value in (("exp", number % 8), ("val", 0.1), ("aro", 0.2)):
                np.save(root / folder / "annotations" / f"{number}_{what}.npy", np.array(str(value)))
            number += 1
    write_face(root / "val_set" / "images" / "inner" / "x.jpg", 99, ".jpg")
    write_face(root / "stray.png", 98)
    index = read(root, "affectnet")
    assert split_sizes(index) == {"test": 4, "train": 10}
    assert index.path[0] == "train_set/train_set/images/0.jpg" and index.id[0] == "0"
    assert index.report.warnings["picture outside the layout"] == 4
    assert set(index.report.examples["picture outside the layout"]) == {
        "stray.png", "extra/images/14.jpg", "extra/images/15.jpg", "val_set/images/inner/x.jpg"
    }  # fmt: skip


def test_two_folders_of_one_split_keep_their_faces_apart(tmp_path):
    root = tmp_path / "set"
    for first, folder in ((0, "train_set"), (50, "training")):
        for number in range(4):
            write_face(root / folder / "images" / f"{number}.jfif", first + number, ".jpg")
            (root / folder / "annotations").mkdir(exist_ok=True)
            np.save(root / folder / "annotations" / f"{number}_exp.npy", np.array(str(number)))
    index = read(root, "affectnet")
    assert split_sizes(index) == {"train": 8} and len(set(index.id.tolist())) == 8


def test_pictures_beside_a_table_of_faces_that_no_line_names(tmp_path):
    root = tmp_path / "set"
    for number in range(4):
        write_face(root / "img" / f"{number}.png", number)
    (root / "t.csv").write_text("image,emotion\nimg/0.png,happy\nimg/1.png,sad\n")
    report = load_index(load_spec(write_spec(tmp_path, "face_table")), root, tmp_path / "c").report
    assert report.found == 2 and report.warnings == {"picture that no line names": 2}
    assert report.examples["picture that no line names"] == ["img/2.png", "img/3.png"]


def test_pictures_beside_a_file_of_arrays_are_counted(tmp_path):
    from fer_keras.readers.arrays import save_arrays

    save_arrays(tmp_path / "a.npz", np.stack([face(number) for number in range(2)]), emotion=["happy", "sad"])
    write_face(tmp_path / "img" / "0.png", 5)
    index = load_index(load_spec(write_spec(tmp_path, "arrays")), tmp_path, tmp_path / "c")
    assert len(index) == 2 and index.report.warnings == {"picture outside the layout": 1}
