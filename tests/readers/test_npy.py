"""The fast .npy reader against numpy.load, and everything it must refuse."""

import io
import pickle

import numpy as np
import pytest

from fer_keras.readers.npy import parse_landmark_files, parse_npy, parse_scalars


def saved(array, **options) -> bytes:
    file = io.BytesIO()
    np.save(file, array, **options)
    return file.getvalue()


@pytest.mark.parametrize(
    "array",
    [
        np.array("3"),
        np.array("-0.176846"),
        np.array(2),
        np.array([2]),
        np.array([0.5]),
        np.array(-1, np.int8),
        np.float32(0.25),
        np.arange(136.0),
        np.asfortranarray(np.arange(6).reshape(2, 3)),
        np.zeros((0, 3)),
        np.array(1.5, ">f8"),
    ],
)
def test_equals_numpy_load(array):
    data = saved(array)
    expected = np.load(io.BytesIO(data))
    found = parse_npy(data)
    assert found.dtype == expected.dtype and found.shape == expected.shape and (found == expected).all()


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_every_format_version(version):
    file = io.BytesIO()
    np.lib.format.write_array(file, np.arange(4.0), version=version)
    assert parse_npy(file.getvalue()).tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    "array, value",
    [
        (np.array("3"), 3),
        (np.array("-0.176846"), -0.176846),
        (np.array("-2"), -2),
        (np.array([7]), 7),
        (np.array([0.5]), 0.5),
        (np.array(-1), -1),
        (np.array(b"0.25"), 0.25),
        (np.array([[1.0]]), 1),
    ],
)
def test_scalars_however_they_were_written(array, value):
    numbers, problems = parse_scalars([saved(array)])
    assert numbers.tolist() == [value] and not problems


@pytest.mark.parametrize(
    "data, reason",
    [
        (b"", "truncated"),
        (b"\x93NUM", "truncated"),
        (saved(np.arange(9.0))[:40], "truncated"),
        (saved(np.arange(9.0))[:-1], "truncated"),
        (b"0.5", "not an .npy file"),
        (pickle.dumps(0.5), "not an .npy file"),
        (saved(np.array({"a": 1}, dtype=object), allow_pickle=True), "pickled .npy refused"),
        (saved(np.array("happy")), "not one number"),
        (saved(np.arange(2)), "not one number"),
        (saved(np.arange(9.0)).replace(b"'descr'", b"'dunno'"), "bad .npy header"),
        (saved(np.arange(9.0)).replace(b"'<f8'", b"'<q9'"), "bad .npy header"),
    ],
)
def test_bad_files_are_refused_with_the_reason(data, reason):
    numbers, problems = parse_scalars([data])
    assert np.isnan(numbers).all() and reason in problems[0]


def test_a_header_is_never_executed(tmp_path):
    target = tmp_path / "made"
    evil = f"__import__('pathlib').Path({str(target)!r}).touch()".encode()
    data = saved(np.arange(2.0))
    header = evil.ljust(len(data) - 16 - 10)
    with pytest.raises(ValueError, match="bad .npy header"):
        parse_npy(data[:8] + len(header).to_bytes(2, "little") + header + bytes(16))
    assert not target.exists()


def test_landmarks_flat_or_in_pairs():
    points = np.random.default_rng(0).uniform(-20, 300, (68, 2))
    landmarks, problems = parse_landmark_files([saved(points.reshape(136)), saved(points)])
    assert np.allclose(landmarks, points, atol=1e-4) and not problems


@pytest.mark.parametrize(
    "array, reason",
    [
        (np.zeros(10), "not 68 landmarks"),
        (np.full(136, np.nan), "not finite"),
        (np.array(["a"] * 136), "not 68 landmarks"),
    ],
)
def test_bad_landmarks(array, reason):
    landmarks, problems = parse_landmark_files([saved(array)])
    assert np.isnan(landmarks).all() and reason in problems[0]


def test_many_files_read_together_as_each_alone():
    """Groups of one header are converted in one step; one bad file among them costs no other its number."""
    values = ["0.25", "-0.5", "oops", 3, np.float32(0.5), "0.75", np.array([1.5]), [1, 2], np.asfortranarray("0.125")]
    files = [saved(np.array(value)) for value in values] + [None, b"", saved(np.array("0.5"))[:-1]]
    numbers, problems = parse_scalars(files)
    assert numbers.tolist() == pytest.approx(
        [0.25, -0.5, np.nan, 3, 0.5, 0.75, 1.5, np.nan, 0.125, np.nan, np.nan, np.nan], nan_ok=True
    )
    assert problems == {2: "not one number", 7: "not one number", 10: "truncated .npy", 11: "truncated .npy"}


def test_landmarks_of_many_files_read_together_as_each_alone():
    rng = np.random.default_rng(0)
    points = [rng.normal(size=(68, 2)) for _ in range(4)]
    broken = np.full(136, np.nan)
    files = [saved(points[0].ravel()), saved(broken), saved(points[1].ravel()), saved(points[2])]
    files += [saved(np.asfortranarray(points[3])), saved(np.zeros(10)), None]
    landmarks, problems = parse_landmark_files(files)
    assert landmarks[[0, 2, 3, 4]] == pytest.approx(np.stack(points).astype(np.float32))
    assert np.isnan(landmarks[[1, 5, 6]]).all()
    assert problems == {1: "landmark is not finite", 5: "not 68 landmarks"}


@pytest.mark.parametrize(
    "array",
    [
        np.array("2020-01-01", "datetime64[D]"),
        np.array(1 + 2j),
        np.zeros((), [("value", "f8")]),
        np.array(True),
    ],
    ids=["date", "complex", "structured", "bool"],
)
def test_what_only_passes_for_a_number_is_refused(array):
    values, problems = parse_scalars([saved(np.array(0.5)), saved(array)])
    assert values[0] == 0.5 and np.isnan(values[1])
    assert "neither numbers nor text" in problems[1]


@pytest.mark.parametrize("shape", ["(-1,)", "(1.0,)", "(" * 90_000])
def test_hostile_headers_cost_one_file(shape):
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".encode() + b"\n"
    data = b"\x93NUMPY\x02\x00" + len(header).to_bytes(4, "little") + header + bytes(16)
    numbers, problems = parse_scalars([saved(np.array(0.5)), data])
    assert numbers[0] == 0.5 and problems == {1: "bad .npy header"}
