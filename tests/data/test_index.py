"""The index: what it makes of good and bad files, its cache, and the layouts it reads."""

import json
import os
import pickle
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest

from fer_keras.data.index import FaceIndex, IndexReport
from fer_keras.data.loading import load_index
from fer_keras.data.several import join_indexes
from fer_keras.readers.spec import load_spec

SPEC = load_spec("affectnet")


def annotation(root: Path, split: str, what: str, number: int = 0) -> Path:
    """Return one annotation file of a split, `number` counting the sorted ids."""
    return sorted((root / split / "annotations").glob(f"*_{what}.npy"))[number]


def reasons(index) -> dict[str, int]:
    return {**index.report.dropped, **index.report.missing_labels, **index.report.warnings}


def test_the_official_layout_is_read_whole(faces_dir):
    index = load_index(SPEC, faces_dir)
    assert len(index) == 208 and index.report.dropped == {} and index.report.missing_labels == {}
    assert set(index.split.tolist()) == {"train", "test"}
    for row in (0, 100, 207):
        folder = "train_set" if index.split[row] == "train" else "val_set"
        stem = faces_dir / folder / "annotations" / str(index.id[row])
        assert index.emotion[row] == int(str(np.load(f"{stem}_exp.npy")))
        assert index.valence[row] == pytest.approx(float(str(np.load(f"{stem}_val.npy"))), abs=1e-6)
        assert index.arousal[row] == pytest.approx(float(str(np.load(f"{stem}_aro.npy"))), abs=1e-6)
        assert index.landmarks[row].reshape(-1) == pytest.approx(np.load(f"{stem}_lnd.npy"), abs=1e-3)
    assert (index.extent == 48).all()


def test_other_copies_of_the_annotations_read_alike(faces_dir, faces_copy):
    """Ints and floats, 0-d or (1,), landmarks in pairs: as redistributed copies hold them."""
    for path in (faces_copy / "train_set" / "annotations").iterdir():
        array = np.load(path)
        if path.stem.endswith("_exp"):
            np.save(path, np.array([int(str(array))]))
        elif path.stem.endswith("_lnd"):
            np.save(path, array.reshape(68, 2))
        else:
            np.save(path, np.float32(str(array)))
    ours, theirs = load_index(SPEC, faces_dir), load_index(SPEC, faces_copy)
    assert theirs.report.dropped == {} and ours.fingerprint() == theirs.fingerprint()


def test_ids_that_repeat_across_splits_stay_apart(faces_dir):
    index = load_index(SPEC, faces_dir)
    ids = {split: set(index.id[index.split == split].tolist()) for split in ("train", "test")}
    assert ids["train"] & ids["test"], "the drawn set should repeat ids across splits, as AffectNet does"
    assert len(set(zip(index.split.tolist(), index.id.tolist(), strict=True))) == len(index)


BAD_FILES = [
    ("exp", lambda path: path.write_bytes(path.read_bytes()[:60]), "emotion: truncated .npy"),
    ("exp", lambda path: np.save(path, np.array("11")), "emotion: unknown label 11"),
    ("exp", lambda path: np.save(path, np.array("1.5")), "emotion: unknown label 1.5"),
    ("exp", lambda path: np.save(path, np.array("9")), "label 9 (uncertain)"),
    ("val", lambda path: path.unlink(), "valence: no annotation file"),
    ("val", lambda path: np.save(path, np.array("nan")), "valence: not a number"),
    ("val", lambda path: np.save(path, np.array("-2")), "valence: marked as not labelled (-2)"),
    ("aro", lambda path: np.save(path, np.array("1.7")), "arousal: outside -1..1"),
    ("aro", lambda path: np.save(path, np.array({"x": 1}, object), allow_pickle=True), "arousal: pickled .npy refused"),
    ("aro", lambda path: path.write_bytes(pickle.dumps(0.5)), "arousal: not an .npy file"),
    ("lnd", lambda path: np.save(path, np.zeros(10)), "landmarks: not 68 landmarks"),
    ("lnd", lambda path: path.unlink(), "landmarks: no annotation file"),
]


