"""`face_resnet`: the graph computes what dlib computed, and its weights are read from dlib's file and from arrays."""

from pathlib import Path

import keras
import numpy as np
import pytest

from fer_keras.models import face_resnet
from fer_keras.models.build import build_model
from fer_keras.models.face_weights import DAT_FILE, find_face_weights, load_face_weights, read_face_weights

ARRAYS = Path(__file__).parents[3] / "shared" / "weights" / "face_resnet.npz"
SIZES = [(7, 3, 32)] + [
    (3, inputs, filters)
    for before, filters in zip((32, *face_resnet.BLOCKS), face_resnet.BLOCKS, strict=False)
    for inputs in (before, filters)
]


def number(value: int) -> bytes:
    """An integer as dlib writes it."""
    data = value.to_bytes(max(1, (value.bit_length() + 7) // 8), "little")
    return bytes([len(data)]) + data


def tensor(values: np.ndarray) -> bytes:
    """A tensor of all parameters of a layer as dlib writes it."""
    return b"".join(map(number, (2, values.size, 1, 1, 1))) + values.astype("<f4").tobytes()


@pytest.fixture(scope="module")
def dat(tmp_path_factory) -> Path:
    """A file like dlib's, with random weights."""
    rng, parts = np.random.default_rng(0), [b"\x01\x01\rloss_metric_2"]
    for side, inputs, filters in SIZES:
        values = rng.normal(0, 0.1, side * side * inputs * filters + filters)
        parts += [b"\x01\x05con_4", tensor(values), b"\x01\x07affine_", tensor(rng.normal(1, 0.1, 2 * filters))]
    path = tmp_path_factory.mktemp("dlib") / "net.dat"
    path.write_bytes(b"".join(parts))
    return path


def embedding_input(side: int, build, weights: Path | None = None):
    image = keras.Input((side, side, 3), name="image")
    scaled = keras.layers.Rescaling(face_resnet.SCALE, list(face_resnet.OFFSET))(image)
    whole = keras.Model(image, build(scaled))
    if weights:
        load_face_weights(whole, build.__name__.removeprefix("build_"), weights)
    return keras.Model(
        image, keras.layers.GlobalAveragePooling2D()(whole.layers[-1].input)
    )  # before the features' norm


def test_layers_are_read_in_order_and_folded(dat):
    layers = read_face_weights(dat)
    assert len(layers) == 29 and [layer.name for layer in layers[:3]] == ["stem", "block00_conv1", "block00_conv2"]
    assert [layer.kernel.shape for layer in layers] == [
        (side, side, inputs, filters) for side, inputs, filters in SIZES
    ]
    rng = np.random.default_rng(0)
    values, affine = (rng.normal(0, 0.1, 4736).astype("f4"), rng.normal(1, 0.1, 64).astype("f4"))
    assert layers[0].kernel[1, 2, 0, 5] == pytest.approx(values[(5 * 3 + 0) * 49 + 1 * 7 + 2] * affine[5])
    assert layers[0].bias == pytest.approx(affine[:32] * values[-32:] + affine[32:], rel=1e-6)


def test_a_damaged_or_another_file_is_refused_in_one_line(dat, tmp_path):
    with pytest.raises(FileNotFoundError, match="No weights there"):
        read_face_weights(tmp_path / "none.dat")
    for content in (
        b"",
        b"no net",
        dat.read_bytes()[:5000],
        dat.read_bytes()[:-400].replace(b"\x07affine_", b"\x07afflne_"),
    ):
        (tmp_path / "bad.dat").write_bytes(content)
        with pytest.raises(ValueError, match=r"bad.dat does not hold the net"):
            read_face_weights(tmp_path / "bad.dat")


def test_what_to_install_is_said(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(FileNotFoundError, match=r"pip install .*--weights FILE"):
        find_face_weights()


@pytest.fixture
def installed(dat, tmp_path, monkeypatch):
    """A package `face_recognition_models` that fails where it is imported."""
    folder = tmp_path / "face_recognition_models"
    (folder / "models").mkdir(parents=True)
    (folder / "__init__.py").write_text("raise RuntimeError('imported')\n")
    (folder / "models" / DAT_FILE).write_bytes(dat.read_bytes())
    monkeypatch.syspath_prepend(tmp_path)
    return folder


@pytest.mark.parametrize("given", ["faces", "file"])
def test_a_model_starts_from_the_weights_by_name_or_by_file(installed, dat, given):
    model = build_model("face_resnet", 48, weights="faces" if given == "faces" else str(dat))
    first = read_face_weights(dat)[0]
    norm = model.get_layer("face_resnet_stem_bn")
    gamma, beta, mean, variance = norm.get_weights()
    factor = gamma / np.sqrt(variance + norm.epsilon)
    kernel = model.get_layer("face_resnet_stem").get_weights()[0]
    assert kernel * factor == pytest.approx(first.kernel, rel=1e-5)
    assert beta - factor * mean == pytest.approx(first.bias, rel=1e-4, abs=1e-4)


def test_weights_of_faces_want_the_backbone_that_has_them(installed):
    with pytest.raises(
        ValueError, match="--weights faces expects --backbone face_resnet or face_resnet_whole. .*small"
    ):
        build_model("small", 48, weights="faces")


@pytest.mark.parametrize("side", [48, 64, 96])
def test_small_faces_fit(side):
    model = embedding_input(side, face_resnet.build_face_resnet)
    assert model.output.shape == (None, 256) and 4_300_000 < model.count_params() < 4_500_000


def test_the_check_images_embedding_is_dlibs():
    if not ARRAYS.is_file():
        pytest.skip(f"needs the net's arrays at {ARRAYS}")
    model = embedding_input(150, face_resnet.build_face_resnet_whole, ARRAYS)
    image = np.random.default_rng(0).integers(0, 256, (150, 150, 3), dtype=np.uint8)
    with np.load(ARRAYS) as arrays:
        found = np.asarray(model(image[None].astype("float32"))) @ arrays["embedding/kernel"]
        assert np.abs(found[0] - arrays["check/embedding"]).max() < 1e-4
