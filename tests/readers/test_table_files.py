"""Tables as people's programs write them: separators, encodings, headers, bad lines, doubled columns, pictures elsewhere."""

import base64

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from faces_on_disk import NAMES, face, split_sizes, write_face, write_spec

from fer_keras.data.loading import load_index
from fer_keras.readers.spec import load_spec
from fer_keras.readers.table_file import open_table


@pytest.fixture
def pictures(tmp_path):
    """Eight pictures under img/; returns (path, emotion) of each."""
    return [
        (f"img/{number}.png", write_face(tmp_path / f"img/{number}.png", number) and name)
        for number, name in enumerate(NAMES)
    ]


def read(tmp_path, file, targets=("emotion",), more=""):
    return load_index(load_spec(write_spec(tmp_path, "face_table", targets, more)), tmp_path / file, tmp_path / "cache")


def lines(pictures, separator=",", header=("image", "emotion")) -> str:
    return "\n".join([separator.join(header), *(separator.join(row) for row in pictures), ""])


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_separators_and_encodings_are_decided(tmp_path, pictures, separator, encoding):
    (tmp_path / "t.csv").write_bytes(lines(pictures, separator).replace("\n", "\r\n").encode(encoding))
    index = read(tmp_path, "t.csv")
    assert len(index) == 8 and [index.labels[code] for code in index.emotion] == list(NAMES)
    assert index.report.dropped == {}


def test_western_encodings_are_read_and_noted(tmp_path):
    path = write_face(tmp_path / "visage-é.png", 0)
    write_face(tmp_path / "b.png", 1)
    (tmp_path / "t.csv").write_bytes(f"image,emotion\n{path.name},happy\nb.png,sad\n".encode("cp1252"))
    index = read(tmp_path, "t.csv")
    assert index.path.tolist() == ["visage-é.png", "b.png"]
    assert index.report.warnings == {"table that is not UTF-8, read as cp1252": 1}


def test_excels_separator_line_quotes_and_decimal_commas(tmp_path, pictures):
    rows = [f'"{path}";"{name}";"0,5";"-0,25"' for path, name in pictures]
    text = "\r\n".join(["sep=;", '"Image";"Emotion";"Valence";"Arousal"', *rows, ""])
    (tmp_path / "t.csv").write_bytes(text.encode("utf-8-sig"))
    index = read(tmp_path, "t.csv", ("emotion", "valence", "arousal"))
    assert len(index) == 8 and (index.valence == 0.5).all() and (index.arousal == -0.25).all()


def test_a_table_is_told_by_content_not_by_suffix(tmp_path, pictures):
    paths, names = zip(*pictures, strict=True)
    pq.write_table(pa.table({"image": paths, "emotion": names}), tmp_path / "really_parquet.csv")
    (tmp_path / "really_text.parquet").write_text(lines(pictures))
    assert len(read(tmp_path, "really_parquet.csv")) == len(read(tmp_path, "really_text.parquet")) == 8


@pytest.mark.parametrize("content", [bytes(range(256)) * 9, b"\x00\x01\x02" * 900, b"PAR1 and no more"])
def test_what_is_no_table_is_refused_in_one_line(tmp_path, content):
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(ValueError, match="is not a readable table|lacks the column") as caught:
        read(tmp_path, "t.csv")
    assert "\n" not in str(caught.value)


def test_a_column_that_stands_twice(tmp_path, pictures):
    rows = [f"{path},{name},{name}" for path, name in pictures]
    (tmp_path / "same.csv").write_text("\n".join(["image,emotion,emotion", *rows]))
    index = read(tmp_path, "same.csv")
    assert len(index) == 8 and index.report.warnings == {"column 'emotion' that stands twice with the same values": 1}
    (tmp_path / "other.csv").write_text("\n".join(["image,emotion,emotion", *rows[1:], "img/0.png,happy,sad"]))
    with pytest.raises(ValueError, match="'emotion' 2 times with different values.*columns 2 and 3"):
        read(tmp_path, "other.csv")
    (tmp_path / "unused.csv").write_text(
        "\n".join(["image,emotion,x,x", *(f"{path},{name},1,2" for path, name in pictures)])
    )
    assert len(read(tmp_path, "unused.csv")) == 8
    pixels = " ".join(["7"] * 2304)
    (tmp_path / "fer2013.csv").write_text(f"emotion,pixels,pixels,Usage\n3,{pixels},{pixels},Training\n")
    assert len(load_index(load_spec("fer2013"), tmp_path / "fer2013.csv", tmp_path / "cache")) == 1


