"""Classes under a data set's own names and order, or some of them: matched by meaning, what is left out counted."""

import numpy as np
import pytest

from fer_keras.data.classes import choose_classes, parse_classes, relabel
from fer_keras.data.loading import choose_outputs, load_faces, load_index
from fer_keras.evaluation.evaluator import predictions_table
from fer_keras.readers.spec import dump_spec, load_spec

FER2013 = ("Angry", "Disgust", "Fear", "Happy", "Sad", "Surprise", "Neutral")


@pytest.fixture(scope="module")
def fer2013(tmp_path_factory):
    """28 faces, four of each code in order, one in four to validate on and one to test on."""
    rng = np.random.default_rng(0)
    lines = ["emotion,pixels,Usage"]
    for row in range(28):
        pixels = " ".join(map(str, rng.integers(0, 256, 48 * 48)))
        usage = ("Training", "Training", "PublicTest", "PrivateTest")[row % 4]
        lines.append(f"{row // 4},{pixels},{usage}")
    path = tmp_path_factory.mktemp("fer2013") / "fer2013.csv"
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def test_fer2013_has_its_own_names_at_its_own_codes(fer2013):
    index = load_faces("fer2013", fer2013)
    assert index.labels == FER2013
    order = np.argsort(index.id)
    assert (index.emotion[order] == np.arange(28) // 4).all(), "code 0 is Angry, 6 Neutral"
    inside = load_index(load_spec("fer2013"), fer2013)
    assert inside.labels == ("neutral", "happy", "sad", "surprise", "fear", "disgust", "anger"), (
        "the package's, till asked"
    )


def test_four_of_seven_the_others_counted_by_reason(fer2013):
    index = load_faces("fer2013", fer2013, emotions="angry, happy,neutral,sad")
    assert index.labels == ("angry", "happy", "neutral", "sad") and len(index) == 16
    assert np.bincount(index.emotion).tolist() == [4, 4, 4, 4]
    left_out = {reason: count for reason, count in index.report.dropped.items() if "not among the classes" in reason}
    assert sorted(left_out.values()) == [4, 4, 4] and any("surprise" in reason for reason in left_out)


def test_votes_follow_their_classes_and_faces_without_an_emotion_stay(fer2013):
    from dataclasses import replace

    index = load_index(load_spec("fer2013"), fer2013)
    emotion = index.emotion.copy()
    emotion[0] = -1
    votes = np.tile(np.arange(7, dtype=np.float32), (28, 1))
    chosen = choose_classes(replace(index, emotion=emotion, votes=votes), "sadness,Neutral")
    assert (chosen.votes == [2, 0]).all() and (chosen.emotion == -1).sum() == 1
    assert relabel(chosen, ("neutral", "fear", "sad")).votes[0].tolist() == [0, 0, 2]


def test_a_model_of_other_names_is_scored_by_meaning(fer2013):
    index = load_index(load_spec("fer2013"), fer2013)
    table = predictions_table(index, {"emotion": np.full((28, 3), 1 / 3, np.float32)}, ("Fear", "joy", "contempt"), {})
    found = table.column("emotion_true").to_pylist()
    assert found.count("Fear") == 4 and found.count("joy") == 4 and found.count(None) == 20


@pytest.mark.parametrize(
    "names, message",
    [
        ("angry,mad", "--emotions: Unknown emotion name.*'mad'"),
        ("angry,anger", "two or more different emotions"),
        ("sad", "two or more different emotions"),
        ("sad,contempt", "--emotions expects some of what fer2013 has.*Received: contempt"),
    ],
)
def test_classes_that_make_no_sense_are_refused(fer2013, names, message):
    with pytest.raises(ValueError, match=message):
        load_faces("fer2013", fer2013, emotions=names)
    assert parse_classes(None) == ()


def test_a_spec_keeps_its_class_names_and_refuses_others(tmp_path):
    (tmp_path / "a.toml").write_text(dump_spec(load_spec("fer2013")))
    assert load_spec(tmp_path / "a.toml").class_names == FER2013
    (tmp_path / "b.toml").write_text((tmp_path / "a.toml").read_text().replace('"Angry"', '"Contempt"', 1))
    with pytest.raises(ValueError, match="class_names expects each emotion of its labels once"):
        load_spec(tmp_path / "b.toml")


OWN = """
name = "own"
title = "Own"
homepage = ""
licence = "Mine"
reader = "image_folder"
targets = ["emotion"]
class_names = ["happy", "awed", "neutral"]
"""


def test_classes_of_a_sets_own_are_declared_in_its_spec(tmp_path):
    path = tmp_path / "own.toml"
    path.write_text(OWN)
    spec = load_spec(path)
    assert spec.emotions == ("neutral", "happy", "awed") and spec.own_classes == ("awed",)
    path.write_text(f"{OWN}[labels]\n2 = 'awed'\n1 = 'Joy'\n3 = 'neutral'\n")
    assert load_spec(path).labels == {"2": "awed", "1": "happy", "3": "neutral"}
    path.write_text(dump_spec(load_spec(path)))
    assert load_spec(path).emotions == spec.emotions


@pytest.mark.parametrize(
    "wrong, message",
    [
        (OWN + "[labels]\n1 = 'happy'\n2 = 'aved'\n3 = 'neutral'\n", "Received: 'aved'.*in class_names too"),
        (OWN.replace("awed", "calm"), "calm and neutral mean the same; call a class of its own otherwise"),
        (OWN + "[labels]\n1 = 'happy'\n2 = 'awed'\n", "class_names expects each emotion of its labels once"),
    ],
)
def test_classes_that_are_misspelt_doubled_or_left_out_are_refused(tmp_path, wrong, message):
    (tmp_path / "own.toml").write_text(wrong)
    with pytest.raises(ValueError, match=message):
        load_spec(tmp_path / "own.toml")


def test_outputs_are_some_of_what_the_data_labels():
    spec = load_spec("affectnet")
    assert choose_outputs(None, spec) == spec.targets
    assert choose_outputs("arousal, emotion", spec) == ("emotion", "arousal")
    with pytest.raises(ValueError, match="--outputs expects some of emotion, valence, arousal"):
        choose_outputs("emotions", spec)
    with pytest.raises(ValueError, match="some of what fer2013 labels: emotion"):
        choose_outputs("valence", load_spec("fer2013"))
