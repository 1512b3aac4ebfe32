"""Valence and arousal on other scales: mapped where the spec says its range, refused with the scale's name where not."""

import numpy as np
import pytest
from faces_on_disk import face, write_face, write_spec

from fer_keras.data.index_building import NEVER_NEGATIVE, WrongScale
from fer_keras.data.loading import load_index
from fer_keras.readers.arrays import save_arrays
from fer_keras.readers.spec import load_spec

TARGETS = ("valence", "arousal")


def arrays(folder, valence, arousal, more=""):
    """The index of faces with these labels, from arrays."""
    images = np.stack([face(number) for number in range(len(valence))])
    path = save_arrays(folder / "a.npz", images, valence=np.float64(valence), arousal=np.float64(arousal))
    return load_index(load_spec(write_spec(folder, "arrays", TARGETS, more)), path, folder / "cache")


SCALES = {
    "AFEW-VA's -10..10": (np.arange(80) % 21 - 10, "va_range = \\[-10, 10\\]"),
    "SAM's 1..9": (1 + np.arange(80) % 9, "va_range = \\[1, 9\\]"),
    "a five-point scale of 1..5": (1 + np.arange(80) % 5, "va_range = \\[1, 5\\]"),
    "a scale of 0..100": (np.linspace(0, 100, 80), "va_range = \\[0, 100\\]"),
    "Aff-Wild's raw -1000..1000": (np.linspace(-900, 980, 80), "va_range = \\[-1000, 1000\\]"),
}


@pytest.mark.parametrize("name", SCALES)
def test_other_scales_are_refused_by_name_with_the_line_to_write(tmp_path, name):
    values, line = SCALES[name]
    with pytest.raises(WrongScale, match=f"valence is not on the scale -1..1.*looks like {name}.*{line}") as caught:
        arrays(tmp_path, values, values)
    low, high = caught.value.range
    index = arrays(tmp_path, values, values, f"va_range = [{low}, {high}]")
    expected = (values - low) / (high - low) * 2 - 1
    assert index.valence == pytest.approx(expected, abs=1e-6) and index.report.missing_labels == {}


def test_one_axis_alone_and_mostly_small_values_are_a_scale_too(tmp_path):
    values = np.zeros(200)
    values[:12] = 7  # whole numbers, most of them within -1..1
    with pytest.raises(WrongScale, match="arousal is not on the scale"):
        arrays(tmp_path, np.zeros(200), values)


def test_single_slips_are_counted_as_missing(tmp_path):
    valence = np.linspace(-0.9, 0.9, 80)
    valence[7] = 3
    index = arrays(tmp_path, valence, np.zeros(80))
    assert index.report.missing_labels == {"valence: outside -1..1": 1} and np.isnan(index.valence[7])


def test_a_slip_outside_the_specs_range(tmp_path):
    valence = 1 + np.arange(80) % 9
    valence[7] = 12
    index = arrays(tmp_path, valence, np.full(80, 5), "va_range = [1, 9]")
    assert index.report.missing_labels == {"valence: outside 1..9": 1} and (index.arousal == 0).all()


def test_a_range_can_run_the_other_way(tmp_path):
    index = arrays(tmp_path, [1, 5, 9], [1, 1, 1], "va_range = [9, 1]")
    assert index.valence.tolist() == [1, 0, -1]


def test_a_valence_that_is_never_negative_is_noted(tmp_path):
    index = arrays(tmp_path, np.linspace(0, 1, 60), np.zeros(60))
    assert index.report.warnings == {NEVER_NEGATIVE: 1}


@pytest.mark.parametrize("value", ["[1]", "[1, 1]", '["a", 2]', "3", "[1, inf]", "[true, 2]"])
def test_ranges_that_make_no_sense_are_refused(tmp_path, value):
    with pytest.raises(ValueError, match="va_range expects two different numbers"):
        load_spec(write_spec(tmp_path, "arrays", TARGETS, f"va_range = {value}"))


def test_affectnets_layout_is_checked_too_and_its_mark_left_alone(tmp_path):
    root = tmp_path / "set"
    for number in range(20):
        write_face(root / "train_set" / "images" / f"{number}.jpg", number, ".jpg")
        (root / "train_set" / "annotations").mkdir(exist_ok=True)
        for what, value in (("exp", number % 8), ("val", -2), ("aro", number - 10)):
            np.save(root / "train_set" / "annotations" / f"{number}_{what}.npy", np.array(str(value)))
    with pytest.raises(WrongScale, match="affectnet: arousal .*AFEW-VA"):
        load_index(load_spec("affectnet"), root, tmp_path / "cache")


def test_inspect_writes_the_spec_that_maps_the_scale(tmp_path):
    from fer_keras.inspect import main

    lines = [f"{write_face(tmp_path / f'{n}.png', n).name},{n % 9 + 1},{n % 9 + 1}" for n in range(20)]
    (tmp_path / "t.csv").write_text("\n".join(["image,valence,arousal", *lines]))
    spec, made = write_spec(tmp_path, "face_table", TARGETS), tmp_path / "sam.toml"
    arguments = ["--data-spec", spec, "--data-dir", str(tmp_path / "t.csv")]
    assert main(arguments) == 2
    assert main([*arguments, "--write-spec", str(made)]) == 0
    index = load_index(load_spec(made), tmp_path / "t.csv", tmp_path / "cache")
    assert load_spec(made).va_range == (1, 9) and index.valence[0] == -1 and index.valence[8] == 1