def test_bad_lines_are_told_with_their_numbers(tmp_path, pictures):
    rows = [",".join(row) for row in pictures]
    rows[2:2] = ["", "a,b,c,d"]
    rows[6:6] = [f"{write_face(tmp_path / 'new.png', 50).name},mystery"]
    (tmp_path / "t.csv").write_text("\n".join(["image,emotion", *rows, "img/7.png"]))
    report = read(tmp_path, "t.csv").report
    assert report.dropped == {
        "bad line (4 fields in place of 2)": 1,
        "unknown label mystery": 1,
        "bad line (1 fields in place of 2)": 1,
    }
    assert report.examples == {
        "bad line (4 fields in place of 2)": ["t.csv at line 5"],
        "unknown label mystery": ["new.png at line 8"],
        "bad line (1 fields in place of 2)": ["t.csv at line 13"],
    }


MISSING = {
    "C:\\data\\img\\0.png": "first tried: {root}/C:/data/img/0.png. .*lies there at img/0.png",
    "0.png": "first tried: {root}/0.png. .*lies there at img/0.png",
    "img/0": "first tried: {root}/img/0. .*lies there at img/0.png",
    "gone/x.png": "first tried: {root}/gone/x.png. .*no picture of that name",
    "https://example.org/0.png": "address on the web.*such as https://example.org/0.png at line 2",
}


@pytest.mark.parametrize("cell", MISSING)
def test_pictures_that_are_not_there_are_told_with_a_path_that_was_tried(tmp_path, pictures, cell):
    (tmp_path / "t.csv").write_text(f"image,emotion\n{cell},happy\n")
    with pytest.raises(ValueError, match=MISSING[cell].format(root=tmp_path)):
        read(tmp_path, "t.csv")


def test_cells_without_an_image_or_with_an_impossible_path_cost_one_line(tmp_path, pictures):
    (tmp_path / "t.csv").write_bytes(lines(pictures).encode() + b",happy\na\0b.png,happy\n")
    report = read(tmp_path, "t.csv").report
    assert report.dropped == {"line without an image": 1, "image not readable (embedded null byte)": 1}


def test_images_in_a_folder_of_the_folders_own_name_are_found(tmp_path, pictures):
    (tmp_path / "set" / "img").mkdir(parents=True)
    (tmp_path / "img").rename(tmp_path / "set" / "img" / "img")
    (tmp_path / "set" / "t.csv").write_text(lines([(path.removeprefix("img/"), name) for path, name in pictures]))
    index = read(tmp_path, "set", more='options = {images = "img"}')
    assert len(index) == 8 and index.path[0] == "img/img/0.png"


def test_a_table_deeper_in_the_folder_is_found(tmp_path, pictures):
    (tmp_path / "download" / "set").mkdir(parents=True)
    (tmp_path / "img").rename(tmp_path / "download" / "set" / "img")
    (tmp_path / "download" / "set" / "t.csv").write_text(lines(pictures))
    index = read(tmp_path, "download")
    assert len(index) == 8 and index.path[0] == "set/img/0.png"


def test_several_tables_of_which_nothing_says_what_they_are(tmp_path, pictures):
    (tmp_path / "set").mkdir()
    for name in ("a", "b"):
        (tmp_path / "set" / f"{name}.csv").write_text(lines(pictures))
    with pytest.raises(ValueError, match="Received: a.csv, b.csv.*train.csv and test.csv"):
        read(tmp_path, "set")


RAFDB = ("surprise", "fear", "disgust", "happy", "sad", "anger", "neutral")


COMPOUND = load_spec("rafdb_compound").class_names


@pytest.mark.parametrize(
    "spec, top, names",
    [*(("rafdb", top, RAFDB) for top in ("", "basic", "RAF-DB/basic")), ("rafdb_compound", "compound", COMPOUND)],
)
def test_rafdbs_list_file(tmp_path, spec, top, names):
    base, rows = tmp_path / "raf" / top, []
    for number in range(28):
        name = f"{'train' if number < 21 else 'test'}_{number:05}"
        write_face(base / "Image" / "aligned" / f"{name}_aligned.jpg", number, ".jpg")
        rows.append(f"{name}.jpg {number % len(names) + 1}")
    (base / "EmoLabel").mkdir()
    (base / "EmoLabel" / "list_patition_label.txt").write_text("\n".join(rows) + "\n")
    index = load_index(load_spec(spec), tmp_path / "raf", tmp_path / "cache")
    assert split_sizes(index) == {"test": 7, "train": 21} and index.report.dropped == {}
    for row, path in enumerate(index.path.tolist()):
        assert index.labels[index.emotion[row]] == names[int(path.split("_")[-2]) % len(names)]
        assert index.open_images().load(row).shape == (12, 12, 3)


def fer2013(path, rows, header="emotion,pixels,Usage", encoding="utf-8", end=""):
    pixels = " ".join(map(str, face(0, 48).ravel()))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(("\n".join([header, *(row.format(p=pixels) for row in rows)]) + "\n" + end).encode(encoding))
    return load_index(load_spec("fer2013"), path)


