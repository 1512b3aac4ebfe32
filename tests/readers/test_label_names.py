"""Labels as files have them: codes as text or floats, names in any form; unknown ones are named with the fix."""

import numpy as np
import pytest
from faces_on_disk import NAMES, face, write_face, write_spec

from fer_keras.data.loading import load_index
from fer_keras.readers.arrays import save_arrays
from fer_keras.readers.names import UnknownLabels, find_emotion, guess_emotion, labels_table
from fer_keras.readers.spec import load_spec

FER2013 = load_spec("fer2013")


@pytest.mark.parametrize("label", ["3", "3.0", " 3 ", "3.000", "Happy", "HAPPINESS", "joy", "3_happy", "3 - Happy"])
def test_codes_and_names_are_understood_alike(label):
    assert find_emotion(FER2013, label) == "happy"


@pytest.mark.parametrize("label", ["9", "3.5", "-3", "", "bored", "nan"])
def test_others_are_not_guessed(label):
    assert find_emotion(FER2013, label) is None


def table(tmp_path, labels, more=""):
    lines = [f"{write_face(tmp_path / f'{n}.png', n).name},{label}" for n, label in enumerate(labels)]
    (tmp_path / "t.csv").write_text("\n".join(["image,emotion", *lines]))
    return load_index(load_spec(write_spec(tmp_path, "face_table", more=more)), tmp_path / "t.csv", tmp_path / "cache")


def test_unknown_labels_are_named_with_the_lines_to_write(tmp_path):
    with pytest.raises(
        UnknownLabels, match='2 x unknown label 0.*1 x unknown label wütend.*"wütend" = "anger"'
    ) as caught:
        table(tmp_path, ["0", "0.0", "wütend"][:1] + ["0", "wütend"])
    assert caught.value.names == ("0", "wütend")


def test_unknown_labels_among_known_ones_are_counted_and_named(tmp_path):
    report = table(tmp_path, ["happy", "Sadness", "bored", "bored"]).report
    assert report.dropped == {"unknown label bored": 2}
    assert report.examples["unknown label bored"] == ["2.png at line 4", "3.png at line 5"]


def test_many_unknown_labels_do_not_flood_the_report(tmp_path):
    report = table(tmp_path, ["happy", *(f"text {number}" for number in range(40))]).report
    assert len(report.dropped) == 21 and report.dropped["unknown label (others)"] == 20


def test_dropped_codes_count_whatever_way_they_are_written(tmp_path):
    more = 'labels = {0 = "happy"}\ndrop_labels = {9 = "uncertain"}'
    report = table(tmp_path, ["0", "0.0", "9", "9.0"], more).report
    assert report.dropped == {"label 9 (uncertain)": 2} and report.found == 4


def test_an_emotion_that_a_set_cannot_hold_is_unknown_there(tmp_path):
    pixels = " ".join(["7"] * 2304)
    (tmp_path / "f.csv").write_text(f"emotion,pixels\ncontempt,{pixels}\nHappy,{pixels}\n")
    index = load_index(FER2013, tmp_path / "f.csv", tmp_path / "cache")
    assert len(index) == 1 and index.report.dropped == {"unknown label contempt": 1}


def test_arrays_take_any_name(tmp_path):
    names = [name.upper() for name in NAMES]
    path = save_arrays(tmp_path / "a.npz", np.stack([face(number) for number in range(8)]), emotion=names)
    index = load_index(load_spec(write_spec(tmp_path, "arrays")), path, tmp_path / "cache")
    assert [index.labels[code] for code in index.emotion] == list(NAMES)


@pytest.mark.parametrize(
    ("name", "emotion"),
    [
        ("Colère", "anger"),
        ("cole\u0300re", "anger"),
        ("suprise", "surprise"),
        ("disguest", "disgust"),
        ("Freude", "happy"),
    ],
)
def test_misspelt_and_foreign_names_are_suggested(name, emotion):
    assert guess_emotion(name) == emotion


def test_a_name_with_quotes_stays_toml(tmp_path):
    lines = labels_table(['a"b\\c', "peur"])
    path = tmp_path / "x.toml"
    path.write_text("\n".join(line.replace("# ", "", 1).replace('"..."', '"sad"') for line in lines), encoding="utf-8")
    import tomllib

    assert tomllib.loads(path.read_text(encoding="utf-8"))["labels"] == {'a"b\\c': "sad", "peur": "fear"}


def test_a_spec_saved_by_notepad_is_read(tmp_path):
    path = tmp_path / "mine.toml"
    write_spec(tmp_path, "image_folder")
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert load_spec(path).name == "mine"


@pytest.mark.parametrize(
    "codes, refused", [(range(1, 8), True), (range(-1, 6), True), (range(7), False), (range(1, 7), False)]
)
def test_codes_that_are_all_one_off_are_refused(tmp_path, codes, refused):
    """FER2013's 0 to 6 written as 1 to 7: each face would get its neighbour's emotion."""
    pixels = " ".join(["7"] * 2303)
    rows = [f"{code},{number} {pixels},Training" for number, code in enumerate(codes)]
    (tmp_path / "fer2013.csv").write_text("\n".join(["emotion,pixels,Usage", *rows, ""]))
    if refused:
        with pytest.raises(ValueError, match=r"from 0 to 6 \(0 anger, 1 disgust.*Received: -?1 to [57], so that"):
            load_index(FER2013, tmp_path / "fer2013.csv", tmp_path / "cache")
    else:
        assert len(load_index(FER2013, tmp_path / "fer2013.csv", tmp_path / "cache")) == len(codes)


def test_fer2013_s_columns_go_by_other_names_too(tmp_path):
    pixels = " ".join(["7"] * 2303)
    rows = [f"{code},{code} {pixels},{word}" for code, word in enumerate(["train", "train", "val", "test"])]
    (tmp_path / "faces.csv").write_text("\n".join(["label,pixels,set", *rows, ""]))
    index = load_index(FER2013, tmp_path / "faces.csv", tmp_path / "cache")
    assert index.split.tolist() == ["train", "train", "validation", "test"]
