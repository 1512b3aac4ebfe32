"""Faces of equal pixels in other files: found across splits, kept together where splits are made, cached."""

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from faces_on_disk import NAMES, face, split_sizes, write_spec

from fer_keras.data import pixel_copies
from fer_keras.data.loading import load_faces, load_index
from fer_keras.data.splits import assign_splits, equal_across_splits
from fer_keras.readers.arrays import save_arrays
from fer_keras.readers.spec import load_spec


def save(path, number, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    flags = [item for pair in options.items() for item in pair]
    image = face(number)
    if path.suffix == ".rgba":
        path, image = path.with_suffix(".png"), np.dstack([face(number)] * 3 + [np.full_like(face(number), 128)])
    assert cv2.imwrite(str(path), image, [int(flag) for flag in flags])
    return path


def jpeg_with_a_comment(path):
    data = path.read_bytes()
    path.write_bytes(data[:2] + b"\xff\xfe\x00\x08edited" + data[2:])


COPIES = {
    "png": lambda path, number: save(path.with_suffix(".png"), number, **{str(cv2.IMWRITE_PNG_COMPRESSION): 0}),
    "bmp": lambda path, number: save(path.with_suffix(".bmp"), number),
    "tiff": lambda path, number: save(path.with_suffix(".tif"), number),
    "webp": lambda path, number: save(path.with_suffix(".webp"), number, **{str(cv2.IMWRITE_WEBP_QUALITY): 101}),
    "rgb with alpha": lambda path, number: save(path.with_suffix(".rgba"), number),
    "pgm without suffix": lambda path, number: save(path.with_suffix(".pgm"), number).rename(path.with_suffix("")),
}


def write_set(root, copy):
    """40 training faces as PNG, and every fourth of them once more in test/."""
    for number in range(40):
        name = NAMES[number % 8]
        save(root / "train" / name / f"{number}.png", number)
        if number % 4 == 0:
            copy(root / "test" / name / f"{number}.png", number)


@pytest.mark.parametrize("form", COPIES)
def test_training_faces_that_are_in_test_as_another_file_are_dropped(tmp_path, form):
    write_set(tmp_path / "set", COPIES[form])
    index = load_faces("image_folder", str(tmp_path / "set"), validation_fraction=0)
    assert split_sizes(index) == {"test": 10, "train": 30}
    reason = "train face that is also in test, by equal pixels in another file"
    assert index.report.dropped == {reason: 10}
    assert index.report.examples[reason][0].startswith("train/train/")
    assert equal_across_splits(index) == 0


def test_a_jpeg_with_another_comment_is_the_same_picture(tmp_path):
    root = tmp_path / "set"
    for number in range(12):
        path = save(root / "train" / NAMES[number % 4] / f"{number}.jpg", number)
        if number < 4:
            copy = root / "test" / NAMES[number % 4] / f"{number}.jpg"
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
            jpeg_with_a_comment(copy)
    assert split_sizes(load_faces("image_folder", str(root), validation_fraction=0)) == {"test": 4, "train": 8}


def test_copies_stay_together_where_splits_are_made(tmp_path):
    root = tmp_path / "set"
    for number in range(40):
        for suffix in (".png", ".bmp"):
            save(root / NAMES[number % 4] / f"{number}{suffix}", number)
    index = load_faces("image_folder", str(root), validation_fraction=0.3, test_fraction=0.3)
    split_of: dict[str, set] = {}
    for path, split in zip(index.path.tolist(), index.split.tolist(), strict=True):
        split_of.setdefault(path.rpartition(".")[0], set()).add(split)
    assert len(index) == 80 and len(split_of) == 40 and all(len(splits) == 1 for splits in split_of.values())


def test_sets_without_copies_are_split_as_ever(tmp_path):
    root = tmp_path / "set"
    for number in range(48):
        save(root / NAMES[number % 8] / f"{number}.png", number)
    index = load_index(load_spec("image_folder"), root, tmp_path / "cache")
    before = load_faces("image_folder", str(root))
    contents, left = pixel_copies.pixel_contents(index)
    assert (contents == index.content).all() and left == 0
    assert before.fingerprint() == assign_splits(index).fingerprint()


def test_cells_and_arrays_are_compared_too(tmp_path):
    cells = [cv2.imencode(".bmp" if number % 2 else ".png", face(number // 2))[1].tobytes() for number in range(16)]
    table = {"image": cells, "emotion": ["happy", "sad"] * 8, "split": ["train", "test"] * 8}
    pq.write_table(pa.table(table), tmp_path / "t.parquet")
    spec = write_spec(tmp_path, "face_table")
    assert split_sizes(load_faces(spec, str(tmp_path / "t.parquet"))) == {"test": 8}
    path = save_arrays(
        tmp_path / "a.npz", np.stack([face(n) for n in range(8)]), emotion=["happy"] * 8, split=["train"] * 8
    )
    other = tmp_path / "other"
    other.mkdir()
    joined = load_faces(
        f"{write_spec(other, 'arrays')},{spec}", f"{path},{tmp_path / 't.parquet'}", validation_fraction=0
    )
    assert split_sizes(joined) == {"test": 8}
    assert any("of another data set" in reason for reason in joined.report.dropped)


def test_hashes_are_cached_and_a_damaged_cache_is_made_again(tmp_path, monkeypatch):
    monkeypatch.setenv("FER_KERAS_CACHE", str(tmp_path / "cache"))
    write_set(tmp_path / "set", COPIES["bmp"])
    sizes = split_sizes(load_faces("image_folder", str(tmp_path / "set")))
    with monkeypatch.context() as patch:
        patch.setattr(pixel_copies, "_hash_face", lambda *args: pytest.fail("decoded again"))
        assert split_sizes(load_faces("image_folder", str(tmp_path / "set"))) == sizes
    kept = next((tmp_path / "cache" / "pixels").iterdir())
    kept.write_bytes(b"\x93NUMPY damaged")
    assert split_sizes(load_faces("image_folder", str(tmp_path / "set"))) == sizes


def test_beyond_the_budget_only_faces_of_several_formats_are_decoded(tmp_path):
    root = tmp_path / "set"
    for number in range(8):
        save(root / NAMES[number % 2] / f"{number}.png", number)
    index = load_index(load_spec("image_folder"), root, tmp_path / "cache")
    contents, left = pixel_copies.pixel_contents(index, budget=100)
    assert left == 8 and (contents == index.content).all()
    assert pixel_copies.pixel_contents(index)[1] == 0


def test_faces_in_arrays_alone_are_never_decoded(tmp_path, monkeypatch):
    monkeypatch.setattr(pixel_copies, "_hash_face", lambda *args: pytest.fail("decoded"))
    path = save_arrays(tmp_path / "a.npz", np.stack([face(n) for n in range(8)]), emotion=["happy", "sad"] * 4)
    assert len(load_faces(write_spec(tmp_path, "arrays"), str(path))) == 8