@pytest.mark.parametrize(
    ("header", "row", "encoding"),
    [
        ("emotion,pixels,Usage", "3,{p},Training", "utf-8-sig"),
        ('"emotion","pixels","Usage"', '"3","{p}","Training"', "utf-8"),
        ("emotion;pixels;Usage", "3;{p};Training", "utf-8-sig"),
        ("EMOTION\tPIXELS\tUSAGE", "3\t{p}\tTraining", "utf-16"),
        ("emotion,pixels,Usage", "3.0,{p},train", "utf-8"),
        ("emotion,pixels,Usage", "Happy,{p}, Training ", "utf-8"),
        ("emotion,pixels", "happiness,{p}", "utf-8"),
    ],
    ids=["mark", "quotes", "semicolons", "utf16", "float", "name", "no usage"],
)
def test_fer2013_as_other_programs_save_it(tmp_path, header, row, encoding):
    index = fer2013(tmp_path / "f.csv", [row] * 3, header, encoding)
    assert len(index) == 3 and {index.labels[code] for code in index.emotion} == {"happy"}
    assert set(index.split.tolist()) == ({"train"} if "sage" in header.lower() else {""})


def test_bad_lines_of_fer2013_keep_the_ids_of_the_others(tmp_path):
    rows = ["3,{p},Training", "a,b,c,d,e", "4,{p},Training", "3,70 80 82,Training", "9,{p},Training"]
    index = fer2013(tmp_path / "f.csv", rows, end="3,70 80")
    assert index.id.tolist() == ["fer0000000.png", "fer0000002.png"], "as FER+ numbers the lines"
    assert index.report.examples == {
        "unreadable pixels (3 values)": ["train/fer0000003.png at line 5"],
        "unknown label 9": ["train/fer0000004.png at line 6"],
        "bad line (5 fields in place of 3)": ["fer0000001.png at line 3"],
        "bad line (2 fields in place of 3)": ["fer0000005.png at line 7"],
    }
    assert (index.open_images().load(1)[..., 0] == face(0, 48)).all()


def test_fer2013_in_the_folders_that_its_archive_makes(tmp_path):
    fer2013(tmp_path / "kaggle" / "fer2013" / "fer2013.csv", ["3,{p},Training"])
    (tmp_path / "kaggle" / "fer2013" / "train.csv").write_text("x")
    index = load_index(load_spec("fer2013"), tmp_path / "kaggle")
    assert len(index) == 1 and index.report.examples["data file outside the layout"] == ["fer2013/train.csv"]
    assert index.open_images().load(0).shape == (48, 48, 3)


def test_the_challenges_unlabelled_file_is_named(tmp_path):
    with pytest.raises(ValueError, match="which has no labels"):
        fer2013(tmp_path / "test.csv", ["{p}"], "pixels")


def test_ferplus_tables_with_a_mark_semicolons_and_bad_lines(tmp_path):
    folder = tmp_path / "votes" / "FER2013Train" / "FER2013Train"
    for number in range(3):
        write_face(folder / f"fer{number}.png", number, side=48)
    rows = [f'fer{number}.png;"(0, 0, 48, 48)";0;9;0;0;0;0;0;0;0;0' for number in range(2)]
    (folder / "label.csv").write_bytes("\n".join([*rows, "", "fer9.png;x;1"]).encode("utf-8-sig"))
    index = load_index(load_spec("ferplus"), tmp_path / "votes", tmp_path / "cache")
    assert split_sizes(index) == {"train": 2} and {index.labels[code] for code in index.emotion} == {"happy"}
    assert index.report.examples["bad line in label.csv"] == ["train/fer9.png at line 4"]
    assert index.report.warnings == {"picture without a line in label.csv": 1}


def test_blank_lines_and_a_missing_last_newline_do_not_shift_line_numbers(tmp_path):
    (tmp_path / "t.csv").write_text("\n\na,b\n\n1,2\n\n3,4")
    table = open_table(tmp_path / "t.csv", ["a"])
    assert table.lines() == [5, 7] and table.column("a").to_pylist() == ["1", "3"]


def test_boxes_outside_their_pictures_are_counted_and_named(tmp_path):
    rows = []
    for number, box in enumerate(["2,2,8,8", "6,6,12,12", "30,30,5,5", "-20,0,5,5", "-3,-3,8,8"]):
        write_face(tmp_path / f"{number}.png", number)
        rows.append(f"{number}.png,happy,{box}")
    (tmp_path / "t.csv").write_text("\n".join(["image,emotion,face_x,face_y,face_width,face_height", *rows]))
    index = read(tmp_path, "t.csv")
    beyond = "face box that reaches beyond its picture (many: the pictures are cut to the face already)"
    assert index.report.dropped == {"face box outside its picture": 2} and index.report.warnings == {beyond: 2}
    assert index.report.examples == {
        "face box outside its picture": ["2.png at line 4", "3.png at line 5"],
        beyond: ["1.png at line 3", "4.png at line 6"],
    }
    assert all(index.open_images().load(row).shape[2] == 3 for row in range(len(index)))


