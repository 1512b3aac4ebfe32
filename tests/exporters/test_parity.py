"""What counts as equal: differences, ties, lost accuracy."""

import numpy as np
import pytest

from fer_keras.exporters.parity import compare_outputs, reasons_to_refuse

EMOTION = np.array([[0.7, 0.2, 0.1], [0.1, 0.6, 0.3], [0.40001, 0.39999, 0.2]], np.float32)
VALENCE = np.array([[0.1], [-0.5], [0.9]], np.float32)


def answers(shift: float = 0.0, emotion=EMOTION) -> dict:
    return {"emotion": emotion.copy(), "valence": VALENCE + np.float32(shift)}


def test_equal_answers_pass():
    parity = compare_outputs(answers(), answers(), 1e-4)
    assert parity["faces"] == 3 and parity["top_class_agreement"] == 1 and parity["emotion"]["largest"] == 0
    assert reasons_to_refuse(parity, 1e-4, 0.01) == []


def test_a_difference_over_the_tolerance_is_refused():
    parity = compare_outputs(answers(), answers(0.001), 1e-4)
    assert parity["valence"] == {"largest": pytest.approx(0.001, rel=1e-3), "mean": pytest.approx(0.001, rel=1e-3)}
    (reason,) = reasons_to_refuse(parity, 1e-4, 0.01)
    assert reason == "valence differs by up to 0.001 (allowed 0.0001)"
    assert reasons_to_refuse(parity, 5e-3, 0.01) == []


def test_another_top_class_is_refused_but_for_ties():
    tie = EMOTION.copy()
    tie[2, :2] = tie[2, 1::-1]
    parity = compare_outputs(answers(), answers(emotion=tie), 1e-4)
    assert parity["top_class_agreement"] == pytest.approx(2 / 3) and parity["top_class_changed"] == 0
    assert reasons_to_refuse(parity, 1e-4, 0.01) == []
    changed = EMOTION[:, ::-1].copy()
    parity = compare_outputs(answers(), answers(emotion=changed), 1e-4)
    assert parity["top_class_changed"] == 1
    assert "another top class on 1 of 3 faces" in reasons_to_refuse(parity, 1e-4, 0.01)


def test_not_a_number_is_an_error_not_a_pass():
    broken = answers()
    broken["valence"][1] = np.nan
    with pytest.raises(ValueError, match="valence: expected finite numbers .* 1 not finite"):
        compare_outputs(answers(), broken)


def test_missing_outputs_are_an_error():
    with pytest.raises(ValueError, match="Expected outputs emotion, valence. Received: emotion"):
        compare_outputs(answers(), {"emotion": EMOTION})


@pytest.mark.parametrize("drop, refused", [(0.0, False), (-0.05, False), (0.01, False), (0.011, True)])
def test_a_quantised_format_is_judged_by_what_it_loses(drop, refused):
    parity = compare_outputs(answers(), answers(0.2))
    parity["scores"] = {"accuracy": {"before": 0.8, "after": 0.8 - drop, "drop": drop, "faces": 500}}
    assert bool(reasons_to_refuse(parity, None, 0.01)) is refused


def test_a_ccc_counts_as_accuracy_does():
    parity = {"faces": 9, "scores": {"valence_ccc": {"before": 0.7, "after": 0.65, "drop": 0.05, "faces": 9}}}
    assert "valence_ccc falls by 5.00 points" in reasons_to_refuse(parity, None, 0.01)[0]


def test_a_quantised_format_without_labelled_faces_is_refused():
    assert "could not be measured" in reasons_to_refuse(compare_outputs(answers(), answers()), None, 0.01)[0]
