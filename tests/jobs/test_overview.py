"""The pictures that sum up a run."""

import matplotlib.colors
import pytest

from fer_keras.drawing.palette import class_colour
from fer_keras.jobs.overview import plot_time_line


def rows(**shares):
    """A face that is seen in two frames, with these probabilities."""
    common = {"face": 0, "id": 1, "valence": 0.1, "arousal": None, "probabilities": shares}
    return [{**common, "seconds": seconds} for seconds in (0.0, 0.1)]


@pytest.mark.parametrize("names", [("happy", "sad"), ("anger", "disgust", "happy", "sad"), ("Happiness", "Sadness")])
def test_a_class_has_the_same_colour_in_every_time_line(names):
    figure = plot_time_line(rows(**dict.fromkeys(names, 1 / len(names))))
    areas = {area.get_label(): matplotlib.colors.to_hex(area.get_facecolor()[0]) for area in figure.axes[0].collections}
    assert areas == {name: class_colour(name, names) for name in names}
    happy = next(name for name in names if name.lower().startswith("happ"))
    assert areas[happy] == class_colour("happy")