@pytest.mark.parametrize("what, damage, reason", BAD_FILES, ids=[reason for *_, reason in BAD_FILES])
def test_bad_annotations_are_counted_by_reason(faces_copy, what, damage, reason):
    path = annotation(faces_copy, "train_set", what)
    damage(path)
    index = load_index(SPEC, faces_copy)
    assert reasons(index) == {reason: 1}
    stem = path.stem.rpartition("_")[0]
    assert index.report.examples[reason] == [f"train/{stem}"]
    row = np.flatnonzero((index.split == "train") & (index.id == stem))
    if reason.startswith("label"):
        assert not len(row)
    elif what == "lnd":
        assert np.isnan(index.landmarks[row]).all()
    else:
        column = {"exp": "emotion", "val": "valence", "aro": "arousal"}[what]
        value = getattr(index, column)[row[0]]
        assert value == -1 if what == "exp" else np.isnan(value)


BAD_IMAGES = [
    (lambda path: path.write_bytes(b""), "unreadable image (empty file)"),
    (lambda path: path.write_bytes(path.read_bytes()[:400]), "unreadable image (truncated JPEG)"),
    (lambda path: path.write_bytes(b"<html>not found</html>"), "unreadable image (not an image)"),
]


@pytest.mark.parametrize("damage, reason", BAD_IMAGES, ids=[reason for _, reason in BAD_IMAGES])
def test_bad_images_drop_their_row(faces_copy, damage, reason):
    damage(sorted((faces_copy / "train_set" / "images").iterdir())[0])
    index = load_index(SPEC, faces_copy)
    assert index.report.dropped == {reason: 1} and len(index) == 207


def test_a_row_without_any_label_is_dropped(faces_copy):
    for what in ("exp", "val", "aro"):
        annotation(faces_copy, "train_set", what).unlink()
    assert load_index(SPEC, faces_copy).report.dropped == {"no usable label": 1}


def test_annotations_without_images_and_foreign_files_are_told(faces_copy):
    sorted((faces_copy / "train_set" / "images").iterdir())[0].unlink()
    (faces_copy / "train_set" / "images" / "Thumbs.db").write_bytes(b"x")
    assert load_index(SPEC, faces_copy).report.warnings == {
        "annotation without an image": 1,
        "file that is no image": 1,
    }


def test_no_sentinel_gets_past_the_index(faces_copy):
    for number in range(20):
        for what in ("val", "aro"):
            np.save(annotation(faces_copy, "train_set", what, number), np.array("-2"))
    index = load_index(SPEC, faces_copy)
    assert np.nanmin(index.valence) >= -1 and np.nanmin(index.arousal) >= -1
    assert np.isnan(index.valence).sum() == np.isnan(index.arousal).sum() == 20


def test_the_cache_is_used_and_refreshed(faces_copy, monkeypatch):
    first = load_index(SPEC, faces_copy)
    import fer_keras.readers.affectnet as reader

    def forbidden(*args):
        raise AssertionError("read again")

    with monkeypatch.context() as patch:
        patch.setattr(reader, "_read_chunk", forbidden)
        again = load_index(SPEC, faces_copy)
    for name in ("split", "id", "path", "emotion", "valence", "arousal", "landmarks", "content", "extent"):
        one, other = getattr(first, name), getattr(again, name)
        assert one.dtype.kind == other.dtype.kind and one.shape == other.shape
        assert ((one == other) | ((one != one) & (other != other))).all()
    assert again.report == first.report and again.fingerprint() == first.fingerprint()

    path = annotation(faces_copy, "train_set", "val")
    np.save(path, np.array("0.123"))  # in place: the folder's own time stays
    os.utime(path, ns=(1, 1))
    changed = load_index(SPEC, faces_copy)
    row = np.flatnonzero((changed.split == "train") & (changed.id == path.stem[:-4]))[0]
    assert changed.valence[row] == pytest.approx(0.123)
    assert changed.fingerprint() != first.fingerprint()

    sorted((faces_copy / "val_set" / "images").iterdir())[0].unlink()
    assert len(load_index(SPEC, faces_copy)) == 207


def test_a_damaged_cache_is_made_again(faces_copy, tmp_path):
    load_index(SPEC, faces_copy, tmp_path / "cache")
    cached = next((tmp_path / "cache" / "index").iterdir())
    cached.write_bytes(cached.read_bytes()[:100])
    assert len(load_index(SPEC, faces_copy, tmp_path / "cache")) == 208


def with_facts(cached: Path, change) -> None:
    """Rewrite the facts of a cached index in place."""
    table = pq.read_table(cached)
    facts = json.loads(table.schema.metadata[b"fer_keras.index"])
    change(facts)
    pq.write_table(table.replace_schema_metadata({b"fer_keras.index": json.dumps(facts)}), cached)


