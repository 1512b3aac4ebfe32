"""Every second belongs to one part."""

import pytest

from fer_keras.training.part_clock import PartClock


class Hand:
    """A clock that is moved by hand."""

    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def test_time_inside_a_block_is_not_that_of_the_parts_around_it():
    hand = Hand()
    clock = PartClock("start", now=hand)
    hand.seconds = 1
    clock.switch("step")
    hand.seconds = 3
    with clock.inside("outer"):
        hand.seconds = 6
        with clock.inside("inner"):
            hand.seconds = 10
        hand.seconds = 11
    hand.seconds = 16
    assert clock.take() == {"start": 1, "step": 7, "outer": 4, "inner": 4}
    assert clock.take() == {"step": 0}


def test_an_exception_ends_its_part():
    hand = Hand()
    clock = PartClock("step", now=hand)
    with pytest.raises(KeyError), clock.inside("callbacks"):
        hand.seconds = 2
        raise KeyError
    hand.seconds = 3
    assert clock.take() == {"step": 1, "callbacks": 2}


def test_no_more_is_moved_than_there_is():
    hand = Hand()
    clock = PartClock("step", now=hand)
    hand.seconds = 3
    clock.move(1, "step", "input")
    clock.move(5, "step", "metrics")
    assert clock.take() == {"step": 0, "input": 1, "metrics": 2}
