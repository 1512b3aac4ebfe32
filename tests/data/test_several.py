"""Several data sets as one: labels by name, missing targets masked, no face in two splits, shares of the draws."""

import cv2
import numpy as np
import pytest

from fer_keras.batches.loader import FaceLoader
from fer_keras.batches.targets import build_targets, sampling_probabilities
from fer_keras.data.circumplex import derive_axes
from fer_keras.data.facts import describe_faces, member_facts
from fer_keras.data.loading import load_faces, load_index
from fer_keras.data.several import join_indexes, parse_sets, parse_weights, split_members
from fer_keras.data.splits import assign_splits
from fer_keras.readers.spec import load_spec

OUTPUTS = ("emotion", "valence", "arousal")
NAMES = load_spec("ferplus").options["vote_names"]
FACES = np.random.default_rng(0).integers(0, 256, (48, 48, 48), dtype=np.uint8)


def write_votes(path, rows, emotions, usage):
    votes = np.zeros((len(rows), 10), np.uint8)
    votes[np.arange(len(rows)), [NAMES.index(name) for name in emotions]] = 9
    ids = np.array([f"fer{number:07}.png" for number in rows], "S15")
    np.savez(path, images=FACES[rows], votes=votes, usage=np.array(usage, np.uint8), image_name=ids)


@pytest.fixture
def sets(tmp_path):
    """FER+ with faces 0 to 31 (emotion), and a table with 28 to 47 (valence, arousal, a few emotions); 28 to 31 are in both.

    Of those, FER+ has 28 and 29 in training and 30 and 31 in validation, the table 28 and 30 in test, 29 and 31 in training.
    """
    names = [NAMES[number % 8] for number in range(32)]
    write_votes(tmp_path / "f.npz", range(32), names, [0] * 20 + [1] * 8 + [0, 0, 1, 1])
    lines = ["image,emotion,valence,arousal,split"]
    for number in range(28, 48):
        cv2.imwrite(str(tmp_path / f"{number}.png"), FACES[number])
        split = {28: "test", 30: "test"}.get(number, ["train", "train", "validation", "test"][number % 4])
        split = "train" if number in (29, 31) else split
        lines.append(f"{number}.png,{'Joy' if number % 5 == 0 else ''},{number / 100 - 0.4:.2f},0.25,{split}")
    (tmp_path / "mine.csv").write_text("\n".join(lines) + "\n")
    return "ferplus,face_table", f"{tmp_path / 'f.npz'},{tmp_path / 'mine.csv'}"


def test_what_a_set_does_not_label_weighs_nothing(sets):
    index = load_faces(*sets)
    assert index.spec.name == "ferplus+face_table" and index.spec.targets == OUTPUTS
    assert [member.name for member in index.members] == ["ferplus", "face_table"]
    targets = build_targets(index, OUTPUTS)
    first = index.member == 0
    assert (targets.weights["emotion"][first] == 1).all() and (targets.weights["valence"][first] == 0).all()
    assert (targets.weights["valence"][~first] == 1).all() and (targets.weights["arousal"][~first] == 1).all()
    assert targets.weights["emotion"][~first].sum() == 4, "30, 35, 40 and 45 are joy"
    joy = np.flatnonzero(~first & (index.emotion >= 0))
    assert {index.labels[code] for code in index.emotion[joy]} == {"happy"}
    soft = build_targets(index, OUTPUTS, "soft").values["emotion"]
    assert (soft[joy].argmax(1) == index.emotion[joy]).all(), "a face without votes is taught its label"


def test_every_face_is_its_own_whichever_set_it_is_of(sets):
    index = load_faces(*sets)
    faces, readable = FaceLoader(index.open_images(), (48, 48)).load(np.arange(len(index)))
    assert readable.all()
    for row in range(len(index)):
        name, _, own = str(index.id[row]).partition("/")
        number = int(own.removeprefix("fer").removesuffix(".png"))
        assert name == index.set_names[index.member[row]] and (faces[row][..., 0] == FACES[number]).all()


def test_a_face_in_an_array_and_in_a_file_is_one_and_never_in_two_splits(sets):
    index = load_faces(*sets)
    held = {split: set(index.id[index.split == split].tolist()) for split in ("train", "validation", "test")}
    assert held["test"] >= {"face_table/28.png", "face_table/30.png"}
    assert "ferplus/fer0000031.png" in held["validation"] and "ferplus/fer0000029.png" in held["train"]
    assert "face_table/29.png" in held["train"], "twice in one split is no leak"
    everything = set.union(*held.values())
    assert not {"ferplus/fer0000028.png", "ferplus/fer0000030.png", "face_table/31.png"} & everything
    assert {reason: count for reason, count in index.report.dropped.items() if "another data set" in reason} == {
        "train face that is also in test of another data set": 1,
        "validation face that is also in test of another data set": 1,
        "train face that is also in validation of another data set": 1,
    }
    assert index.report.found - sum(index.report.dropped.values()) == len(index)