@pytest.mark.parametrize(
    "change",
    [
        lambda facts: facts.pop("labels"),
        lambda facts: facts.pop("report"),
        lambda facts: facts.pop("format"),
        lambda facts: facts.update(labels=facts["labels"][:2]),  # codes without a name
        lambda facts: facts.update(labels=[1] * 8),
        lambda facts: facts.update(labels=None),
        lambda facts: facts["report"].update(dropped=7),
        lambda facts: facts["report"].update(unknown={}),
    ],
)
def test_a_cache_whose_facts_are_not_an_index_s_is_made_again(faces_copy, tmp_path, change):
    first = load_index(SPEC, faces_copy, tmp_path / "cache")
    cached = next((tmp_path / "cache" / "index").iterdir())
    with_facts(cached, change)
    again = load_index(SPEC, faces_copy, tmp_path / "cache")
    assert again.labels == first.labels and again.fingerprint() == first.fingerprint() and again.report == first.report


def test_no_flipped_byte_of_a_cache_changes_a_label(faces_copy, tmp_path):
    first = load_index(SPEC, faces_copy, tmp_path / "cache")
    cached = next((tmp_path / "cache" / "index").iterdir())
    whole, rng = cached.read_bytes(), np.random.default_rng(0)
    for place in rng.integers(0, len(whole), 25):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << int(rng.integers(8))
        cached.write_bytes(damaged)
        again = load_index(SPEC, faces_copy, tmp_path / "cache")
        assert again.fingerprint() == first.fingerprint() and again.labels == first.labels


def test_two_processes_on_one_cache_end_with_one_whole_file(faces_copy, tmp_path):
    code = f"""
import sys
from pathlib import Path
from fer_keras.data.loading import load_index
from fer_keras.readers.spec import load_spec
for _ in range(6):
    for left in Path({str(tmp_path)!r}, "cache", "index").glob("*.parquet"):
        left.unlink(missing_ok=True)
    print(load_index(load_spec("affectnet"), Path({str(faces_copy)!r}), Path({str(tmp_path)!r}, "cache")).fingerprint())
"""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-c", code]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) for _ in range(2)]
    told = [process.communicate(timeout=120)[0].split() for process in running]
    assert [process.returncode for process in running] == [0, 0]
    assert set(told[0] + told[1]) == {load_index(SPEC, faces_copy, tmp_path / "own").fingerprint()}
    files = list((tmp_path / "cache" / "index").iterdir())
    assert len(files) == 1 and files[0].suffix == ".parquet"
    pq.read_table(files[0])


