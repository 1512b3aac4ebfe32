"""FER+'s votes: which faces count by a single winner, and which by the paper's protocol."""

from dataclasses import replace

import numpy as np
import pytest

from fer_keras.data.loading import load_faces, load_index
from fer_keras.data.several import join_indexes, split_members
from fer_keras.data.splits import assign_splits
from fer_keras.readers.spec import load_spec

#: Votes (neutral, happiness, surprise, sadness, anger, disgust, fear, contempt, unknown, NF) -> counts by winner, by paper.
CASES = [
    ((10, 0, 0, 0, 0, 0, 0, 0, 0, 0), True, True),
    ((6, 4, 0, 0, 0, 0, 0, 0, 0, 0), True, True),
    ((5, 3, 2, 0, 0, 0, 0, 0, 0, 0), True, False),  # half is not more than half
    ((5, 3, 1, 1, 0, 0, 0, 0, 0, 0), True, True),  # votes given once are dropped first: 5 of 8
    ((4, 0, 0, 0, 0, 0, 0, 0, 3, 3), True, False),  # "unknown" and "not a face" count among the votes
    ((5, 0, 0, 5, 0, 0, 0, 0, 0, 0), False, False),
    ((2, 0, 0, 0, 0, 0, 0, 0, 8, 0), False, False),
    ((1, 1, 1, 1, 1, 1, 1, 1, 1, 1), False, False),
]


@pytest.fixture
def faces(tmp_path):
    votes = np.array([case[0] for case in CASES], np.uint8)
    images = np.random.default_rng(0).integers(0, 256, (len(CASES), 48, 48), dtype=np.uint8)
    names = np.array([f"{number}.png" for number in range(len(CASES))], "S15")
    usage = np.ones(len(CASES), np.uint8)
    usage[0] = 0
    np.savez(tmp_path / "f.npz", images=images, votes=votes, usage=usage, image_name=names)
    return str(tmp_path / "f.npz")


@pytest.mark.parametrize("chosen, place", [(None, 1), ("winner", 1), ("paper", 2)])
def test_each_filter_keeps_its_faces(faces, chosen, place):
    index = load_faces("ferplus", faces, label_filter=chosen)
    kept = [f"{number}.png" for number, case in enumerate(CASES) if case[place]]
    assert sorted(index.id.tolist()) == kept
    by_paper = {f"{number}.png": float(case[2]) for number, case in enumerate(CASES)}
    assert index.agreed.tolist() == [by_paper[name] for name in index.id.tolist()]
    found = index.report.dropped.get("no more than half of the votes for one label", 0)
    assert found == (2 if chosen == "paper" else 0)


def test_a_spec_can_choose_and_a_wrong_word_is_refused(faces):
    spec = load_spec("ferplus")
    assert len(load_index(replace(spec, options={**spec.options, "label_filter": "paper"}), faces)) == 3
    with pytest.raises(ValueError, match="label_filter expects winner or paper. Received: 'most'"):
        load_index(replace(spec, options={**spec.options, "label_filter": "most"}), faces)
    with pytest.raises(ValueError, match="--label-filter expects a FER. data set.* Received: synthetic"):
        load_faces("synthetic", label_filter="paper")


def test_faces_without_votes_stay_unknown_where_sets_are_joined(faces, faces_dir):
    voted = assign_splits(load_index(load_spec("ferplus"), faces))
    drawn = assign_splits(load_index(load_spec("synthetic"), faces_dir))
    joined = join_indexes([voted, drawn])
    assert np.isnan(joined.agreed[joined.member == 1]).all() and not np.isnan(joined.agreed[joined.member == 0]).any()
    assert split_members(joined)["synthetic"].agreed is None
