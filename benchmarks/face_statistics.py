"""Make fer_keras/models/face_statistics.npz: what the convolutions of `face_resnet` give for faces, channel by channel.

dlib folded the statistics of its normalisation into scales and shifts; a net that trains on needs them back. Of 512 faces of
FER+'s Training at 96 px, and of the whole net, the same at 150 px.

    python benchmarks/face_statistics.py --ferplus ferplus.npz --weights face_resnet.npz
"""

import argparse
from pathlib import Path

import cv2
import keras
import numpy as np

from fer_keras.models.face_resnet import OFFSET, SCALE, build_face_resnet, build_face_resnet_whole
from fer_keras.models.face_weights import STATISTICS, read_face_weights

_FACES = 512


def main() -> None:
    """Measure, and write the file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ferplus", type=Path, required=True)
    parser.add_argument("--weights", type=Path, required=True, help="dlib's .dat file, or the same arrays in a .npz")
    options = parser.parse_args()
    with np.load(options.ferplus) as arrays:
        training = np.flatnonzero(arrays["usage"] == 0)
        chosen = np.random.default_rng(0).choice(training, _FACES, replace=False)
        faces = arrays["images"][np.sort(chosen)]
    weights = {layer.name: layer for layer in read_face_weights(options.weights)}
    found = {}
    for build, name, side in (
        (build_face_resnet_whole, "face_resnet_whole", 150),
        (build_face_resnet, "face_resnet", 96),
    ):
        found |= measure(build, name, np.stack([enlarge(face, side) for face in faces]), weights)
    np.savez_compressed(STATISTICS, **found)
    print(f"{len(found)} layers, {STATISTICS.stat().st_size:,} bytes in {STATISTICS}")


def enlarge(face: np.ndarray, side: int) -> np.ndarray:
    """Return a grey face as (side, side, 3) uint8."""
    return np.repeat(
        cv2.resize(face.reshape(48, 48), (side, side), interpolation=cv2.INTER_CUBIC)[..., None], 3, axis=2
    )


def measure(build, name: str, faces: np.ndarray, weights: dict) -> dict[str, np.ndarray]:
    """Return layer -> (2, filters) float32, means and standard deviations, for one of the two nets."""
    image = keras.Input(faces.shape[1:])
    features = build(keras.layers.Rescaling(SCALE, list(OFFSET))(image))
    net = keras.Model(image, features)
    places = [layer.name for layer in net.layers if isinstance(layer, keras.layers.Conv2D)]
    for place in places:  # the net as dlib computes it: kernels as they are, the normalisation adding biases only
        layer = weights[place.removeprefix(f"{name}_")]
        ones = np.ones_like(layer.bias)
        net.get_layer(place).set_weights([layer.kernel])
        net.get_layer(f"{place}_bn").set_weights([ones, layer.bias, 0 * ones, ones - 1e-3])
    last = net.get_layer(f"{name}_norm").input
    answers = keras.Model(image, [*(net.get_layer(place).output for place in places), last])
    sums = _Sums(len(places) + 1)
    for start in range(0, len(faces), 32):
        sums.add(answers(faces[start : start + 32].astype("float32"), training=False))
    names = [*(place.removeprefix(f"{name}_") for place in places), f"{name}_norm"]
    return dict(zip(names, sums.moments(), strict=True))


class _Sums:
    """Sums, sums of squares and counts of several maps, channel by channel."""

    def __init__(self, maps: int):
        self.parts = [[0.0, 0.0, 0] for _ in range(maps)]

    def add(self, maps) -> None:
        for part, values in zip(self.parts, maps, strict=True):
            values = np.asarray(values, "float64").reshape(-1, values.shape[-1])
            part[0], part[1], part[2] = (
                part[0] + values.sum(0),
                part[1] + np.square(values).sum(0),
                part[2] + len(values),
            )

    def moments(self) -> list[np.ndarray]:
        found = []
        for total, squares, count in self.parts:
            mean = total / count
            found.append(np.stack([mean, np.sqrt(np.maximum(squares / count - mean**2, 0))]).astype("float32"))
        return found


if __name__ == "__main__":
    main()