def test_a_box_in_a_turned_photo_is_judged_upright(tmp_path):
    data = write_face(tmp_path / "a.jpg", 0, ".jpg", side=32).read_bytes()
    import cv2

    wide = cv2.imencode(".jpg", np.hstack([face(0, 32), face(1, 32)]))[1].tobytes()
    exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"
    turned = wide[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + wide[2:]
    (tmp_path / "turned.jpg").write_bytes(turned)
    (tmp_path / "t.csv").write_text(
        "image,emotion,face_x,face_y,face_width,face_height\nturned.jpg,happy,4,40,20,20\na.jpg,sad,0,0,32,32\n"
    )
    index = read(tmp_path, "t.csv")
    assert data and len(index) == 2 and index.report.warnings == {} and index.report.dropped == {}


@pytest.mark.parametrize("column", ["label", "Emotion Label", "emotions", "expr", "class_name", "category", "target"])
@pytest.mark.parametrize("image", ["img_name", "subDirectory_filePath", "picture"])
def test_usual_names_of_columns_are_known(tmp_path, pictures, column, image):
    (tmp_path / "t.csv").write_text(lines(pictures, header=(image, column)))
    assert len(read(tmp_path, "t.csv")) == 8


@pytest.mark.parametrize("column", ["Usage", "set", "partition", "phase", "Data_Split"])
def test_a_column_of_split_words_is_the_split_whatever_it_is_called(tmp_path, pictures, column):
    words = ["Training"] * 4 + ["PublicTest"] * 2 + ["PrivateTest"] * 2
    rows = [(*row, word) for row, word in zip(pictures, words, strict=True)]
    (tmp_path / "t.csv").write_text(lines(rows, header=("image", "emotion", column)))
    assert split_sizes(read(tmp_path, "t.csv")) == {"test": 2, "train": 4, "validation": 2}


@pytest.mark.parametrize("words", [["png"] * 8, [str(number % 5) for number in range(8)], ["train"] * 7 + ["png"]])
def test_a_column_of_other_words_is_no_split(tmp_path, pictures, words):
    rows = [(*row, word) for row, word in zip(pictures, words, strict=True)]
    (tmp_path / "t.csv").write_text(lines(rows, header=("image", "emotion", "type")))
    assert split_sizes(read(tmp_path, "t.csv")) == {"": 8}


@pytest.mark.parametrize(
    "text, said",
    [
        ('{"image": "a.png", "emotion": "happy"}\n', "It holds JSON, which is not read"),
        ("a.png,happy\nb.png,sad\n", "Its first line looks like a row: say header"),
        ("image emotion\na.png happy\n", "Spaces separate its columns"),
        ("emotion,pixels\n3,0 1 2 3\n", "Pixels in a column are read by --data-spec fer2013"),
        ("image,happy,sad,fear\na.png,1,0,0\n", "It has a column for each emotion"),
    ],
)
def test_other_tables_are_told_apart(tmp_path, text, said):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(ValueError, match="lacks the column") as refused:
        read(tmp_path, "t.csv")
    assert said in str(refused.value)


def test_base64_in_a_table_is_said_in_few_words(tmp_path, pictures):
    text = base64.b64encode((tmp_path / pictures[0][0]).read_bytes()).decode()
    (tmp_path / "t.csv").write_text(f'image,emotion\n"data:image/png;base64,{text}",happy\n{text * 3},sad\n')
    with pytest.raises(ValueError, match="2 x image is base64 text, which is not read.*at line 2") as refused:
        read(tmp_path, "t.csv")
    assert len(str(refused.value)) < 600


def test_numbers_with_a_point_are_recognised_as_those_of_a_data_set(tmp_path, pictures):
    rows = [(path, f"{number}.0") for number, (path, _) in enumerate(pictures)]
    (tmp_path / "t.csv").write_text(lines(rows))
    with pytest.raises(ValueError, match="AffectNet numbers its classes so"):
        read(tmp_path, "t.csv")


def test_a_lone_carriage_return_in_a_cell_costs_its_row_only(tmp_path):
    lines = ["image,emotion,valence,arousal", "a.png,happy,0.5,0.5", "b.png,sad,\r,0.1", "c.png,anger,0.1,0.2"]
    (tmp_path / "faces.csv").write_bytes("\n".join(lines).encode() + b"\n")
    table = open_table(tmp_path / "faces.csv", ("image", "emotion"))
    assert len(table.lines()) == table.table.num_rows and table.column("image")[0].as_py() == "a.png"