def test_a_set_keeps_its_fingerprint_where_nothing_of_it_was_dropped(sets, faces_dir):
    spec, place = (text.split(",")[0] for text in sets)
    index = load_faces(f"{spec},affectnet", f"{place},{faces_dir}")
    parts = split_members(index)
    assert parts["ferplus"].fingerprint() == load_faces(spec, place).fingerprint()
    assert parts["affectnet"].fingerprint() == load_faces("affectnet", str(faces_dir)).fingerprint()
    assert parts["affectnet"].landmarks is not None and parts["ferplus"].landmarks is None
    assert parts["ferplus"].spec.targets == ("emotion",)


def test_labels_of_other_sets_are_matched_by_name(tmp_path, sets):
    lines = ["emotion,pixels,Usage"]
    lines += [f"{number % 7},{' '.join(map(str, FACES[number].ravel()))},Training" for number in range(32, 46)]
    (tmp_path / "fer2013.csv").write_text("\n".join(lines) + "\n")
    seven = assign_splits(load_index(load_spec("fer2013"), tmp_path / "fer2013.csv"))
    eight = assign_splits(load_index(load_spec("ferplus"), sets[1].split(",")[0]))
    joined = join_indexes([seven, eight])
    assert joined.labels == eight.labels != seven.labels
    for name, alone in (("fer2013", seven), ("ferplus", eight)):
        part = split_members(joined)[name]
        assert part.labels == alone.labels and part.fingerprint() == alone.fingerprint()
        rows = joined.member == joined.set_names.index(name)
        assert [joined.labels[code] for code in joined.emotion[rows]] == [alone.labels[code] for code in alone.emotion]


def test_two_sets_of_one_spec_get_names_of_their_own(tmp_path, sets):
    place = sets[1].split(",")[0]
    write_votes(tmp_path / "g.npz", range(40, 48), ["fear"] * 8, [0] * 8)
    index = load_faces("ferplus,ferplus", f"{place},{tmp_path / 'g.npz'}")
    assert index.set_names == ("ferplus", "ferplus-2") and len(set(index.id.tolist())) == len(index)


def test_derived_axes_never_stand_beside_measured_ones(tmp_path, sets):
    with pytest.raises(ValueError, match="never mixed with measured.*face_table, which labels emotion, valence"):
        load_faces(*sets, derive_va="circumplex")
    write_votes(tmp_path / "g.npz", range(40, 48), ["fear"] * 8, [0] * 8)
    place = sets[1].split(",")[0]
    index = derive_axes(load_faces("ferplus,ferplus", f"{place},{tmp_path / 'g.npz'}"))
    assert not np.isnan(index.valence).any()
    assert all(part.spec.derived == ("valence", "arousal") for part in split_members(index).values())


def test_weights_are_shares_of_the_draws(sets):
    train = load_faces(*sets).of_split("train")
    first = train.member == 0
    for balanced in (False, True):
        p = sampling_probabilities(train, balanced, (1.0, 3.0))
        assert p.sum() == pytest.approx(1) and p[first].sum() == pytest.approx(0.25)
    classes = train.emotion[first]
    shares = [p[first][classes == code].sum() for code in np.unique(classes)]
    assert shares == pytest.approx([0.25 / len(shares)] * len(shares)), "balanced inside each set"


def test_each_set_is_told_with_its_licence_and_counts(sets):
    index = load_faces(*sets)
    text = "\n".join(describe_faces(index))
    assert "FER+: the faces of FER2013" in text and "Your own faces" in text and "2 data sets as one" in text
    votes, table = member_facts(index, (1.0, 3.0))
    assert votes["licence"].startswith("Votes: MIT") and table["licence"] == "Yours" and table["weight"] == 3.0
    assert votes["splits"]["train"] + table["splits"]["train"] == int((index.split == "train").sum())
    assert votes["targets"] == ["emotion"] and votes["report"]["found"] == 32


@pytest.mark.parametrize(
    "spec, place, message",
    [
        ("ferplus,face_table", "a.npz", "one place for each of the 2 data sets.*Received: 1"),
        ("ferplus,face_tabel", "a,b", "Did you mean 'face_table'"),
        ("ferplus,face_table", "a.npz,b,c.csv", "link without one"),
    ],
)
def test_flags_that_do_not_fit_together(spec, place, message):
    with pytest.raises(ValueError, match=message):
        parse_sets(spec, place)


def test_a_single_path_may_have_a_comma_and_a_set_that_needs_none_has_none():
    assert parse_sets("ferplus", "a,b.npz")[0][1] == "a,b.npz"
    assert [place for _, place in parse_sets("synthetic, face_table", ",b.csv")] == [None, "b.csv"]


@pytest.mark.parametrize("text, sets", [("1,2", 1), ("1", 2), ("1,0", 2), ("1,x", 2), ("", 2), ("1,nan", 2)])
def test_weights_that_are_none(text, sets):
    with pytest.raises(ValueError, match="--set-weights expects a number above 0 for each of several"):
        parse_weights(text, sets)