def test_a_cache_that_cannot_be_written_is_only_a_warning(faces_dir, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.warns(UserWarning, match="FER_KERAS_CACHE"):
        assert len(load_index(SPEC, faces_dir, tmp_path / "file")) == 208


def test_processes_give_what_one_process_gives(faces_dir, tmp_path, monkeypatch):
    import fer_keras.readers.affectnet as reader

    monkeypatch.setattr(reader, "_CHUNK", 30)
    one = load_index(SPEC, faces_dir, tmp_path / "one", jobs=1)
    two = load_index(SPEC, faces_dir, tmp_path / "two", jobs=2)
    assert one.fingerprint() == two.fingerprint() and (one.id == two.id).all()


def damage_gone(folder: Path) -> None:
    annotation(folder, "train_set", "aro").unlink()


def damage_stray(folder: Path) -> None:
    (folder / "train_set" / "annotations" / "notes.txt").write_text("x")


def damage_both(folder: Path) -> None:
    damage_gone(folder)
    damage_stray(folder)


@pytest.mark.parametrize("damage", [damage_gone, damage_stray, damage_both])
@pytest.mark.parametrize("jobs", [1, 2])
def test_annotations_that_are_counted_are_found_out_as_those_that_are_listed(
    faces_copy, tmp_path, monkeypatch, jobs, damage
):
    """Of many images the annotations are counted while other files are read; it must not matter to what is found."""
    import fer_keras.readers.affectnet as reader
    import fer_keras.readers.affectnet_listing as listing

    monkeypatch.setattr(listing, "_MANY", 1)
    counted = load_index(SPEC, faces_copy, tmp_path / "counted", jobs)
    with monkeypatch.context() as patch:
        patch.setattr(reader, "_read_chunk", None)
        load_index(SPEC, faces_copy, tmp_path / "counted", jobs)  # from the cache
    damage(faces_copy)
    changed = load_index(SPEC, faces_copy, tmp_path / "counted", jobs)
    anew = load_index(SPEC, faces_copy, tmp_path / "anew", jobs)
    monkeypatch.undo()
    listed = load_index(SPEC, faces_copy, tmp_path / "listed")
    assert changed.report == anew.report == listed.report != counted.report
    assert changed.fingerprint() == anew.fingerprint() == listed.fingerprint()
    monkeypatch.setattr(reader, "_read_chunk", None)
    load_index(SPEC, faces_copy, tmp_path / "counted", jobs)  # one key, however the names were found
    load_index(SPEC, faces_copy, tmp_path / "anew")


def test_missing_and_empty_folders_are_clear_errors(tmp_path):
    with pytest.raises(FileNotFoundError, match="--data-dir"):
        load_index(SPEC, tmp_path / "nowhere")
    with pytest.raises(ValueError, match="Expected train_set/images.*nothing in it"):
        load_index(SPEC, tmp_path)
    (tmp_path / "train_set" / "images").mkdir(parents=True)
    with pytest.raises(ValueError, match="No usable faces.*no images"):
        load_index(SPEC, tmp_path)


def test_a_folder_where_every_image_is_bad_says_why(faces_copy):
    for path in faces_copy.glob("*/images/*"):
        path.write_bytes(b"")
    with pytest.raises(ValueError, match=r"208 x unreadable image \(empty file\)"):
        load_index(SPEC, faces_copy)


def test_a_flat_folder_has_no_splits(faces_dir, tmp_path):
    shutil.copytree(faces_dir / "train_set", tmp_path / "flat")
    index = load_index(SPEC, tmp_path / "flat")
    assert len(index) == 160 and set(index.split.tolist()) == {""}


def write_image(path: Path, shade: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((12, 10), shade, np.uint8))


def test_image_folders_match_classes_by_alias(tmp_path):
    names = [
        "train/Happiness/a.png",
        "Validation/joy/b.PNG",
        "test/0_ANGRY/c.jpg",
        "train/sadness/d.png",
        "train/bored/e.png",
    ]
    for shade, name in enumerate(names):
        write_image(tmp_path / name, shade * 9)
    (tmp_path / "train" / "fear").mkdir()
    (tmp_path / "train" / "sadness" / "notes.txt").write_text("x")
    index = load_index(load_spec("image_folder"), tmp_path)
    found = {
        name: (split, index.labels[code])
        for name, split, code in zip(index.path.tolist(), index.split.tolist(), index.emotion.tolist(), strict=True)
    }
    assert found == {
        names[0]: ("train", "happy"),
        names[1]: ("validation", "happy"),
        names[2]: ("test", "anger"),
        names[3]: ("train", "sad"),
    }
    assert index.labels == ("happy", "sad", "fear", "anger")
    assert index.report.warnings == {
        "file in a folder that is no emotion: train/bored": 1,
        "file that is no image": 1,
        "empty class folder: train/fear": 1,
    }


def test_image_folders_without_emotions_are_refused(tmp_path):
    write_image(tmp_path / "cats" / "a.png", 3)
    with pytest.raises(ValueError, match="Expected folders named like emotions.*Received: cats"):
        load_index(load_spec("image_folder"), tmp_path)


VOTES = {  # neutral happiness surprise sadness anger disgust fear contempt unknown NF
    "plain": [0, 8, 0, 1, 0, 0, 0, 0, 1, 0],
    "tie": [4, 4, 0, 0, 0, 0, 2, 0, 0, 0],
    "unknown": [2, 0, 0, 0, 0, 0, 0, 0, 8, 0],
    "no_face": [0, 0, 0, 0, 0, 0, 0, 0, 0, 10],
    "spread": [1, 1, 1, 1, 1, 1, 1, 1, 1, 1],
    "mixed": [3, 0, 0, 5, 0, 0, 2, 0, 0, 0],
}


def check_votes(index):
    assert {
        str(name).removesuffix(".png"): index.labels[code] for name, code in zip(index.id, index.emotion, strict=True)
    } == {"plain": "happy", "mixed": "sad"}
    row = index.id.tolist().index("mixed.png")
    assert dict(zip(index.labels, index.votes[row].tolist(), strict=True)) == {
        "neutral": 3,
        "happy": 0,
        "sad": 5,
        "surprise": 0,
        "fear": 2,
        "disgust": 0,
        "anger": 0,
        "contempt": 0,
    }
    assert index.votes[index.id.tolist().index("plain.png")].sum() == 8, "single votes are outliers in the paper's code"
    assert index.report.dropped == {"no single majority of votes": 2, "label unknown": 1, "label NF (not a face)": 1}


def test_ferplus_archive_follows_the_papers_rule(tmp_path):
    rng = np.random.default_rng(0)
    np.savez(
        tmp_path / "f.npz",
        images=rng.integers(0, 255, (6, 48, 48), np.uint8),
        votes=np.array(list(VOTES.values()), np.uint8),
        usage=np.array([0, 0, 0, 0, 0, 1], np.uint8),
        image_name=np.array([f"{name}.png".encode() for name in VOTES]),
    )
    index = load_index(load_spec("ferplus"), tmp_path / "f.npz")
    check_votes(index)
    assert dict(zip(index.id.tolist(), index.split.tolist(), strict=True)) == {
        "plain.png": "train",
        "mixed.png": "validation",
    }
    assert load_index(load_spec("ferplus"), tmp_path).fingerprint() == index.fingerprint()


def test_ferplus_folders_read_as_the_archive(tmp_path):
    lines = [f'{name}.png,"(0, 0, 48, 48)",{",".join(map(str, votes))}' for name, votes in VOTES.items()]
    for shade, name in enumerate(VOTES):
        write_image(tmp_path / "FER2013Train" / f"{name}.png", shade * 9)
    (tmp_path / "FER2013Train" / "label.csv").write_text("\n".join(lines) + "\n")
    check_votes(load_index(load_spec("ferplus"), tmp_path))
    (tmp_path / "FER2013Train" / "label.csv").write_text(
        "\n".join([*lines, "broken.png,1,2", 'gone.png,"()",' + "9,0" + ",0" * 8])
    )
    dropped = load_index(load_spec("ferplus"), tmp_path).report.dropped
    assert dropped["bad line in label.csv"] == 1 and dropped["image not readable (No such file or directory)"] == 1


@pytest.mark.parametrize("content", [b"not a zip", b"PK\x03\x04 truncated", b""])
def test_a_file_that_is_no_archive(tmp_path, content):
    (tmp_path / "f.npz").write_bytes(content)
    with pytest.raises(ValueError, match="Unreadable FER\\+ archive"):
        load_index(load_spec("ferplus"), tmp_path / "f.npz")


def test_real_ferplus_counts(ferplus_npz):
    """The counts of the paper's rule: 26,940 and 3,396 faces with a single majority."""
    index = load_index(load_spec("ferplus"), ferplus_npz)
    counts = index.counts()
    assert sum(counts["train"].values()) == 26_940 and sum(counts["validation"].values()) == 3_396
    assert counts["train"] == {
        "neutral": 9365,
        "happy": 7410,
        "sad": 3403,
        "surprise": 3378,
        "fear": 648,
        "disgust": 175,
        "anger": 2399,
        "contempt": 162,
        "not labelled": 0,
    }


def four_faces(name: str, contents: str, votes: np.ndarray | None = None, **options) -> FaceIndex:
    """Return an index of four faces, written down here so that nothing but its own rule decides its fingerprint."""
    spec = load_spec(name)
    return FaceIndex(
        replace(spec, options={**spec.options, **options}),
        Path(),
        ("neutral", "happy", "sad"),
        IndexReport(found=4),
        split=np.array(["train", "train", "test", "validation"]),
        id=np.array(["7", "2", "2", "10"]),
        path=np.array(["a.png"] * 4),
        position=np.full(4, -1),
        emotion=np.array([0, 2, -1, 1], np.int16),
        valence=np.array([0.5, np.nan, -1, 0.25], np.float32),
        arousal=np.array([np.nan, 0, 0.125, 1], np.float32),
        content=np.array(contents.split()),
        extent=np.zeros((4, 2), np.int32),
        subject=np.array([""] * 4),
        votes=votes,
    )


def test_fingerprints_stay_those_of_earlier_versions():
    """Runs resume by fingerprints and evaluations are compared by them, so the recorded values hold for good."""
    votes = np.arange(12, dtype=np.float32).reshape(4, 3)
    plain = four_faces("affectnet", "aa bb cc dd")
    assert plain.fingerprint() == "a144bad03c35dfa4a2d58a3c59ab9125"
    assert four_faces("ferplus", "aa bb cc dd", votes).fingerprint() == "e1e7c7da64a6c760cdb491479650a1bd"
    assert four_faces("affectnet", "aa bb cc dd", lossy="jpeg 95").fingerprint() == "ba7be30d6742a48a15d9e50b814739af"
    joined = join_indexes([plain, four_faces("ferplus", "e f g h", votes)])
    assert joined.fingerprint() == "f91783432877a8d1aa6beec5912277f8"
