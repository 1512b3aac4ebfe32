"""Splits: stratified, reproducible, and no image or subject on two sides."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fer_keras.data.index import FaceIndex, IndexReport
from fer_keras.data.splits import assign_splits, group_rows, limit_samples
from fer_keras.labels import EMOTIONS
from fer_keras.readers.spec import load_spec


def make_index(splits, emotions, content=None, subjects=None) -> FaceIndex:
    n = len(splits)
    ids = np.array([f"{number:05d}" for number in range(n)])
    return FaceIndex(
        load_spec("affectnet"),
        Path("."),
        EMOTIONS,
        IndexReport(found=n),
        split=np.array(splits),
        id=ids,
        path=np.array([f"{name}.jpg" for name in ids]),
        position=np.full(n, -1),
        emotion=np.array(emotions, np.int16),
        valence=np.full(n, np.nan, np.float32),
        arousal=np.full(n, np.nan, np.float32),
        content=np.array(content if content is not None else [f"c{name}" for name in ids]),
        extent=np.zeros((n, 2), np.int32),
        subject=np.array(subjects if subjects is not None else [""] * n),
    )


def unsplit(n: int = 1000, seed: int = 0, **options) -> FaceIndex:
    emotions = np.random.default_rng(seed).choice(8, n, p=[0.3, 0.4, 0.1, 0.06, 0.05, 0.04, 0.03, 0.02])
    return make_index([""] * n, emotions, **options)


def test_an_unsplit_folder_is_stratified():
    index = assign_splits(unsplit(), 0.1, 0.2, seed=4)
    for code in range(8):
        members = index.split[index.emotion == code]
        for name, share in (("validation", 0.1), ("test", 0.2)):
            assert abs((members == name).sum() - share * len(members)) <= 1


def test_the_seed_decides_not_the_order_of_files():
    index = unsplit()
    shuffled = index.take(np.random.default_rng(9).permutation(len(index)))

    def by_id(result):
        return dict(zip(result.id.tolist(), result.split.tolist(), strict=True))

    one, again = by_id(assign_splits(index, seed=1)), by_id(assign_splits(shuffled, seed=1))
    assert one == again
    assert one != by_id(assign_splits(index, seed=2))


def test_duplicates_and_subjects_stay_on_one_side():
    rng = np.random.default_rng(0)
    content, subjects = (
        [f"c{number}" for number in rng.integers(0, 700, 1000)],
        [f"s{n}" for n in rng.integers(0, 150, 1000)],
    )
    index = assign_splits(unsplit(content=content, subjects=subjects), 0.15, 0.15)
    for column in (index.content, index.subject):
        sides: dict[str, set] = {}
        for value, split in zip(column.tolist(), index.split.tolist(), strict=True):
            sides.setdefault(value, set()).add(split)
        assert all(len(side) == 1 for side in sides.values())


def test_groups_join_through_a_chain():
    index = make_index([""] * 5, [0] * 5, content=["a", "a", "b", "c", "d"], subjects=["", "x", "x", "y", ""])
    assert group_rows(index).tolist() == [0, 0, 0, 3, 4]


def test_official_splits_are_never_reshuffled():
    index = make_index(["train"] * 80 + ["test"] * 20, [0, 1] * 50)
    result = assign_splits(index, 0.25)
    assert (result.split[80:] == "test").all() and len(result) == 100
    assert (result.split[:80] == "validation").sum() == 20
    whole = make_index(["train"] * 60 + ["validation"] * 20 + ["test"] * 20, [0, 1] * 50)
    assert (assign_splits(whole, 0.25).split == whole.split).all()


def test_training_faces_that_are_also_in_evaluation_are_dropped_and_counted():
    index = make_index(["train", "train", "validation", "test", "train"], [0] * 5, content=["a", "b", "a", "b", "c"])
    result = assign_splits(index)
    assert result.id.tolist() == ["00002", "00003", "00004"]
    assert result.report.dropped == {"train face that is also in validation": 1, "train face that is also in test": 1}
    assert index.report.dropped == {}, "the report of the files stays as it was"


def test_repeated_faces_of_one_split_are_kept_and_told():
    result = assign_splits(make_index(["train"] * 4 + ["validation"], [0] * 5, content=list("aabcd")))
    assert len(result) == 5 and result.report.warnings == {"face that repeats another of its split": 1}


def test_rare_classes_reach_every_split_where_they_can():
    index = assign_splits(make_index([""] * 103, [0] * 100 + [1] * 3), 0.1, 0.1)
    assert sorted(index.split[index.emotion == 1].tolist()) == ["test", "train", "validation"]
    assert assign_splits(make_index([""] * 101, [0] * 100 + [1])).split[-1] == "train"


def test_fractions_that_leave_nothing_are_refused():
    with pytest.raises(ValueError, match="leave no faces to train on"):
        assign_splits(unsplit(), 0.5, 0.5)


def test_a_split_is_found_by_its_own_name_and_a_missing_one_is_told():
    index = assign_splits(make_index(["train"] * 80 + ["test"] * 20, [0, 1] * 50), 0.1)
    assert len(index.of_split("val_set")) == len(index.of_split("test")) == 20
    with pytest.raises(ValueError, match=r"No faces in split 'val' of affectnet. It holds test \(20\), train \(72\)"):
        index.of_split("val")


def test_limited_samples_keep_the_shares():
    index = unsplit(2000)
    small = limit_samples(index, 200, seed=3)
    assert len(small) == 200
    for code in range(8):
        assert abs((small.emotion == code).sum() - (index.emotion == code).mean() * 200) <= 1
    assert limit_samples(index, 200, seed=3).id.tolist() == small.id.tolist()
    assert limit_samples(index, None) is index and limit_samples(index, 5000) is index


def test_the_fingerprint_follows_labels_and_splits_not_order():
    index = unsplit(50)
    same = index.take(np.arange(50)[::-1])
    assert same.fingerprint() == index.fingerprint()
    assert replace(index, emotion=(index.emotion + 1) % 8).fingerprint() != index.fingerprint()
    assert replace(index, split=np.array(["train"] * 50)).fingerprint() != index.fingerprint()


def test_real_ferplus_shares_no_face_between_splits(ferplus_npz):
    from fer_keras.data.loading import load_index

    index = assign_splits(load_index(load_spec("ferplus"), ferplus_npz))
    train, validation = (set(index.content[index.split == name].tolist()) for name in ("train", "validation"))
    assert not train & validation
    assert len(index.of_split("PublicTest")) == 3_396
    assert index.report.dropped["train face that is also in validation"] == 322
